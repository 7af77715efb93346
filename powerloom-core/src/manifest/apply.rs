//! Carries a plan out, step by step, through the one door.

use crate::digest::Digest;
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::filled::Unready;
use crate::manifest::plan::{Clash, PLAN_VERSION, Plan, Step, Verb};
use crate::manifest::report::{Line, Report, StepResult};
use crate::manifest::target::Target;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// The way to the door, for one organization and one caller.
///
/// # Guarantees
/// 1. **The door**: `submit` is [`ControlPlane::submit`](crate::door) or leads there.
/// 2. **Current**: `find` sees what an earlier `submit` answered.
#[async_trait]
pub trait Submit: Send + Sync {
    /// What a refusal is.
    type Error: std::error::Error + Send;

    /// Does one mutation of the plan's step at this place, counted from 0. A replacement has two: an archiving and a creation.
    async fn submit(&self, place: usize, mutation: Mutation) -> Result<Outcome, Self::Error>;

    /// The id of the live record of a named kind in an OU.
    async fn find(
        &self,
        kind: &KindName,
        ou: ResourceId,
        name: &str,
    ) -> Result<Option<ResourceId>, Self::Error>;

    /// Waits, as long as it sees fit, until an archived resource has let go of its name; `false` if it has not.
    ///
    /// A kind with a counterpart on the runtime keeps its name until that is archived too.
    async fn released(&self, key: &ResourceKey) -> Result<bool, Self::Error>;

    /// The version of a record; `None` if it is not live, or there is none.
    async fn version(&self, key: &ResourceKey) -> Result<Option<u64>, Self::Error>;

    /// The class of a refusal.
    fn kind(&self, error: &Self::Error) -> ErrorKind;
}

/// What an application may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// Replacing is allowed: it destroys credentials and history on the runtime (sem. 2.3.6).
    ///
    /// In between there is neither the old one nor the new one. If the new one cannot be made, its step fails and says
    /// so; a partial document is not enough then to make it: what it left alone is only in the archived record.
    pub allow_replace: bool,
    /// The plan must have this digest, or nothing of it is done.
    pub digest: Option<Digest>,
}

impl ApplyOptions {
    /// Allows replacing, or not.
    #[must_use]
    pub const fn allow_replace(mut self, allowed: bool) -> Self {
        self.allow_replace = allowed;
        self
    }

    /// Refuses every plan but the one of this digest, such as the one that was approved.
    #[must_use]
    pub const fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }
}

/// Carries a plan out, best effort per resource: a step that fails or waits for approval keeps what depends on it from
/// being tried, and nothing else (sem. 2.3.8).
///
/// Every step but a creation expects the version the plan saw: a resource that moved since fails with
/// [`ErrorKind::VersionMismatch`] and is not overwritten (sem. 2.3.7).
///
/// # Cancel safety
/// Dropped early, the steps so far are done and the others are not; planning anew finds what is left.
pub async fn apply<S: Submit + ?Sized>(plan: &Plan, door: &S, options: ApplyOptions) -> Report {
    apply_until(plan, door, options, None).await
}

/// The same, and begins no step once it is to stop. A step that was begun is brought to its end.
pub(crate) async fn apply_until<S: Submit + ?Sized>(
    plan: &Plan,
    door: &S,
    options: ApplyOptions,
    stopping: Option<&CancellationToken>,
) -> Report {
    let mut run = Run { door, options, made: BTreeMap::new(), place: 0 };
    let mut report = Report::default();
    let mut done: BTreeSet<&Target> = BTreeSet::new();
    let unfit = unfit(plan, options);
    for (place, step) in plan.steps.iter().enumerate() {
        run.place = place;
        let result = match &unfit {
            Some(refusal) => refusal.clone(),
            None if stopping.is_some_and(CancellationToken::is_cancelled) => not_begun(),
            None => match step.depends_on.iter().find(|on| !done.contains(on)) {
                Some(on) => StepResult::Skipped { dependency: on.clone() },
                None => run.step(step).await,
            },
        };
        if result.is_done() {
            done.insert(&step.target);
        }
        let left = step.clashes.iter().filter_map(|clash| match clash {
            Clash::Field { field, .. } => Some(field.clone()),
            Clash::Owner { .. } => None,
        });
        report.lines.push(Line { target: step.target.clone(), result, left: left.collect() });
    }
    report
}

/// Why nothing at all of a plan is done.
fn unfit(plan: &Plan, options: ApplyOptions) -> Option<StepResult> {
    if plan.v != PLAN_VERSION {
        return Some(refused(format!("the plan has version {}, not {PLAN_VERSION}: plan again", plan.v)));
    }
    let expected = options.digest?;
    match plan.digest() {
        Ok(digest) if digest == expected => None,
        Ok(digest) => Some(StepResult::Failed {
            kind: ErrorKind::Conflict,
            message: format!("the plan has the digest {digest}, not {expected}: it is another one"),
        }),
        Err(invalid) => Some(refused(invalid.to_string())),
    }
}

fn refused(message: String) -> StepResult {
    StepResult::Failed { kind: ErrorKind::Invalid, message }
}

fn not_begun() -> StepResult {
    StepResult::Failed {
        kind: ErrorKind::Unavailable,
        message: "it was not tried, as the program is about to end: apply the plan again, with its idempotency key if \
                  it had one, or plan again"
            .to_owned(),
    }
}

struct Run<'a, S: ?Sized> {
    door: &'a S,
    options: ApplyOptions,
    /// The ids of what this run made.
    made: BTreeMap<Target, ResourceId>,
    /// The place of the step at hand.
    place: usize,
}

/// A step ends early with this result.
type Ended<T> = Result<T, StepResult>;

impl<S: Submit + ?Sized> Run<'_, S> {
    async fn step(&mut self, step: &Step) -> StepResult {
        if let Some(other @ Clash::Owner { .. }) = step.clashes.first() {
            return StepResult::Failed { kind: ErrorKind::Conflict, message: other.to_string() };
        }
        let result = match step.verb {
            Verb::Noop => self.unchanged(step).await,
            Verb::Create => self.create(step).await.map(|id| StepResult::Created { id }),
            Verb::Update => self.update(step).await,
            Verb::Archive => self.archive(step).await.map(|()| StepResult::Archived),
            Verb::Replace if !self.options.allow_replace => Err(StepResult::Failed {
                kind: ErrorKind::Conflict,
                message: format!(
                    "replacing was not allowed; cannot change in place: {}",
                    step.reason.join(", ")
                ),
            }),
            Verb::Replace => self.replace(step).await,
        };
        result.unwrap_or_else(|ended| ended)
    }

    async fn create(&mut self, step: &Step) -> Ended<ResourceId> {
        let outcome = self.submit(ready(step.mutation(&self.made))?).await?;
        let Some(row) = outcome.record() else {
            return Err(refused("the door did not say what it made".into()));
        };
        let id = row.meta.id;
        self.made.insert(step.target.clone(), id);
        if step.target.kind == McpDeployment::KIND {
            // A deployment makes a registration of its own name with it (row P65).
            let found = self.door.find(&McpServer::KIND, row.meta.ou, &row.meta.name).await;
            if let Some(registration) = found.map_err(|error| self.failed(&error))? {
                self.made.insert(Target::new(McpServer::KIND, step.target.path.clone()), registration);
            }
        }
        Ok(id)
    }

    async fn update(&mut self, step: &Step) -> Ended<StepResult> {
        Ok(match self.submit(ready(step.mutation(&self.made))?).await? {
            Outcome::Unchanged { .. } => StepResult::Unchanged,
            _ => StepResult::Updated,
        })
    }

    async fn archive(&mut self, step: &Step) -> Ended<()> {
        self.submit(ready(step.removal())?).await.map(|_| ())
    }

    /// Nothing is to be done, if nothing has been done to it since.
    async fn unchanged(&self, step: &Step) -> Ended<StepResult> {
        let (key, seen) = ready(step.seen())?;
        match self.door.version(&key).await.map_err(|error| self.failed(&error))? {
            Some(version) if version == seen => Ok(StepResult::Unchanged),
            Some(version) => Err(StepResult::Failed {
                kind: ErrorKind::VersionMismatch,
                message: format!("it has version {version}, not {seen}: plan again"),
            }),
            None => Err(StepResult::Failed {
                kind: ErrorKind::Conflict,
                message: "it has been archived since: plan again".to_owned(),
            }),
        }
    }

    /// Archives the old one, then declares the new one. In between there is none: a failure says so.
    async fn replace(&mut self, step: &Step) -> Ended<StepResult> {
        // Whatever is open must be known before anything is taken away.
        ready(step.mutation(&self.made))?;
        let (key, _) = ready(step.seen())?;
        self.archive(step).await?;
        match self.door.released(&key).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(StepResult::Failed {
                    kind: ErrorKind::Conflict,
                    message:
                        "the old one is being archived and keeps the name until the runtime has archived it; \
                              apply the whole document again then"
                            .to_owned(),
                });
            }
            Err(error) => return Err(self.failed(&error)),
        }
        match self.create(step).await {
            Ok(id) => Ok(StepResult::Replaced { id }),
            Err(StepResult::Failed { kind, message }) => {
                let message = format!("the old one is archived, the new one could not be made: {message}");
                Err(StepResult::Failed { kind, message })
            }
            Err(other) => Err(other),
        }
    }

    async fn submit(&self, mutation: Mutation) -> Ended<Outcome> {
        match self.door.submit(self.place, mutation).await {
            Ok(Outcome::Pending { request_id }) => Err(StepResult::PendingApproval { request_id }),
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &S::Error) -> StepResult {
        StepResult::Failed { kind: self.door.kind(error), message: error.to_string() }
    }
}

fn ready<T>(derived: Result<T, Unready>) -> Ended<T> {
    derived.map_err(|unready| StepResult::Failed { kind: unready.kind(), message: unready.to_string() })
}

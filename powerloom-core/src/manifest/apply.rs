//! Carries a plan out, step by step, through the one door.

use crate::door::mutation::{Action, Mutation};
use crate::door::outcome::Outcome;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::hole::{OU, fill};
use crate::manifest::plan::{Observed, PLAN_VERSION, Plan, Step, Verb};
use crate::manifest::report::{Report, StepResult};
use crate::manifest::target::Target;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The way to the door, for one organization and one caller.
///
/// # Guarantees
/// 1. **The door**: `submit` is [`ControlPlane::submit`](crate::door) or leads there.
/// 2. **Current**: `find` sees what an earlier `submit` answered.
#[async_trait]
pub trait Submit: Send + Sync {
    /// What a refusal is.
    type Error: std::error::Error + Send;

    /// Does one mutation.
    async fn submit(&self, mutation: Mutation) -> Result<Outcome, Self::Error>;

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
}

impl ApplyOptions {
    /// Allows replacing, or not.
    #[must_use]
    pub const fn allow_replace(mut self, allowed: bool) -> Self {
        self.allow_replace = allowed;
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
    let mut run = Run { door, options, made: BTreeMap::new() };
    let mut report = Report::default();
    for step in &plan.steps {
        let result = if plan.v == PLAN_VERSION {
            match step.depends_on.iter().find(|on| !report.is_done(on)) {
                Some(on) => StepResult::Skipped { dependency: on.clone() },
                None => run.step(step).await,
            }
        } else {
            refused(format!("the plan has version {}, not {PLAN_VERSION}: plan again", plan.v))
        };
        report.push(step.target.clone(), result);
    }
    report
}

fn refused(message: String) -> StepResult {
    StepResult::Failed { kind: ErrorKind::Invalid, message }
}

struct Run<'a, S: ?Sized> {
    door: &'a S,
    options: ApplyOptions,
    /// The ids of what this run made.
    made: BTreeMap<Target, ResourceId>,
}

/// A step ends early with this result.
type Ended<T> = Result<T, StepResult>;

impl<S: Submit + ?Sized> Run<'_, S> {
    async fn step(&mut self, step: &Step) -> StepResult {
        let result = match step.verb {
            Verb::Noop => Ok(StepResult::Unchanged),
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
        let (ou, spec) = self.filled(step)?;
        let action = Action::Create { kind: step.target.kind.clone(), ou, name: step.name.clone(), spec };
        let outcome = self.submit(action).await?;
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
        let (target, expect) = observed(step)?;
        let (_, patch) = self.filled(step)?;
        Ok(match self.submit(Action::Update { target, expect, patch }).await? {
            Outcome::Unchanged { .. } => StepResult::Unchanged,
            _ => StepResult::Updated,
        })
    }

    async fn archive(&mut self, step: &Step) -> Ended<()> {
        let (target, expect) = observed(step)?;
        self.submit(Action::Archive { target, expect }).await.map(|_| ())
    }

    /// Archives the old one, then declares the new one. In between there is none: a failure says so.
    async fn replace(&mut self, step: &Step) -> Ended<StepResult> {
        // Whatever is open must be known before anything is taken away.
        self.filled(step)?;
        let (key, _) = observed(step)?;
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

    async fn submit(&self, action: Action) -> Ended<Outcome> {
        match self.door.submit(action.into()).await {
            Ok(Outcome::Pending { request_id }) => Err(StepResult::PendingApproval { request_id }),
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &S::Error) -> StepResult {
        StepResult::Failed { kind: self.door.kind(error), message: error.to_string() }
    }

    /// OU and payload with the ids of what this run made.
    fn filled(&self, step: &Step) -> Ended<(Option<ResourceId>, Map<String, Value>)> {
        let mut ou = step.ou;
        let mut payload = Value::Object(step.payload.clone());
        for hole in &step.holes {
            let Some(id) = self.made.get(&hole.target) else {
                return Err(refused(format!("{} was not made by this plan", hole.target)));
            };
            if hole.pointer == OU {
                ou = Some(*id);
            } else if !fill(&mut payload, &hole.pointer, *id) {
                return Err(refused(format!("the plan has no `{}`", hole.pointer)));
            }
        }
        match payload {
            Value::Object(map) => Ok((ou, map)),
            _ => Err(refused("the plan has no payload".into())),
        }
    }
}

fn observed(step: &Step) -> Ended<(ResourceKey, Option<u64>)> {
    match step.observed {
        Some(Observed { id, version }) => {
            Ok((ResourceKey { kind: step.target.kind.clone(), id }, Some(version)))
        }
        None => Err(refused(format!("the plan does not say which version of {} it saw", step.target))),
    }
}

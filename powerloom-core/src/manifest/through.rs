//! From documents to a plan, and from a plan to the door of a [`ControlPlane`], as one caller.

use crate::approval::ApprovalId;
use crate::control_plane::ControlPlane;
use crate::digest::Digest;
use crate::door::caller::Caller;
use crate::door::mutation::{Action, Mutation};
use crate::door::outcome::Outcome;
use crate::door::submit::SubmitOptions;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::manifest::apply::{ApplyOptions, Submit, apply_until};
use crate::manifest::diff::plan_as;
use crate::manifest::document::Document;
use crate::manifest::export::export_as;
use crate::manifest::forecast::Forecaster;
use crate::manifest::plan::{Clash, MAX_STEPS, PLAN_VERSION, Plan, Verb};
use crate::manifest::prune::{self, strays};
use crate::manifest::report::Report;
use crate::manifest::resolve::{find, named};
use crate::manifest::set::SetOptions;
use crate::manifest::sight::Sight;
use crate::manifest::wanted::ResolveError;
use crate::record::{KindName, RecordRow, ResourceKey, Stage};
use crate::store::{RecordCursor, RecordQuery};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Plans and applies as a caller: nothing is shown that they may not read, and every step is authorized, gated and
/// audited like any other change of theirs.
#[derive(Debug, Clone, Copy)]
pub struct Through<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
    patience: Duration,
    under: Option<ApprovalId>,
    justification: Option<&'a str>,
    key: Option<&'a str>,
    stopping: Option<&'a CancellationToken>,
}

/// How long a replacement waits for the old one to let go of its name, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an application is called where its key is kept.
const WORD: &str = "apply_plan";

/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl<'a> Through<'a> {
    /// The door of `control_plane`, for `caller`.
    #[must_use]
    pub const fn new(control_plane: &'a ControlPlane, caller: &'a Caller) -> Self {
        Self {
            control_plane,
            caller,
            patience: PATIENCE,
            under: None,
            justification: None,
            key: None,
            stopping: None,
        }
    }

    /// How long a replacement waits until the reconciler has archived the old one on the runtime: 30 seconds unless
    /// said otherwise. Without a running reconciler it waits in vain.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Applies as steps of this approved plan: each is made once, and nobody whom the plan has asked is asked again.
    #[must_use]
    pub const fn under(mut self, plan: ApprovalId) -> Self {
        self.under = Some(plan);
        self
    }

    /// Says of every step why it is made, as [`SubmitOptions::justification`] does: what a policy of mode
    /// `require_justification` wants to know.
    #[must_use]
    pub const fn justification(mut self, why: &'a str) -> Self {
        self.justification = Some(why);
        self
    }

    /// Makes an application that is sent again answer what it answered: each step has a key of its own, which is made of this
    /// one and of the step's place in the plan (see [`SubmitOptions::idempotency_key`]). What was refused, or not tried, is
    /// tried again. Only [`apply`](Self::apply) keeps the key for this one plan, once the caller may make one of its steps.
    #[must_use]
    pub const fn idempotency_key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// Begins no step of an application any more once this is cancelled: the steps that are left fail as `unavailable`. The
    /// one under way is brought to its end, a replacement with both of its halves.
    #[must_use]
    pub const fn until(mut self, stopping: &'a CancellationToken) -> Self {
        self.stopping = Some(stopping);
        self
    }

    /// Carries a plan out, as [`apply`](crate::manifest::apply()) does, if it is fit to be carried out at all.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a plan of another version or organization, of more than [`MAX_STEPS`] steps, or of another digest
    /// than the options expect, and for a key or justification out of bounds; `idempotency_mismatch` for a key that was used for
    /// another plan. Then no step was tried; what becomes of the steps is in the report.
    ///
    /// # Cancel safety
    /// As [`apply`](crate::manifest::apply()): every step is made or not.
    pub async fn apply(&self, plan: &Plan, options: ApplyOptions) -> Result<Report, Error> {
        if plan.v != PLAN_VERSION {
            return Err(Invalid::new("plan.v", plan.v, format!("{PLAN_VERSION}: plan again")).into());
        }
        if plan.org != self.caller.org {
            return Err(Invalid::hidden("plan.org", "the organization of whoever applies it").into());
        }
        if plan.steps.len() > MAX_STEPS {
            let allowed = format!("at most {MAX_STEPS} steps: make several plans of it");
            return Err(Invalid::new("plan.steps", plan.steps.len(), allowed).into());
        }
        if let Some(expected) = options.digest {
            let found = plan.digest()?;
            if found != expected {
                let allowed = format!("that of the plan, which is {found}: it is another one");
                return Err(Invalid::new("digest", expected, allowed).into());
            }
        }
        let mut whole = self.options(0);
        whole.idempotency_key = self.key.map(str::to_owned);
        whole.validate()?;
        if let Some(key) = self.key {
            self.keep(key, plan, options).await?;
        }
        Ok(apply_until(plan, self, options, self.stopping).await)
    }

    /// Keeps the key for this plan if one of its steps can be made now. A plan that does nothing, and a caller who may do nothing
    /// of it, leave nothing in the store, however many keys they think of.
    async fn keep(&self, key: &str, plan: &Plan, options: ApplyOptions) -> Result<(), Error> {
        let plane = &self.control_plane.plane;
        let digest = plan.digest()?;
        if plane.is_reserved(self.caller, WORD, key, digest).await? {
            return Ok(());
        }
        let nothing_made = BTreeMap::new();
        for step in &plan.steps {
            let is_anothers = matches!(step.clashes.first(), Some(Clash::Owner { .. }));
            let mutation = match step.verb {
                _ if is_anothers => continue,
                Verb::Noop => continue,
                Verb::Replace if !options.allow_replace => continue,
                Verb::Replace => step.removal(),
                Verb::Create | Verb::Update | Verb::Archive => step.mutation(&nothing_made),
            };
            // What waits for another step of the plan is not made before that one, which is asked about too.
            let Ok(mutation) = mutation else { continue };
            match plane.rehearse(self.caller, &mutation).await {
                Ok(_) => return plane.reserve(self.caller, WORD, key, digest).await,
                Err(error @ (Error::Store(_) | Error::Internal { .. })) => return Err(error),
                // It is refused again when its turn comes, and the report says why.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// How the step at this place is submitted.
    fn options(&self, place: usize) -> SubmitOptions {
        let own = |key: &str| {
            // A digest, so that it is never too long, and is nobody's key for something else.
            let parts = [b"powerloom/step/v1\n".as_slice(), key.as_bytes()];
            format!("{}/{place}", Digest::of_parts(&parts))
        };
        SubmitOptions {
            idempotency_key: self.key.map(own),
            justification: self.justification.map(str::to_owned),
            under: self.under,
            ..SubmitOptions::default()
        }
    }

    /// Asks for a whole plan at once: the policies its steps will meet make one request, and its approvers sign the plan's
    /// [digest](Plan::digest). Once it is approved, [`apply`](crate::manifest::apply()) it [`under`](Self::under) the request.
    ///
    /// The same plan again is the same request. A step that meets a policy the plan did not ask, such as one declared since,
    /// waits by itself when it is applied.
    ///
    /// # Errors
    /// [`Error::Denied`] if the caller may not make one of the steps, and whatever else would refuse it now;
    /// `nothing_to_approve` if no policy asks for approval.
    ///
    /// # Cancel safety
    /// As [`ControlPlane::submit`].
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::caller::Caller;
    /// use powerloom_core::door::outcome::Outcome;
    /// use powerloom_core::manifest::{ApplyOptions, ParseMode, Through, apply, parse};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let documents = |text: &str| parse("acme.yaml", text, ParseMode::Lenient, loom.catalogue()).unwrap().documents;
    /// let rule = "
    /// {kind: User, metadata: {email: grace@acme.com, ou_path: /acme}}
    /// ---
    /// {kind: RoleBinding, metadata: {ou_path: /acme}, spec: {principal_ref: 'user:grace@acme.com', role: Approver}}
    /// ---
    /// {kind: ApprovalPolicy, metadata: {name: ous, ou_path: /acme}, spec: {match: {resource_kinds: [OU]}, approvers: ['role:Approver']}}
    /// ";
    /// let through = Through::new(&loom, &admin);
    /// apply(&through.plan(documents(rule)).await?, &through, ApplyOptions::default()).await;
    ///
    /// let plan = through.plan(documents("{kind: OU, metadata: {name: production, ou_path: /acme}}")).await?;
    /// let Outcome::Pending { request_id } = through.submit_plan(&plan, Some("we grow")).await? else { panic!() };
    /// let request = request_id.parse()?;
    ///
    /// let who = loom.authz(acme.id).await?.resolve(&"user:grace@acme.com".parse()?).unwrap();
    /// let grace = Caller::new(acme.id, who);
    /// loom.approvals(&grace).approve(request, plan.digest()?, None).await?;
    /// assert!(apply(&plan, &through.under(request), ApplyOptions::default()).await.is_complete());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn submit_plan(&self, plan: &Plan, justification: Option<&str>) -> Result<Outcome, Error> {
        let (plan, justification) = (Box::new(plan.clone()), justification.map(str::to_owned));
        self.control_plane.submit(self.caller, Action::SubmitPlan { plan, justification }).await
    }

    /// Plans `documents` against what is there.
    ///
    /// A plan tells what a record holds, be it only that it is as wanted; the caller must be allowed to read each
    /// record it is made from. [`resolve`](crate::manifest::resolve()) and
    /// [`plan`](crate::manifest::plan()) alone judge no permission. What a record refers to and the caller may not read is
    /// named by its id. Each step says what it will meet with: see [`Governance`](crate::manifest::Governance).
    ///
    /// # Errors
    /// [`PlanError::Resolve`] for documents that cannot be resolved, [`PlanError::Refused`] for records the caller may
    /// not read.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn plan(&self, documents: Vec<Document>) -> Result<Plan, PlanError> {
        self.plan_as(documents, None).await
    }

    /// Plans the documents of a set, all of them: it owns what they declare, and remembers what it applied.
    ///
    /// What the set declared once and does not any more is named in [`Plan::left`], or archived if the options say so;
    /// what the caller may not read is not among it. What belongs to another set, and fields that somebody else has
    /// changed, are left alone unless the options take them: the steps name them as
    /// [clashes](crate::manifest::Step::clashes).
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    ///
    /// # Cancel safety
    /// Reads only.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::manifest::{ApplyOptions, ParseMode, SetOptions, Through, apply, parse};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let through = Through::new(&loom, &admin);
    /// let read = |text: &str| parse("skills.yaml", text, ParseMode::Lenient, loom.catalogue());
    ///
    /// let lint = "{kind: Skill, metadata: {name: lint, ou_path: /acme}}\n";
    /// let plan = through.plan_set(read(lint)?.documents, &SetOptions::new("skills")?).await?;
    /// assert!(apply(&plan, &through, ApplyOptions::default()).await.is_complete());
    ///
    /// // The file does not declare it any more.
    /// let plan = through.plan_set(Vec::new(), &SetOptions::new("skills")?).await?;
    /// assert_eq!(plan.left[0].to_string(), "Skill /acme/lint");
    /// let plan = through.plan_set(Vec::new(), &SetOptions::new("skills")?.prune()).await?;
    /// assert_eq!(plan.to_string(), "  - Skill /acme/lint\n0 to create, 0 to update, 0 to replace, 1 to archive, 0 unchanged");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn plan_set(&self, documents: Vec<Document>, options: &SetOptions) -> Result<Plan, PlanError> {
        self.plan_as(documents, Some(options)).await
    }

    async fn plan_as(&self, documents: Vec<Document>, set: Option<&SetOptions>) -> Result<Plan, PlanError> {
        let (catalogue, store) = (self.control_plane.catalogue(), self.control_plane.store().as_ref());
        let org = self.caller.org;
        let (mut live, wanted) = find(documents, catalogue, store, org).await?;
        let mut sight = Sight::open(self.control_plane, self.caller).await?;
        for row in wanted.iter().filter_map(|wanted| wanted.existing.as_ref()) {
            if !sight.reads(row) {
                // Somebody or somewhere may be too new for the data at hand.
                self.control_plane.get(self.caller, &row.key()).await?;
                sight = Sight::open(self.control_plane, self.caller).await?;
            }
        }
        let resolved =
            named(wanted, &mut live, org, &|row| sight.names(row)).await.map_err(ResolveError::from)?;
        let mut plan = plan_as(&resolved, set).map_err(ResolveError::from)?;
        if let Some(set) = set {
            let strays = strays(&set.owner, &resolved, catalogue, store, |row| sight.reads(row)).await;
            prune::add(&mut plan, &strays.map_err(ResolveError::from)?, &resolved, set.prune);
        }
        Forecaster::open(self.control_plane, self.caller, &sight).await?.govern(&mut plan).await?;
        Ok(plan)
    }

    /// The documents that would declare everything the caller may read, by kind and name (row P29).
    ///
    /// What a record refers to and the caller may not read is named by its id: such a document cannot be applied.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn export(&self) -> Result<Vec<Value>, PlanError> {
        let mut query = RecordQuery::default();
        let mut rows = Vec::new();
        loop {
            let page = self.control_plane.list(self.caller, &query).await?;
            let Some(last) = page.last() else { break };
            query.after = Some(RecordCursor {
                kind: last.kind.clone(),
                name: last.meta.name.clone(),
                id: last.meta.id,
            });
            rows.extend(page);
        }
        let sight = Sight::open(self.control_plane, self.caller).await?;
        let (catalogue, store) = (self.control_plane.catalogue(), self.control_plane.store());
        Ok(export_as(&rows, catalogue, store.as_ref(), self.caller.org, &|row| sight.names(row)).await?)
    }
}

/// Why documents could not be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// They cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The caller may not read what they are about.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl PlanError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(error) => error.kind(),
            Self::Refused(error) => error.kind(),
        }
    }
}

#[async_trait]
impl Submit for Through<'_> {
    type Error = Error;

    async fn submit(&self, place: usize, mutation: Mutation) -> Result<Outcome, Error> {
        self.control_plane.submit_with(self.caller, mutation, &self.options(place)).await
    }

    async fn find(&self, kind: &KindName, ou: ResourceId, name: &str) -> Result<Option<ResourceId>, Error> {
        let key = self.control_plane.catalogue().kind(kind)?.unique_key(ou, name);
        let row = self.control_plane.store().record_by_unique_key(self.caller.org, kind, &key).await?;
        Ok(row.filter(RecordRow::is_live).map(|row| row.meta.id))
    }

    async fn released(&self, key: &ResourceKey) -> Result<bool, Error> {
        let waited = tokio::time::timeout(self.patience, async {
            loop {
                match self.control_plane.store().record(self.caller.org, key).await {
                    Ok(Some(row)) if row.meta.stage != Stage::Archived => {
                        tokio::time::sleep(LOOK_EVERY).await
                    }
                    Ok(_) => return Ok(true),
                    Err(error) => return Err(Error::from(error)),
                }
            }
        });
        waited.await.unwrap_or(Ok(false))
    }

    async fn version(&self, key: &ResourceKey) -> Result<Option<u64>, Error> {
        let row = self.control_plane.get(self.caller, key).await?;
        Ok(row.is_live().then_some(row.meta.version))
    }

    fn kind(&self, error: &Error) -> ErrorKind {
        error.kind()
    }
}

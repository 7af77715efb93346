//! Breaking the glass for a change that waits: it is made now, by whoever takes the responsibility, and no longer waits.

use crate::approval::id::ApprovalId;
use crate::approval::inbox::Approvals;
use crate::approval::request::{ApprovalRequest, ApprovalState, Purpose};
use crate::door::mutation::{Action, Mutation};
use crate::door::outcome::Outcome;
use crate::door::submit::{SubmitOptions, idempotency_key};
use crate::error::{Conflict, Error, Result};
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::Record;

/// Why a request that somebody broke the glass for was taken back.
const REASON: &str = "the change was made by break-glass";

/// What breaking the glass for a request came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct BrokenGlass {
    /// What the change came to.
    pub outcome: Outcome,
    /// The review that was opened. `None` if nothing held the change back any more, and in an answer that is repeated.
    pub review: Option<ApprovalId>,
    /// What became of the request.
    pub request: TakenBack,
}

/// What became of the request whose change was made without it.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it waits or it does not")]
pub enum TakenBack {
    /// It was taken back.
    Done,
    /// It still waits: the caller may not take it back, or others got in between. Whoever may should cancel it.
    Not(Error),
    /// It still waits, because the change was not made: something holds it back that no glass protects.
    NotMade,
}

impl Approvals<'_> {
    /// Makes the change a pending request is for, now and as the caller, by break-glass; then takes the request back, if
    /// the caller may.
    ///
    /// It needs what break-glass needs: the permission for the change itself, `approval:break_glass` wherever it touches,
    /// and a reason; a review is opened. A change of a record is made only if the record is as it was when the change was
    /// asked for. A plan is refused, its steps are applied one by one, and so is a review, whose change is made already.
    ///
    /// Who may not read the request is refused, and the attempt is on the chain, as every refused one.
    ///
    /// The change and the taking back are two commits. A vote that decides the request between them is not undone.
    ///
    /// # Errors
    /// Those of [`get`](Self::get) and of [`ControlPlane::submit`](crate::control_plane::ControlPlane::submit);
    /// `invalid` for a plan, a review, and a consent somebody else would give; `approval_decided`, `approval_expired`;
    /// `version_mismatch`; `review_open`; `delegated_cannot_decide`. After any of them nothing has changed.
    ///
    /// # Cancel safety
    /// Dropped, nothing has happened, or the change has, and the request is taken back or still waits: cancel it then.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::approval::ApprovalState;
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::mutation::Action;
    /// use powerloom_core::door::outcome::Outcome;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let declare = |kind: &str, name: &str, spec: serde_json::Value| Action::Create {
    ///     kind: kind.parse().unwrap(),
    ///     ou: Some(acme.root_ou),
    ///     name: Some(name.to_owned()),
    ///     spec: spec.as_object().cloned().unwrap(),
    /// };
    /// let policy = json!({ "match": { "resource_kinds": ["OU"] }, "approvers": ["role:Approver"] });
    /// loom.submit(&admin, declare("ApprovalPolicy", "new-ous", policy)).await?;
    /// let asked = loom.submit(&admin, declare("OU", "production", json!({}))).await?;
    /// let Outcome::Pending { request_id } = asked else { panic!("nothing held it back") };
    ///
    /// let request = request_id.parse()?;
    /// let broken = loom.approvals(&admin).break_glass(request, "production is down").await?;
    /// assert!(broken.review.is_some() && loom.ous(&admin).list(None).await?.len() == 2);
    /// let request = loom.approvals(&admin).get(request).await?;
    /// assert_eq!(request.status.state, ApprovalState::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn break_glass(
        &self,
        request: ApprovalId,
        justification: impl Into<String>,
    ) -> Result<BrokenGlass> {
        let options = SubmitOptions::default().justification(justification);
        self.break_glass_with(request, &options).await
    }

    /// The same with an idempotency key: asked again with it, the change is not made again. The justification is that of
    /// the options.
    ///
    /// # Errors
    /// As [`break_glass`](Self::break_glass), and `idempotency_mismatch`; `justification_required`.
    ///
    /// # Cancel safety
    /// As [`break_glass`](Self::break_glass); with an idempotency key, sending it again is safe and goes on.
    pub async fn break_glass_with(
        &self,
        request: ApprovalId,
        options: &SubmitOptions,
    ) -> Result<BrokenGlass> {
        let record = self.stored(request).await?;
        if let Err(error) = self.require_read(&record).await {
            if let Error::Denied(decision) = &error {
                self.loom.plane.audit_refused_request(self.caller, &record, "break_glass", decision).await?;
            }
            return Err(error);
        }
        if record.spec.purpose != Purpose::Change {
            let allowed =
                "a request for one change: a plan is applied step by step, a review judges what was done";
            return Err(Invalid::new("request", request, allowed).into());
        }
        let mutation = pinned(self.loom.plane.parked_mutation(&record).await?, &record);
        let options = options.clone().break_glass();
        if matches!(mutation.action, Action::GrantConsent { .. })
            && record.spec.requester.principal != self.caller.principal
        {
            let allowed = "a change that anybody can make: a consent is given by whoever asks for it";
            return Err(Invalid::new("request", request, allowed).into());
        }
        if !self.was_answered(&mutation, &options).await? {
            self.waits(&record)?;
            self.is_unmoved(&record).await?;
        }
        let outcome = self.loom.plane.submit(self.caller, &mutation, &options).await?;
        let taken_back = match &outcome {
            Outcome::Pending { .. } => TakenBack::NotMade,
            _ => self.take_back(&record, &options).await,
        };
        Ok(BrokenGlass { review: self.review_of(&outcome).await?, outcome, request: taken_back })
    }

    fn waits(&self, record: &Record<ApprovalRequest>) -> std::result::Result<(), Conflict> {
        let request = record.request_id();
        match record.state_at(self.loom.plane.now()) {
            ApprovalState::Pending => Ok(()),
            ApprovalState::Expired => Err(Conflict::ApprovalExpired { request }),
            state => Err(Conflict::ApprovalDecided { request, state }),
        }
    }

    /// What is not declared by a version of its own is looked at here: others may still get in between.
    async fn is_unmoved(&self, record: &Record<ApprovalRequest>) -> Result<()> {
        let Some(base) = &record.spec.base else { return Ok(()) };
        let found = self.loom.plane.store.record(self.caller.org, &base.key).await?;
        let found = found.map_or(0, |row| row.meta.version);
        if found == base.version {
            return Ok(());
        }
        Err(Error::VersionMismatch { key: base.key.clone(), expected: base.version, found })
    }

    /// Whether an answer is kept under the caller's key: the change itself then says whether it is the one to this.
    async fn was_answered(&self, mutation: &Mutation, options: &SubmitOptions) -> Result<bool> {
        let plane = &self.loom.plane;
        let Some(key) = idempotency_key(self.caller, mutation, options) else { return Ok(false) };
        Ok(plane.store.idempotency(self.caller.org, &key, plane.now()).await?.is_some())
    }

    /// Takes the request back. It is asked first whether the caller may: a refusal nobody provoked is not for the trail.
    async fn take_back(&self, record: &Record<ApprovalRequest>, options: &SubmitOptions) -> TakenBack {
        if !record.spec.requester.is(self.caller)
            && let Err(denied) =
                self.loom.require(self.caller, Permission::APPROVAL_CANCEL, record.meta.ou).await
        {
            return TakenBack::Not(denied);
        }
        let mut options = options.clone();
        options.break_glass = false;
        let cancel = Action::CancelApproval { request: record.request_id(), reason: Some(REASON.to_owned()) };
        match self.loom.submit_with(self.caller, cancel, &options).await {
            Ok(_) => TakenBack::Done,
            Err(error) => TakenBack::Not(error),
        }
    }

    /// The review the change opened: its audit row names it.
    async fn review_of(&self, outcome: &Outcome) -> Result<Option<ApprovalId>> {
        let Outcome::Applied(applied) = outcome else { return Ok(None) };
        let Some(before) = applied.audit.seq.checked_sub(1) else { return Ok(None) };
        let rows = self.loom.plane.store.audit_rows(self.caller.org, before, 1).await?;
        let named = rows.first().and_then(|entry| entry.row.approval_request_id.as_deref());
        Ok(named.map(str::parse).transpose()?)
    }
}

/// The change, bound to the version of the record it was asked for, where it names one.
fn pinned(mut mutation: Mutation, record: &Record<ApprovalRequest>) -> Mutation {
    if let Some(base) = &record.spec.base
        && let Action::Update { target, expect, .. } | Action::Archive { target, expect } =
            &mut mutation.action
        && *target == base.key
    {
        *expect = Some(base.version);
    }
    mutation
}

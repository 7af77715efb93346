//! The inbox of approval requests, as one caller (row P98): what waits for them, what they asked for, what became of it.

use crate::approval::electorate::{entitled, person};
use crate::approval::id::ApprovalId;
use crate::approval::request::{ApprovalRequest, ApprovalState, Ballot};
use crate::approval::{StandingConsent, StandingConsentSpec};
use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::digest::Digest;
use crate::door::action::vote::check_words;
use crate::door::caller::Caller;
use crate::door::mutation::{Action, Mutation};
use crate::door::outcome::Outcome;
use crate::door::submit::SubmitOptions;
use crate::error::Result;
use crate::id::ResourceId;
use crate::manifest::Plan;
use crate::page::{Page, Walk};
use crate::permission::Permission;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::user::User;
use crate::store::{MAX_PAGE, Order, RecordCursor, RecordQuery};

/// The approval requests of an organization, as one caller.
///
/// # Examples
/// ```
/// use powerloom_core::approval::{ApprovalState, InboxFilter};
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::door::caller::Caller;
/// use powerloom_core::door::mutation::Action;
/// use powerloom_core::door::outcome::Outcome;
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let admin = acme.admin_caller();
/// let declare = |kind: &str, name: Option<&str>, spec: serde_json::Value| Action::Create {
///     kind: kind.parse().unwrap(),
///     ou: Some(acme.root_ou),
///     name: name.map(str::to_owned),
///     spec: spec.as_object().cloned().unwrap(),
/// };
/// // Grace may decide, and new OUs wait for somebody who may.
/// let made = loom.submit(&admin, declare("User", None, json!({ "email": "grace@acme.com" }))).await?;
/// let grace = Caller::user(acme.id, made.record().unwrap().meta.id);
/// let role = json!({ "principal": grace.principal.to_string(), "role": "Approver" });
/// loom.submit(&admin, declare("RoleBinding", None, role)).await?;
/// let policy = json!({ "match": { "resource_kinds": ["OU"] }, "approvers": ["role:Approver"] });
/// loom.submit(&admin, declare("ApprovalPolicy", Some("new-ous"), policy)).await?;
///
/// let asked = loom.submit(&admin, declare("OU", Some("production"), json!({}))).await?;
/// assert!(matches!(asked, Outcome::Pending { .. }));
/// let inbox = loom.approvals(&grace).to_decide(&InboxFilter::default()).await?;
/// assert_eq!(inbox[0].spec.verb, "ou.create");
/// // She signs what she saw; the OU is made in the same commit.
/// loom.approvals(&grace).approve(inbox[0].request_id(), inbox[0].spec.payload_hash, None).await?;
/// let decided = loom.approvals(&admin).get(inbox[0].request_id()).await?;
/// assert_eq!(decided.status.state, ApprovalState::Approved);
/// assert_eq!(loom.ous(&admin).list(None).await?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Approvals<'a> {
    pub(super) loom: &'a ControlPlane,
    pub(super) caller: &'a Caller,
}

/// Which requests a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InboxFilter {
    /// Only about this kind.
    pub resource_kind: Option<KindName>,
    /// Only judged in this OU or below it.
    pub ou: Option<ResourceId>,
    /// Only in this state.
    pub state: Option<ApprovalState>,
    /// Strictly after (older than) this request of an earlier page.
    pub after: Option<ApprovalId>,
    /// At most this many; 0 means 100, and never more than [`MAX_PAGE`].
    pub limit: usize,
}

impl InboxFilter {
    /// Only about this kind.
    #[must_use]
    pub fn resource_kind(mut self, kind: KindName) -> Self {
        self.resource_kind = Some(kind);
        self
    }

    /// Only judged in this OU or below it.
    #[must_use]
    pub const fn ou(mut self, ou: ResourceId) -> Self {
        self.ou = Some(ou);
        self
    }

    /// Only in this state.
    #[must_use]
    pub const fn state(mut self, state: ApprovalState) -> Self {
        self.state = Some(state);
        self
    }

    /// Strictly after (older than) this request of an earlier page.
    #[must_use]
    pub const fn after(mut self, after: ApprovalId) -> Self {
        self.after = Some(after);
        self
    }

    /// At most this many.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    fn most(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit.min(MAX_PAGE) }
    }
}

/// What became of one request of a bulk cancellation.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cancelled {
    /// Which.
    pub request: ApprovalId,
    /// Whether it was taken back.
    pub result: Result<Outcome>,
}

impl ControlPlane {
    /// The organization's approval requests, as `caller`.
    #[must_use]
    pub const fn approvals<'a>(&'a self, caller: &'a Caller) -> Approvals<'a> {
        Approvals { loom: self, caller }
    }
}

impl Approvals<'_> {
    /// Reads one: whoever asked for it, may decide it, or holds `approval:read` at its OU.
    ///
    /// # Errors
    /// `not_found`, `denied`.
    pub async fn get(&self, request: ApprovalId) -> Result<Record<ApprovalRequest>> {
        let record = self.stored(request).await?;
        self.require_read(&record).await?;
        Ok(record)
    }

    /// The request, whether or not the caller may read it.
    pub(crate) async fn stored(&self, request: ApprovalId) -> Result<Record<ApprovalRequest>> {
        let key = ResourceKey::of::<ApprovalRequest>(request.record());
        Ok(Record::<ApprovalRequest>::read(&self.loom.plane.row(self.caller.org, &key).await?)?)
    }

    pub(crate) async fn require_read(&self, record: &Record<ApprovalRequest>) -> Result<()> {
        if self.asked(record) || self.may_decide(record).await? {
            return Ok(());
        }
        self.loom.require(self.caller, Permission::APPROVAL_READ, record.meta.ou).await
    }

    /// The change itself, exactly as it would be made. Of a plan: see [`plan`](Self::plan).
    ///
    /// # Errors
    /// As [`get`](Self::get); `corrupt` if somebody has altered it.
    pub async fn change(&self, request: ApprovalId) -> Result<Mutation> {
        let record = self.get(request).await?;
        self.loom.plane.parked_mutation(&record).await
    }

    /// The plan itself, of a request that is for one.
    ///
    /// # Errors
    /// As [`get`](Self::get); `corrupt` if somebody has altered it.
    pub async fn plan(&self, request: ApprovalId) -> Result<Plan> {
        let record = self.get(request).await?;
        self.loom.plane.parked_payload(&record).await
    }

    /// Those that are pending and that the caller may decide, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn to_decide(&self, filter: &InboxFilter) -> Result<Vec<Record<ApprovalRequest>>> {
        let filter = InboxFilter { state: Some(ApprovalState::Pending), ..filter.clone() };
        self.list(&filter, Whose::ToDecide).await
    }

    /// Those the caller asked for, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn mine(&self, filter: &InboxFilter) -> Result<Vec<Record<ApprovalRequest>>> {
        self.list(filter, Whose::Mine).await
    }

    /// All the caller may read, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recent(&self, filter: &InboxFilter) -> Result<Vec<Record<ApprovalRequest>>> {
        self.list(filter, Whose::Readable).await
    }

    /// Votes for it, on every requirement that names the caller. `payload_hash` is that of the request they looked at.
    ///
    /// The answer's record is the request, with its state. The vote that meets the last requirement also makes the change.
    ///
    /// # Errors
    /// `approval_decided`, `approval_expired`, `approval_hash_mismatch`; `own_request`, `not_an_approver`,
    /// `delegated_cannot_decide`, `not_in_person`, `not_a_person`; `denied`, `not_found`.
    ///
    /// # Cancel safety
    /// As [`ControlPlane::submit`]. The same vote again changes nothing.
    pub async fn approve(
        &self,
        request: ApprovalId,
        payload_hash: Digest,
        comment: Option<String>,
    ) -> Result<Outcome> {
        self.vote(request, Ballot::Approve, payload_hash, comment).await
    }

    /// Votes against it, on every requirement that names the caller.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    ///
    /// # Cancel safety
    /// As [`approve`](Self::approve).
    pub async fn reject(
        &self,
        request: ApprovalId,
        payload_hash: Digest,
        comment: Option<String>,
    ) -> Result<Outcome> {
        self.vote(request, Ballot::Reject, payload_hash, comment).await
    }

    async fn vote(
        &self,
        request: ApprovalId,
        ballot: Ballot,
        payload_hash: Digest,
        comment: Option<String>,
    ) -> Result<Outcome> {
        let requirements = Vec::new();
        let vote = Action::Vote { request, ballot, payload_hash, comment, requirements };
        self.loom.submit(self.caller, vote).await
    }

    /// Takes one back: whoever asked, or who holds `approval:cancel` at its OU.
    ///
    /// # Errors
    /// `approval_decided`, `approval_expired`, `denied`, `not_found`; `invalid` for a review.
    ///
    /// # Cancel safety
    /// As [`ControlPlane::submit`].
    pub async fn cancel(&self, request: ApprovalId, reason: Option<String>) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::CancelApproval { request, reason }).await
    }

    /// Takes back all pending ones that pass `filter` and that the caller may take back, each on its own.
    ///
    /// # Errors
    /// Those of the store, before anything is taken back; what happens to each is in its [`Cancelled`].
    ///
    /// # Cancel safety
    /// Dropped, some are taken back and some are not; calling again goes on.
    pub async fn cancel_all(&self, filter: &InboxFilter, reason: Option<String>) -> Result<Vec<Cancelled>> {
        self.cancel_all_with(filter, reason, &SubmitOptions::default()).await
    }

    /// The same with an idempotency key, under which each of them is taken back. Asked again it takes back what is pending
    /// by then: those that were taken back are not told again.
    ///
    /// # Errors
    /// As [`cancel_all`](Self::cancel_all); `invalid` for a reason or options out of bounds.
    ///
    /// # Cancel safety
    /// As [`cancel_all`](Self::cancel_all).
    pub async fn cancel_all_with(
        &self,
        filter: &InboxFilter,
        reason: Option<String>,
        options: &SubmitOptions,
    ) -> Result<Vec<Cancelled>> {
        options.validate()?;
        check_words("reason", reason.as_deref())?;
        let state = Some(ApprovalState::Pending);
        let mut filter = InboxFilter { state, limit: MAX_PAGE, ..filter.clone() };
        let mut cancelled = Vec::new();
        loop {
            let page = self.list(&filter, Whose::Cancellable).await?;
            let Some(last) = page.last() else { return Ok(cancelled) };
            filter.after = Some(last.request_id());
            for record in &page {
                let request = record.request_id();
                let mut options = options.clone();
                // One key is for one change.
                let key = options.idempotency_key.take();
                options.idempotency_key =
                    key.map(|key| Digest::of(format!("{key} {request}").as_bytes()).to_string());
                let cancel = Action::CancelApproval { request, reason: reason.clone() };
                let result = self.loom.submit_with(self.caller, cancel, &options).await;
                cancelled.push(Cancelled { request, result });
            }
        }
    }

    /// Confirms in advance what the caller will do themselves, for policies with `allow_self` that name them.
    ///
    /// # Errors
    /// `invalid` for bounds out of range; `denied` without `approval:decide` at the OU; `delegated_cannot_decide`.
    ///
    /// # Cancel safety
    /// As [`ControlPlane::submit`].
    pub async fn consent(
        &self,
        ou: ResourceId,
        verbs: Vec<String>,
        uses: u32,
        expires_at: Timestamp,
        delegated: Delegated,
    ) -> Result<Outcome> {
        let delegated = delegated == Delegated::Too;
        self.loom.submit(self.caller, Action::GrantConsent { ou, verbs, uses, expires_at, delegated }).await
    }

    /// The caller's own consents that are not used up or taken back, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn consents(&self) -> Result<Vec<Record<StandingConsent>>> {
        let Ok(user) = person(self.caller) else { return Ok(Vec::new()) };
        let rows = self.loom.plane.store.referrers(self.caller.org, &ResourceKey::of::<User>(user)).await?;
        let mut consents = Vec::new();
        for row in rows.iter().rev().filter(|row| row.kind == StandingConsent::KIND && row.is_live()) {
            let consent = Record::<StandingConsent>::read(row)?;
            let StandingConsentSpec { user: of, .. } = consent.spec;
            if of == user {
                consents.push(consent);
            }
        }
        Ok(consents)
    }

    /// Takes a consent back.
    ///
    /// # Errors
    /// `not_found`, `denied`.
    ///
    /// # Cancel safety
    /// As [`ControlPlane::submit`].
    pub async fn revoke_consent(&self, consent: ResourceId) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::RevokeConsent { consent }).await
    }

    async fn list(&self, filter: &InboxFilter, whose: Whose) -> Result<Vec<Record<ApprovalRequest>>> {
        let most = filter.most();
        let mut filter = filter.clone();
        let mut found = Vec::new();
        loop {
            filter.limit = most - found.len();
            let page = self.page(&filter, whose).await?;
            found.extend(page.rows);
            if found.len() >= most || page.next.is_none() {
                return Ok(found);
            }
            filter.after = page.next;
        }
    }

    /// A page of the requests of one of these lists, newest first, for which no more than
    /// [`MAX_LOOKED_AT`](crate::page::MAX_LOOKED_AT) are looked at: it may be empty and yet not be the last.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn page(
        &self,
        filter: &InboxFilter,
        whose: Whose,
    ) -> Result<Page<Record<ApprovalRequest>, ApprovalId>> {
        let plane = &self.loom.plane;
        let now = plane.now();
        let snapshot = self.loom.authz(self.caller.org).await?;
        let state = match whose {
            Whose::ToDecide => Some(ApprovalState::Pending),
            Whose::Mine | Whose::Readable | Whose::Cancellable => filter.state,
        };
        let query = RecordQuery {
            kind: Some(ApprovalRequest::KIND),
            // A pending one is live until somebody writes that it is not.
            archived: state != Some(ApprovalState::Pending),
            order: Order::Descending,
            after: filter.after.map(|id| cursor(id.to_string(), id.record())),
            ..RecordQuery::default()
        };
        let mut walk = Walk::new(plane.store.as_ref(), self.caller.org, query);
        let (mut found, mut last) = (Vec::new(), None);
        while found.len() < filter.most()
            && let Some(row) = walk.next().await?
        {
            let record = Record::<ApprovalRequest>::read(&row)?;
            last = Some(record.request_id());
            let about = filter.resource_kind.as_ref().is_none_or(|kind| *kind == record.spec.resource_kind);
            let within = filter.ou.is_none_or(|ou| snapshot.is_within(record.meta.ou, ou));
            let state = state.is_none_or(|state| state == record.state_at(now));
            if about && within && state && self.shows(&record, whose).await? {
                found.push(record);
            }
        }
        let Page { rows, next } = walk.page(found);
        Ok(Page { rows, next: next.and(last) })
    }

    async fn shows(&self, record: &Record<ApprovalRequest>, whose: Whose) -> Result<bool> {
        let holds = async |permission| -> Result<bool> {
            Ok(self.loom.decide(self.caller, permission, record.meta.ou).await?.is_allowed())
        };
        Ok(match whose {
            Whose::Mine => self.asked(record),
            Whose::ToDecide => self.may_decide(record).await?,
            Whose::Cancellable => self.asked(record) || holds(Permission::APPROVAL_CANCEL).await?,
            Whose::Readable => {
                self.asked(record)
                    || holds(Permission::APPROVAL_READ).await?
                    || self.may_decide(record).await?
            }
        })
    }

    fn asked(&self, record: &Record<ApprovalRequest>) -> bool {
        record.spec.requester.is(self.caller)
    }

    async fn may_decide(&self, record: &Record<ApprovalRequest>) -> Result<bool> {
        let Ok(voter) = person(self.caller) else { return Ok(false) };
        let snapshot = self.loom.authz(self.caller.org).await?;
        let now = self.loom.plane.now();
        for need in &record.spec.requirements {
            if entitled(&snapshot, record, need, voter, now).is_ok()
                && self.loom.decide(self.caller, Permission::APPROVAL_DECIDE, need.ou).await?.is_allowed()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a consent counts for what an agent does in somebody's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum Delegated {
    /// Only for what they do themselves.
    No,
    /// Also for what an agent does for them, out of a session they started, and for what a token of theirs does.
    Too,
}

/// Whose requests a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whose {
    /// Those that are pending and that the caller may decide.
    ToDecide,
    /// Those the caller asked for.
    Mine,
    /// All the caller may read.
    Readable,
    /// All the caller may take back.
    Cancellable,
}

fn cursor(name: String, id: ResourceId) -> RecordCursor {
    RecordCursor { kind: ApprovalRequest::KIND, name, id }
}

//! An approval request as REST shows it: what is asked, what it needs, how the votes stand, what came of it.

use crate::app::App;
use crate::failure::Failure;
use powerloom_core::approval::tally::Count;
use powerloom_core::approval::{
    ApprovalId, ApprovalRequest, ApprovalState, Base, Purpose, Requester, Requirement, StepDone, Vote,
};
use powerloom_core::authz::{AuthzSnapshot, Label};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::ou_path::OuPath;
use powerloom_core::principal::Principal;
use powerloom_core::record::{KindName, Record};
use powerloom_core::resource::approval_policy::Approver;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An approval request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Approval)]
pub(super) struct RequestView {
    /// Its id, `req_…`.
    id: ApprovalId,
    /// Where it is now: time decides even before anybody has noticed.
    state: ApprovalState,
    /// What it is for.
    purpose: Purpose,
    /// What would be done: `agent.create`.
    verb: String,
    /// The kind of what it would be done to.
    resource_kind: KindName,
    /// What it would be done to; `null` where it does not exist yet.
    #[schema(required)]
    resource_id: Option<String>,
    /// Who asked, also as people write it.
    requester: Requester,
    /// Who may not decide beside the requester.
    excluded: Vec<Principal>,
    /// The same as people write them; without those who are gone.
    excluded_refs: Vec<Label>,
    /// The path of the OU it is judged in, when it was asked.
    scope_ou: String,
    /// That OU.
    ou_id: ResourceId,
    /// Its path now; `null` if it is gone.
    #[schema(required, value_type = Option<String>)]
    ou_path: Option<OuPath>,
    /// The approved plan it is a step of, if it waits for a policy the plan did not ask.
    #[schema(required)]
    under: Option<ApprovalId>,
    /// What a vote names: whoever votes signs what they saw.
    payload_hash: Digest,
    /// The version of the target it was asked for.
    #[schema(required)]
    base: Option<Base>,
    /// What the audit trail would say of it before.
    before: Value,
    /// What the audit trail would say of it after.
    after: Value,
    /// Why, in the requester's words.
    #[schema(required)]
    justification: Option<String>,
    /// All of these must be met.
    requirements: Vec<RequirementView>,
    /// The votes that stand.
    votes: Vec<Vote>,
    /// From this moment on it is expired; `null` for a review, which has to be decided.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    /// When it was asked.
    created_at: Timestamp,
    /// When it was last written.
    updated_at: Timestamp,
    /// What came of it; `null` while it waits.
    #[schema(required)]
    outcome: Option<OutcomeView>,
}

/// One requirement, and how the votes on it stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalRequirementTally)]
struct RequirementView {
    #[serde(flatten)]
    requirement: Requirement,
    /// Who may decide, as people write them.
    approver_refs: Vec<String>,
    /// How many people are for it. While it waits, only those count who still may decide.
    approvals: usize,
    /// How many people are against it.
    rejections: usize,
}

/// What came of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalOutcome)]
struct OutcomeView {
    /// When it was decided; `null` if its time ran out and nobody has noted it yet.
    #[schema(required)]
    decided_at: Option<Timestamp>,
    /// Why it failed, or was taken back.
    #[schema(required)]
    reason: Option<String>,
    /// The stable code of the error it failed with.
    #[schema(required)]
    code: Option<String>,
    /// The record that was made or changed.
    #[schema(required)]
    applied: Option<Base>,
    /// The session that was started or stopped.
    #[schema(required)]
    session: Option<SessionId>,
    /// Of an approved plan: which of its steps were applied.
    steps: Vec<StepDone>,
}

/// The views of requests the caller was given by the core.
pub(super) async fn views(
    app: &App,
    caller: &Caller,
    requests: Vec<Record<ApprovalRequest>>,
) -> Result<Vec<RequestView>, Failure> {
    let mut views = Vec::with_capacity(requests.len());
    for request in requests {
        views.push(view_of(app, caller, request).await?);
    }
    Ok(views)
}

/// The view of one request.
pub(super) async fn view_of(
    app: &App,
    caller: &Caller,
    request: Record<ApprovalRequest>,
) -> Result<RequestView, Failure> {
    let counts = app.loom.approvals(caller).counts(&request).await?;
    let snapshot = app.loom.authz(caller.org).await?;
    Ok(view(&snapshot, request, &counts, app.loom.clock().now()))
}

fn view(
    authz: &AuthzSnapshot,
    request: Record<ApprovalRequest>,
    counts: &[Count],
    now: Timestamp,
) -> RequestView {
    let (id, state) = (request.request_id(), request.state_at(now));
    let Record { meta, spec, status } = request;
    let outcome = (state != ApprovalState::Pending).then_some(OutcomeView {
        decided_at: status.decided_at,
        reason: status.reason,
        code: status.code,
        applied: status.applied,
        session: status.session,
        steps: status.steps,
    });
    let requirements = spec.requirements.into_iter().zip(counts);
    let requirements = requirements.map(|(requirement, count)| RequirementView {
        approver_refs: requirement.approvers.iter().map(|approver| written(authz, approver)).collect(),
        approvals: count.approvals,
        rejections: count.rejections,
        requirement,
    });
    RequestView {
        id,
        state,
        purpose: spec.purpose,
        verb: spec.verb,
        resource_kind: spec.resource_kind,
        resource_id: spec.resource_id,
        requester: spec.requester,
        excluded_refs: spec.excluded.iter().filter_map(|who| authz.written(who).cloned()).collect(),
        excluded: spec.excluded,
        scope_ou: spec.scope_ou,
        ou_id: meta.ou,
        ou_path: authz.ou_path(meta.ou).cloned(),
        under: spec.under,
        payload_hash: spec.payload_hash,
        base: spec.base,
        before: spec.before,
        after: spec.after,
        justification: spec.justification,
        requirements: requirements.collect(),
        votes: status.votes,
        expires_at: spec.expires_at,
        created_at: meta.created_at,
        updated_at: meta.updated_at,
        outcome,
    }
}

/// An approver as people write it; by id if they are gone.
fn written(authz: &AuthzSnapshot, approver: &Approver) -> String {
    let principal = match approver {
        Approver::User(user) => Principal::User(*user),
        Approver::Group(group) => Principal::Group(*group),
        Approver::Role(_) => return approver.to_string(),
    };
    authz.written(&principal).map_or_else(|| approver.to_string(), ToString::to_string)
}

//! How an approval request is written: made, moved on, decided, each with its audit row and its notice (row P101).

use crate::approval::notifier::{ApprovalEvent, ApprovalNotice};
use crate::approval::{ApprovalRequest, ApprovalState, Purpose};
use crate::audit::{AuditDecision, AuditDraft, Change};
use crate::clock::Timestamp;
use crate::door::work::{Draft, Work};
use crate::error::{Conflict, Error, Result};
use crate::invalid::Invalid;
use crate::principal::Principal;
use crate::record::{Record, RecordRow, Schema, Stage};
use crate::resource::approval_policy::Approver;
use crate::store::{Precondition, Write};
use serde::Serialize;
use serde_json::{Value, json};

/// Writes `request` in the place of `row`, as the next version.
pub(crate) fn put(
    work: &Work<'_>,
    row: &RecordRow,
    request: &Record<ApprovalRequest>,
    event: ApprovalEvent,
    draft: &mut Draft,
) -> Result<()> {
    let mut next = row.clone();
    next.meta.version += 1;
    next.meta.updated_at = work.now;
    next.status = to_json(&request.status)?;
    if request.status.state != ApprovalState::Pending {
        // Archived, it no longer stands in the way of the same request made anew.
        next.meta.stage = Stage::Archived;
    }
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.notices.push(notice(work, request, event, next.meta.version));
    draft.record = Some(next.clone());
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(())
}

/// Ends the request in `state`. The audit row of a decision is `also` one; where the pass itself is the decision
/// (`after` is null), its own row says so.
pub(crate) fn decide(
    work: &Work<'_>,
    row: &RecordRow,
    request: &mut Record<ApprovalRequest>,
    state: ApprovalState,
    after: Value,
    draft: &mut Draft,
) -> Result<()> {
    request.status.state = state;
    request.status.decided_at = Some(work.now);
    let (word, event) = match (state, request.spec.purpose) {
        (ApprovalState::Pending, _) => ("vote", ApprovalEvent::Voted),
        (ApprovalState::Approved | ApprovalState::Rejected, Purpose::Review) => {
            ("review", ApprovalEvent::Reviewed)
        }
        (ApprovalState::Approved, _) => ("approve", ApprovalEvent::Approved),
        (ApprovalState::Rejected, _) => ("reject", ApprovalEvent::Rejected),
        (ApprovalState::Cancelled, _) => ("cancel", ApprovalEvent::Cancelled),
        (ApprovalState::Expired, _) => ("expire", ApprovalEvent::Expired),
        (ApprovalState::Failed, _) => ("fail", ApprovalEvent::Failed),
    };
    if let Value::Object(mut after) = after {
        after.insert("state".to_owned(), json!(state));
        let change = Change {
            before: json!({ "state": ApprovalState::Pending }),
            after: Value::Object(after),
            ..Change::default()
        };
        draft.also.push(row_about(work, request, word, change));
    }
    put(work, row, request, event, draft)
}

/// The request's time ran out, and a vote or a cancellation noticed: it is written so, and refused (sem. 2.8, Expiry).
pub(crate) fn expire(
    work: &mut Work<'_>,
    row: RecordRow,
    mut request: Record<ApprovalRequest>,
) -> Result<Draft> {
    work.about_request(&request, "expire");
    let mut draft = Draft::new(None, expired(&request));
    draft.ungated = true;
    draft.approval = Some(request.request_id());
    draft.refusal = Some(Conflict::ApprovalExpired { request: request.request_id() });
    decide(work, &row, &mut request, ApprovalState::Expired, Value::Null, &mut draft)?;
    Ok(draft)
}

/// What the audit trail says of a request whose time ran out.
pub(crate) fn expired(request: &Record<ApprovalRequest>) -> Change {
    Change {
        before: json!({ "state": ApprovalState::Pending }),
        after: json!({ "state": ApprovalState::Expired, "expires_at": request.spec.expires_at }),
        ..Change::default()
    }
}

/// An audit row about a request, by the caller of this pass.
pub(crate) fn row_about(
    work: &Work<'_>,
    request: &Record<ApprovalRequest>,
    word: &str,
    change: Change,
) -> AuditDraft {
    AuditDraft {
        ts: work.now,
        actor: work.actor(),
        verb: format!("approval.{word}"),
        resource_kind: ApprovalRequest::KIND.to_string(),
        resource_id: request.request_id().to_string(),
        decision: AuditDecision::Allow,
        delegated_from_session: work.caller.delegated_from_session.map(|session| session.to_string()),
        approval_request_id: Some(request.request_id().to_string()),
        change: change.touching(&[request.meta.ou]),
    }
}

/// Who voted how, for the audit trail.
pub(crate) fn voters(request: &Record<ApprovalRequest>) -> Value {
    let policy = |id| {
        let mut known = request.spec.requirements.iter();
        known.find(|known| known.policy == id).map(|known| known.name.as_str())
    };
    let votes = request.status.votes.iter();
    let votes = votes.map(
        |vote| json!({ "voter": vote.written, "ballot": vote.ballot, "policy": policy(vote.requirement) }),
    );
    Value::Array(votes.collect())
}

/// What people are told of it.
pub(crate) fn notice(
    work: &Work<'_>,
    request: &Record<ApprovalRequest>,
    event: ApprovalEvent,
    version: u64,
) -> ApprovalNotice {
    let spec = &request.spec;
    let mut approvers: Vec<String> = Vec::new();
    for approver in spec.requirements.iter().flat_map(|requirement| &requirement.approvers) {
        let text = match approver {
            Approver::User(user) => work.written(&Principal::User(*user)),
            Approver::Group(group) => work.written(&Principal::Group(*group)),
            Approver::Role(role) => format!("role:{role}"),
        };
        if !approvers.contains(&text) {
            approvers.push(text);
        }
    }
    told(request, event, version, work.now, approvers)
}

/// The same, with the approvers as they are written.
pub(crate) fn told(
    request: &Record<ApprovalRequest>,
    event: ApprovalEvent,
    version: u64,
    at: Timestamp,
    approvers: Vec<String>,
) -> ApprovalNotice {
    let spec = &request.spec;
    let id = request.request_id().to_string();
    ApprovalNotice {
        id: ApprovalNotice::stable_id(&id, event, version),
        at,
        org: request.meta.org,
        request_id: id,
        event,
        verb: spec.verb.clone(),
        resource_kind: spec.resource_kind.clone(),
        resource_id: spec.resource_id.as_deref().and_then(|id| id.parse().ok()),
        ou: request.meta.ou,
        requester: spec.requester.written.clone(),
        summary: format!("{} asks for {} in {}", spec.requester.written, spec.verb, spec.scope_ou),
        payload_hash: spec.payload_hash,
        expires_at: spec.expires_at,
        approvers,
    }
}

pub(crate) fn to_json<T: Serialize>(of: &T) -> Result<Value> {
    serde_json::to_value(of)
        .map_err(|error| Error::from(Invalid::new("approval_request", error, "what JSON can hold")))
}

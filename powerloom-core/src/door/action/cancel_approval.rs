//! Taking an approval request back (sem. 2.8): whoever asked, or who holds `approval:cancel`.

use crate::approval::{ApprovalId, ApprovalRequest, ApprovalState, Purpose};
use crate::audit::Change;
use crate::door::action::vote::check_words;
use crate::door::request_row::{decide, expire};
use crate::door::work::{Draft, Step, Work};
use crate::error::Conflict;
use crate::invalid::Invalid;
use crate::permission::Permission;
use serde_json::json;

/// Checks and writes a `cancel_approval`.
pub(crate) async fn cancel_approval(
    work: &mut Work<'_>,
    id: ApprovalId,
    reason: Option<&str>,
) -> Step<Draft> {
    check_words("reason", reason)?;
    let (row, mut request) = work.record::<ApprovalRequest>(id.record()).await?;
    work.about_request(&request, "cancel");
    let own = request.spec.requester.is(work.caller);
    // Whoever is disabled or gone takes nothing back: nobody covers them, not even themselves.
    if !own || !work.snapshot.covers(&work.caller.principal, &work.caller.principal) {
        work.require(Permission::APPROVAL_CANCEL, row.meta.ou)?;
    }
    work.replay().await?;

    match request.state_at(work.now) {
        ApprovalState::Pending => {}
        ApprovalState::Expired if request.status.state == ApprovalState::Pending => {
            return Ok(expire(work, row, request)?);
        }
        state => return Err(Conflict::ApprovalDecided { request: id, state }.into()),
    }
    if request.spec.purpose == Purpose::Review {
        let allowed = "a request that is no review: what was done by break-glass has to be judged";
        return Err(Invalid::new("request", id, allowed).into());
    }
    request.status.reason = reason.map(str::to_owned);
    let mut draft = Draft::new(
        None,
        Change {
            before: json!({ "state": ApprovalState::Pending }),
            after: json!({ "state": ApprovalState::Cancelled, "reason": reason }),
            ..Change::default()
        },
    );
    draft.ungated = true;
    draft.approval = Some(id);
    decide(work, &row, &mut request, ApprovalState::Cancelled, serde_json::Value::Null, &mut draft)?;
    Ok(draft)
}

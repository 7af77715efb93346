//! Break-glass: at once, loudly, and judged afterwards.

use super::{Gated, gated};
use crate::world::{code, denied};
use powerloom_core::approval::{ApprovalId, ApprovalRequest, ApprovalState, Ballot, Purpose};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::{Applied, Outcome};
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Result;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::permission::PermissionSet;
use powerloom_core::record::Schema;
use serde_json::json;

async fn smash(g: &Gated, caller: &Caller, ou: ResourceId, name: &str, why: Option<&str>) -> Result<Outcome> {
    let create = Action::Create {
        kind: crate::world::kind("Agent"),
        ou: Some(ou),
        name: Some(name.into()),
        spec: g.w.agent_spec().as_object().cloned().unwrap(),
    };
    let mut options = SubmitOptions::default().break_glass();
    if let Some(why) = why {
        options = options.justification(why);
    }
    g.w.cp.submit_with(caller, create, &options).await
}

async fn review(g: &Gated, applied: &Applied) -> ApprovalId {
    let seq = applied.audit.seq;
    let rows = g.w.cp.store().audit_rows(g.w.org.id, seq - 1, 1).await.unwrap();
    rows[0].row.approval_request_id.as_ref().unwrap().parse().unwrap()
}

fn applied(outcome: Outcome) -> Applied {
    match outcome {
        Outcome::Applied(applied) => applied,
        other => panic!("it was not applied: {other:?}"),
    }
}

#[tokio::test]
async fn a_gated_change_is_made_at_once_and_a_review_is_opened_in_the_same_commit() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let before = g.w.trail().await.len();
    let made =
        applied(smash(&g, &g.w.admin, g.production, "urgent", Some("production is down")).await.unwrap());
    assert!(g.agent("urgent").await.is_some());
    assert_eq!(g.verbs(before).await, ["agent.create", "approval.break_glass"]);
    let rows = g.w.cp.store().audit_rows(g.w.org.id, before as u64, 2).await.unwrap();
    assert_eq!(rows[0].change().unwrap()["detail"]["justification"], "production is down");
    assert_eq!(rows[1].change().unwrap()["after"]["justification"], "production is down");
    let review = g.request(review(&g, &made).await).await;
    assert_eq!((review.spec.purpose, review.status.state), (Purpose::Review, ApprovalState::Pending));
    assert_eq!(review.spec.expires_at, None);
    g.w.verify().await;
}

/// Until the review is decided, further break-glass in that OU is refused; elsewhere it is not.
#[tokio::test]
async fn a_second_one_in_the_same_ou_waits_for_the_review_of_the_first() {
    let g = gated().await;
    let other = g.w.ou(g.w.root(), "other").await;
    g.policy(g.w.root(), "two-eyes", json!({})).await;
    let first = applied(smash(&g, &g.w.admin, g.production, "first", Some("down")).await.unwrap());
    let first = review(&g, &first).await;
    let refused = smash(&g, &g.w.admin, g.production, "second", Some("still down")).await.unwrap_err();
    assert_eq!(refused.code(), "review_open");
    assert!(refused.to_string().contains(&first.to_string()), "{refused}");
    assert!(g.agent("second").await.is_none());
    smash(&g, &g.w.admin, other, "elsewhere", Some("down there as well")).await.unwrap();
    // Who broke it does not judge it, and it cannot be taken back.
    let request = g.request(first).await;
    assert_eq!(code(g.approve(&g.w.admin, &request).await), "own_request");
    let cancel = Action::CancelApproval { request: first, reason: None };
    assert_eq!(code(g.w.cp.submit(&g.w.admin, cancel).await), "invalid");
    g.w.clock.advance(std::time::Duration::from_secs(400 * 24 * 3600));
    assert_eq!(g.w.cp.expire_approvals().await.unwrap(), 0, "a review never goes away by itself");
    let before = g.w.trail().await.len();
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    assert_eq!(g.verbs(before).await, ["approval.vote", "approval.review"]);
    assert_eq!(g.state(first).await, ApprovalState::Rejected);
    assert!(g.agent("first").await.is_some(), "a review undoes nothing by itself");
    smash(&g, &g.w.admin, g.production, "second", Some("down again")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_once_in_one_ou_one_is_refused() {
    for _ in 0..10 {
        let g = gated().await;
        g.policy(g.production, "two-eyes", json!({})).await;
        let (one, two) = tokio::join!(
            smash(&g, &g.w.admin, g.production, "one", Some("down")),
            smash(&g, &g.w.admin, g.production, "two", Some("down")),
        );
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].code(), "review_open");
        let open = g.w.cp.approvals(&g.grace).to_decide(&Default::default()).await.unwrap();
        assert_eq!(open.len(), 1);
    }
}

#[tokio::test]
async fn it_needs_the_permission_a_reason_and_a_person() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    assert_eq!(code(smash(&g, &g.w.admin, g.production, "x", None).await), "justification_required");
    g.w.bind(&g.alan.principal, "OUAdmin", g.production).await;
    let text = denied(smash(&g, &g.alan, g.production, "x", Some("down")).await);
    assert!(text.contains("approval:break_glass"), "{text}");
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let delegated = g.w.admin.clone().delegated(session, PermissionSet::ALL);
    assert_eq!(code(smash(&g, &delegated, g.production, "x", Some("down")).await), "delegated_cannot_decide");
    assert!(g.agent("x").await.is_none());
    // Both refusals are on the chain.
    let denials = g.w.trail().await.into_iter().filter(|(_, _, decision)| decision == "deny").count();
    assert_eq!(denials, 2);
}

#[tokio::test]
async fn what_nothing_holds_back_opens_no_review() {
    let g = gated().await;
    smash(&g, &g.w.admin, g.production, "free", Some("no need")).await.unwrap();
    let kind = ApprovalRequest::KIND;
    let query = powerloom_core::store::RecordQuery { kind: Some(kind), ..Default::default() };
    assert!(g.w.cp.store().list_records(g.w.org.id, &query).await.unwrap().is_empty());
}

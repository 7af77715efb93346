//! The inbox (row P98): what waits for whom.

use super::gated;
use powerloom_core::approval::{ApprovalState, Ballot, InboxFilter};
use powerloom_core::record::Record;
use serde_json::json;

fn names(found: &[Record<powerloom_core::approval::ApprovalRequest>]) -> Vec<String> {
    found.iter().map(|request| request.spec.after["name"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn everybody_sees_what_waits_for_them_what_they_asked_for_and_what_they_may_read() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "approvers": [g.grace.principal.to_string()] })).await;
    let mut requests = Vec::new();
    for name in ["one", "two", "three"] {
        g.w.clock.advance(std::time::Duration::from_millis(5));
        requests.push(g.asked(name).await);
    }
    let all = InboxFilter::default();
    let of = |caller| g.w.cp.approvals(caller);
    assert_eq!(names(&of(&g.grace).to_decide(&all).await.unwrap()), ["three", "two", "one"]);
    assert!(of(&g.alan).to_decide(&all).await.unwrap().is_empty(), "nothing names him");
    assert!(of(&g.ada).to_decide(&all).await.unwrap().is_empty(), "nobody decides their own");
    assert_eq!(names(&of(&g.ada).mine(&all).await.unwrap()), ["three", "two", "one"]);
    assert!(of(&g.grace).mine(&all).await.unwrap().is_empty());
    assert_eq!(of(&g.alan).recent(&all).await.unwrap().len(), 3, "approval:read");
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    assert!(of(&nobody).recent(&all).await.unwrap().is_empty());
    assert_eq!(of(&nobody).get(requests[0].request_id()).await.unwrap_err().code(), "denied");

    g.vote(&g.grace, &requests[1], Ballot::Reject).await.unwrap();
    assert_eq!(names(&of(&g.grace).to_decide(&all).await.unwrap()), ["three", "one"]);
    let rejected = all.clone().state(ApprovalState::Rejected);
    assert_eq!(names(&of(&g.ada).mine(&rejected).await.unwrap()), ["two"]);

    // Page by page, and by kind and place.
    let first = of(&g.ada).mine(&all.clone().limit(1)).await.unwrap();
    let rest = of(&g.ada).mine(&all.clone().after(first[0].request_id())).await.unwrap();
    assert_eq!(names(&rest), ["two", "one"]);
    let skills = all.clone().resource_kind(crate::world::kind("Skill"));
    assert!(of(&g.grace).to_decide(&skills).await.unwrap().is_empty());
    assert_eq!(of(&g.grace).to_decide(&all.clone().ou(g.w.root())).await.unwrap().len(), 2);
    let lab = g.w.ou(g.w.root(), "lab").await;
    assert!(of(&g.grace).to_decide(&all.clone().ou(lab)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_expired_unnoticed_waits_for_nobody() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "ttl_seconds": 60 })).await;
    g.asked("one").await;
    g.w.clock.advance(std::time::Duration::from_secs(60));
    let all = InboxFilter::default();
    assert!(g.w.cp.approvals(&g.grace).to_decide(&all).await.unwrap().is_empty());
    let expired = all.state(ApprovalState::Expired);
    assert_eq!(g.w.cp.approvals(&g.ada).mine(&expired).await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_are_taken_back_at_once_each_on_its_own() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    for name in ["one", "two", "three"] {
        g.asked(name).await;
    }
    let agents = InboxFilter::default().resource_kind(crate::world::kind("Agent")).ou(g.production);
    assert!(g.w.cp.approvals(&g.grace).cancel_all(&agents, None).await.unwrap().is_empty());
    let cancelled = g.w.cp.approvals(&g.ada).cancel_all(&agents, Some("too many".into())).await.unwrap();
    assert_eq!(cancelled.len(), 3);
    assert!(cancelled.iter().all(|one| one.result.is_ok()));
    assert!(g.w.cp.approvals(&g.grace).to_decide(&agents).await.unwrap().is_empty());
    g.w.verify().await;
}

/// What people see of the votes is what the next vote will be counted with.
#[tokio::test]
async fn the_votes_shown_are_those_that_would_count() {
    let g = gated().await;
    g.policy(g.production, "three-eyes", json!({ "quorum": 2 })).await;
    let request = g.asked("held").await;
    g.approve(&g.grace, &request).await.unwrap();
    let of = g.w.cp.approvals(&g.ada);
    let counts = async || {
        let counts = of.counts(&of.get(request.request_id()).await.unwrap()).await.unwrap();
        (counts[0].approvals, counts[0].rejections)
    };
    assert_eq!(counts().await, (1, 0));
    let role = g.w.role("no-votes", &["approval:decide"]).await;
    let deny = async || {
        let denied = g.w.try_bind(&g.w.admin, &g.grace.principal, &role, g.w.root(), "deny").await;
        denied.unwrap().key()
    };
    let denied = deny().await;
    assert_eq!(counts().await, (0, 0), "she may not decide any more");
    g.w.archive(&g.w.admin, &denied).await.unwrap();
    g.vote(&g.alan, &request, Ballot::Approve).await.unwrap();
    deny().await;
    assert_eq!(counts().await, (2, 0), "it was decided by two");
}

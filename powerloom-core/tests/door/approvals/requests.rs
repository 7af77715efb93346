//! What waits, and how it is kept.

use super::{gated, pending};
use crate::world::{code, denied};
use powerloom_core::approval::{ApprovalState, Ballot};
use powerloom_core::clock::Clock;
use powerloom_core::door::caller::TokenKind;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::id::SessionId;
use powerloom_core::permission::PermissionSet;
use powerloom_core::resource::approval_policy::Approver;
use serde_json::json;
use std::time::Duration;

/// Rows P96, P97 and P101: the change waits, nothing of it is made, and the trail says so.
#[tokio::test]
async fn a_change_a_policy_matches_waits_and_leaves_one_audit_row() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let before = g.w.trail().await.len();
    let request = g.asked("held").await;
    assert!(request.request_id().to_string().starts_with("req_"), "row M34");
    assert!(g.agent("held").await.is_none());
    assert_eq!(g.verbs(before).await, ["approval.request"]);
    assert_eq!(request.spec.verb, "agent.create");
    assert_eq!(request.spec.scope_ou, "/acme/production");
    assert_eq!(request.spec.requirements.len(), 1);
    assert!(matches!(request.spec.requirements[0].approvers[..], [Approver::Role(_)]));
    // Elsewhere nothing waits.
    g.w.agent(g.w.root(), "free").await;
    g.w.verify().await;
}

/// Sem. 2.8, RBAC first: a gate never grants. Reliability P: 403, not 202.
#[tokio::test]
async fn who_may_not_is_denied_and_never_told_that_it_waits() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    denied(g.ask_for(&nobody, "mine").await);
}

/// Sem. 2.8, Validation first.
#[tokio::test]
async fn what_could_never_be_made_is_refused_before_anybody_is_asked() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let before = g.w.trail().await.len();
    let bad = json!({ "model": "", "system_prompt": "x", "agent_kind": "user", "owner": g.ada.principal.to_string() });
    let answer = g.w.try_create(&g.ada, "Agent", Some(g.production), Some("bad"), bad).await;
    assert_eq!(code(answer), "invalid");
    assert_eq!(g.w.trail().await.len(), before);
}

/// Vector 4.6: the second identical request returns the same id. Sem. 2.8, De-duplication.
#[tokio::test]
async fn the_same_change_asked_again_is_the_same_request() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let first = g.asked("held").await;
    let before = g.w.trail().await.len();
    let again = g.asked("held").await;
    assert_eq!(first.request_id(), again.request_id());
    assert_eq!(g.w.trail().await.len(), before, "nothing is written for it");
    // Somebody else's is another one, and so is another change.
    let other = pending(&g.ask_for(&g.w.admin, "held").await.unwrap());
    assert_ne!(other, first.request_id());
    assert_ne!(g.asked("another").await.request_id(), first.request_id());
    // Once decided, the same change may be asked for anew.
    g.vote(&g.grace, &first, Ballot::Reject).await.unwrap();
    assert_ne!(g.asked("held").await.request_id(), first.request_id());
}

#[tokio::test]
async fn the_same_idempotency_key_answers_with_the_same_request() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let spec = g.w.agent_spec().as_object().cloned().unwrap();
    let create = Action::Create {
        kind: crate::world::kind("Agent"),
        ou: Some(g.production),
        name: Some("held".into()),
        spec,
    };
    let options = SubmitOptions::default().idempotency_key("k1");
    let first = g.w.cp.submit_with(&g.w.admin, create.clone(), &options).await.unwrap();
    let request = g.request(pending(&first)).await;
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    let again = g.w.cp.submit_with(&g.w.admin, create, &options).await.unwrap();
    assert_eq!(first, again, "the answer that was given, though it is decided since");
}

/// Vector 4.6 and sem. 2.8, Expiry: `now >= created + ttl` is expired, whether anybody noticed or not (row P100).
#[tokio::test]
async fn a_request_expires_at_the_moment_not_when_somebody_notices() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let (early, late) = (g.asked("early").await, g.asked("late").await);
    let week = Duration::from_secs(7 * 24 * 3600);
    g.w.clock.advance(week - Duration::from_micros(1));
    g.approve(&g.grace, &early).await.unwrap();
    assert!(g.agent("early").await.is_some());
    g.w.clock.advance(Duration::from_micros(1));
    assert_eq!(late.state_at(g.w.clock.now()), ApprovalState::Expired);
    let before = g.w.trail().await.len();
    assert_eq!(code(g.approve(&g.grace, &late).await), "approval_expired");
    assert_eq!(g.state(late.request_id()).await, ApprovalState::Expired);
    assert_eq!(g.verbs(before).await, ["approval.expire"]);
    assert!(g.agent("late").await.is_none());
    assert_eq!(code(g.approve(&g.grace, &late).await), "approval_decided");
}

#[tokio::test]
async fn a_sweep_ends_what_expired_once_and_the_same_change_can_be_asked_for_anew() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "ttl_seconds": 60 })).await;
    let (first, second) = (g.asked("first").await, g.asked("second").await);
    g.w.clock.advance(Duration::from_secs(60));
    // Asked for anew before anybody noticed: the old one is ended in the same commit.
    let anew = g.asked("first").await;
    assert_ne!(anew.request_id(), first.request_id());
    assert_eq!(g.state(first.request_id()).await, ApprovalState::Expired);
    assert_eq!(g.w.cp.expire_approvals().await.unwrap(), 1);
    assert_eq!(g.w.cp.expire_approvals().await.unwrap(), 0);
    assert_eq!(g.state(second.request_id()).await, ApprovalState::Expired);
    assert_eq!(g.state(anew.request_id()).await, ApprovalState::Pending);
    g.w.verify().await;
}

/// Vector 4.6: a policy deleted while a request is open is still needed; a changed one changes nothing.
#[tokio::test]
async fn what_was_asked_for_is_frozen() {
    let g = gated().await;
    let policy = g.policy(g.production, "two-eyes", json!({ "quorum": 2 })).await;
    let request = g.asked("held").await;
    g.w.update(&g.w.admin, &policy, json!({ "quorum": 1 })).await.unwrap();
    g.w.archive(&g.w.admin, &policy.key()).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("held").await.is_none());
    g.approve(&g.alan, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

/// Sem. 2.8, modes: a justification is demanded before anybody is asked, a warning only shown.
#[tokio::test]
async fn a_policy_may_want_a_reason_or_only_warn() {
    let g = gated().await;
    let more = json!({ "mode": "require_justification", "approvers": [] });
    g.policy(g.production, "say-why", more).await;
    g.policy(g.production, "careful", json!({ "mode": "warn", "approvers": [] })).await;
    assert_eq!(code(g.ask_for(&g.ada, "held").await), "justification_required");
    let spec = g.w.agent_spec().as_object().cloned().unwrap();
    let create = Action::Create {
        kind: crate::world::kind("Agent"),
        ou: Some(g.production),
        name: Some("held".into()),
        spec,
    };
    let options = SubmitOptions::default().justification("a customer waits for it");
    let Outcome::Applied(applied) = g.w.cp.submit_with(&g.w.admin, create, &options).await.unwrap() else {
        panic!("it waits")
    };
    assert_eq!(applied.warnings, ["policy `careful` advises against it"]);
    let rows = g.w.cp.store().audit_rows(g.w.org.id, applied.audit.seq - 1, 1).await.unwrap();
    let detail = rows[0].change().unwrap()["detail"].clone();
    assert_eq!(detail["justification"], "a customer waits for it");
    assert_eq!(detail["policies"].as_array().unwrap().len(), 2);
}

/// Rows M38 and M39: the gate is the same for an agent's session, and the request remembers what narrowed it.
#[tokio::test]
async fn a_session_asks_like_anybody_else_and_its_request_keeps_its_bounds() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let meta = g.ada.clone().delegated(session, PermissionSet::ALL);
    let request = g.request(pending(&g.ask_for(&meta, "held").await.unwrap())).await;
    assert_eq!(request.spec.requester.token, TokenKind::Delegated);
    assert_eq!(request.spec.requester.session, Some(session));
    assert_eq!(request.spec.requester.caller(g.w.org.id), meta);
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
    let trail = g.w.cp.store().audit_rows(g.w.org.id, 0, 1000).await.unwrap();
    let applied = trail.iter().find(|entry| entry.row.verb == "agent.create").unwrap();
    assert_eq!(applied.row.delegated_from_session, Some(session.to_string()), "row M41");
    assert_eq!(applied.row.actor, "user:ada@acme.com", "row M42");
    assert_eq!(applied.row.approval_request_id, Some(request.request_id().to_string()));
}

/// What only votes change, nothing else changes.
#[tokio::test]
async fn a_request_is_no_resource_like_others() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let row = g.w.row(&request.key()).await;
    assert_eq!(code(g.w.archive(&g.w.admin, &row.key()).await), "invalid");
    assert_eq!(code(g.w.update(&g.w.admin, &row, json!({})).await), "invalid");
    let answer = g.w.try_create(&g.w.admin, "ApprovalRequest", Some(g.w.root()), None, json!({})).await;
    assert_eq!(code(answer), "invalid");
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
}

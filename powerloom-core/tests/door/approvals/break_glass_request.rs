//! Breaking the glass for a change that waits already.

use super::{Gated, gated, pending};
use crate::world::denied;
use powerloom_core::approval::{ApprovalId, ApprovalState, BrokenGlass, Purpose, TakenBack};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Result;
use powerloom_core::id::SessionId;
use powerloom_core::manifest::{ParseMode, Through, parse};
use powerloom_core::permission::PermissionSet;
use serde_json::json;
use std::time::Duration;

async fn smash(g: &Gated, caller: &Caller, request: ApprovalId) -> Result<BrokenGlass> {
    g.w.cp.approvals(caller).break_glass(request, "production is down").await
}

fn code(answer: Result<BrokenGlass>) -> String {
    answer.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn the_change_is_made_as_it_was_asked_for_and_no_longer_waits() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let asked = g.asked("held").await;
    let before = g.w.trail().await.len();
    let broken = smash(&g, &g.w.admin, asked.request_id()).await.unwrap();
    assert_eq!(g.verbs(before).await, ["agent.create", "approval.break_glass", "approval.cancel"]);
    let made = g.agent("held").await.unwrap();
    assert_eq!(broken.outcome.record().unwrap().meta.id, made.meta.id);
    assert_eq!(made.spec["owner"], g.ada.principal.to_string());
    assert!(matches!(broken.request, TakenBack::Done));
    let request = g.request(asked.request_id()).await;
    assert_eq!(request.status.state, ApprovalState::Cancelled);
    assert!(request.status.reason.unwrap().contains("break-glass"));
    let review = g.request(broken.review.unwrap()).await;
    assert_eq!((review.spec.purpose, review.status.state), (Purpose::Review, ApprovalState::Pending));
    assert_eq!(review.spec.justification.as_deref(), Some("production is down"));
    g.w.verify().await;
    // What is decided is decided, and a review is judged, not done again.
    assert_eq!(code(smash(&g, &g.w.admin, asked.request_id()).await), "approval_decided");
    assert_eq!(code(smash(&g, &g.w.admin, broken.review.unwrap()).await), "invalid");
}

/// Whoever may make the change but not take requests back makes it, and is told that the request still waits.
#[tokio::test]
async fn a_request_the_caller_may_not_take_back_goes_on_waiting_and_they_are_told() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let held = ["agent:create", "agent:assign_owner", "approval:read", "approval:break_glass"];
    let (_, oncall) = g.w.holder(g.w.root(), "oncall", &held).await;
    let asked = g.asked("held").await;
    let before = g.w.trail().await.len();
    let broken = smash(&g, &oncall, asked.request_id()).await.unwrap();
    let TakenBack::Not(why) = broken.request else { panic!("{broken:?}") };
    assert!(why.to_string().contains("approval:cancel"), "{why}");
    assert_eq!(g.verbs(before).await, ["agent.create", "approval.break_glass"], "nobody was refused");
    assert_eq!(g.state(asked.request_id()).await, ApprovalState::Pending);
}

#[tokio::test]
async fn it_needs_what_breaking_the_glass_needs() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await.request_id();
    let answer = smash(&g, &g.ada, request).await.map(|broken| broken.outcome);
    assert!(denied(answer).contains("approval:break_glass"));
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    let before = g.w.trail().await.len();
    assert_eq!(code(smash(&g, &nobody, request).await), "denied", "who may not read it learns nothing");
    let tried: Vec<_> = g.w.trail().await.split_off(before);
    assert_eq!(tried.len(), 1);
    assert_eq!(
        (tried[0].0.as_str(), tried[0].1.as_str(), tried[0].2.as_str()),
        ("user:nobody@acme.com", "approval.break_glass", "deny"),
        "and the trail says that they tried"
    );
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    // Not even what the session asked for itself, though it may read that.
    let delegated = g.w.admin.clone().delegated(session, PermissionSet::ALL);
    assert_eq!(code(smash(&g, &delegated, request).await), "denied");
    let its_own = pending(&g.ask_for(&delegated, "its-own").await.unwrap());
    assert_eq!(code(smash(&g, &delegated, its_own).await), "delegated_cannot_decide");
    let unsaid = g.w.cp.approvals(&g.w.admin).break_glass_with(request, &SubmitOptions::default()).await;
    assert_eq!(code(unsaid), "justification_required");
    assert!(g.agent("held").await.is_none());
    assert_eq!(g.state(request).await, ApprovalState::Pending);
}

#[tokio::test]
async fn neither_a_plan_nor_a_request_whose_time_ran_out_is_made_so() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "ttl_seconds": 60 })).await;
    let text = "{kind: Agent, metadata: {name: one, ou_path: /acme/production}, spec: {model: m-1, system_prompt: x, agent_kind: user, owner_principal_ref: 'user:ada@acme.com'}}";
    let parsed = parse("test.yaml", text, ParseMode::Lenient, g.w.cp.catalogue()).unwrap();
    let through = Through::new(&g.w.cp, &g.ada);
    let plan = through.plan(parsed.documents).await.unwrap();
    let plan = pending(&through.submit_plan(&plan, None).await.unwrap());
    let asked = g.asked("held").await.request_id();
    assert_eq!(code(smash(&g, &g.w.admin, plan).await), "invalid");
    g.w.clock.advance(Duration::from_secs(60));
    assert_eq!(code(smash(&g, &g.w.admin, asked).await), "approval_expired");
    assert!(g.agent("held").await.is_none());
}

/// Sem. 2.8, Pinning: whoever breaks the glass has seen the same before and after as everybody else.
#[tokio::test]
async fn a_record_that_has_moved_on_is_not_changed() {
    let g = gated().await;
    let agent = g.w.agent(g.production, "held").await;
    let policy = g.policy(g.production, "two-eyes", json!({})).await;
    let patch = |model: &str| json!({ "model": model });
    let asked = pending(&g.w.update(&g.ada, &agent, patch("claude-opus-4-1")).await.unwrap());
    g.w.archive(&g.w.admin, &policy.key()).await.unwrap();
    g.w.update(&g.w.admin, &agent, patch("claude-haiku-4-5")).await.unwrap();
    assert_eq!(code(smash(&g, &g.w.admin, asked).await), "version_mismatch");
    assert_eq!(g.agent("held").await.unwrap().spec["model"], "claude-haiku-4-5");
    assert_eq!(g.state(asked).await, ApprovalState::Pending);
}

/// Sem. 2.14: with a key it is made once, however often it is asked for.
#[tokio::test]
async fn with_an_idempotency_key_it_happens_once() {
    let g = gated().await;
    let agent = g.w.agent(g.production, "held").await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let patch = json!({ "model": "claude-opus-4-1" });
    let request = pending(&g.w.update(&g.ada, &agent, patch).await.unwrap());
    let options = SubmitOptions::default().justification("production is down").idempotency_key("k1");
    let of = g.w.cp.approvals(&g.w.admin);
    let first = of.break_glass_with(request, &options).await.unwrap();
    let rows = g.w.trail().await.len();
    let again = of.break_glass_with(request, &options).await.unwrap();
    assert_eq!(first.outcome.record(), again.outcome.record());
    assert!(matches!(again.request, TakenBack::Done));
    assert_eq!(g.w.trail().await.len(), rows);
    let other = options.idempotency_key("k2");
    assert_eq!(code(of.break_glass_with(request, &other).await), "approval_decided");
}

/// A consent is the giver's own: somebody else's cannot be given for them.
#[tokio::test]
async fn nobody_gives_a_consent_in_anothers_place() {
    let g = gated().await;
    let more = json!({ "match": { "resource_kinds": ["StandingConsent"] } });
    g.policy(g.production, "consents", more).await;
    let consent = Action::GrantConsent {
        ou: g.production,
        verbs: vec!["agent.update".to_owned()],
        uses: 1,
        expires_at: powerloom_core::clock::Clock::now(g.w.clock.as_ref()) + Duration::from_secs(3600),
        delegated: false,
    };
    let asked = g.w.cp.submit(&g.grace, consent).await.unwrap();
    assert!(matches!(asked, Outcome::Pending { .. }), "{asked:?}");
    assert_eq!(code(smash(&g, &g.w.admin, pending(&asked)).await), "invalid");
}

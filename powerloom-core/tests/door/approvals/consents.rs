//! Standing consent: confirming one's own actions in advance, within bounds.

use super::{Gated, gated, pending};
use crate::world::{code, denied};
use powerloom_core::approval::Delegated;
use powerloom_core::clock::Clock;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::id::SessionId;
use powerloom_core::permission::PermissionSet;
use serde_json::json;
use std::time::Duration;

/// Whoever creates agents in production confirms it themselves.
async fn confirming() -> Gated {
    let g = gated().await;
    g.w.bind(&g.ada.principal, "Approver", g.w.root()).await;
    let more = json!({ "allow_self": true, "approvers": [g.ada.principal.to_string()] });
    g.policy(g.production, "confirm", more).await;
    g
}

async fn consent(g: &Gated, caller: &Caller, uses: u32, delegated: Delegated) -> Outcome {
    let end = g.w.clock.now() + Duration::from_secs(3600);
    let verbs = vec!["agent.create".to_owned()];
    g.w.cp.approvals(caller).consent(g.production, verbs, uses, end, delegated).await.unwrap()
}

#[tokio::test]
async fn without_a_consent_one_confirms_each_action_oneself() {
    let g = confirming().await;
    let request = g.asked("held").await;
    assert_eq!(code(g.approve(&g.grace, &request).await), "not_an_approver");
    g.approve(&g.ada, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

#[tokio::test]
async fn a_consent_lets_through_as_often_as_it_says_and_no_more() {
    let g = confirming().await;
    consent(&g, &g.ada, 2, Delegated::No).await;
    for name in ["one", "two"] {
        let Outcome::Applied(applied) = g.ask_for(&g.ada, name).await.unwrap() else {
            panic!("{name} waits")
        };
        let rows = g.w.cp.store().audit_rows(g.w.org.id, applied.audit.seq - 1, 1).await.unwrap();
        assert_eq!(rows[0].change().unwrap()["detail"]["consent"]["of"], 2);
    }
    pending(&g.ask_for(&g.ada, "three").await.unwrap());
    assert!(g.w.cp.approvals(&g.ada).consents().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_last_use_is_used_once_under_a_race() {
    for _ in 0..10 {
        let g = confirming().await;
        consent(&g, &g.ada, 1, Delegated::No).await;
        let (one, two) = tokio::join!(g.ask_for(&g.ada, "one"), g.ask_for(&g.ada, "two"));
        let made = [one.unwrap(), two.unwrap()].iter().filter(|o| matches!(o, Outcome::Applied(_))).count();
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn a_consent_ends_with_its_time_its_scope_and_its_withdrawal() {
    let g = confirming().await;
    let made = consent(&g, &g.ada, 10, Delegated::No).await;
    g.w.clock.advance(Duration::from_secs(3600));
    pending(&g.ask_for(&g.ada, "late").await.unwrap());
    let again = consent(&g, &g.ada, 10, Delegated::No).await;
    assert_ne!(made.record().unwrap().meta.id, again.record().unwrap().meta.id);
    let id = again.record().unwrap().meta.id;
    assert_eq!(code(g.w.cp.approvals(&g.grace).revoke_consent(id).await), "denied");
    g.w.cp.approvals(&g.ada).revoke_consent(id).await.unwrap();
    pending(&g.ask_for(&g.ada, "later").await.unwrap());
    // Of another verb, or for another place.
    let end = g.w.clock.now() + Duration::from_secs(60);
    let lab = g.w.ou(g.w.root(), "lab").await;
    let approvals = g.w.cp.approvals(&g.ada);
    approvals.consent(lab, vec!["agent.create".into()], 1, end, Delegated::No).await.unwrap();
    approvals.consent(g.production, vec!["agent.update".into()], 1, end, Delegated::No).await.unwrap();
    pending(&g.ask_for(&g.ada, "latest").await.unwrap());
}

/// It is the person's word for what they do; for what an agent does in their name only if they said so.
#[tokio::test]
async fn a_consent_counts_for_a_session_only_if_it_says_so() {
    let g = confirming().await;
    consent(&g, &g.ada, 5, Delegated::No).await;
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let delegated = g.ada.clone().delegated(session, PermissionSet::ALL);
    pending(&g.ask_for(&delegated, "agent-made").await.unwrap());
    consent(&g, &g.ada, 5, Delegated::Too).await;
    assert!(matches!(g.ask_for(&delegated, "agent-made-too").await.unwrap(), Outcome::Applied(_)));
    // And no session gives one.
    let end = g.w.clock.now() + Duration::from_secs(60);
    let approvals = g.w.cp.approvals(&delegated);
    let answer = approvals.consent(g.production, vec!["agent.create".into()], 1, end, Delegated::Too).await;
    assert_eq!(code(answer), "delegated_cannot_decide");
}

/// It never stands in for somebody else's agreement.
#[tokio::test]
async fn a_consent_satisfies_no_policy_that_asks_others() {
    let g = confirming().await;
    g.policy(g.w.root(), "two-eyes", json!({ "approvers": ["role:Approver"] })).await;
    consent(&g, &g.ada, 5, Delegated::No).await;
    pending(&g.ask_for(&g.ada, "held").await.unwrap());
    let unused = g.w.cp.approvals(&g.ada).consents().await.unwrap();
    assert_eq!(unused[0].status.used, 0);
}

#[tokio::test]
async fn a_consent_has_bounds_and_needs_the_right_to_decide() {
    let g = confirming().await;
    let now = g.w.clock.now();
    let soon = now + Duration::from_secs(60);
    let verbs = || vec!["agent.create".to_owned()];
    let approvals = g.w.cp.approvals(&g.ada);
    for (verbs, uses, end, field) in [
        (vec![], 1, soon, "verbs"),
        (vec!["everything".to_owned()], 1, soon, "verbs[0]"),
        (verbs(), 0, soon, "uses"),
        (verbs(), 1001, soon, "uses"),
        (verbs(), 1, now, "expires_at"),
        (verbs(), 1, now + Duration::from_secs(91 * 24 * 3600), "expires_at"),
    ] {
        let refused = approvals.consent(g.production, verbs, uses, end, Delegated::No).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("`{field}`")), "{refused}");
    }
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    denied(g.w.cp.approvals(&nobody).consent(g.production, verbs(), 1, soon, Delegated::No).await);
}

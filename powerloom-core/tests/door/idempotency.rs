//! The same request twice (sem. 2.14).

use crate::world::{World, code, kind, world};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Result;
use powerloom_core::store::RecordQuery;
use serde_json::json;
use std::time::Duration;

async fn ou(w: &World, name: &str, key: &str) -> Result<Outcome> {
    let action = Action::Create {
        kind: kind("OU"),
        ou: Some(w.root()),
        name: Some(name.to_owned()),
        spec: Default::default(),
    };
    w.cp.submit_with(&w.admin, action, &SubmitOptions::default().idempotency_key(key)).await
}

#[tokio::test]
async fn the_same_key_and_request_are_answered_once() {
    let w = world().await;
    let first = ou(&w, "engineering", "k1").await.unwrap();
    let rows = w.trail().await.len();
    let second = ou(&w, "engineering", "k1").await.unwrap();
    assert_eq!(first.record(), second.record());
    assert_eq!(w.trail().await.len(), rows);
    assert_eq!(code(ou(&w, "sales", "k1").await), "idempotency_mismatch");
    assert_eq!(code(ou(&w, "engineering", "k2").await), "name_taken");
    assert_eq!(code(ou(&w, "x", "bad key").await), "invalid");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let w = world().await;
    ou(&w, "engineering", "k1").await.unwrap();
    w.clock.advance(Duration::from_secs(24 * 3600));
    ou(&w, "sales", "k1").await.unwrap();
}

#[tokio::test]
async fn the_same_request_from_many_at_once_happens_once() {
    let w = world().await;
    let answers = futures::future::join_all((0..16).map(|_| ou(&w, "engineering", "k1"))).await;
    let first = answers[0].as_ref().unwrap().record().unwrap().meta.id;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().record().unwrap().meta.id == first));
    let ous = RecordQuery { kind: Some(kind("OU")), ..Default::default() };
    assert_eq!(w.cp.store().list_records(w.org.id, &ous).await.unwrap().len(), 2);
    w.verify().await;
}

#[tokio::test]
async fn a_denied_request_is_not_remembered() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let options = SubmitOptions::default().idempotency_key("k1");
    let action = || Action::Create {
        kind: kind("OU"),
        ou: Some(w.root()),
        name: Some("mine".into()),
        spec: Default::default(),
    };
    w.cp.submit_with(&as_ada, action(), &options).await.unwrap_err();
    w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    w.cp.submit_with(&as_ada, action(), &options).await.unwrap();
    let _ = json!({});
}

/// A request that had nothing to do is answered once as well: come late, it must not undo what others did since.
#[tokio::test]
async fn an_unchanged_answer_is_remembered() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let options = SubmitOptions::default().idempotency_key("k1");
    let patch = |model: &str| json!({ "model": model }).as_object().cloned().unwrap();
    let update = |model: &str| Action::Update { target: agent.key(), expect: None, patch: patch(model) };
    let first = w.cp.submit_with(&w.admin, update("claude-sonnet-4-6"), &options).await.unwrap();
    assert!(matches!(first, Outcome::Unchanged { .. }));
    w.cp.submit(&w.admin, update("claude-opus-4-1")).await.unwrap();
    let rows = w.trail().await.len();
    let late = w.cp.submit_with(&w.admin, update("claude-sonnet-4-6"), &options).await.unwrap();
    assert_eq!(late, first);
    assert_eq!(w.row(&agent.key()).await.spec["model"], "claude-opus-4-1");
    assert_eq!(w.trail().await.len(), rows);
    let other = w.cp.submit_with(&w.admin, update("claude-haiku-4-5"), &options).await;
    assert_eq!(code(other), "idempotency_mismatch");
}

//! A gate of somebody else's: it can hold back, and it can fail, but never permit.

use crate::world::{denied, gated};
use async_trait::async_trait;
use powerloom_core::door::gate::{Gate, Hold, Proposal, Verdict};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::{Error, Result};
use serde_json::json;
use std::sync::Arc;

/// Holds every agent that is created.
#[derive(Debug)]
struct HoldAgents;

#[async_trait]
impl Gate for HoldAgents {
    async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict> {
        Ok(match proposal.verb {
            "agent.create" => {
                Verdict::Hold(Hold { request_id: "req_1".into(), write: vec![], audit: vec![] })
            }
            _ => Verdict::Open,
        })
    }
}

#[derive(Debug)]
struct Broken;

#[async_trait]
impl Gate for Broken {
    async fn judge(&self, _: &Proposal<'_>) -> Result<Verdict> {
        Err(Error::Internal { message: "the gate is out of order".into() })
    }
}

/// Row P97.
#[tokio::test]
async fn a_held_change_is_pending_and_nothing_of_it_is_made() {
    let w = gated(Arc::new(HoldAgents)).await;
    let outcome =
        w.try_create(&w.admin, "Agent", Some(w.root()), Some("held"), w.agent_spec()).await.unwrap();
    assert_eq!(outcome, Outcome::Pending { request_id: "req_1".into() });
    let key = format!("{}/held", w.root());
    let found =
        w.cp.store().record_by_unique_key(w.org.id, &crate::world::kind("Agent"), &key).await.unwrap();
    assert!(found.is_none());
    w.ou(w.root(), "free").await;
}

/// Sem. 2.8: permission first; who may not is told so, never that it waits.
#[tokio::test]
async fn a_gate_never_sees_what_is_denied() {
    let w = gated(Arc::new(HoldAgents)).await;
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    denied(w.try_create(&nobody, "Agent", Some(w.root()), Some("mine"), w.agent_spec()).await);
}

#[tokio::test]
async fn a_gate_that_fails_lets_nothing_through() {
    let w = gated(Arc::new(Broken)).await;
    let before = w.trail().await;
    let answer = w.try_create(&w.admin, "OU", Some(w.root()), Some("made"), json!({})).await;
    assert_eq!(answer.unwrap_err().code(), "internal");
    assert_eq!(w.trail().await, before);
}

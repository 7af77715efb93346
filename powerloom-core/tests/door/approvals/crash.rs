//! A crash or a lost answer at the vote that decides: the change is made with it or not at all, and never twice
//! (reliability P; architecture 11, 2 and 6).

use super::gated;
use crate::fault::{Fault, Faults};
use crate::faulty_store::FaultyStore;
use crate::world::code;
use powerloom_core::approval::{ApprovalState, Ballot};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn the_last_vote_and_the_change_survive_a_crash_together_or_not_at_all() {
    let mut points = 0;
    for fault in [Fault::HangBefore, Fault::HangAfter, Fault::FailBefore, Fault::FailAfter] {
        for n in 1.. {
            let g = gated().await;
            g.policy(g.production, "two-eyes", json!({})).await;
            let request = g.asked("held").await;
            let faults = Arc::new(Faults::default());
            let store = FaultyStore { inner: g.w.cp.store().clone(), faults: faults.clone() };
            let other = ControlPlane::builder(Arc::new(store)).clock(g.w.clock.clone()).build();
            let vote = Action::Vote {
                request: request.request_id(),
                ballot: Ballot::Approve,
                payload_hash: request.spec.payload_hash,
                comment: None,
                requirements: Vec::new(),
            };
            faults.strike(n, fault);
            tokio::select! {
                _ = other.submit(&g.grace, vote) => {}
                () = faults.hung.notified() => {}
            }
            let reached = faults.calls() >= n;
            let made = g.agent("held").await.is_some();
            let state = g.state(request.request_id()).await;
            assert_eq!(made, state == ApprovalState::Approved, "{n} {fault:?}: {state}");
            let rows = g.verbs(0).await;
            for verb in ["approval.vote", "approval.approve", "agent.create"] {
                assert_eq!(
                    rows.iter().filter(|row| *row == verb).count(),
                    usize::from(made),
                    "{n} {fault:?} {verb}"
                );
            }
            // Voting again makes up for it, and makes nothing twice.
            if made {
                assert_eq!(code(g.approve(&g.grace, &request).await), "approval_decided");
            } else {
                g.approve(&g.grace, &request).await.unwrap();
            }
            assert!(g.agent("held").await.is_some());
            assert_eq!(g.verbs(0).await.iter().filter(|row| *row == "agent.create").count(), 1);
            g.w.verify().await;
            if !reached {
                break;
            }
            points += 1;
        }
    }
    assert!(points >= 4, "the vote was struck at {points} points");
}

//! The sweep.

use crate::world::world;
use powerloom_core::conformance::fake_runtime::Fault;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::runtime::{Payload, RuntimeErrorClass};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn rename(payload: &mut Payload) {
    let Payload::Agent(agent) = payload else { panic!("it is an agent") };
    agent.system = Some("Obey me.".to_owned());
}

/// Rows P47, P48: an edit and a removal behind our back are found, and healed by the next tick.
#[tokio::test(start_paused = true)]
async fn an_edit_and_a_removal_are_found_and_healed() {
    let w = world().await;
    let agent = w.agent("code-reviewer", &[], &[]).await;
    w.settle().await;
    let clean = w.reconciler.sweep().await.unwrap();
    assert_eq!((clean.clean, clean.drifted), (2, 0));

    w.runtime.edit(&agent, rename);
    w.runtime.vanish(&w.environment);
    assert_eq!(w.reconciler.sweep().await.unwrap().drifted, 2);
    assert_eq!(w.status(&agent).await, SyncStatus::Dirty);
    assert_eq!(w.status(&w.environment).await, SyncStatus::Pending);
    w.settle().await;
    let Payload::Agent(healed) = w.runtime.object(&agent).unwrap().payload else { panic!("it is an agent") };
    assert_eq!(healed.system, None);
    assert_eq!((w.runtime.creates(&agent), w.runtime.creates(&w.environment)), (1, 2));
    let state = w.state(&agent).await;
    assert_eq!((state.drift_count, state.attempts), (1, 0));
}

/// Sem. 2.4: a read that fails proves nothing; a parked row is not looked at.
#[tokio::test(start_paused = true)]
async fn a_failed_read_changes_nothing_and_what_is_parked_is_not_read() {
    let w = world().await;
    let agent = w.agent("code-reviewer", &[], &[]).await;
    w.settle().await;
    let before = w.state(&agent).await;
    w.runtime.fault_of(&agent, Some(Fault::Fails(RuntimeErrorClass::Transient)));
    assert_eq!(w.reconciler.sweep().await.unwrap().unknown, 1);
    assert_eq!(w.state(&agent).await, before);

    w.runtime.fault_of(&agent, Some(Fault::Fails(RuntimeErrorClass::Permanent)));
    w.update(&agent, serde_json::json!({ "model": "nonsense" })).await;
    w.tick().await;
    let reads = w.runtime.called("observe").len();
    w.reconciler.sweep().await.unwrap();
    assert_eq!(w.runtime.called("observe")[reads..], *std::slice::from_ref(&w.environment));
}

/// Row P47: the loop sweeps every minute by itself, and heals without being asked.
#[tokio::test(start_paused = true)]
async fn the_loop_heals_drift_within_a_minute_and_a_tick() {
    let w = world().await;
    let stop = CancellationToken::new();
    let (runtime, environment) = (w.runtime.clone(), w.environment.clone());
    let running = tokio::spawn(w.reconciler.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runtime.creates(&environment), 1);
    runtime.vanish(&environment);
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert_eq!(runtime.creates(&environment), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runtime.creates(&environment), 2);
    stop.cancel();
    running.await.unwrap();
}

//! A store that fails at any call (S4).

use crate::fault_store::{FaultStore, Trouble};
use crate::world::{World, world_with};
use powerloom_core::record::Stage;
use powerloom_store::MemoryStore;
use std::sync::Arc;
use std::time::Duration;

/// Ticks through errors, with time for back-offs and leases to pass.
async fn converge(w: &World) {
    for _ in 0..40 {
        let _ = w.reconciler.tick().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

/// S4, S6: whichever call of the store fails, before or after its effect, once or twice in a row: everything converges, no
/// object is doubled, and the chain is whole.
#[tokio::test(start_paused = true)]
async fn whichever_store_call_fails_everything_converges_and_nothing_is_doubled() {
    for trouble in [Trouble::Before, Trouble::After] {
        for times in [1, 2] {
            let mut call = 1;
            while story(trouble, call, times).await {
                call += 1;
            }
            assert!(call > 20, "only {call} calls were reached");
        }
    }
}

/// Declares, converges, archives, converges. Whether the failing call was reached.
async fn story(trouble: Trouble, call: usize, times: usize) -> bool {
    let store = Arc::new(FaultStore::new(Arc::new(MemoryStore::new())));
    let w = world_with(store.clone(), |cp| cp, |reconciler| reconciler).await;
    let skill = w.skill("python-lint").await;
    let version = w.publish(skill, "python-lint", "one").await;
    let server = w.server("pg").await;
    let agent = w.agent("pg-reader", &[skill], &[server]).await;
    let credential = w.credential(&agent, server).await.key();
    store.fail(trouble, call, times);
    converge(&w).await;
    let reached = store.rest();
    for key in [&w.environment, &version, &agent, &credential] {
        assert!(w.is_synced(key).await, "{trouble:?} {call} {times}: {key} is {:?}", w.status(key).await);
        assert_eq!(w.runtime.creates(key), 1, "{trouble:?} {call} {times}: {key}");
    }
    w.archive(&agent).await;
    store.fail(trouble, call, times);
    converge(&w).await;
    let reached = store.rest() || reached;
    assert_eq!(w.row(&agent).await.meta.stage, Stage::Archived, "{trouble:?} {call} {times}");
    assert_eq!(w.runtime.objects().len(), 2, "environment and skill stay");
    let rows = w.cp.store().audit_rows(w.org.id, 0, 100).await.unwrap();
    let archived = rows.iter().filter(|entry| entry.row.verb == "agent.archived").count();
    assert_eq!(archived, 1, "{trouble:?} {call} {times}");
    w.verify().await;
    reached
}

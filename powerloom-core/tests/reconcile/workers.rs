//! Several loops on one store, and the life of one.

use crate::world::{options, world, world_with};
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_store::MemoryStore;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sem. 2.4, concurrency of workers: one of two loops wins each row.
#[tokio::test(start_paused = true)]
async fn two_loops_share_the_rows_and_double_nothing() {
    let w = world().await;
    for number in 0..300 {
        w.environment(&format!("e-{number}")).await;
    }
    w.runtime.latency(Duration::from_millis(20));
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).build();
    let (one, two) = tokio::join!(w.reconciler.tick(), other.tick());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.pushed + two.pushed, 301);
    assert!(one.pushed > 0 && two.pushed > 0, "{one:?} {two:?}");
    assert_eq!(w.runtime.pushes().len(), 301);
    assert!(w.runtime.most_at_once() <= 128);
}

/// S3: a call that outlives the lease keeps it, because it is renewed.
#[tokio::test(start_paused = true)]
async fn a_long_call_keeps_its_lease() {
    let w = world().await;
    w.runtime.latency(Duration::from_secs(200));
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).build();
    let late = async {
        tokio::time::sleep(Duration::from_secs(150)).await;
        other.tick().await.unwrap()
    };
    let (slow, late) = tokio::join!(w.reconciler.tick(), late);
    assert_eq!((slow.unwrap().pushed, late.rows()), (1, 0));
}

/// S3: a worker that cannot renew is overtaken, and what it hands in later counts for nothing.
#[tokio::test(start_paused = true)]
async fn a_worker_that_was_overtaken_drops_its_result() {
    let store = Arc::new(MemoryStore::new());
    let stalled = Arc::new(crate::fault_store::FaultStore::new(store));
    let w = world_with(stalled.clone(), |cp| cp, |reconciler| reconciler).await;
    stalled.fail_renewals();
    w.runtime.latency(Duration::from_secs(100));
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).build();
    let late = async {
        tokio::time::sleep(Duration::from_secs(61)).await;
        w.runtime.latency(Duration::ZERO);
        other.tick().await.unwrap()
    };
    let (slow, late) = tokio::join!(w.reconciler.tick(), late);
    assert_eq!((slow.unwrap().overtaken, late.pushed), (1, 1));
    assert!(w.is_synced(&w.environment).await);
}

/// A pass that is dropped leaves its claims to expire; what it may have created is looked for.
#[tokio::test(start_paused = true)]
async fn a_pass_that_is_dropped_is_repeated_as_unsure() {
    let w = world().await;
    w.runtime.latency(Duration::from_secs(10));
    let cut = tokio::time::timeout(Duration::from_secs(5), w.reconciler.tick()).await;
    assert!(cut.is_err());
    w.runtime.latency(Duration::ZERO);
    assert_eq!(w.tick().await.rows(), 0, "its lease still runs");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(w.tick().await.pushed, 1);
    assert_eq!(w.runtime.creates(&w.environment), 1);
}

/// Architecture 7: a change is pushed at once, its dependants right after, without waiting for a tick.
#[tokio::test(start_paused = true)]
async fn a_change_is_pushed_within_milliseconds() {
    let w = world().await;
    let stop = CancellationToken::new();
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).build();
    let running = tokio::spawn(other.run(stop.clone()));
    tokio::time::sleep(Duration::from_millis(700)).await;
    let skill = w.skill("python-lint").await;
    w.publish(skill, "python-lint", "one").await;
    let agent = w.agent("code-reviewer", &[skill], &[]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(w.is_synced(&agent).await, "{:?}", w.status(&agent).await);
    stop.cancel();
    running.await.unwrap();
}

/// Row P34: what waits for something that sends no wake-up is looked at in every tick, and not in between.
#[tokio::test(start_paused = true)]
async fn an_idle_loop_claims_once_per_tick() {
    let store = Arc::new(crate::fault_store::FaultStore::new(Arc::new(MemoryStore::new())));
    let w = world_with(store.clone(), |cp| cp, |reconciler| reconciler).await;
    let skill = w.skill("empty").await;
    let blocked = w.agent("waits", &[skill], &[]).await;
    let stop = CancellationToken::new();
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).build();
    let running = tokio::spawn(other.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = store.claims();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(store.claims() - before, 10);
    assert!(matches!(w.status(&blocked).await, SyncStatus::Blocked { .. }));
    stop.cancel();
    running.await.unwrap();
}

/// Stopping finishes what is under way and gives the rest back at once.
#[tokio::test(start_paused = true)]
async fn a_loop_that_stops_finishes_its_calls_and_releases_the_rest() {
    let options: ReconcileOptions = options(|options| options.concurrency = 2);
    let store = Arc::new(MemoryStore::new());
    let w = world_with(store, |cp| cp, |reconciler| reconciler).await;
    for number in 0..9 {
        w.environment(&format!("e-{number}")).await;
    }
    w.runtime.latency(Duration::from_secs(3));
    let stop = CancellationToken::new();
    let other = ReconcilerLoop::builder(&w.cp, w.runtime.clone()).options(options).build();
    let running = tokio::spawn(other.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(w.runtime.objects().len(), 2);
    w.runtime.latency(Duration::ZERO);
    assert_eq!(w.tick().await.pushed, 8, "no lease was left behind");
    assert_eq!(w.runtime.pushes().len(), 10);
}

/// Row P36: a change during the push is pushed too.
#[tokio::test(start_paused = true)]
async fn a_change_during_the_push_is_pushed_in_its_turn() {
    let w = world().await;
    w.runtime.latency(Duration::from_secs(1));
    let change = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        w.update(&w.environment, json!({ "networking": "limited" })).await;
    };
    let (_, ()) = tokio::join!(w.tick(), change);
    w.settle().await;
    let pushed = w.runtime.object(&w.environment).unwrap();
    assert!(
        matches!(pushed.payload, powerloom_core::runtime::Payload::Environment(e) if e.allowed_hosts.is_some())
    );
    assert_eq!(w.runtime.pushes().len(), 2);
}

//! What does the reconciler cost beside the calls it makes?
//!
//! 10,000 dirty environments, at most 64 calls under way, each taking 0 or 20 ms: claimed, read, projected, pushed and
//! settled over the store in memory. The limit is 64 tokio workers on a counter that make the bare calls and nothing
//! else. Run with `cargo bench --bench reconcile`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_benches::cpu::cpu;
use powerloom_core::conformance::fake_runtime::FakeRuntime;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_store::MemoryStore;
use serde_json::Map;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const OBJECTS: usize = 10_000;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 3;

/// The bare calls: the same fake runtime's time, nothing else.
async fn limit(latency: Duration) {
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..AT_ONCE).map(|_| {
        let next = next.clone();
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < OBJECTS {
                if !latency.is_zero() {
                    tokio::time::sleep(latency).await;
                }
            }
        })
    });
    futures::future::join_all(workers).await;
}

async fn dirty() -> (ControlPlane, Arc<FakeRuntime>) {
    let cp = ControlPlane::builder(Arc::new(MemoryStore::new())).build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    for number in 1..OBJECTS {
        let name = format!("e-{number}").parse().unwrap();
        let kind = "Environment".parse().unwrap();
        let create = Action::create(kind, org.root_ou, &name, Map::new());
        cp.submit(&org.admin_caller(), create).await.unwrap();
    }
    (cp, Arc::new(FakeRuntime::default()))
}

fn main() {
    println!("{OBJECTS} dirty objects, at most {AT_ONCE} calls at once, best of {ROUNDS}");
    println!(
        "{:>7} {:>8} {:>6} {:>10} {:>10} {:>8} {:>14} {:>14}",
        "threads", "latency", "batch", "limit s", "ours s", "ratio", "limit CPU us", "CPU us/object"
    );
    let many = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (threads, runtime) in [("many", &many), ("one", &one)] {
        for latency in [Duration::ZERO, Duration::from_millis(20)] {
            for batch in [100, 1000] {
                measure(runtime, threads, latency, batch);
            }
        }
    }
}

/// Prints one line: the bare calls and the reconciler, in turn.
fn measure(runtime: &tokio::runtime::Runtime, threads: &str, latency: Duration, batch: usize) {
    let mut best = (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let (start, used) = (Instant::now(), cpu());
        runtime.block_on(limit(latency));
        let (bare, limit_used) = (start.elapsed().as_secs_f64(), cpu() - used);
        let (cp, fake) = runtime.block_on(dirty());
        fake.latency(latency);
        let mut options = ReconcileOptions::default();
        (options.batch, options.concurrency) = (batch, AT_ONCE);
        let reconciler = ReconcilerLoop::builder(&cp, fake.clone()).options(options).build();
        let (start, used) = (Instant::now(), cpu());
        let report = runtime.block_on(async { tokio::spawn(async move { reconciler.tick().await }).await });
        let (ours, used) = (start.elapsed().as_secs_f64(), cpu() - used);
        assert_eq!(report.unwrap().unwrap().pushed, OBJECTS);
        let each = |used: Duration| used.as_secs_f64() * 1e6 / OBJECTS as f64;
        best = (best.0.min(bare), best.1.min(ours), best.2.min(each(limit_used)), best.3.min(each(used)));
    }
    let (bare, ours, limit_each, each) = best;
    println!(
        "{threads:>7} {:>5} ms {batch:>6} {bare:>10.4} {ours:>10.4} {:>8.2} {limit_each:>14.1} {each:>14.1}",
        latency.as_millis(),
        ours / bare
    );
}

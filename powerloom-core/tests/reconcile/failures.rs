//! What happens when calls fail.

use crate::world::{environment_of, options, pass, world, world_with};
use powerloom_core::conformance::fake_runtime::Fault;
use powerloom_core::door::mutation::Action;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::runtime::RuntimeErrorClass;
use powerloom_store::MemoryStore;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const TRANSIENT: Fault = Fault::Fails(RuntimeErrorClass::Transient);
const PERMANENT: Fault = Fault::Fails(RuntimeErrorClass::Permanent);

/// Rows P41, P42, P43; vector 4.1, through the whole loop.
#[tokio::test(start_paused = true)]
async fn nine_back_offs_then_it_is_parked_and_rests() {
    let w = world().await;
    w.runtime.fault_of(&w.environment, Some(TRANSIENT));
    for (failures, wait) in [2u64, 4, 8, 16, 32, 64, 128, 256, 300].into_iter().enumerate() {
        assert_eq!(w.tick().await.failed, 1);
        assert_eq!(w.state(&w.environment).await.attempts as usize, failures + 1);
        pass(wait - 1).await;
        assert_eq!(w.tick().await.rows(), 0, "too early");
        pass(1).await;
    }
    assert_eq!(w.tick().await.parked, 1);
    assert!(matches!(w.status(&w.environment).await, SyncStatus::Parked { .. }));
    pass(100_000).await;
    assert_eq!((w.tick().await.rows(), w.runtime.calls().len()), (0, 10));
}

/// Rows P44, P46: parked at once; freed by a reset, or by another spec.
#[tokio::test(start_paused = true)]
async fn a_permanent_failure_parks_until_a_reset_or_another_spec() {
    let w = world().await;
    w.tick().await;
    let agent = w.agent("code-reviewer", &[], &[]).await;
    w.runtime.fault_of(&agent, Some(PERMANENT));
    assert_eq!(w.tick().await.parked, 1);
    let SyncStatus::Parked { reason } = w.status(&agent).await else { panic!("it is parked") };
    assert!(reason.contains("as ordered"), "{reason}");
    pass(3600).await;
    assert_eq!(w.tick().await.rows(), 0);

    w.submit(Action::ResetSync { target: agent.clone() }).await;
    assert_eq!(w.tick().await.parked, 1, "the cause is still there");
    w.update(&agent, json!({ "model": "claude-opus-4-6" })).await;
    w.runtime.fault_of(&agent, None);
    assert_eq!(w.tick().await.pushed, 1);
}

/// Row P45: the runtime's wish is obeyed by every call of the loop, and the attempt counts.
#[tokio::test(start_paused = true)]
async fn a_rate_limit_slows_every_call_and_counts() {
    let w = world().await;
    let retry_after = Some(Duration::from_secs(30));
    w.runtime.fault_next(Fault::Fails(RuntimeErrorClass::RateLimited { retry_after }));
    assert_eq!(w.tick().await.failed, 1);
    assert_eq!(w.state(&w.environment).await.attempts, 1);
    let other = w.environment("other").await;
    let start = tokio::time::Instant::now();
    w.tick().await;
    assert!(w.is_synced(&other).await && start.elapsed() >= Duration::from_secs(30));
    w.settle().await;
    assert_eq!(w.state(&w.environment).await.attempts, 0);
}

/// Sem. 2.4: a refused key makes its organization rest, parks nothing, and leaves the others alone.
#[tokio::test(start_paused = true)]
async fn a_refused_key_pauses_its_organization_alone() {
    let options = options(|options| options.concurrency = 1);
    let store = Arc::new(MemoryStore::new());
    let w = world_with(store, |cp| cp, |reconciler| reconciler.options(options)).await;
    for number in 0..20 {
        w.environment(&format!("e-{number}")).await;
    }
    let other =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    w.runtime.refuse_key_of(w.org.id, true);
    let report = w.tick().await;
    assert_eq!((report.pushed, report.released, report.parked), (1, 21, 0));
    assert_eq!(w.runtime.calls().len(), 2, "one of each organization");
    let other_environment = environment_of(&w.cp, &other).await;
    assert!(w.runtime.object(&other_environment).is_some());
    assert_eq!(w.state(&w.environment).await.attempts, 0);
    pass(59).await;
    assert_eq!(w.tick().await.rows(), 0);
    w.runtime.refuse_key_of(w.org.id, false);
    pass(2).await;
    assert_eq!(w.tick().await.pushed, 21);

    w.runtime.refuse_key_of(w.org.id, true);
    let late = w.environment("late").await;
    w.tick().await;
    w.runtime.refuse_key_of(w.org.id, false);
    w.submit(Action::ResetSync { target: late.clone() }).await;
    w.tick().await;
    assert!(w.is_synced(&late).await, "a reset ends the rest");
}

/// S6: a create whose answer was lost is adopted, one whose request was lost is made; neither is doubled.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_doubles_an_object() {
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::Panics] {
        let w = world().await;
        w.runtime.fault_next(fault);
        assert_eq!(w.tick().await.failed, 1);
        assert!(w.state(&w.environment).await.unsure);
        w.settle().await;
        assert_eq!((w.runtime.creates(&w.environment), w.runtime.objects().len()), (1, 1));
        assert!(!w.state(&w.environment).await.unsure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_given_up_and_counts_as_lost() {
    let options = options(|options| options.call_timeout = Duration::from_secs(30));
    let store = Arc::new(MemoryStore::new());
    let w = world_with(store, |cp| cp, |reconciler| reconciler.options(options)).await;
    w.runtime.latency(Duration::from_secs(3600));
    assert_eq!(w.tick().await.failed, 1);
    let state = w.state(&w.environment).await;
    assert!(state.unsure && state.last_error.unwrap().contains("30 s"));
    w.runtime.latency(Duration::ZERO);
    w.settle().await;
}

/// Sem. 2.4, drift: an update that finds nothing creates, without penalty.
#[tokio::test(start_paused = true)]
async fn an_update_of_what_is_gone_creates_it_anew() {
    let w = world().await;
    w.settle().await;
    w.runtime.vanish(&w.environment);
    w.update(&w.environment, json!({ "networking": "limited" })).await;
    let report = w.tick().await;
    assert_eq!((report.observed, report.failed, report.progressed()), (1, 0, true));
    assert_eq!(w.tick().await.pushed, 1);
    assert_eq!(w.state(&w.environment).await.drift_count, 1);
    assert_eq!((w.runtime.creates(&w.environment), w.runtime.objects().len()), (2, 1));
}

/// Sem. 2.5: an update against a version that is not the present one looks again and is not parked.
#[tokio::test(start_paused = true)]
async fn an_update_of_what_somebody_else_changed_looks_again() {
    let w = world().await;
    let agent = w.agent("code-reviewer", &[], &[]).await;
    w.settle().await;
    w.runtime.edit(&agent, |_| {});
    w.update(&agent, json!({ "model": "claude-opus-4-6" })).await;
    let report = w.tick().await;
    assert_eq!((report.observed, report.failed, report.progressed()), (1, 0, true));
    assert_eq!(w.tick().await.pushed, 1);
    assert_eq!(w.runtime.object(&agent).unwrap().remote.version, Some(3));

    w.update(&agent, json!({ "model": "claude-haiku-4-5" })).await;
    w.runtime.fault_of(&agent, Some(Fault::Fails(RuntimeErrorClass::Conflict)));
    assert_eq!(w.tick().await.failed, 1, "a conflict about something else counts");
}

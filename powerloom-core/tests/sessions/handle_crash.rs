//! Whatever call a pump dies at: one vault for each session while it runs, none when it has settled.

use crate::fault::Fault;
use crate::handle::{META, assert_gone, delegating, presented, stored, vaults};
use crate::scripted::{Act, idle, rest, say};
use crate::stage::World;
use powerloom_core::id::SessionId;
use powerloom_core::runtime::RuntimeErrorClass;
use powerloom_core::session::status::SessionStatus;
use std::time::Duration;

const PROMPTED: [&str; 1] = ["How many orders?"];

fn script() -> Vec<Act> {
    vec![say("one"), rest(200.0), say("two"), idle("end_turn")]
}

/// A session runs, whoever pumps it: what is presented is its handle, and there is one vault.
async fn assert_one(world: &World, id: SessionId, seen: (usize, Fault)) {
    let record = stored(world, id).await;
    assert_eq!(record.status, SessionStatus::Running, "{seen:?}");
    assert_eq!(vaults(world).len(), 1, "{seen:?}");
    assert_eq!(world.runtime.vaults.objects().len(), 2, "{seen:?}");
    let handle = presented(world, id, META).unwrap();
    assert_eq!(world.cp.resolve_handle(&handle).await.unwrap().id, id, "{seen:?}");
}

async fn at_every_call(fault: Fault) {
    let mut points = 0;
    for n in 1.. {
        let world = delegating(script()).await;
        let id = world.invoke().await.session_id;
        let before = world.faults.calls();
        world.faults.strike(n, fault);
        let pumps = world.other_pumps().build();
        // Whatever happens in the first half minute happens before anybody looks.
        let _ = tokio::time::timeout(Duration::from_secs(300), async {
            tokio::select! {
                _ = pumps.tick() => {}
                () = world.faults.hung.notified() => {}
            }
        })
        .await;
        let settled = stored(&world, id).await.status.is_settled();
        let reached = world.faults.calls() - before >= n;
        if !settled {
            tokio::time::sleep(Duration::from_secs(31)).await;
            let pumps = world.pumps().build();
            let pumping = tokio::spawn(async move { pumps.tick().await });
            tokio::time::sleep(Duration::from_secs(20)).await;
            if !stored(&world, id).await.status.is_settled() {
                assert_one(&world, id, (n, fault)).await;
            }
            pumping.await.unwrap().unwrap();
        }
        // What is left after a crash behind the settling.
        tokio::time::sleep(Duration::from_secs(31)).await;
        world.pumps().build().tick().await.unwrap();
        assert_eq!(stored(&world, id).await.status, SessionStatus::IdleEndTurn, "{n} {fault:?}");
        assert_gone(&world, id).await;
        world.runtime.one(|remote| assert_eq!(remote.prompts, PROMPTED));
        if !reached {
            break;
        }
        points = n;
    }
    assert!(points > 20, "only {points} calls were struck");
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_any_call_leaves_no_vault() {
    at_every_call(Fault::HangBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_call_leaves_no_vault() {
    at_every_call(Fault::HangAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_any_call_leaves_no_vault() {
    at_every_call(Fault::FailBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_any_call_leaves_no_vault() {
    at_every_call(Fault::FailAfter).await;
}

/// A pump that is taken over before the session runs leaves a handle behind that is good for nothing.
#[tokio::test(start_paused = true)]
async fn whoever_takes_over_before_it_runs_makes_another_handle() {
    let world = delegating(script()).await;
    *world.runtime.refusal.lock().unwrap() = Some(RuntimeErrorClass::Transient);
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().build();
    assert!(tokio::time::timeout(Duration::from_millis(100), pumps.tick()).await.is_err());
    let bearer = || world.runtime.vaults.objects().into_iter().find_map(|object| object.bearer).unwrap();
    let first = bearer();
    tokio::time::sleep(Duration::from_secs(31)).await;
    *world.runtime.refusal.lock().unwrap() = None;
    let pumps = world.other_pumps().build();
    tokio::spawn(async move { pumps.tick().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_one(&world, id, (0, Fault::HangAfter)).await;
    assert_ne!(bearer(), first);
    assert!(world.cp.resolve_handle(&first).await.is_err());
}

/// Rows P91, M10: never started in time, stopped before it started, stopped while it runs, run too long.
#[tokio::test(start_paused = true)]
async fn a_session_that_never_ran_leaves_no_vault_either() {
    for (starts, cancels, wanted) in [
        (false, false, SessionStatus::Timeout),
        (false, true, SessionStatus::Cancelled),
        (true, true, SessionStatus::Cancelled),
        (true, false, SessionStatus::Timeout),
    ] {
        let world = delegating(vec![rest(10_000.0)]).await;
        *world.runtime.refusal.lock().unwrap() = (!starts).then_some(RuntimeErrorClass::Transient);
        let id = world.invoke().await.session_id;
        let pumps = world.pumps().build();
        let pumping = tokio::spawn(async move { pumps.tick().await });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(vaults(&world).len(), 1);
        if cancels {
            world.cp.cancel(&world.admin, id).await.unwrap();
        }
        pumping.await.unwrap().unwrap();
        assert_eq!(stored(&world, id).await.status, wanted);
        assert_gone(&world, id).await;
    }
}

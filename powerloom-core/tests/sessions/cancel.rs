use crate::scripted::{idle, rest, say};
use crate::stage::world;
use powerloom_core::session::status::SessionStatus;
use std::time::Duration;

/// Sem. 3.4: running → cancelling → cancelled.
#[tokio::test(start_paused = true)]
async fn a_running_session_is_interrupted_and_then_cancelled() {
    let world = world(vec![say("one"), rest(100.0), say("never")]).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    world.cp.cancel(&world.admin, id).await.unwrap();
    let record = world.cp.wait(&world.admin, id).await.unwrap();
    assert_eq!((record.status, record.status.public_word()), (SessionStatus::Cancelled, "terminated"));
    assert!(began.elapsed() < Duration::from_millis(100), "it was told, it did not have to poll");
    assert_eq!(world.runtime.one(|remote| remote.interrupts), 1);
    world.assert_whole(id).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.runtime.one(|remote| remote.archived));
    let again = world.cp.cancel(&world.admin, id).await.unwrap_err();
    assert_eq!(again.code(), "session_settled");
}

/// A request made in another process is found by polling.
#[tokio::test(start_paused = true)]
async fn a_stop_asked_for_elsewhere_is_found_within_the_poll() {
    let world = world(vec![rest(100.0)]).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    world.other.cancel(&world.admin, id).await.unwrap();
    world.cp.wait(&world.admin, id).await.unwrap();
    assert!(began.elapsed() <= Duration::from_millis(2500), "{:?}", began.elapsed());
}

/// Sem. 2.7.
#[tokio::test(start_paused = true)]
async fn a_pending_session_is_cancelled_without_the_runtime() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    world.cp.cancel(&world.admin, id).await.unwrap();
    world.pumps().build().tick().await.unwrap();
    assert_eq!(world.record(id).await.status, SessionStatus::Cancelled);
    assert_eq!(world.kinds(id).await, ["powerloom.session_ended"]);
    assert!(world.runtime.remotes.lock().unwrap().is_empty());
}

/// A runtime that does not stop is not waited for for ever.
#[tokio::test(start_paused = true)]
async fn a_stop_that_is_never_confirmed_counts_after_the_grace() {
    let world = world(vec![rest(300.0)]).await;
    *world.runtime.heeds.lock().unwrap() = false;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    world.cp.cancel(&world.admin, id).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let record = world.record(id).await;
    assert_eq!((record.status, record.status.public_word()), (SessionStatus::Cancelling, "running"));
    assert_eq!(world.cp.wait(&world.admin, id).await.unwrap().status, SessionStatus::Cancelled);
    assert_eq!(began.elapsed().as_secs(), 30);
}

/// Sem. 3.4: the stop may come too late: the turn ends as it would have.
#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_before_the_stop_arrives_ends_as_it_would_have() {
    let world = world(vec![rest(3.0), idle("end_turn")]).await;
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().build();
    assert!(tokio::time::timeout(Duration::from_secs(1), pumps.tick()).await.is_err());
    tokio::time::sleep(Duration::from_secs(40)).await;
    world.cp.cancel(&world.admin, id).await.unwrap();
    world.pumps().build().tick().await.unwrap();
    assert_eq!(world.record(id).await.status, SessionStatus::IdleEndTurn);
    world.assert_whole(id).await;
}

/// At whatever moment the stop is asked for, the session settles once, and whole.
#[tokio::test(start_paused = true)]
async fn a_stop_at_any_moment_settles_the_session_once() {
    for millis in (0..700).step_by(23) {
        let world =
            world(vec![rest(0.1), say("one"), rest(0.2), say("two"), rest(0.2), idle("end_turn")]).await;
        let _stop = world.start();
        let id = world.invoke().await.session_id;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let asked = world.cp.cancel(&world.admin, id).await;
        let record = world.cp.wait(&world.admin, id).await.unwrap();
        match asked {
            Ok(_) => assert_eq!(record.status, SessionStatus::Cancelled, "after {millis} ms"),
            Err(error) => {
                assert_eq!((error.code(), record.status), ("session_settled", SessionStatus::IdleEndTurn))
            }
        }
        let ended = world.kinds(id).await.iter().filter(|kind| *kind == "powerloom.session_ended").count();
        assert_eq!(ended, 1);
    }
}

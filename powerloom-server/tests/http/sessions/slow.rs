//! Readers that do not keep up (sem. 2.7).

use crate::sessions::client::{numbers, said};
use crate::sessions::stage::Stage;
use powerloom_core::id::SessionId;
use powerloom_server::Config;
use std::time::Duration;

/// A queue of 16 frames.
fn short_queue(mut config: Config) -> Config {
    config.bounds.stream_queue = 16;
    config
}

/// More than the buffers of both ends hold.
fn says_much(stage: &Stage, id: SessionId, frames: usize) {
    let text = "x".repeat(16 << 10);
    for _ in 0..frames {
        stage.runtime.message(id, &text);
    }
}

/// It is told from where it can go on, and nothing is lost or doubled.
#[tokio::test]
async fn a_live_reader_that_falls_too_far_behind_is_closed_and_resumes_without_loss() {
    let stage = Stage::with(short_queue).await;
    let id = stage.running().await;
    let ticket = stage.ticket(id).await;
    let path = format!("/sessions/{id}/stream?ticket={ticket}");
    let mut slow = stage.client().narrow().open(&path).await;
    let mut seen = numbers(&slow.take(3).await);
    // Alive and well, until it stops reading.
    stage.runtime.message(id, "hello");
    seen.extend(numbers(&slow.take(1).await));
    says_much(&stage, id, 60);
    stage.figure_becomes("session_slow_readers_total", 1).await;
    // The stream is free while the slow one still reads what it was sent.
    let other = stage.open(id, 0).await;
    other.close().await;
    let (told, closed) = slow.drain().await;
    seen.extend(numbers(&told));
    let last = *seen.last().unwrap();
    assert!(last < 64, "it was closed before the end: {last}");
    assert_eq!(said(&closed), (4408, format!("slow; after={last}").as_str()));
    stage.runtime.end_turn(id);
    stage.wait(id).await;
    let (told, closed) = stage.open(id, last).await.drain().await;
    seen.extend(numbers(&told));
    // The last frame, that it had ended already, has the number of the one before.
    assert_eq!((seen, said(&closed).0), ((1..=66).chain([66]).collect::<Vec<_>>(), 1000));
}

/// A replay is as long as it is: there the log waits for the reader.
#[tokio::test]
async fn a_reader_of_a_long_replay_is_not_slow() {
    let stage = Stage::with(short_queue).await;
    let id = stage.running().await;
    says_much(&stage, id, 60);
    let admin = stage.world.acme.admin_caller();
    let mut all = stage.world.loom.follow(&admin, id, Default::default()).await.unwrap();
    while all.next().await.unwrap().unwrap().seq.number() < 63 {}
    let ticket = stage.ticket(id).await;
    let path = format!("/sessions/{id}/stream?ticket={ticket}");
    let mut reader = stage.client().narrow().open(&path).await;
    let mut seen = numbers(&reader.take(10).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.runtime.end_turn(id);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (told, closed) = reader.drain().await;
    seen.extend(numbers(&told));
    assert_eq!((seen, said(&closed)), ((1..=65).collect::<Vec<_>>(), (1000, "ended")));
    assert_eq!(stage.figure("session_slow_readers_total").await, 0);
}

/// Whoever takes nothing at all is cut off in a replay, too.
#[tokio::test]
async fn a_reader_that_takes_nothing_is_closed_after_a_while() {
    let stage = Stage::with(|mut config| {
        config.bounds.stream_write = Duration::from_millis(200);
        config
    })
    .await;
    let id = stage.running().await;
    says_much(&stage, id, 60);
    let ticket = stage.ticket(id).await;
    let path = format!("/sessions/{id}/stream?ticket={ticket}");
    let mut reader = stage.client().narrow().open(&path).await;
    stage.figure_becomes("session_slow_readers_total", 1).await;
    let (told, closed) = reader.drain().await;
    let last = told.last().unwrap().seq;
    assert_eq!(numbers(&told), (1..=last).collect::<Vec<_>>());
    assert_eq!(said(&closed), (4408, format!("slow; after={last}").as_str()));
}

/// What is sent and who reads is counted.
#[tokio::test]
async fn streams_and_frames_are_counted() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    socket.take(3).await;
    stage.figure_becomes("session_streams_open", 1).await;
    stage.figure_becomes("session_frames_sent_total", 3).await;
    socket.close().await;
    stage.figure_becomes("session_streams_open", 0).await;
}

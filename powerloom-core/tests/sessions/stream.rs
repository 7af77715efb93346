use crate::scripted::{Act, idle, rest, say};
use crate::stage::world;
use powerloom_core::session::event::{EventSeq, SESSION_ALREADY_ENDED, SESSION_ENDED};
use powerloom_core::session::stream::SessionStream;
use std::time::Duration;

async fn drain(mut stream: SessionStream) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        seen.push((event.seq.number(), event.event.kind.clone()));
    }
    seen
}

fn talk() -> Vec<Act> {
    let mut script = Vec::new();
    for _ in 0..40 {
        script.extend([say("word"), say("word"), rest(0.02)]);
    }
    script.push(idle("end_turn"));
    script
}

/// Row P8; sem. 2.7: whoever comes, whenever, sees the same.
#[tokio::test(start_paused = true)]
async fn a_reader_sees_every_event_once_whenever_it_comes() {
    let world = world(talk()).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut readers = Vec::new();
    for late in [0, 1, 20, 333, 500, 790] {
        tokio::time::sleep(Duration::from_millis(late)).await;
        let stream = world.cp.follow(&world.admin, id, EventSeq::START).await.unwrap();
        readers.push(tokio::spawn(drain(stream)));
        // In another process, which is told nothing.
        let stream = world.other.follow(&world.admin, id, EventSeq::START).await.unwrap();
        readers.push(tokio::spawn(drain(stream)));
    }
    let log: Vec<_> = {
        world.cp.wait(&world.admin, id).await.unwrap();
        world.log(id).await
    }
    .into_iter()
    .map(|event| (event.seq.number(), event.event.kind))
    .collect();
    for reader in readers {
        let mut seen = reader.await.unwrap();
        if seen.last().unwrap().1 == SESSION_ALREADY_ENDED {
            seen.pop();
        }
        assert_eq!(seen, log);
    }
}

/// Sem. 2.7: reconnecting behind any number has no gap and no double.
#[tokio::test(start_paused = true)]
async fn reconnecting_anywhere_has_no_gap_and_no_double() {
    let world = world(talk()).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut seen = Vec::new();
    let mut after = EventSeq::START;
    'again: loop {
        let mut stream = world.cp.follow(&world.admin, id, after).await.unwrap();
        for _ in 0..7 {
            let Some(event) = stream.next().await else { break 'again };
            let event = event.unwrap();
            after = event.seq;
            if event.event.kind != SESSION_ALREADY_ENDED {
                seen.push(after.number());
            }
        }
    }
    assert_eq!(seen, (1..=world.record(id).await.last_seq.number()).collect::<Vec<_>>());
}

/// Row P82; sem. 2.7: only `session_ended` ends a stream; a settled session replays and says so.
#[tokio::test(start_paused = true)]
async fn a_settled_session_replays_and_says_that_it_had_ended() {
    let world = world(vec![idle("end_turn")]).await;
    let record = world.settled().await;
    let stream = world.cp.follow(&world.admin, record.id, EventSeq::new(2)).await.unwrap();
    let last = record.last_seq.number();
    let kinds: Vec<_> = drain(stream).await;
    let expected = [
        (3, "session.status_running"),
        (4, "session.status_idle"),
        (last, SESSION_ENDED),
        (last, SESSION_ALREADY_ENDED),
    ];
    assert_eq!(kinds, expected.map(|(seq, kind)| (seq, kind.to_owned())));
    let stream = world.cp.follow(&world.admin, record.id, record.last_seq).await.unwrap();
    assert_eq!(drain(stream).await, [(last, SESSION_ALREADY_ENDED.to_owned())]);
    assert_eq!(world.kinds(record.id).await.len() as u64, last, "it is not part of the log");
}

/// A reader that sleeps while thousands of events pass reads them from the log.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_falls_back_to_the_log() {
    let mut script: Vec<Act> = (0..3000).map(|_| say("word")).collect();
    script.push(rest(1.0));
    script.push(idle("end_turn"));
    let world = world(script).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut slow = world.cp.follow(&world.admin, id, EventSeq::START).await.unwrap();
    assert_eq!(slow.next().await.unwrap().unwrap().seq.number(), 1);
    world.cp.wait(&world.admin, id).await.unwrap();
    let seen: Vec<_> = drain(slow).await.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seen, (2..=world.record(id).await.last_seq.number()).collect::<Vec<_>>());
}

/// What is there can be taken at once, and what comes after is still given.
#[tokio::test(start_paused = true)]
async fn what_is_ready_can_be_taken_at_once() {
    let world = world(talk()).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut stream = world.cp.follow(&world.admin, id, EventSeq::START).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        seen.push(event.unwrap().seq.number());
        seen.extend(stream.ready().iter().map(|event| event.seq.number()));
    }
    assert_eq!(seen, (1..=world.record(id).await.last_seq.number()).collect::<Vec<_>>());
}

/// A face writes a replay in few pieces: what is read of the log is ready, page by page, also of a settled session.
#[tokio::test(start_paused = true)]
async fn the_replay_of_a_settled_session_is_ready_by_the_page() {
    let mut script: Vec<Act> = (0..600).map(|_| say("word")).collect();
    script.push(idle("end_turn"));
    let world = world(script).await;
    let record = world.settled().await;
    let mut stream = world.cp.follow(&world.admin, record.id, EventSeq::START).await.unwrap();
    assert!(!stream.was_over());
    let (mut seen, mut pieces) = (Vec::new(), 0);
    while let Some(event) = stream.next().await {
        pieces += 1;
        seen.push(event.unwrap().seq.number());
        seen.extend(stream.ready().iter().map(|event| event.seq.number()));
    }
    let last = record.last_seq.number();
    assert_eq!(seen, (1..=last).chain([last]).collect::<Vec<_>>(), "the last frame bears the last number");
    assert!(pieces <= 5, "{pieces}");
    assert!(world.cp.follow(&world.admin, record.id, record.last_seq).await.unwrap().was_over());
}

/// What bounds how far a reader may fall behind.
#[tokio::test(start_paused = true)]
async fn a_reader_knows_how_far_it_is_behind() {
    let world = world(talk()).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut stream = world.cp.follow(&world.admin, id, EventSeq::START).await.unwrap();
    assert!(!stream.is_caught_up(), "it has not looked yet");
    stream.next().await.unwrap().unwrap();
    while !stream.ready().is_empty() {}
    assert!(stream.is_caught_up());
    let far = EventSeq::new(stream.after().number() + 20);
    stream.grown_beyond(far).await;
    assert!(!stream.is_caught_up() && stream.after() < far, "nothing was taken");
}

/// Whoever waits for several things at once drops the wait for an event each time another comes first. Events that are told
/// of by nobody, as they are pumped in another process, are found all the same.
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_again_and_again_still_finds_what_nobody_tells() {
    let world = world(talk()).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut stream = world.other.follow(&world.admin, id, EventSeq::START).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..1000 {
        match tokio::time::timeout(Duration::from_millis(50), stream.next()).await {
            Ok(Some(event)) => seen.push(event.unwrap().seq.number()),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!(seen, (1..=world.record(id).await.last_seq.number()).collect::<Vec<_>>());
}

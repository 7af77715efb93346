//! How close is the fan-out of a session to a channel that does nothing else?
//!
//! A burst of 1,000 events of about 400 bytes, published in batches of 64 as a pump does, goes to 1,000 readers in one
//! process on two threads. Ours are cursors: they know their number in the log and survive falling behind. Next to them
//! stand `tokio::sync::broadcast`, and the limit: a shared list of which every reader clones every `Arc`. All run in
//! turns in the same process; what counts is the ratio. Run with `cargo bench --bench session`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use async_trait::async_trait;
use powerloom_core::clock::Timestamp;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::session::event::{EventSeq, NewEvent, SESSION_ENDED, SessionEvent};
use powerloom_core::session::hub::Hub;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::stream::SessionStream;
use powerloom_core::store::{EventLog, SessionQuery, StoreResult};
use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Barrier, broadcast};

const READERS: usize = 1_000;
const EVENTS: u64 = 1_000;
const BATCH: usize = 64;
const ROUNDS: usize = 9;

/// A log for those who fall behind.
#[derive(Debug, Default)]
struct Log(RwLock<Vec<SessionEvent>>);

#[async_trait]
impl EventLog for Log {
    async fn session(&self, _: OrgId, _: SessionId) -> StoreResult<Option<SessionRecord>> {
        Ok(None)
    }
    async fn sessions(&self, _: OrgId, _: &SessionQuery) -> StoreResult<Vec<SessionRecord>> {
        Ok(Vec::new())
    }
    async fn events(
        &self,
        _: OrgId,
        _: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>> {
        let log = self.0.read().unwrap();
        Ok(log.iter().skip(usize::try_from(after.number()).unwrap()).take(limit).cloned().collect())
    }
}

fn burst(session: SessionId) -> Vec<SessionEvent> {
    let text = "x".repeat(340);
    let event = |number| SessionEvent {
        session_id: session,
        seq: EventSeq::new(number),
        event: NewEvent {
            event_id: Some(format!("sevt_{number}")),
            kind: if number == EVENTS { SESSION_ENDED } else { "agent.message" }.to_owned(),
            payload: serde_json::json!({ "content": [{ "type": "text", "text": text }] }),
            at: Timestamp::from_micros(0),
        },
    };
    (1..=EVENTS).map(event).collect()
}

/// Runs `readers`, each of which begins when all are there, and measures from then until the last has everything.
async fn measure<R, F>(readers: impl Iterator<Item = R>, publish: impl FnOnce()) -> Duration
where
    R: FnOnce(Arc<Barrier>) -> F,
    F: Future<Output = u64> + Send + 'static,
{
    let there = Arc::new(Barrier::new(READERS + 1));
    let tasks: Vec<_> = readers.map(|reader| tokio::spawn(reader(there.clone()))).collect();
    there.wait().await;
    let began = Instant::now();
    publish();
    for task in tasks {
        assert_eq!(task.await.unwrap(), EVENTS);
    }
    began.elapsed()
}

async fn cursors(session: SessionId, events: Vec<SessionEvent>) -> Duration {
    let (hub, log) = (Arc::new(Hub::default()), Arc::new(Log::default()));
    let org = OrgId::generate(Timestamp::from_micros(0), &SystemEntropy);
    let readers = (0..READERS).map(|_| {
        let mut stream = SessionStream::over(log.clone(), hub.follow(session), org, session, EventSeq::START);
        move |there: Arc<Barrier>| async move {
            there.wait().await;
            let mut count = 0;
            while let Some(event) = stream.next().await {
                black_box(event.unwrap());
                count += 1;
            }
            count
        }
    });
    let (hub_too, log_too) = (hub.clone(), log.clone());
    measure(readers, move || {
        for batch in events.chunks(BATCH) {
            log_too.0.write().unwrap().extend_from_slice(batch);
            hub_too.publish(session, batch.iter().cloned());
        }
    })
    .await
}

async fn channel(events: Vec<SessionEvent>) -> Duration {
    let (send, _) = broadcast::channel(1024);
    let readers = (0..READERS).map(|_| {
        let mut receive = send.subscribe();
        move |there: Arc<Barrier>| async move {
            there.wait().await;
            let mut count = 0;
            while let Ok(event) = receive.recv().await {
                let event: Arc<SessionEvent> = event;
                count += 1;
                if black_box(event).seq.number() == EVENTS {
                    break;
                }
            }
            count
        }
    });
    let send_too = send.clone();
    measure(readers, move || {
        for event in events {
            send_too.send(Arc::new(event)).unwrap();
        }
    })
    .await
}

async fn shared(events: Vec<SessionEvent>) -> Duration {
    let (publish, read) = tokio::sync::watch::channel(Arc::new(Vec::new()));
    let readers = (0..READERS).map(|_| {
        let mut read = read.clone();
        move |there: Arc<Barrier>| async move {
            there.wait().await;
            let mut count = 0;
            while count < EVENTS {
                read.changed().await.unwrap();
                let all: Arc<Vec<Arc<SessionEvent>>> = read.borrow_and_update().clone();
                for event in all.iter() {
                    black_box(event.clone());
                    count += 1;
                }
            }
            count
        }
    });
    measure(readers, move || {
        publish.send(Arc::new(events.into_iter().map(Arc::new).collect())).unwrap();
    })
    .await
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let session = SessionId::generate(Timestamp::from_micros(0), &SystemEntropy);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(runtime.block_on(runtime.spawn(shared(burst(session)))).unwrap());
        times[1].push(runtime.block_on(runtime.spawn(channel(burst(session)))).unwrap());
        times[2].push(runtime.block_on(runtime.spawn(cursors(session, burst(session)))).unwrap());
    }
    let median = times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2]
    });
    let deliveries = READERS as f64 * EVENTS as f64;
    println!("{READERS} readers, burst of {EVENTS} events, median of {ROUNDS} rounds");
    for (name, time) in
        ["limit: a shared list", "tokio::sync::broadcast", "session cursors"].iter().zip(median)
    {
        println!(
            "{name:<24} {:>7.1} M deliveries/s   x limit {:>5.2}   x broadcast {:>5.2}",
            deliveries / time.as_secs_f64() / 1e6,
            time.as_secs_f64() / median[0].as_secs_f64(),
            time.as_secs_f64() / median[1].as_secs_f64(),
        );
    }
}

//! What the pumps of this process tell its readers: the newest events of each session somebody reads, and when a
//! session is to be stopped.
//!
//! It is speed, not truth: a reader that is not told, or told too late, reads the log. A session keeps at most
//! [`RING`] events here, shared by all its readers.

use crate::id::SessionId;
use crate::session::event::{EventSeq, SessionEvent};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How many events of a session are kept for its readers.
pub const RING: usize = 1024;

/// The tails of the sessions somebody reads in this process.
#[derive(Debug, Default)]
pub struct Hub {
    tails: Mutex<HashMap<SessionId, Weak<Tail>>>,
    stops: Mutex<HashMap<SessionId, Weak<Notify>>>,
}

/// The newest events of one session.
#[derive(Debug)]
struct Tail {
    ring: RwLock<VecDeque<Arc<SessionEvent>>>,
    last: watch::Sender<EventSeq>,
    /// When one of the readers last looked into the log for all of them.
    looked: Mutex<Option<Instant>>,
}

/// A reader's hold on the tail of a session.
#[derive(Debug, Clone)]
pub struct Follower {
    tail: Arc<Tail>,
    last: watch::Receiver<EventSeq>,
}

impl Hub {
    /// Tells the readers of `session` about events of its log, oldest first. Those they know already are dropped.
    pub fn publish(&self, session: SessionId, events: impl IntoIterator<Item = SessionEvent>) {
        let tail = lock(&self.tails).get(&session).cloned();
        let Some(tail) = tail else { return };
        match tail.upgrade() {
            Some(tail) => tail.publish(events.into_iter().map(Arc::new)),
            None => drop(remove_dead(&self.tails, session)),
        }
    }

    /// Follows the log of `session`.
    #[must_use]
    pub fn follow(&self, session: SessionId) -> Follower {
        let mut tails = lock(&self.tails);
        let tail = tails.get(&session).and_then(Weak::upgrade).unwrap_or_else(|| {
            let tail = Arc::new(Tail {
                ring: RwLock::default(),
                last: watch::Sender::new(EventSeq::START),
                looked: Mutex::default(),
            });
            sweep(&mut tails);
            tails.insert(session, Arc::downgrade(&tail));
            tail
        });
        Follower { last: tail.last.subscribe(), tail }
    }

    /// Tells the pump of `session`, if it is in this process, to look at its row.
    pub fn nudge(&self, session: SessionId) {
        let stop = lock(&self.stops).get(&session).and_then(Weak::upgrade);
        if let Some(stop) = stop {
            stop.notify_one();
        }
    }

    /// What [`nudge`](Self::nudge) rings, for as long as it is kept.
    #[must_use]
    pub fn bell(&self, session: SessionId) -> Arc<Notify> {
        let mut stops = lock(&self.stops);
        let bell = stops.get(&session).and_then(Weak::upgrade).unwrap_or_default();
        sweep(&mut stops);
        stops.insert(session, Arc::downgrade(&bell));
        bell
    }
}

impl Follower {
    /// Up to `limit` events right after `after`: `None` if they have left the ring, or never were in it.
    #[must_use]
    pub fn after(&self, after: EventSeq, limit: usize) -> Option<Vec<Arc<SessionEvent>>> {
        let ring = self.tail.ring.read().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front()?.seq.number();
        let skip = usize::try_from(after.next().number().checked_sub(first)?).ok()?;
        (skip <= ring.len()).then(|| ring.iter().skip(skip).take(limit).cloned().collect())
    }

    /// Whether the log is known to reach beyond `after`.
    #[must_use]
    pub fn knows_more(&self, after: EventSeq) -> bool {
        *self.last.borrow() > after
    }

    /// Tells all readers about events one of them has read from the log.
    pub fn publish(&self, events: impl IntoIterator<Item = Arc<SessionEvent>>) {
        self.tail.publish(events);
    }

    /// Waits until the log is known to reach beyond `after`.
    ///
    /// # Cancel safety
    /// Safe: nothing is consumed.
    pub async fn grown(&mut self, after: EventSeq) {
        // The sender lives in the tail, which `self` holds: it cannot be gone.
        let _ = self.last.wait_for(|last| *last > after).await;
    }

    /// Whether this reader is to look into the log for all of them: one does, once per `every`.
    #[must_use]
    pub fn takes_turn(&self, every: Duration) -> bool {
        let mut looked = lock(&self.tail.looked);
        let now = Instant::now();
        let due = looked.is_none_or(|at| now.duration_since(at) >= every);
        if due {
            *looked = Some(now);
        }
        due
    }
}

impl Tail {
    fn publish(&self, events: impl IntoIterator<Item = Arc<SessionEvent>>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if let Some(last) = ring.back().map(|last| last.seq) {
                if event.seq <= last {
                    continue;
                }
                // INVARIANT: the numbers in the ring have no gap.
                if event.seq != last.next() {
                    ring.clear();
                }
            }
            if ring.len() == RING {
                ring.pop_front();
            }
            ring.push_back(event);
        }
        let Some(last) = ring.back().map(|last| last.seq) else { return };
        drop(ring);
        self.last.send_if_modified(|seen| {
            let grown = last > *seen;
            *seen = last.max(*seen);
            grown
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_dead<T>(map: &Mutex<HashMap<SessionId, Weak<T>>>, session: SessionId) -> Option<Weak<T>> {
    let mut map = lock(map);
    let dead = map.get(&session).is_some_and(|held| held.strong_count() == 0);
    if dead { map.remove(&session) } else { None }
}

/// Forgets what nobody holds, whenever the map would have to grow: its size stays that of the living.
fn sweep<T>(map: &mut HashMap<SessionId, Weak<T>>) {
    if map.len() == map.capacity() {
        map.retain(|_, held| held.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::SystemEntropy;
    use crate::session::event::NewEvent;
    use serde_json::Value;

    fn events(session: SessionId, numbers: std::ops::RangeInclusive<u64>) -> Vec<SessionEvent> {
        let at = Timestamp::default();
        let event = NewEvent { event_id: None, kind: "agent.message".to_owned(), payload: Value::Null, at };
        numbers
            .map(|n| SessionEvent { session_id: session, seq: EventSeq::new(n), event: event.clone() })
            .collect()
    }

    fn numbers(events: Option<Vec<Arc<SessionEvent>>>) -> Option<Vec<u64>> {
        events.map(|events| events.iter().map(|event| event.seq.number()).collect())
    }

    fn session() -> SessionId {
        SessionId::generate(Timestamp::default(), &SystemEntropy)
    }

    #[tokio::test]
    async fn a_reader_is_told_and_finds_the_events() {
        let (hub, id) = (Hub::default(), session());
        hub.publish(id, events(id, 1..=2));
        let mut reader = hub.follow(id);
        assert_eq!(numbers(reader.after(EventSeq::START, 9)), None);
        hub.publish(id, events(id, 3..=5));
        reader.grown(EventSeq::new(4)).await;
        assert_eq!(numbers(reader.after(EventSeq::START, 9)), None, "1 and 2 are only in the log");
        assert_eq!(numbers(reader.after(EventSeq::new(2), 2)), Some(vec![3, 4]));
        assert_eq!(numbers(reader.after(EventSeq::new(5), 9)), Some(vec![]));
        assert_eq!(numbers(reader.after(EventSeq::new(6), 9)), None);
    }

    #[test]
    fn the_ring_is_bounded_and_never_has_a_gap_or_a_double() {
        let (hub, id) = (Hub::default(), session());
        let reader = hub.follow(id);
        let most = RING as u64;
        hub.publish(id, events(id, 1..=most + 10));
        assert_eq!(numbers(reader.after(EventSeq::new(9), 9)), None);
        assert_eq!(numbers(reader.after(EventSeq::new(10), 1)), Some(vec![11]));
        hub.publish(id, events(id, most + 5..=most + 11));
        assert_eq!(numbers(reader.after(EventSeq::new(most + 9), 9)), Some(vec![most + 10, most + 11]));
        hub.publish(id, events(id, most + 20..=most + 20));
        assert_eq!(numbers(reader.after(EventSeq::new(most + 11), 9)), None);
        assert_eq!(numbers(reader.after(EventSeq::new(most + 19), 9)), Some(vec![most + 20]));
    }

    #[test]
    fn what_nobody_reads_is_forgotten() {
        let hub = Hub::default();
        for _ in 0..1000 {
            drop((hub.follow(session()), hub.bell(session())));
        }
        assert!(lock(&hub.tails).len() < 64 && lock(&hub.stops).len() < 64);
    }

    #[tokio::test(start_paused = true)]
    async fn one_reader_at_a_time_looks_into_the_log() {
        let (hub, id) = (Hub::default(), session());
        let (one, two) = (hub.follow(id), hub.follow(id));
        let every = Duration::from_millis(500);
        assert!(one.takes_turn(every) && !two.takes_turn(every));
        tokio::time::advance(every).await;
        assert!(two.takes_turn(every) && !one.takes_turn(every));
    }
}

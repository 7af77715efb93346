//! Frames, written once for all readers of a session in this process.

use crate::stream::frame::written;
use axum::extract::ws::Utf8Bytes;
use powerloom_core::id::SessionId;
use powerloom_core::session::event::{EventSeq, SESSION_ALREADY_ENDED, SessionEvent};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many frames of a session are kept: those that its readers are about to ask for.
const KEPT: usize = 256;

/// The shelves of the sessions somebody reads.
#[derive(Debug, Default)]
pub(crate) struct Shelves(Mutex<HashMap<SessionId, Weak<Shelf>>>);

/// The newest frames of one session, without a gap between them. Empty while only one reads: then nothing is gained.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<VecDeque<(EventSeq, Utf8Bytes)>>);

impl Shelves {
    /// The shelf of a session, for as long as it is kept.
    pub(crate) fn of(&self, session: SessionId) -> Arc<Shelf> {
        let mut shelves = lock(&self.0);
        if let Some(shelf) = shelves.get(&session).and_then(Weak::upgrade) {
            return shelf;
        }
        // Whenever the map would have to grow, what nobody reads is forgotten.
        if shelves.len() == shelves.capacity() {
            shelves.retain(|_, shelf| shelf.strong_count() > 0);
        }
        let shelf = Arc::<Shelf>::default();
        shelves.insert(session, Arc::downgrade(&shelf));
        shelf
    }
}

impl Shelf {
    /// The frame of an event. One at a time: a reader that is slow must not hold the bytes of all that waits for it.
    pub(crate) fn frame(self: &Arc<Self>, event: &SessionEvent) -> Utf8Bytes {
        // The frame that says so is not part of the log, and has the number of one that is.
        if Arc::strong_count(self) == 1 || event.event.kind == SESSION_ALREADY_ENDED {
            return written(event).into();
        }
        frame(&mut lock(&self.0), event)
    }
}

fn frame(kept: &mut VecDeque<(EventSeq, Utf8Bytes)>, event: &SessionEvent) -> Utf8Bytes {
    let first = kept.front().map(|(seq, _)| seq.number());
    let place = first.and_then(|first| event.seq.number().checked_sub(first)).map(usize::try_from);
    if let Some(Ok(place)) = place
        && let Some((_, frame)) = kept.get(place)
    {
        return frame.clone();
    }
    let frame = Utf8Bytes::from(written(event));
    match kept.back().map(|(last, _)| *last) {
        // Somebody replays what the others have behind them.
        Some(last) if event.seq <= last => return frame,
        // INVARIANT: the numbers have no gap.
        Some(last) if event.seq != last.next() => kept.clear(),
        _ => {}
    }
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back((event.seq, frame.clone()));
    frame
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use powerloom_core::clock::Timestamp;
    use powerloom_core::entropy::SystemEntropy;
    use powerloom_core::session::event::NewEvent;
    use serde_json::json;
    use std::ops::RangeInclusive;

    fn session() -> SessionId {
        SessionId::generate(Timestamp::default(), &SystemEntropy)
    }

    fn events(session_id: SessionId, numbers: RangeInclusive<u64>, kind: &str) -> Vec<Arc<SessionEvent>> {
        let at = Timestamp::default();
        let event = |seq: u64| {
            let event = NewEvent { event_id: None, kind: kind.to_owned(), payload: json!({ "n": seq }), at };
            Arc::new(SessionEvent { session_id, seq: EventSeq::new(seq), event })
        };
        numbers.map(event).collect()
    }

    fn check(shelf: &Arc<Shelf>, events: &[Arc<SessionEvent>]) {
        for event in events {
            assert_eq!(shelf.frame(event).as_str(), written(event));
        }
    }

    #[test]
    fn two_readers_share_the_bytes_of_a_frame() {
        let (shelves, id) = (Shelves::default(), session());
        let (one, two) = (shelves.of(id), shelves.of(id));
        for event in events(id, 1..=3, "agent.message") {
            let (first, second) = (one.frame(&event), two.frame(&event));
            assert_eq!(first.as_str().as_ptr(), second.as_str().as_ptr());
        }
    }

    /// However far apart its readers are, each gets its own events.
    #[test]
    fn whatever_is_asked_for_is_what_the_event_says() {
        let (shelves, id) = (Shelves::default(), session());
        let (shelf, _other) = (shelves.of(id), shelves.of(id));
        for numbers in [5..=9, 1..=3, 7..=12, 2..=6, 600..=900, 601..=1200, 13..=20, 1201..=1201] {
            check(&shelf, &events(id, numbers, "agent.message"));
        }
        assert!(lock(&shelf.0).len() <= KEPT);
        // It bears the number of the last event.
        check(&shelf, &events(id, 1201..=1201, SESSION_ALREADY_ENDED));
        check(&shelf, &events(id, 1201..=1201, "agent.message"));
    }

    #[test]
    fn what_nobody_reads_is_forgotten() {
        let shelves = Shelves::default();
        for _ in 0..1000 {
            drop(shelves.of(session()));
        }
        assert!(lock(&shelves.0).len() < 64);
    }
}

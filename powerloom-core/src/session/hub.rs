//! Tells the readers of this process that a session's log has grown.
//!
//! It carries no events: a reader that is told reads the log. A process that does not pump a session is never
//! told and polls instead, so this is speed, not truth.

use crate::id::SessionId;
use crate::session::event::EventSeq;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// The tails of the sessions somebody reads in this process.
#[derive(Debug, Default)]
pub struct Hub {
    tails: Mutex<HashMap<SessionId, watch::Sender<EventSeq>>>,
}

impl Hub {
    /// The log of `session` has grown up to `last`.
    pub fn grew(&self, session: SessionId, last: EventSeq) {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let abandoned = tails.get(&session).is_some_and(|tail| {
            tail.send_if_modified(|seen| {
                let grown = last > *seen;
                *seen = (*seen).max(last);
                grown
            });
            tail.receiver_count() == 0
        });
        if abandoned {
            tails.remove(&session);
        }
    }

    /// Follows the log of `session`.
    #[must_use]
    pub fn follow(&self, session: SessionId) -> watch::Receiver<EventSeq> {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        tails.retain(|_, tail| tail.receiver_count() > 0);
        tails.entry(session).or_insert_with(|| watch::Sender::new(EventSeq::START)).subscribe()
    }
}

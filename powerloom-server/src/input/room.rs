//! Room for long bodies: how many bytes of them there may be at once.

use crate::failure::Failure;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use powerloom_core::error::Error;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many of the longest bodies there is room for.
const LONGEST: usize = 8;

/// A body of so many bytes is not long yet: 1 MiB.
pub(super) const SHORT: usize = 1 << 20;

/// Room is counted in pieces of so many bytes.
const PIECE: usize = 1 << 10;

/// Room for the long bodies of one router.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// Room that a body has taken, until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is only held")] Option<OwnedSemaphorePermit>);

impl Room {
    /// Room for eight bodies of the longest length.
    pub(crate) fn new(longest: usize) -> Self {
        let pieces = pieces(longest) as usize;
        Self(Arc::new(Semaphore::new(pieces.saturating_mul(LONGEST).min(Semaphore::MAX_PERMITS))))
    }

    /// Waits until there is room for a whole body that has these headers and at most `most` bytes, and takes it. All of it at
    /// once: bodies that took it piece by piece could wait for each other. A short body needs none.
    pub(crate) async fn take(&self, headers: &HeaderMap, most: usize) -> Result<Held, Failure> {
        let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let bytes = said.unwrap_or(most).min(most);
        if bytes <= SHORT {
            return Ok(Held::default());
        }
        let taken = Arc::clone(&self.0).acquire_many_owned(pieces(bytes)).await;
        let taken = taken
            .map_err(|error| Error::Internal { message: format!("there is no room for bodies: {error}") })?;
        Ok(Held(Some(taken)))
    }
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const MOST: usize = 4 << 20;

    fn taken(room: &Room, length: Option<usize>) -> Option<Held> {
        let mut headers = HeaderMap::new();
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        room.take(&headers, MOST).now_or_never().map(Result::unwrap)
    }

    #[test]
    fn the_ninth_of_the_longest_bodies_waits_and_short_ones_pass() {
        let room = Room::new(MOST);
        let mut held: Vec<Held> = (0..8).map(|_| taken(&room, Some(MOST)).unwrap()).collect();
        assert!(taken(&room, Some(SHORT + 1)).is_none());
        assert!(taken(&room, Some(SHORT)).is_some());
        held.pop();
        assert!(taken(&room, Some(SHORT + 1)).is_some(), "what was dropped has made room");
    }

    /// A length that is not said, or beyond the bound, counts as the longest.
    #[test]
    fn a_body_of_unknown_length_takes_the_room_of_the_longest() {
        let room = Room::new(MOST);
        let held: Vec<Held> = [None, Some(usize::MAX)]
            .iter()
            .cycle()
            .take(8)
            .map(|said| taken(&room, *said).unwrap())
            .collect();
        assert!(taken(&room, Some(SHORT + 1)).is_none());
        assert_eq!(held.len(), 8);
    }
}

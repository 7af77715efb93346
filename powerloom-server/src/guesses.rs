//! How often what nobody vouches for may cost the store a look-up, in this process.
//!
//! A signed token is verified before the store is asked. An API token and a ticket are random text: only the store knows them,
//! and anybody can make up more. Those that turn out good cost nothing; an API token that was good is known from then on, so
//! that whoever guesses keeps nobody out who was in.

use crate::config::Bounds;
use crate::failure::Failure;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How many good API tokens are known at most; then they are forgotten, all at once.
const KNOWN: usize = 16_384;

/// The look-ups that are left, and who needs none of them.
#[derive(Debug)]
pub(crate) struct Guesses {
    per_second: Option<f64>,
    left: Mutex<Left>,
    /// Hashes under a key of this process: they open nothing, and a token is judged by the store all the same.
    known: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Left {
    count: f64,
    at: Instant,
}

impl Guesses {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let per_second = bounds.guesses_per_second.map(|rate| f64::from(rate.get()));
        let left = Left { count: per_second.unwrap_or_default(), at: Instant::now() };
        let (left, known) = (Mutex::new(left), Mutex::default());
        Self { per_second, left, known, hasher: RandomState::new() }
    }

    /// Takes one; whoever's guess was right gives it [`back`](Self::back).
    ///
    /// # Errors
    /// [`Failure::RateLimited`] with the time after which there is one.
    pub(crate) fn take(&self) -> Result<(), Failure> {
        let Some(rate) = self.per_second else { return Ok(()) };
        let mut left = lock(&self.left);
        let now = Instant::now();
        left.count = (left.count + now.duration_since(left.at).as_secs_f64() * rate).min(rate);
        left.at = now;
        if left.count < 1.0 {
            return Err(Failure::RateLimited { wait: Duration::from_secs_f64((1.0 - left.count) / rate) });
        }
        left.count -= 1.0;
        Ok(())
    }

    /// It was none.
    pub(crate) fn back(&self) {
        if let Some(rate) = self.per_second {
            let mut left = lock(&self.left);
            left.count = (left.count + 1.0).min(rate);
        }
    }

    /// Whether this token was good when it was last looked at.
    pub(crate) fn knows(&self, token: &str) -> bool {
        lock(&self.known).contains(&self.hasher.hash_one(token))
    }

    /// It is.
    pub(crate) fn remember(&self, token: &str) {
        let mut known = lock(&self.known);
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(self.hasher.hash_one(token));
    }

    /// It is no longer.
    pub(crate) fn forget(&self, token: &str) {
        lock(&self.known).remove(&self.hasher.hash_one(token));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn guesses(per_second: u32) -> Guesses {
        Guesses::new(&Bounds { guesses_per_second: NonZeroU32::new(per_second), ..Bounds::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_a_second_and_no_more() {
        let guesses = guesses(4);
        for second in 0..3 {
            for _ in 0..4 {
                guesses.take().unwrap_or_else(|_| panic!("second {second}"));
            }
            let Err(Failure::RateLimited { wait }) = guesses.take() else { panic!("a fifth") };
            assert_eq!(wait, Duration::from_millis(250));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // A right one costs nothing.
        for _ in 0..100 {
            guesses.take().unwrap();
            guesses.back();
        }
        let unlimited = self::guesses(0);
        assert!((0..1000).all(|_| unlimited.take().is_ok()));
    }

    #[test]
    fn what_is_known_is_bounded_and_can_be_forgotten() {
        let guesses = guesses(1);
        guesses.remember("pat_ada");
        assert!(guesses.knows("pat_ada") && !guesses.knows("pat_grace"));
        guesses.forget("pat_ada");
        assert!(!guesses.knows("pat_ada"));
        for number in 0..2 * KNOWN {
            guesses.remember(&number.to_string());
        }
        assert!(lock(&guesses.known).len() <= KNOWN);
    }
}

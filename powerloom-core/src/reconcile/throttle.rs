//! How fast the runtime is called: a token bucket all calls of a loop share.
//!
//! It measures time by tokio's monotonic clock, which no change of the wall clock disturbs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long all calls rest after the runtime complained of too many without saying for how long.
const REST: Duration = Duration::from_secs(1);

/// A bound on calls per second.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the two numbers of a token bucket")]
pub struct Rate {
    /// Calls per second in the long run; at least one in 1000 seconds.
    pub per_second: f64,
    /// Calls that may be made at once after a pause.
    pub burst: u32,
}

/// Tokens, refilled with time. Whoever takes one that is not there yet waits for it.
#[derive(Debug)]
struct Bucket {
    rate: Option<Rate>,
    tokens: f64,
    filled: Instant,
    shut_until: Instant,
}

impl Bucket {
    fn new(rate: Option<Rate>, now: Instant) -> Self {
        let tokens = rate.map_or(0.0, |rate| f64::from(rate.burst));
        Self { rate, tokens, filled: now, shut_until: now }
    }

    /// Takes a token and says how long to wait until it is there.
    fn take(&mut self, now: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let per_second = rate.per_second.max(0.001);
        let refill = now.saturating_duration_since(self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + refill).min(f64::from(rate.burst.max(1))) - 1.0;
        self.filled = now;
        if self.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.tokens / per_second) }
    }

    fn shut(&mut self, now: Instant, rest: Duration) {
        self.shut_until = self.shut_until.max(now + rest);
        // After the rest calls come back at the steady rate, not all at once.
        self.tokens = self.tokens.min(0.0);
        self.filled = self.filled.max(self.shut_until);
    }
}

/// The bucket, shared.
#[derive(Debug)]
pub(crate) struct Throttle(Mutex<Bucket>);

impl Throttle {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self(Mutex::new(Bucket::new(rate, Instant::now())))
    }

    fn bucket<T>(&self, step: impl FnOnce(&mut Bucket) -> T) -> T {
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for leave to make one call.
    ///
    /// Cancel safety: dropped, the token is lost, nothing else.
    pub(crate) async fn pass(&self) {
        let now = Instant::now();
        let mut until = now + self.bucket(|bucket| bucket.take(now));
        loop {
            // It may have been shut while this waited.
            until = until.max(self.bucket(|bucket| bucket.shut_until));
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// The runtime complained: nobody calls for so long.
    pub(crate) fn slow(&self, retry_after: Option<Duration>) {
        self.bucket(|bucket| bucket.shut(Instant::now(), retry_after.unwrap_or(REST)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_of(throttle: &Throttle, calls: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            throttle.pass().await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_the_rest_at_the_steady_rate() {
        let throttle = Throttle::new(Some(Rate { per_second: 10.0, burst: 10 }));
        assert!(seconds_of(&throttle, 10).await < 0.01);
        let rest = seconds_of(&throttle, 20).await;
        assert!((1.9..2.2).contains(&rest), "{rest}");
        assert!(seconds_of(&Throttle::new(None), 1000).await < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_complaint_nobody_calls_before_the_runtime_wants_it() {
        for rate in [None, Some(Rate { per_second: 10.0, burst: 10 })] {
            let throttle = Throttle::new(rate);
            throttle.slow(Some(Duration::from_secs(30)));
            throttle.slow(None);
            let waited = seconds_of(&throttle, 1).await;
            assert!((30.0..30.2).contains(&waited), "{waited}");
        }
    }
}

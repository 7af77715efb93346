//! How long to wait after a failure (rows P42, P43, vector 4.1).

use std::time::Duration;

/// The waits between attempts: `min(2^n, 300)` seconds after failure *n*, parked at the tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The first wait; each next one is twice as long. Two seconds by default.
    pub base: Duration,
    /// No wait is longer. Five minutes by default.
    pub cap: Duration,
    /// At this many failures in a row the resource is parked. Ten by default.
    pub park_after: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(2), cap: Duration::from_secs(300), park_after: 10 }
    }
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row; `None` once it is time to park.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Option<Duration> {
        if failures >= self.park_after {
            return None;
        }
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        Some(self.base.saturating_mul(factor).min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows P42, P43; vector 4.1.
    #[test]
    fn nine_waits_sum_to_810_seconds_and_the_tenth_failure_parks() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (1..=9).map(|n| backoff.wait(n).unwrap().as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(waits.iter().sum::<u64>(), 810);
        assert_eq!(backoff.wait(10), None);
        assert_eq!(backoff.wait(u32::MAX), None);
    }
}

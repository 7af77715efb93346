//! How often one principal may ask, in this process.

use crate::config::Bounds;
use crate::failure::Failure;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use powerloom_core::id::OrgId;
use powerloom_core::principal::Principal;
use std::sync::atomic::{AtomicU32, Ordering};

/// After how many requests those who have not asked for a while are forgotten.
const FORGET_EVERY: u32 = 65_536;

/// How often one principal may ask.
#[derive(Debug)]
pub(crate) struct RateLimit {
    buckets: Option<DefaultKeyedRateLimiter<(OrgId, Principal)>>,
    clock: DefaultClock,
    asked: AtomicU32,
}

impl RateLimit {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let quota = bounds.requests_per_second.map(|rate| Quota::per_second(rate).allow_burst(bounds.burst));
        let buckets = quota.map(RateLimiter::keyed);
        Self { buckets, clock: DefaultClock::default(), asked: AtomicU32::new(0) }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// [`Failure::RateLimited`] with the time after which one more is let through.
    pub(crate) fn count(&self, org: OrgId, principal: &Principal) -> Result<(), Failure> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            buckets.retain_recent();
        }
        buckets
            .check_key(&(org, principal.clone()))
            .map_err(|until| Failure::RateLimited { wait: until.wait_time_from(self.clock.now()) })
    }
}

//! How a reconciler works: its bounds and its pace.

use crate::reconcile::backoff::Backoff;
use crate::reconcile::throttle::Rate;
use std::time::Duration;

/// The bounds and the pace of one loop.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReconcileOptions {
    /// Who holds the leases, for people; empty: made up.
    pub owner: String,
    /// A pass begins at least this often: 2 seconds (row P34).
    pub tick: Duration,
    /// How long a claim lasts unless it is renewed, which happens three times as often: 60 seconds.
    pub lease: Duration,
    /// Rows per claim: 100. At most [`MAX_PAGE`](crate::store::MAX_PAGE).
    pub batch: usize,
    /// Calls to the runtime at once: 64.
    pub concurrency: usize,
    /// A drift sweep begins so long after the one before has ended: 60 seconds (row P47).
    pub sweep_every: Duration,
    /// The waits after failures (rows P42, P43).
    pub backoff: Backoff,
    /// How long an organization rests after the runtime has refused its key: 60 seconds.
    pub auth_pause: Duration,
    /// After so long a call is given up, as if its answer were lost: 5 minutes.
    pub call_timeout: Duration,
    /// How fast the runtime is called; unbounded unless set. A runtime that complains is obeyed in any case.
    pub rate: Option<Rate>,
}

impl Default for ReconcileOptions {
    fn default() -> Self {
        Self {
            owner: String::new(),
            tick: Duration::from_secs(2),
            lease: Duration::from_secs(60),
            batch: 100,
            concurrency: 64,
            sweep_every: Duration::from_secs(60),
            backoff: Backoff::default(),
            auth_pause: Duration::from_secs(60),
            call_timeout: Duration::from_secs(300),
            rate: None,
        }
    }
}

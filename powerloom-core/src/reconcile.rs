//! Making what was declared real: the convergence record, the back-off, and the loop that drives them.
//!
//! Level-triggered: what counts is the pair of hashes in a [`SyncState`](state::SyncState), never the event that
//! changed it. A change wakes the [`ReconcilerLoop`](runner::ReconcilerLoop), its tick makes sure nothing is
//! forgotten, its sweep finds what somebody changed on the runtime. Any number of loops may work on one store:
//! each claim is a fenced lease.
//!
//! One pass goes: claim due rows → `batch` reads what they should be → `decide` says what to do → `attempt`
//! does it, many at once → `settler` writes what came of it, in batches.

pub(crate) mod attempt;
pub mod backoff;
pub(crate) mod batch;
pub(crate) mod claims;
pub(crate) mod crew;
pub(crate) mod decide;
pub mod options;
pub(crate) mod pass;
pub mod reconciler;
pub mod report;
pub mod runner;
pub mod runtime_reconciler;
pub(crate) mod settler;
pub mod state;
pub(crate) mod sweep;
pub mod throttle;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod vectors;

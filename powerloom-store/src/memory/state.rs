//! The tables and their lock.

use crate::tables::Tables;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A store in memory: for tests, examples and simulations.
///
/// Every call is answered under one lock, without waiting for anything else.
///
/// ```
/// use powerloom_core::store::Records;
/// use powerloom_store::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), powerloom_core::store::StoreError> {
/// assert!(MemoryStore::new().orgs().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryStore(Mutex<Tables>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tables. A panic under the lock leaves at most undecided changes, which [`Tables::reject`] takes back.
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut tables = poisoned.into_inner();
            tables.reject();
            self.0.clear_poison();
            tables
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

//! The rows this loop holds a lease on.

use crate::id::OrgId;
use crate::reconcile::state::SyncState;
use crate::record::ResourceKey;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One row this loop may work on, and the number its result must bear.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) org: OrgId,
    pub(crate) key: ResourceKey,
    pub(crate) fence: u64,
    /// Failures in a row before this attempt.
    pub(crate) attempts: u32,
    lost: AtomicBool,
}

impl Claim {
    pub(crate) fn of(state: &SyncState) -> Arc<Self> {
        Arc::new(Self {
            org: state.org,
            key: state.key.clone(),
            fence: state.fence,
            attempts: state.attempts,
            lost: AtomicBool::new(false),
        })
    }

    /// Another worker has taken the row over: there is no use in beginning.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

/// All claims that are not settled, for the renewal of their leases.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<(OrgId, ResourceKey), Arc<Claim>>>);

impl Claims {
    fn held(&self) -> MutexGuard<'_, HashMap<(OrgId, ResourceKey), Arc<Claim>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, claim: &Arc<Claim>) {
        self.held().insert((claim.org, claim.key.clone()), claim.clone());
    }

    /// Forgets a claim, unless a newer one of the row has taken its place.
    pub(crate) fn remove(&self, claim: &Claim) {
        let mut held = self.held();
        let key = (claim.org, claim.key.clone());
        if held.get(&key).is_some_and(|held| held.fence == claim.fence) {
            held.remove(&key);
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Claim>> {
        self.held().values().cloned().collect()
    }
}

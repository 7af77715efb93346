//! Signing keys in memory: handed in by the embedder, or made anew with every start.

use crate::clock::Timestamp;
use crate::invalid::Invalid;
use crate::token::key::SigningKey;
use crate::token::key_set::KeySet;
use crate::token::provider::SigningKeys;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// A key set in memory, which can be replaced while it is used.
#[derive(Debug)]
pub struct MemorySigningKeys(ArcSwap<KeySet>);

impl MemorySigningKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self(ArcSwap::from_pointee(keys))
    }

    /// `next` signs from now on; the present key verifies until `retired_at`.
    ///
    /// # Errors
    /// [`Invalid`] for a `kid` that is taken.
    pub fn rotate(&self, next: SigningKey, retired_at: Timestamp) -> Result<(), Invalid> {
        self.0.store(Arc::new(self.0.load().rotated(next, retired_at)?));
        Ok(())
    }

    /// Other keys, from now on.
    pub fn replace(&self, keys: KeySet) {
        self.0.store(Arc::new(keys));
    }
}

impl SigningKeys for MemorySigningKeys {
    fn key_set(&self) -> Arc<KeySet> {
        self.0.load_full()
    }
}

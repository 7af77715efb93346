//! The port through which the embedder hands in the keys that sign tokens.

use crate::token::key_set::KeySet;
use std::fmt;
use std::sync::Arc;

/// Holds the keys tokens are signed and verified with. They live outside the store: a dump of it signs nothing.
///
/// # Guarantees every implementation gives
/// 1. **At once**: it answers from memory; whoever fetches keys from elsewhere does so beside this call.
/// 2. **Whole**: what it answers was a key set at one moment, never half of a rotation.
pub trait SigningKeys: fmt::Debug + Send + Sync + 'static {
    /// The present keys.
    fn key_set(&self) -> Arc<KeySet>;
}

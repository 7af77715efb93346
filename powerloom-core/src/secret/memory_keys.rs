//! Master keys that end with the process.

use crate::entropy::Entropy;
use crate::invalid::Invalid;
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::keyring::{Keyring, random_key};
use crate::secret::provider::{KeyProvider, WrapNonce};
use arc_swap::ArcSwap;
use async_trait::async_trait;

/// Master keys held in memory only: for tests, and for stores that end with the process too.
#[derive(Debug)]
pub struct MemoryKeys(ArcSwap<Keyring>);

impl MemoryKeys {
    /// Makes one random key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(ArcSwap::from_pointee(Keyring::of(&random_key(entropy))))
    }

    /// Adds a random key, which seals from now on; the former ones still open.
    pub fn rotate(&self, entropy: &dyn Entropy) -> KeyId {
        let key = random_key(entropy);
        self.0.rcu(|ring| ring.with(&key));
        self.0.load().current_key_id()
    }

    /// Forgets a key: what is sealed under it opens no more.
    ///
    /// # Errors
    /// The key that seals now cannot be destroyed: rotate first.
    pub fn destroy(&self, key_id: &KeyId) -> Result<(), Invalid> {
        let mut refused = false;
        self.0.rcu(|ring| match ring.without(key_id) {
            Some(rest) => {
                refused = false;
                rest.into()
            }
            None => {
                refused = true;
                std::sync::Arc::clone(ring)
            }
        });
        if refused { Err(Invalid::new("key_id", key_id, "a key that no longer seals")) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyProvider for MemoryKeys {
    async fn current_key_id(&self) -> Result<KeyId, SecretError> {
        Ok(self.0.load().current_key_id())
    }

    async fn wrap_key(
        &self,
        key_id: &KeyId,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        self.0.load().wrap(key_id, data_key, nonce, associated)
    }

    async fn unwrap_key(
        &self,
        key_id: &KeyId,
        wrapped: &[u8],
        associated: &[u8],
    ) -> Result<DataKey, SecretError> {
        self.0.load().unwrap(key_id, wrapped, associated)
    }
}

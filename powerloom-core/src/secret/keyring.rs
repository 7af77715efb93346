//! Several master keys, of which one seals.

use crate::entropy::Entropy;
use crate::secret::aead::KEY_LEN;
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::master_key::MasterKey;
use crate::secret::provider::WrapNonce;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A master key in the clear.
pub(super) type KeyBytes = Zeroizing<[u8; KEY_LEN]>;

/// A fresh master key.
pub(super) fn random_key(entropy: &dyn Entropy) -> KeyBytes {
    let mut key = KeyBytes::default();
    entropy.fill(&mut *key);
    key
}

/// The keys a local provider holds: all open, the newest seals.
#[derive(Debug, Clone)]
pub(super) struct Keyring {
    current: Arc<MasterKey>,
    keys: BTreeMap<KeyId, Arc<MasterKey>>,
}

impl Keyring {
    /// A ring of one key.
    pub(super) fn of(key: &KeyBytes) -> Self {
        let current = Arc::new(MasterKey::new(key));
        Self { keys: BTreeMap::from([(current.id().clone(), Arc::clone(&current))]), current }
    }

    /// The same ring with a key more, which now seals. A key that is already there keeps its count.
    #[must_use]
    pub(super) fn with(&self, key: &KeyBytes) -> Self {
        let fresh = Arc::new(MasterKey::new(key));
        let mut keys = self.keys.clone();
        let current = Arc::clone(keys.entry(fresh.id().clone()).or_insert(fresh));
        Self { current, keys }
    }

    /// The same ring without a key; `None` for the key that seals.
    pub(super) fn without(&self, key_id: &KeyId) -> Option<Self> {
        let mut rest = self.clone();
        rest.keys.remove(key_id);
        (rest.current.id() != key_id).then_some(rest)
    }

    /// Only the keys of `listed` (the newest last), with the counts this ring has of them; `None` without any.
    pub(super) fn reread(&self, listed: &[KeyBytes]) -> Option<Self> {
        let (first, more) = listed.split_first()?;
        let mut ring = more.iter().fold(Self::of(first), |ring, key| ring.with(key));
        for (id, key) in &mut ring.keys {
            if let Some(known) = self.keys.get(id) {
                *key = Arc::clone(known);
            }
        }
        ring.current = Arc::clone(ring.keys.get(ring.current.id())?);
        Some(ring)
    }

    pub(super) fn current_key_id(&self) -> KeyId {
        self.current.id().clone()
    }

    pub(super) fn holds(&self, key_id: &KeyId) -> bool {
        self.keys.contains_key(key_id)
    }

    pub(super) fn wrap(
        &self,
        key_id: &KeyId,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        self.key(key_id)?.wrap(data_key, nonce, associated)
    }

    pub(super) fn unwrap(
        &self,
        key_id: &KeyId,
        wrapped: &[u8],
        associated: &[u8],
    ) -> Result<DataKey, SecretError> {
        self.key(key_id)?.unwrap(wrapped, associated)
    }

    fn key(&self, key_id: &KeyId) -> Result<&MasterKey, SecretError> {
        self.keys
            .get(key_id)
            .map(Arc::as_ref)
            .ok_or_else(|| SecretError::UnknownKey { key_id: key_id.clone() })
    }
}

//! A master key held in this process, and how often it was used.

use crate::secret::aead::{Aead, KEY_LEN, NONCE_LEN, TAG_LEN};
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::provider::WrapNonce;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A master key that has wrapped so many data keys in this process says in the log that it wants to be rotated.
pub const WRAPS_WARN: u64 = 1 << 31;

/// A master key wraps at most so many data keys in one process: with random 96-bit nonces, 2^32 is the limit.
pub const WRAPS_MAX: u64 = (1 << 32) - 1;

/// A prepared master key. The wrapped form is nonce (12), encrypted key (32), tag (16).
pub(super) struct MasterKey {
    id: KeyId,
    aead: Aead,
    wraps: AtomicU64,
}

impl MasterKey {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self { id: KeyId::of(key), aead: Aead::new(key), wraps: AtomicU64::new(0) }
    }

    pub(super) const fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn wrap(
        &self,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        self.count()?;
        let mut out = Vec::with_capacity(NONCE_LEN + KEY_LEN + TAG_LEN);
        out.extend_from_slice(nonce);
        self.aead.seal(nonce, associated, data_key.expose(), &mut out)?;
        Ok(out)
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], associated: &[u8]) -> Result<DataKey, SecretError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::CannotOpen)?;
        let key = self.aead.open(nonce, associated, sealed)?;
        let key = <&[u8; KEY_LEN]>::try_from(key.as_slice()).map_err(|_| SecretError::CannotOpen)?;
        Ok(DataKey::from_bytes(*key))
    }

    fn count(&self) -> Result<(), SecretError> {
        let next = |used: u64| (used < WRAPS_MAX).then_some(used + 1);
        match self.wraps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(WRAPS_WARN) => {
                tracing::warn!(key_id = %self.id, "a master key has wrapped 2^31 secrets: rotate it");
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(_) => Err(SecretError::KeyExhausted { key_id: self.id.clone() }),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reliability C4: the hard limit lies below 2^32.
    #[test]
    fn a_worn_out_key_still_opens_and_wraps_no_more() {
        let key = MasterKey::new(&[1; KEY_LEN]);
        key.wraps.store(WRAPS_MAX - 1, Ordering::Relaxed);
        let data_key = DataKey::from_bytes([2; KEY_LEN]);
        let wrapped = key.wrap(&data_key, &[3; NONCE_LEN], b"here").unwrap();
        for _ in 0..3 {
            let refused = key.wrap(&data_key, &[4; NONCE_LEN], b"here").unwrap_err();
            assert!(matches!(refused, SecretError::KeyExhausted { key_id } if key_id == *key.id()));
        }
        assert_eq!(key.unwrap(&wrapped, b"here").unwrap().expose(), data_key.expose());
        assert!(key.unwrap(&wrapped, b"there").is_err());
    }
}

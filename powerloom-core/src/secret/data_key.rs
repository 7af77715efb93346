//! The key of one secret.

use crate::digest::Digest;
use crate::secret::aead::KEY_LEN;
use std::fmt;
use zeroize::Zeroizing;

/// The 256-bit key of one secret in the clear, on its way to or from a [`KeyProvider`](super::KeyProvider);
/// overwritten when dropped.
pub struct DataKey(Zeroizing<[u8; KEY_LEN]>);

impl DataKey {
    /// Wraps the bytes of a key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the provider that wraps them.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// What a sealed secret shows of its key, so that it has only one.
    pub(super) fn commitment(&self) -> [u8; 32] {
        *Digest::of_parts(&[b"powerloom/commit/v1\n", self.0.as_slice()]).as_bytes()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

//! A sealed secret, as it is kept.

use crate::secret::aead::{NONCE_LEN, TAG_LEN};
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

const VERSION: u8 = 1;

/// A sealed secret: safe to keep and to copy, useless without its master key.
///
/// # The bytes, version 1
/// `1` · length of the key id (1) · key id · length of the wrapped data key (2, big-endian) · wrapped data key ·
/// commitment (32) · nonce (12) · ciphertext and tag (the rest, at least 16). In JSON: these bytes in base64url
/// without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    pub(super) key_id: KeyId,
    pub(super) wrapped: Vec<u8>,
    pub(super) commitment: [u8; 32],
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) ciphertext: Vec<u8>,
}

impl SealedSecret {
    /// The master key it is sealed under: what a rotation looks for.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The bytes to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let key_id = self.key_id.as_str().as_bytes();
        let mut out = Vec::with_capacity(4 + key_id.len() + self.wrapped.len() + 44 + self.ciphertext.len());
        out.push(VERSION);
        // Neither length overflows: `KeyId` holds at most 255 bytes, and the sealer refuses a longer wrapped key.
        out.push(u8::try_from(key_id.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(key_id);
        out.extend_from_slice(&u16::try_from(self.wrapped.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&self.wrapped);
        out.extend_from_slice(&self.commitment);
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.ciphertext);
        out
    }

    /// Reads kept bytes.
    ///
    /// # Errors
    /// [`SecretError::Malformed`]: another version, a key id that is none, too few bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        Self::read(bytes).ok_or(SecretError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        let (&length, rest) = rest.split_first()?;
        let (key_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (commitment, rest) = rest.split_first_chunk::<32>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        if ciphertext.len() < TAG_LEN {
            return None;
        }
        Some(Self {
            key_id: std::str::from_utf8(key_id).ok()?.parse().ok()?,
            wrapped: wrapped.to_vec(),
            commitment: *commitment,
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret(under {}, {} bytes)", self.key_id, self.ciphertext.len())
    }
}

impl Serialize for SealedSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for SealedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| SecretError::Malformed);
        bytes.and_then(|bytes| Self::from_bytes(&bytes)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_of_version_one_stay_what_they_are() {
        let sealed = SealedSecret {
            key_id: "mk_1".parse().unwrap(),
            wrapped: vec![2; 3],
            commitment: [3; 32],
            nonce: [4; NONCE_LEN],
            ciphertext: vec![5; TAG_LEN],
        };
        let expected =
            [[1, 4].as_slice(), b"mk_1", &[0, 3, 2, 2, 2], &[3; 32], &[4; NONCE_LEN], &[5; TAG_LEN]].concat();
        assert_eq!(sealed.to_bytes(), expected);
        assert_eq!(SealedSecret::from_bytes(&expected).unwrap(), sealed);
    }

    proptest! {
        /// There is one spelling of every sealed secret, and no bytes that bring the reader down.
        #[test]
        fn what_can_be_read_is_written_the_same(
            key_length in 0..8u8,
            wrapped_length in 0..70u16,
            rest in prop::collection::vec(any::<u8>(), 0..160),
        ) {
            let mut bytes = vec![VERSION, key_length];
            bytes.extend(std::iter::repeat_n(b'k', usize::from(key_length)));
            bytes.extend(wrapped_length.to_be_bytes());
            bytes.extend(rest);
            if let Ok(sealed) = SealedSecret::from_bytes(&bytes) {
                prop_assert_eq!(sealed.to_bytes(), bytes);
            }
        }
    }
}

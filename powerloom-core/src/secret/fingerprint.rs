//! What may be shown of a secret.

use crate::digest::Digest;
use crate::secret::bytes::SecretBytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The SHA-256 of a secret: tells whether two are the same without showing either.
///
/// For random secrets only: whoever can guess a secret can confirm the guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// The fingerprint of `secret`.
    #[must_use]
    pub fn of(secret: &SecretBytes) -> Self {
        Self(Digest::of(secret.expose()))
    }

    /// All of it, to find a secret by.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.0
    }

    /// The form for people: `sha256:` and the first 16 of 64 digits.
    #[must_use]
    pub fn short(&self) -> String {
        format!("sha256:{:.16}", self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha256_and_its_short_form_a_part_of_it() {
        let fingerprint = Fingerprint::of(&SecretBytes::from("abc".to_owned()));
        assert_eq!(
            fingerprint.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(fingerprint.short(), "sha256:ba7816bf8f01cfea");
    }
}

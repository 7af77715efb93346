//! The signature algorithms tokens may have.

use std::fmt;

/// How a key signs. A key has exactly one; a token's header is only compared with it (reliability T2).
///
/// Closed: an algorithm nobody has considered must not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a new algorithm must break whoever decides on one")]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518, 3.4): the signature is `r ‖ s`, 64 bytes.
    Es256,
    /// HMAC with SHA-256: tests only, see [`SigningKey::hs256_for_tests`](super::SigningKey::hs256_for_tests).
    Hs256,
}

impl Algorithm {
    /// The name in a header (RFC 7518, 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

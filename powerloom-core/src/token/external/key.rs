//! One public key of an issuer.

use crate::token::error::TokenError;
use crate::token::key::VerifyingKey;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// Longest `kid`, in bytes.
const MAX_KID: usize = 256;

/// How a key of a foreign issuer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an algorithm nobody has considered must not verify")]
pub enum ForeignAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518, 3.4).
    Es256,
    /// RSA of 2048 to 8192 bits with PKCS #1 v1.5 and SHA-256 (RFC 7518, 3.3): what most providers sign with. Ours never.
    Rs256,
}

impl ForeignAlgorithm {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in a header (RFC 7518, 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// A public key of an issuer, with its one algorithm; clones share it.
#[derive(Clone)]
pub struct ForeignKey(Arc<Inner>);

struct Inner {
    algorithm: ForeignAlgorithm,
    kid: String,
    check: Check,
}

enum Check {
    Curve(VerifyingKey),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl ForeignKey {
    /// The key of a JWK, with its `kid`; `None` for one that no signature of ours to take can be made with: another type,
    /// curve, algorithm or use, without `kid`, a shared secret, one that shows its private half, or too small.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let kid = text("kid").filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID)?;
        let signs = jwk.get("use").is_none_or(|use_| use_ == "sig")
            && jwk
                .get("key_ops")
                .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        if !signs || jwk.contains_key("d") || jwk.contains_key("k") {
            return None;
        }
        let (algorithm, check) = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => {
                (ForeignAlgorithm::EdDsa, Check::Curve(VerifyingKey::ed25519(&bytes("x")?).ok()?))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                let point = [vec![4], x, y].concat();
                (ForeignAlgorithm::Es256, Check::Curve(VerifyingKey::es256(&point).ok()?))
            }
            ("RSA", None) => (ForeignAlgorithm::Rs256, rsa(bytes("n")?, bytes("e")?)?),
            _ => return None,
        };
        if jwk.get("alg").is_some_and(|alg| alg != algorithm.name()) {
            return None;
        }
        Some(Self(Arc::new(Inner { algorithm, kid: kid.to_owned(), check })))
    }

    /// Its name in headers.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Its one algorithm.
    #[must_use]
    pub fn algorithm(&self) -> ForeignAlgorithm {
        self.0.algorithm
    }

    /// Checks a signature.
    pub(super) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        match &self.0.check {
            Check::Curve(key) => key.check(message, signature),
            Check::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .map_err(|_| TokenError::BadSignature),
        }
    }
}

/// An RSA key of 2048 to 8192 bits; its numbers begin with a byte that is not zero (RFC 7518, 6.3.1).
fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Check> {
    let minimal = |number: &[u8]| number.first().is_some_and(|byte| *byte != 0);
    let good = minimal(&n) && minimal(&e) && (256..=1024).contains(&n.len()) && e.len() <= 8;
    (good && e.as_slice() != [1]).then_some(Check::Rsa { n, e })
}

impl fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignKey({}, {})", self.algorithm().name(), self.kid())
    }
}

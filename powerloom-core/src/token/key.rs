//! One key: the private half that signs, the public half that verifies.

use crate::entropy::Entropy;
use crate::invalid::Invalid;
use crate::secret::SecretBytes;
use crate::token::algorithm::Algorithm;
use crate::token::error::TokenError;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest `kid`, in bytes.
const MAX_KID: usize = 128;

/// A private key with its one algorithm and its `kid`.
///
/// The library that holds it wipes it when it is dropped; `Debug` shows the `kid` and the algorithm only.
///
/// ```
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::token::SigningKey;
/// let key = SigningKey::generate_ed25519(&SystemEntropy)?;
/// assert_eq!(key.verifying_key().kid().len(), 43);
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
pub struct SigningKey {
    signer: Signer,
    public: VerifyingKey,
}

enum Signer {
    EdDsa(Box<Ed25519KeyPair>),
    Es256(Box<EcdsaKeyPair>),
    Hs256(Box<hmac::Key>),
}

impl SigningKey {
    /// A new Ed25519 key of 32 random bytes.
    ///
    /// # Errors
    /// [`Invalid`] if the library refuses the seed, which it does not do for random ones.
    pub fn generate_ed25519(entropy: &dyn Entropy) -> Result<Self, Invalid> {
        let mut seed = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut *seed);
        Self::ed25519(Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| refused())?)
    }

    /// A new P-256 key. The library draws it from the operating system, as it does the nonce of every signature.
    ///
    /// # Errors
    /// [`Invalid`] if the operating system gives no random bytes.
    pub fn generate_es256() -> Result<Self, Invalid> {
        Self::es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| refused())?)
    }

    /// The key in a PEM text with one `PRIVATE KEY` (PKCS#8, RFC 5958): Ed25519 or P-256.
    ///
    /// # Errors
    /// [`Invalid`], which shows nothing of the text.
    pub fn from_pem(text: &str) -> Result<Self, Invalid> {
        let mut found = pem::parse_many(text).map_err(|_| refused())?;
        match (found.pop(), found.pop()) {
            (Some(key), None) if key.tag() == "PRIVATE KEY" => {
                Self::from_pkcs8(&Zeroizing::new(key.into_contents()))
            }
            _ => Err(refused()),
        }
    }

    /// The key in a PKCS#8 document (DER): Ed25519 or P-256.
    ///
    /// # Errors
    /// [`Invalid`], which shows nothing of the document.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, Invalid> {
        // The document names its algorithm: at most one of the two takes it.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Self::ed25519(pair);
        }
        Self::es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| refused())?)
    }

    /// A shared secret: whoever verifies can also sign. For tests of verifiers only; its public half is in no JWKS.
    #[must_use]
    pub fn hs256_for_tests(secret: &[u8], kid: &str) -> Self {
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        let public =
            Public { algorithm: Algorithm::Hs256, kid: kid.to_owned(), check: Check::Shared(key.clone()) };
        Self { signer: Signer::Hs256(key), public: VerifyingKey(Arc::new(public)) }
    }

    /// The same key under another `kid` than its thumbprint: 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    /// [`Invalid`] for another `kid`.
    pub fn with_kid(mut self, kid: &str) -> Result<Self, Invalid> {
        self.public = self.public.with_kid(kid)?;
        Ok(self)
    }

    /// The public half.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The private key as a PKCS#8 document, to be kept by whoever made it. `None` for a shared secret.
    #[must_use]
    pub fn to_pkcs8(&self) -> Option<SecretBytes> {
        let document = match &self.signer {
            Signer::EdDsa(pair) => pair.to_pkcs8v1().ok()?,
            Signer::Es256(pair) => pair.to_pkcs8v1().ok()?,
            Signer::Hs256(_) => return None,
        };
        Some(SecretBytes::from(document.as_ref().to_vec()))
    }

    /// Signs; `None` if the library cannot.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.signer {
            Signer::EdDsa(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
            Signer::Es256(pair) => Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Signer::Hs256(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
        }
    }

    fn ed25519(pair: Ed25519KeyPair) -> Result<Self, Invalid> {
        let public = VerifyingKey::ed25519(pair.public_key().as_ref())?;
        Ok(Self { signer: Signer::EdDsa(Box::new(pair)), public })
    }

    fn es256(pair: EcdsaKeyPair) -> Result<Self, Invalid> {
        let public = VerifyingKey::es256(pair.public_key().as_ref())?;
        Ok(Self { signer: Signer::Es256(Box::new(pair)), public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.public.algorithm(), self.public.kid())
    }
}

/// A public key with its one algorithm and its `kid`; clones share it.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Public>);

struct Public {
    algorithm: Algorithm,
    kid: String,
    check: Check,
}

#[derive(Clone)]
enum Check {
    Public { bytes: Vec<u8>, parsed: ParsedPublicKey },
    Shared(Box<hmac::Key>),
}

impl VerifyingKey {
    /// The Ed25519 key of these 32 bytes (RFC 8032), under its thumbprint.
    ///
    /// # Errors
    /// [`Invalid`] if it is none.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, Invalid> {
        let parsed = ParsedPublicKey::new(&ED25519, bytes).map_err(|_| refused())?;
        Ok(Self::public(Algorithm::EdDsa, bytes, parsed))
    }

    /// The P-256 key of this uncompressed point: 65 bytes, the first is 4 (SEC 1, 2.3.3). Under its thumbprint.
    ///
    /// # Errors
    /// [`Invalid`] if it is none.
    pub fn es256(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() != 65 || bytes.first() != Some(&4) {
            return Err(refused());
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(|_| refused())?;
        Ok(Self::public(Algorithm::Es256, bytes, parsed))
    }

    /// The same key under another `kid`: 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    /// [`Invalid`] for another `kid`.
    pub fn with_kid(&self, kid: &str) -> Result<Self, Invalid> {
        if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("kid", kid, format!("1 to {MAX_KID} visible ASCII characters")));
        }
        let Public { algorithm, check, .. } = self.0.as_ref();
        Ok(Self(Arc::new(Public { algorithm: *algorithm, kid: kid.to_owned(), check: check.clone() })))
    }

    /// Its name in headers: the thumbprint of RFC 7638 (SHA-256, base64url) unless said otherwise.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Its one algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Checks a signature.
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let fits = match &self.0.check {
            Check::Public { parsed, .. } => parsed.verify_sig(message, signature).is_ok(),
            Check::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        };
        if fits { Ok(()) } else { Err(TokenError::BadSignature) }
    }

    /// The members of the public JWK that its thumbprint is of, in lexical order (RFC 7638, 3.2); `None` for a shared
    /// secret.
    pub(crate) fn jwk_members(&self) -> Option<Vec<(&'static str, String)>> {
        match &self.0.check {
            Check::Public { bytes, .. } => members(self.0.algorithm, bytes),
            Check::Shared(_) => None,
        }
    }

    fn public(algorithm: Algorithm, bytes: &[u8], parsed: ParsedPublicKey) -> Self {
        let kid = thumbprint(&members(algorithm, bytes).unwrap_or_default());
        let check = Check::Public { bytes: bytes.to_vec(), parsed };
        Self(Arc::new(Public { algorithm, kid, check }))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {})", self.algorithm(), self.kid())
    }
}

fn members(algorithm: Algorithm, bytes: &[u8]) -> Option<Vec<(&'static str, String)>> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match algorithm {
        Algorithm::EdDsa => {
            Some(vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", text(bytes))])
        }
        Algorithm::Es256 => {
            let (x, y) = bytes.get(1..)?.split_at_checked(32)?;
            Some(vec![("crv", "P-256".to_owned()), ("kty", "EC".to_owned()), ("x", text(x)), ("y", text(y))])
        }
        Algorithm::Hs256 => None,
    }
}

/// RFC 7638: SHA-256 of the members as JSON without white space. None of the values needs escaping.
fn thumbprint(members: &[(&'static str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}

fn refused() -> Invalid {
    Invalid::hidden("signing_key", "an Ed25519 or P-256 key, a private one as PKCS#8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{SeededEntropy, SystemEntropy};

    /// RFC 8037, A.1–A.3: the published key, its published thumbprint, its published signature.
    #[test]
    fn the_published_ed25519_key_has_its_published_thumbprint_and_signature() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = VerifyingKey::ed25519(&x).unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD
            .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
            .unwrap();
        assert_eq!(key.check(signed.as_bytes(), &signature), Ok(()));
        assert_eq!(key.check(b"something else", &signature), Err(TokenError::BadSignature));
    }

    #[test]
    fn a_key_comes_back_from_its_own_document_and_from_its_pem() {
        for key in
            [SigningKey::generate_ed25519(&SystemEntropy).unwrap(), SigningKey::generate_es256().unwrap()]
        {
            let der = key.to_pkcs8().unwrap();
            let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der.expose()));
            for again in [SigningKey::from_pkcs8(der.expose()).unwrap(), SigningKey::from_pem(&text).unwrap()]
            {
                assert_eq!(again.verifying_key().kid(), key.verifying_key().kid());
                let signature = again.sign(b"x").unwrap();
                assert_eq!(signature.len(), 64);
                assert_eq!(key.verifying_key().check(b"x", &signature), Ok(()));
            }
            assert!(SigningKey::from_pem(&format!("{text}{text}")).is_err(), "two keys in one text");
        }
        for text in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            let refused = SigningKey::from_pem(text).unwrap_err();
            assert!(refused.value.is_none(), "{refused}");
        }
    }

    /// No key in `Debug`.
    #[test]
    fn a_key_shows_only_its_name() {
        let key = SigningKey::generate_ed25519(&SeededEntropy::new(1)).unwrap();
        let secret = hex::encode(key.to_pkcs8().unwrap().expose().split_at(16).1);
        let shown = format!("{key:?} {:?}", key.verifying_key());
        assert!(shown.contains(key.verifying_key().kid()) && !shown.contains(&secret), "{shown}");
    }

    #[test]
    fn a_kid_is_short_and_visible() {
        let key = SigningKey::generate_es256().unwrap();
        for kid in ["", "a b", "ключ", &"x".repeat(129)] {
            assert!(key.verifying_key().with_kid(kid).is_err(), "{kid}");
        }
        assert_eq!(key.with_kid("2026-01").unwrap().verifying_key().kid(), "2026-01");
    }
}

//! Who signs checkpoints.

use crate::audit::note::{NoteKey, NoteSignature};
use crate::entropy::Entropy;
use crate::invalid::Invalid;
use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use std::fmt;
use zeroize::Zeroizing;

/// A checkpoint could not be signed; the same call may work later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint cannot be signed: {message}")]
pub struct SignError {
    /// What is wrong, without secrets.
    pub message: String,
}

/// Signs checkpoints with a key that the store's writers do not have: in this process, or in a key service.
///
/// # Guarantees every implementation gives
/// 1. **Its own**: every signature is by the key [`key`](Self::key) names.
/// 2. **Exact**: what is signed is the text, byte for byte.
#[async_trait]
pub trait CheckpointSigner: fmt::Debug + Send + Sync + 'static {
    /// What verifies the signatures.
    fn key(&self) -> NoteKey;

    /// Signs the text of a note.
    ///
    /// # Errors
    /// [`SignError`] if the key cannot be used now.
    async fn sign(&self, text: &str) -> Result<NoteSignature, SignError>;
}

/// Signs in this process (RFC 8032). The key is nowhere printed and is wiped when it is dropped.
pub struct Ed25519Signer {
    key: NoteKey,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Ed25519Signer {
    /// A signer with the key that belongs to these 32 secret bytes (the seed of RFC 8032).
    ///
    /// ```
    /// # use powerloom_core::audit::signer::{CheckpointSigner, Ed25519Signer};
    /// let signer = Ed25519Signer::from_seed("acme.com/audit", &[7; 32])?;
    /// assert!(signer.key().to_string().starts_with("acme.com/audit+"));
    /// # Ok::<(), powerloom_core::invalid::Invalid>(())
    /// ```
    ///
    /// # Errors
    /// A name that cannot name a key.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Invalid> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self::new(name, pair.map_err(|_| Invalid::hidden("seed", "an Ed25519 seed"))?)
    }

    /// A signer with a key in the form of RFC 8410, as `openssl genpkey -algorithm ed25519 -outform DER` writes it.
    ///
    /// # Errors
    /// Bytes that are no such key; a name that cannot name a key.
    pub fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, Invalid> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        Self::new(name, pair.map_err(|_| Invalid::hidden("pkcs8", "an Ed25519 key in PKCS#8"))?)
    }

    /// A signer with a fresh key, and the secret bytes to keep it by.
    ///
    /// # Errors
    /// A name that cannot name a key.
    pub fn generate(name: &str, entropy: &dyn Entropy) -> Result<(Self, Zeroizing<[u8; 32]>), Invalid> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut());
        Ok((Self::from_seed(name, &seed)?, seed))
    }

    fn new(name: &str, pair: Ed25519KeyPair) -> Result<Self, Invalid> {
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref())
            .map_err(|_| Invalid::hidden("key", "an Ed25519 key"))?;
        Ok(Self { key: NoteKey::new(name, public)?, pair })
    }
}

#[async_trait]
impl CheckpointSigner for Ed25519Signer {
    fn key(&self) -> NoteKey {
        self.key.clone()
    }

    async fn sign(&self, text: &str) -> Result<NoteSignature, SignError> {
        let signed = self.pair.try_sign(text.as_bytes());
        let signature = signed.map_err(|_| SignError { message: "the key was refused".to_owned() })?;
        Ok(NoteSignature {
            name: self.key.name().to_owned(),
            key_id: self.key.id(),
            signature: signature.as_ref().to_vec(),
        })
    }
}

//! Seals and opens.

use crate::entropy::Entropy;
use crate::invalid::Invalid;
use crate::secret::aead::{Aead, KEY_LEN, NONCE_LEN, TAG_LEN};
use crate::secret::bytes::SecretBytes;
use crate::secret::context::SealContext;
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::provider::{KeyProvider, WrapNonce};
use crate::secret::sealed::SealedSecret;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest secret, in bytes.
pub const MAX_SECRET_LEN: usize = 64 * 1024;

/// Seals secrets under the keys of a [`KeyProvider`] and opens them again.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use powerloom_core::{entropy::SystemEntropy, id::OrgId, secret::*};
/// use std::sync::Arc;
/// let keys = Arc::new(MemoryKeys::generate(&SystemEntropy));
/// let sealer = Sealer::new(keys, Arc::new(SystemEntropy));
/// let org: OrgId = "00000000-0000-4000-8000-000000000001".parse()?;
/// let here = SealContext { org, kind: "Credential", row: "c1" };
///
/// let sealed = sealer.seal(&here, &mint_bearer(&SystemEntropy)).await?;
/// assert!(sealer.open(&here, &sealed).await?.expose_str().unwrap().starts_with("mcp_"));
/// let there = SealContext { row: "c2", ..here };
/// assert!(matches!(sealer.open(&there, &sealed).await, Err(SecretError::CannotOpen)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Sealer {
    keys: Arc<dyn KeyProvider>,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    /// A sealer over `keys`; `entropy` must be fit for keys.
    #[must_use]
    pub fn new(keys: Arc<dyn KeyProvider>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    /// Seals `secret` under the current master key, for `context` alone (row P67).
    ///
    /// # Errors
    /// A secret longer than [`MAX_SECRET_LEN`], [`SecretError::KeyExhausted`], and what the provider says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn seal(
        &self,
        context: &SealContext<'_>,
        secret: &SecretBytes,
    ) -> Result<SealedSecret, SecretError> {
        if secret.len() > MAX_SECRET_LEN {
            return Err(Invalid::hidden("secret", format!("at most {MAX_SECRET_LEN} bytes")).into());
        }
        let Randomness { data_key, nonce, wrap_nonce } = Randomness::draw(&*self.entropy);
        let commitment = data_key.commitment();
        let mut ciphertext = Vec::with_capacity(secret.len() + TAG_LEN);
        Aead::new(data_key.expose()).seal(
            &nonce,
            &context.secret_data(),
            secret.expose(),
            &mut ciphertext,
        )?;
        let key_id = self.keys.current_key_id().await?;
        let associated = context.key_data(&key_id, &commitment);
        let wrapped = self.keys.wrap_key(&key_id, &data_key, &wrap_nonce, &associated).await?;
        check_wrapped(&wrapped)?;
        Ok(SealedSecret { key_id, wrapped, commitment, nonce, ciphertext })
    }

    /// The master key that new secrets are sealed under.
    ///
    /// # Errors
    /// [`SecretError::KeyUnavailable`] if the provider cannot say.
    pub async fn current_key_id(&self) -> Result<KeyId, SecretError> {
        self.keys.current_key_id().await
    }

    /// Opens what was sealed for exactly this `context`.
    ///
    /// # Errors
    /// [`SecretError::CannotOpen`] for another context, another key or any changed byte, without telling which;
    /// [`SecretError::UnknownKey`] for a master key that is not held any more; and what the provider says.
    ///
    /// # Cancel safety
    /// It changes nothing.
    pub async fn open(
        &self,
        context: &SealContext<'_>,
        sealed: &SealedSecret,
    ) -> Result<SecretBytes, SecretError> {
        let data_key = self.data_key(context, sealed).await?;
        let aead = Aead::new(data_key.expose());
        aead.open(&sealed.nonce, &context.secret_data(), &sealed.ciphertext).map(SecretBytes::from)
    }

    /// The same secret under the current master key. Only the wrapped data key is made anew; the ciphertext is not
    /// touched. What is already under the current key comes back as it is, so a rotation that was interrupted is
    /// simply run again.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`seal`](Self::seal); a changed ciphertext is not noticed here.
    ///
    /// # Cancel safety
    /// It changes nothing: the caller replaces the kept bytes.
    pub async fn rewrap(
        &self,
        context: &SealContext<'_>,
        sealed: &SealedSecret,
    ) -> Result<SealedSecret, SecretError> {
        let key_id = self.keys.current_key_id().await?;
        let data_key = self.data_key(context, sealed).await?;
        if key_id == sealed.key_id {
            return Ok(sealed.clone());
        }
        let mut wrap_nonce = WrapNonce::default();
        self.entropy.fill(&mut wrap_nonce);
        let associated = context.key_data(&key_id, &sealed.commitment);
        let wrapped = self.keys.wrap_key(&key_id, &data_key, &wrap_nonce, &associated).await?;
        check_wrapped(&wrapped)?;
        Ok(SealedSecret { key_id, wrapped, ..sealed.clone() })
    }

    async fn data_key(
        &self,
        context: &SealContext<'_>,
        sealed: &SealedSecret,
    ) -> Result<DataKey, SecretError> {
        let associated = context.key_data(&sealed.key_id, &sealed.commitment);
        let data_key = self.keys.unwrap_key(&sealed.key_id, &sealed.wrapped, &associated).await?;
        if bool::from(data_key.commitment().ct_eq(&sealed.commitment)) {
            Ok(data_key)
        } else {
            Err(SecretError::CannotOpen)
        }
    }
}

/// Refuses a wrapped key whose length does not fit its field.
fn check_wrapped(wrapped: &[u8]) -> Result<(), SecretError> {
    if wrapped.len() <= usize::from(u16::MAX) {
        return Ok(());
    }
    Err(Invalid::new("wrapped_key", format!("{} bytes", wrapped.len()), "at most 65535 bytes").into())
}

/// All that one seal needs, taken in one call: random bytes are the larger part of its time.
pub(super) struct Randomness {
    pub(super) data_key: DataKey,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) wrap_nonce: WrapNonce,
}

impl Randomness {
    pub(super) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0u8; KEY_LEN + 2 * NONCE_LEN]);
        entropy.fill(&mut *bytes);
        let (key, nonces) = bytes.split_at(KEY_LEN);
        let (first, second) = nonces.split_at(NONCE_LEN);
        let mut data_key = Zeroizing::new([0; KEY_LEN]);
        data_key.copy_from_slice(key);
        let (mut nonce, mut wrap_nonce) = ([0; NONCE_LEN], [0; NONCE_LEN]);
        nonce.copy_from_slice(first);
        wrap_nonce.copy_from_slice(second);
        Self { data_key: DataKey::from_bytes(*data_key), nonce, wrap_nonce }
    }
}

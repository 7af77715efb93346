//! The port to wherever the master keys are.

use crate::secret::aead::NONCE_LEN;
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use async_trait::async_trait;
use std::fmt;

/// Twelve random bytes for one wrap.
pub type WrapNonce = [u8; NONCE_LEN];

/// Wraps and unwraps data keys under master keys it does not give away: a file, the environment, a KMS.
///
/// # Guarantees every implementation gives
/// 1. **Round trip**: what `wrap_key` returned, `unwrap_key` with the same id and the same associated data turns
///    into the same data key, as long as the master key is held.
/// 2. **Bound**: with another id, other associated data or any changed byte, `unwrap_key` fails with
///    [`SecretError::CannotOpen`] (or [`SecretError::UnknownKey`] for an id that is not held), and tells no more.
/// 3. **Old keys open**: after a rotation the former keys still unwrap, until they are destroyed.
/// 4. **Clear refusals**: an id that is not held is [`SecretError::UnknownKey`]; a place that does not answer is
///    [`SecretError::KeyUnavailable`], after bounded time and bounded tries.
/// 5. **Silent**: no key byte appears in `Debug`, in an error or in a log.
/// 6. **Cancel-safe**: dropping a future changes nothing.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The key that new secrets are sealed under.
    async fn current_key_id(&self) -> Result<KeyId, SecretError>;

    /// Wraps `data_key` under the master key `key_id`, authenticating `associated`.
    ///
    /// `nonce` is fresh and random; a provider that makes its own ignores it. The result is at most 65 535 bytes.
    async fn wrap_key(
        &self,
        key_id: &KeyId,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError>;

    /// Unwraps what `wrap_key` returned.
    async fn unwrap_key(
        &self,
        key_id: &KeyId,
        wrapped: &[u8],
        associated: &[u8],
    ) -> Result<DataKey, SecretError>;
}

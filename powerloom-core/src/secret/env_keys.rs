//! Master keys from the environment.

use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::key_list::read_keys;
use crate::secret::keyring::Keyring;
use crate::secret::provider::{KeyProvider, WrapNonce};
use async_trait::async_trait;
use zeroize::Zeroizing;

/// The variable [`EnvKeys::from_env`] reads.
pub const MASTER_KEY_VARIABLE: &str = "POWERLOOM_MASTER_KEY";

/// Master keys from an environment variable, for containers whose platform keeps the secret.
///
/// The variable holds one key or several, separated by commas: 32 bytes each, in hexadecimal or base64. The last one
/// seals, all open; to rotate, append a key and start anew.
#[derive(Debug)]
pub struct EnvKeys(Keyring);

impl EnvKeys {
    /// Reads [`MASTER_KEY_VARIABLE`].
    ///
    /// # Errors
    /// [`SecretError::BadKeySource`]: the variable is absent, is no text, or holds something else than keys.
    pub fn from_env() -> Result<Self, SecretError> {
        Self::from_variable(MASTER_KEY_VARIABLE)
    }

    /// Reads the variable `name`.
    ///
    /// # Errors
    /// Those of [`from_env`](Self::from_env).
    pub fn from_variable(name: &str) -> Result<Self, SecretError> {
        let bad = |problem: &str| bad_source(name, problem.to_owned());
        let text = std::env::var_os(name).ok_or_else(|| bad("the variable is not set"))?;
        let text = text.into_string().map_err(|_| bad("the variable is not text"))?;
        Self::from_text(name, &Zeroizing::new(text))
    }

    /// Takes the keys from `text`; `name` is what an error calls the place they came from.
    ///
    /// # Errors
    /// Those of [`from_env`](Self::from_env).
    pub fn from_text(name: &str, text: &str) -> Result<Self, SecretError> {
        let keys = read_keys(text).map_err(|problem| bad_source(name, problem))?;
        let (first, more) = keys.split_first().ok_or_else(|| bad_source(name, "no key is there".into()))?;
        Ok(Self(more.iter().fold(Keyring::of(first), |ring, key| ring.with(key))))
    }
}

fn bad_source(name: &str, problem: String) -> SecretError {
    SecretError::BadKeySource { place: format!("the environment variable `{name}`"), problem, source: None }
}

#[async_trait]
impl KeyProvider for EnvKeys {
    async fn current_key_id(&self) -> Result<KeyId, SecretError> {
        Ok(self.0.current_key_id())
    }

    async fn wrap_key(
        &self,
        key_id: &KeyId,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        self.0.wrap(key_id, data_key, nonce, associated)
    }

    async fn unwrap_key(
        &self,
        key_id: &KeyId,
        wrapped: &[u8],
        associated: &[u8],
    ) -> Result<DataKey, SecretError> {
        self.0.unwrap(key_id, wrapped, associated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_key_seals_and_all_open() {
        let (old, new) = (hex::encode([1; 32]), hex::encode([2; 32]));
        let before = EnvKeys::from_text("KEYS", &old).unwrap();
        let after = EnvKeys::from_text("KEYS", &format!("{old},{new}")).unwrap();
        let old_id = before.current_key_id().await.unwrap();
        assert_ne!(after.current_key_id().await.unwrap(), old_id);

        let wrapped = before.wrap_key(&old_id, &DataKey::from_bytes([9; 32]), &[0; 12], b"x").await.unwrap();
        assert_eq!(after.unwrap_key(&old_id, &wrapped, b"x").await.unwrap().expose(), &[9; 32]);
    }

    #[test]
    fn a_missing_variable_and_a_wrong_key_are_told_apart_and_not_shown() {
        let missing = EnvKeys::from_variable("POWERLOOM_NO_SUCH_VARIABLE").unwrap_err().to_string();
        assert!(missing.contains("POWERLOOM_NO_SUCH_VARIABLE") && missing.contains("not set"), "{missing}");
        let wrong = EnvKeys::from_text("KEYS", "hunter2").unwrap_err().to_string();
        assert!(wrong.contains("32 bytes") && !wrong.contains("hunter2"), "{wrong}");
    }
}

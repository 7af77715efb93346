//! The keys of an installation at one moment: one signs, the others still verify.

use crate::clock::Timestamp;
use crate::invalid::Invalid;
use crate::token::error::TokenError;
use crate::token::key::{SigningKey, VerifyingKey};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One key that signs, and those that verify until they are retired.
///
/// It does not change: a rotation makes another one.
///
/// ```
/// use powerloom_core::clock::Timestamp;
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::token::{KeySet, SigningKey};
/// let first = KeySet::new(SigningKey::generate_ed25519(&SystemEntropy)?);
/// let retired_at = Timestamp::from_micros(1);
/// let second = first.rotated(SigningKey::generate_es256()?, retired_at)?;
/// assert_eq!(second.jwks(Timestamp::from_micros(0)).keys.len(), 2);
/// assert_eq!(second.jwks(retired_at).keys.len(), 1);
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Clone)]
pub struct KeySet {
    signing: Arc<SigningKey>,
    others: BTreeMap<String, Other>,
}

/// A key that does not sign here.
#[derive(Debug, Clone)]
struct Other {
    key: VerifyingKey,
    retired_at: Option<Timestamp>,
}

impl KeySet {
    /// One key, which signs and verifies.
    #[must_use]
    pub fn new(signing: SigningKey) -> Self {
        Self { signing: Arc::new(signing), others: BTreeMap::new() }
    }

    /// The same with a key that only verifies: from now on, and until `retired_at` if that is given. The key that will
    /// sign next is announced so, before whoever keeps the JWKS for a while would meet it unprepared.
    ///
    /// # Errors
    /// [`Invalid`] for a `kid` that is taken: a `kid` names one key and one algorithm.
    pub fn with_other(mut self, key: VerifyingKey, retired_at: Option<Timestamp>) -> Result<Self, Invalid> {
        if key.kid() == self.signing.verifying_key().kid() || self.others.contains_key(key.kid()) {
            return Err(Invalid::new("kid", key.kid(), "a `kid` no other key has"));
        }
        self.others.insert(key.kid().to_owned(), Other { key, retired_at });
        Ok(self)
    }

    /// The same with `next` as the key that signs; the present one verifies until `retired_at`, which should be no
    /// sooner than its youngest token expires.
    ///
    /// # Errors
    /// [`Invalid`] for a `kid` that is taken by another key.
    pub fn rotated(&self, next: SigningKey, retired_at: Timestamp) -> Result<Self, Invalid> {
        let mut others = self.others.clone();
        // It may have been announced.
        others.remove(next.verifying_key().kid());
        let set = Self { signing: Arc::new(next), others };
        set.with_other(self.signing.verifying_key().clone(), Some(retired_at))
    }

    /// The key that signs.
    #[must_use]
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The key of a `kid`, if it may verify at `now`: the first moment at which it may not is its `retired_at`.
    pub(crate) fn verifying(&self, kid: &str, now: Timestamp) -> Result<&VerifyingKey, TokenError> {
        let signing = self.signing.verifying_key();
        if signing.kid() == kid {
            return Ok(signing);
        }
        let other = self.others.get(kid).ok_or(TokenError::UnknownKey)?;
        match other.retired_at {
            Some(retired_at) if now >= retired_at => Err(TokenError::RetiredKey),
            _ => Ok(&other.key),
        }
    }

    /// The keys that may verify at `now`, the one that signs first.
    pub(crate) fn usable(&self, now: Timestamp) -> impl Iterator<Item = &VerifyingKey> {
        let others = self.others.values().filter(move |other| other.retired_at.is_none_or(|at| now < at));
        std::iter::once(self.signing.verifying_key()).chain(others.map(|other| &other.key))
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("signing", &self.signing).field("others", &self.others).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn key(seed: u64) -> SigningKey {
        SigningKey::generate_ed25519(&SeededEntropy::new(seed)).unwrap()
    }

    /// Reliability T2: one algorithm, one key for a `kid`.
    #[test]
    fn a_kid_names_one_key() {
        let set = KeySet::new(key(1));
        assert!(set.clone().with_other(key(1).verifying_key().clone(), None).is_err());
        let es256 = SigningKey::generate_es256().unwrap();
        let same_kid = es256.verifying_key().with_kid(key(1).verifying_key().kid()).unwrap();
        assert!(set.with_other(same_kid, None).is_err());
    }

    #[test]
    fn a_retired_key_verifies_until_the_very_moment_and_an_announced_one_can_take_over() {
        let (old, new) = (key(1), key(2));
        let (old_kid, new_kid) = (old.verifying_key().kid().to_owned(), new.verifying_key().kid().to_owned());
        let at = Timestamp::from_micros(1_000_000);
        let announced = KeySet::new(old).with_other(new.verifying_key().clone(), None).unwrap();
        assert!(announced.verifying(&new_kid, at).is_ok());
        let set = announced.rotated(new, at).unwrap();
        assert_eq!(set.signing().verifying_key().kid(), new_kid);
        assert!(set.verifying(&old_kid, Timestamp::from_micros(999_999)).is_ok());
        assert_eq!(set.verifying(&old_kid, at).unwrap_err(), TokenError::RetiredKey);
        assert_eq!(set.verifying("other", at).unwrap_err(), TokenError::UnknownKey);
    }
}

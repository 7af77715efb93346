//! Access tokens of an identity provider: verified by its keys, mapped to a user who exists here (sem. 2.10).
//!
//! The provider says who somebody is, and nothing else. What they may do is decided by what is stored here: groups a
//! token names are reported to the embedder ([`ExternalIdentity::groups`]) and grant nothing. A user must exist, be live
//! and enabled in the organization the configuration names; none is made on the fly.
//!
//! # What verification is strict about
//! As for our own tokens, with the same parser: three parts of canonical base64url, no duplicate keys, whole seconds.
//! The algorithm is the key's, never the header's; `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `zip` and `enc` in a header
//! are refused, other members are not looked at, as they would have to be for a foreign issuer. RS256 exists here and
//! nowhere else. Keys come through [`IssuerKeys`], by the issuer's configured name: nothing in a token says where from.

mod config;
mod identity;
mod jwk_set;
mod key;
mod verify;

#[cfg(test)]
mod attacks;

pub use config::{IssuerConfig, MAX_ISSUERS, OrgMapping, UserMapping};
pub use identity::{ExternalIdentity, ExternalTokens, ReportedGroups};
pub use jwk_set::{ForeignKeySet, MAX_JWKS_LEN, MAX_KEYS};
pub use key::{ForeignAlgorithm, ForeignKey};

use async_trait::async_trait;
use std::fmt;

/// The keys of an issuer cannot be had, and those that were had are too old to be believed.
#[derive(Debug, thiserror::Error)]
#[error("the keys of the issuer `{issuer}` cannot be had now")]
#[non_exhaustive]
pub struct IssuerUnavailable {
    /// Whose.
    pub issuer: String,
    /// What stood in the way.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl IssuerUnavailable {
    /// Because of this.
    pub fn new(issuer: impl Into<String>, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { issuer: issuer.into(), source }
    }
}

/// Gives the keys of configured issuers.
///
/// # Guarantees every implementation gives
/// 1. **The issuer's own**: a key was published by the issuer itself, where its name says, over a connection that proves
///    who answers; nothing of a token leads there.
/// 2. **Bounded staleness**: a key the issuer no longer publishes is given for a stated time at most; after that the
///    answer is [`IssuerUnavailable`], never an old key.
/// 3. **Bounded fetching**: keys that do not exist may be asked for at any rate without the issuer being asked as often.
/// 4. **Cancel-safe**: dropping the future leaves what is kept whole.
#[async_trait]
pub trait IssuerKeys: fmt::Debug + Send + Sync + 'static {
    /// The key called `kid` of `issuer`; `None` if it has none.
    ///
    /// # Errors
    /// [`IssuerUnavailable`].
    async fn key(&self, issuer: &str, kid: &str) -> Result<Option<ForeignKey>, IssuerUnavailable>;
}

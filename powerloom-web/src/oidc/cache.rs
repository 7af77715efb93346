//! The keys that are kept, and when they are fetched anew.

use crate::oidc::builder::{OidcKeysBuilder, Times};
use crate::oidc::discovery::Discovery;
use async_trait::async_trait;
use powerloom_core::clock::{Clock, Timestamp};
use powerloom_core::token::external::{ForeignKey, ForeignKeySet, IssuerKeys, IssuerUnavailable};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Keeps the keys of OpenID Connect providers. Cheap to clone: clones keep the same keys.
///
/// # Examples
/// ```
/// use powerloom_web::oidc::OidcKeys;
///
/// let keys = OidcKeys::builder().issuer("https://login.acme.com").build()?;
/// # Ok::<(), powerloom_web::oidc::OidcError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OidcKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuers: BTreeMap<String, Issuer>,
    times: Times,
    clock: Arc<dyn Clock>,
}

/// One issuer, with what is kept of it.
#[derive(Debug)]
pub(super) struct Issuer {
    discovery: Discovery,
    kept: Mutex<Option<Kept>>,
    /// Whoever holds it may fetch: one at a time.
    turn: tokio::sync::Mutex<Option<Try>>,
}

#[derive(Debug, Clone)]
struct Kept {
    keys: Arc<ForeignKeySet>,
    /// When fetching them began: they are at least this old.
    since: Timestamp,
}

/// The last try to fetch. One that was given up on counts as failed.
#[derive(Debug, Clone, Copy)]
struct Try {
    at: Timestamp,
    failed: bool,
}

impl Issuer {
    pub(super) fn new(discovery: Discovery) -> Self {
        Self { discovery, kept: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

impl Kept {
    /// The keys, unless they are as old as `limit`. A clock that was set back says nothing of their age: they are none.
    fn younger_than(&self, limit: Duration, now: Timestamp) -> Option<&ForeignKeySet> {
        (now >= self.since && now.since(self.since) < limit).then_some(&*self.keys)
    }
}

impl OidcKeys {
    /// Collects options; an issuer is needed, all else has a default.
    pub fn builder() -> OidcKeysBuilder {
        OidcKeysBuilder::new()
    }

    pub(super) fn new(issuers: BTreeMap<String, Issuer>, times: Times, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { issuers, times, clock }))
    }
}

impl Inner {
    /// Fetches anew what was `seen`, unless somebody just did or tried.
    async fn refresh(&self, name: &str, issuer: &Issuer, seen: Option<Timestamp>) {
        let mut turn = issuer.turn.lock().await;
        if issuer.kept().map(|kept| kept.since) != seen {
            return;
        }
        let now = self.clock.now();
        if let Some(last) = *turn {
            let rest = if last.failed { self.times.retry } else { self.times.refetch };
            if now >= last.at && now.since(last.at) < rest {
                return;
            }
        }
        *turn = Some(Try { at: now, failed: true });
        match issuer.discovery.fetch(self.times.fetch, now).await {
            Ok(keys) => {
                tracing::debug!(issuer = name, keys = keys.len(), "the keys of an issuer were fetched");
                issuer.keep(Kept { keys: Arc::new(keys), since: now });
                *turn = Some(Try { at: now, failed: false });
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(issuer = name, %error, cause, "the keys of an issuer could not be fetched");
            }
        }
    }
}

#[async_trait]
impl IssuerKeys for OidcKeys {
    async fn key(&self, issuer: &str, kid: &str) -> Result<Option<ForeignKey>, IssuerUnavailable> {
        let Inner { issuers, times, clock } = &*self.0;
        let Some(known) = issuers.get(issuer) else {
            return Err(IssuerUnavailable::new(issuer, Some("no such issuer is configured".into())));
        };
        let kept = known.kept();
        let fresh = kept.as_ref().and_then(|kept| kept.younger_than(times.fresh, clock.now()));
        if let Some(key) = fresh.and_then(|keys| keys.get(kid)) {
            return Ok(Some(key.clone()));
        }
        self.0.refresh(issuer, known, kept.map(|kept| kept.since)).await;
        let kept = known.kept();
        match kept.as_ref().and_then(|kept| kept.younger_than(times.believed, clock.now())) {
            Some(keys) => Ok(keys.get(kid).cloned()),
            None => Err(IssuerUnavailable::new(issuer, None)),
        }
    }
}

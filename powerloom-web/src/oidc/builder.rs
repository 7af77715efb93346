//! What the keeper of keys needs to know: whose, and for how long they are believed.

use crate::oidc::cache::{Issuer, OidcKeys};
use crate::oidc::discovery::Discovery;
use crate::oidc::error::OidcError;
use powerloom_core::clock::{Clock, SystemClock};
use powerloom_core::invalid::Invalid;
use powerloom_core::token::external::MAX_ISSUERS;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest that keys may be believed: one day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Collects what [`OidcKeys`] needs; [`build`](Self::build) checks it.
#[derive(Debug, Clone)]
#[must_use]
pub struct OidcKeysBuilder {
    issuers: Vec<String>,
    times: Times,
    clock: Arc<dyn Clock>,
}

/// How long what lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) fresh: Duration,
    pub(super) believed: Duration,
    pub(super) refetch: Duration,
    pub(super) retry: Duration,
    pub(super) fetch: Duration,
}

impl OidcKeysBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            times: Times {
                fresh: Duration::from_secs(600),
                believed: Duration::from_secs(3_600),
                refetch: Duration::from_secs(30),
                retry: Duration::from_secs(5),
                fetch: Duration::from_secs(5),
            },
            clock: Arc::new(SystemClock),
        }
    }

    /// Keeps the keys of this issuer too: its name as its tokens have it in `iss`, letter by letter.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// How old keys may be before they are fetched anew, and how old they may be at all: a key the issuer has withdrawn
    /// is believed for no longer than the second. Default: 10 minutes, 1 hour; at most one day.
    pub fn staleness(mut self, fresh: Duration, believed: Duration) -> Self {
        self.times.fresh = fresh;
        self.times.believed = believed;
        self
    }

    /// How long each of the two documents may take. Default: 5 s.
    pub fn fetch_timeout(mut self, limit: Duration) -> Self {
        self.times.fetch = limit;
        self
    }

    /// The clock ages are measured by. Default: the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the options. Nothing is fetched before a key is asked for.
    ///
    /// # Errors
    /// [`OidcError::Invalid`] names the option that cannot work; [`OidcError::Setup`] if TLS cannot be set up.
    pub fn build(self) -> Result<OidcKeys, OidcError> {
        let Times { fresh, believed, fetch, .. } = self.times;
        if fresh.is_zero() || fresh > believed || believed > LONGEST {
            let staleness = format!("{fresh:?}, {believed:?}");
            let allowed = "more than zero, the first not above the second, at most one day";
            return Err(Invalid::new("staleness", staleness, allowed).into());
        }
        if fetch.is_zero() || fetch > Duration::from_secs(60) {
            let allowed = "more than zero and at most one minute";
            return Err(Invalid::new("fetch_timeout", format!("{fetch:?}"), allowed).into());
        }
        if self.issuers.len() > MAX_ISSUERS {
            return Err(Invalid::new("issuers", self.issuers.len(), format!("at most {MAX_ISSUERS}")).into());
        }
        let mut issuers = BTreeMap::new();
        for name in self.issuers {
            let issuer = Issuer::new(Discovery::of(&name)?);
            issuers.insert(name, issuer);
        }
        Ok(OidcKeys::new(issuers, self.times, self.clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: OidcKeysBuilder) -> String {
        match builder.build() {
            Err(OidcError::Invalid(invalid)) => invalid.field,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn every_option_that_cannot_work_is_refused_by_name() {
        let builder = || OidcKeys::builder().issuer("https://login.acme.com/tenant/");
        assert!(builder().build().is_ok());
        for issuer in ["http://login.acme.com", "login.acme.com", "https://u@x.com", "file:///x", ""] {
            assert_eq!(refused(builder().issuer(issuer)), "issuer", "{issuer}");
        }
        let (s, h) = (Duration::from_secs(1), Duration::from_secs(3_600));
        for (fresh, believed) in [(Duration::ZERO, h), (h, s), (h, h * 25)] {
            assert_eq!(refused(builder().staleness(fresh, believed)), "staleness");
        }
        assert_eq!(refused(builder().fetch_timeout(h)), "fetch_timeout");
        assert_eq!(
            refused((0..MAX_ISSUERS).fold(builder(), |b, n| b.issuer(format!("https://{n}.com")))),
            "issuers"
        );
    }
}

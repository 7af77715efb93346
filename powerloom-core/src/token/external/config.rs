//! What is believed of an issuer, and how what it says is mapped to what is known here.

use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::token::external::key::ForeignAlgorithm;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most issuers at once.
pub const MAX_ISSUERS: usize = 64;
/// Longest leeway.
const MAX_LEEWAY: Duration = Duration::from_secs(30);
/// Longest a token may be good for at all.
const MAX_LIFETIME: Duration = Duration::from_secs(86_400);

/// An issuer whose access tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// The `iss` of its tokens, letter by letter.
    pub issuer: String,
    /// The `aud` its tokens for us have: it, or a list with it. An ID token is for a client and not for us, so it must
    /// not be the id of a client that people log in at.
    pub audience: String,
    /// The algorithms its keys may have.
    pub algorithms: BTreeSet<ForeignAlgorithm>,
    /// Which organization a token is for.
    pub org: OrgMapping,
    /// Which user its bearer is.
    pub user: UserMapping,
    /// The claim with the address. `email` unless said otherwise.
    pub email_claim: String,
    /// The claim that says the address is proven. `email_verified` unless said otherwise.
    pub email_verified_claim: String,
    /// The claim with the names of groups; none are read without one.
    pub groups_claim: Option<String>,
    /// What those names mean here: the name the issuer uses, and our `Group` record.
    pub groups: BTreeMap<String, ResourceId>,
    /// How far its clock may differ: 30 seconds unless said otherwise, and never more.
    pub leeway: Duration,
    /// The longest a token may be good for, from `iat`, or from now if it has none, to `exp`: one day unless said
    /// otherwise, and never more.
    pub max_lifetime: Duration,
}

/// Which organization a token of an issuer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a further way must break whoever decides by one")]
pub enum OrgMapping {
    /// Always this one.
    Fixed(OrgId),
    /// The one this table has for the text in a claim; any other text is refused.
    Claim {
        /// The claim.
        claim: String,
        /// What its texts mean.
        orgs: BTreeMap<String, OrgId>,
    },
}

/// Which user the bearer of a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a further way must break whoever decides by one")]
pub enum UserMapping {
    /// The one this table has for its `sub`: the only name an issuer never gives to somebody else.
    Sub(BTreeMap<String, ResourceId>),
    /// The one with its address, if the issuer says that it is proven, and the address is of one of these domains: an
    /// issuer answers for its own.
    VerifiedEmail {
        /// The domains, such as `acme.com`.
        domains: BTreeSet<String>,
    },
}

impl IssuerConfig {
    /// Tokens of `issuer` for `audience`, by keys for EdDSA, ES256 and RS256.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        org: OrgMapping,
        user: UserMapping,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: ForeignAlgorithm::ALL.into_iter().collect(),
            org,
            user,
            email_claim: "email".to_owned(),
            email_verified_claim: "email_verified".to_owned(),
            groups_claim: None,
            groups: BTreeMap::new(),
            leeway: MAX_LEEWAY,
            max_lifetime: MAX_LIFETIME,
        }
    }

    /// Reports the groups a claim names, as `groups` translates them.
    #[must_use]
    pub fn with_groups(mut self, claim: impl Into<String>, groups: BTreeMap<String, ResourceId>) -> Self {
        self.groups_claim = Some(claim.into());
        self.groups = groups;
        self
    }

    /// Takes keys of these algorithms only.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = ForeignAlgorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        for (field, text) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if text.is_empty() || text.len() > 512 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Invalid::new(field, text, "1 to 512 visible ASCII characters"));
            }
        }
        if self.algorithms.is_empty() {
            return Err(Invalid::hidden("algorithms", "at least one algorithm"));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(Invalid::new("leeway", format!("{:?}", self.leeway), "at most 30 seconds"));
        }
        if self.max_lifetime.is_zero() || self.max_lifetime > MAX_LIFETIME {
            let lifetime = format!("{:?}", self.max_lifetime);
            return Err(Invalid::new("max_lifetime", lifetime, "more than zero and at most one day"));
        }
        if let UserMapping::VerifiedEmail { domains } = &self.user {
            let good = |domain: &String| {
                domain.contains('.')
                    && domain.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
            };
            if domains.is_empty() || !domains.iter().all(good) {
                return Err(Invalid::hidden(
                    "domains",
                    "at least one domain, such as `acme.com`, in lower case",
                ));
            }
        }
        Ok(())
    }
}

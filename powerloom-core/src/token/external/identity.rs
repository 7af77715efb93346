//! From a token of an issuer to a caller.

use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::door::caller::{Caller, TokenKind};
use crate::error::{Error, Result};
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::name::Email;
use crate::record::{Record, RecordRow, ResourceKey, Schema};
use crate::resource::user::User;
use crate::token::error::TokenError;
use crate::token::external::IssuerKeys;
use crate::token::external::config::{IssuerConfig, MAX_ISSUERS, OrgMapping, UserMapping};
use crate::token::external::verify::{Unverified, Verified};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most groups a token may name.
const MAX_GROUPS: usize = 512;

/// Verifies access tokens of identity providers. Cheap to clone.
///
/// # Examples
/// `keys` is mostly `OidcKeys` of `powerloom-web`:
/// ```no_run
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::token::external::{
///     ExternalTokens, IssuerConfig, IssuerKeys, OrgMapping, UserMapping,
/// };
/// use std::sync::Arc;
///
/// # async fn example(keys: Arc<dyn IssuerKeys>, bearer: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let issuer = IssuerConfig::new(
///     "https://login.acme.com",
///     "https://loom.acme.com",
///     OrgMapping::Fixed(acme.id),
///     UserMapping::VerifiedEmail { domains: ["acme.com".to_owned()].into() },
/// );
/// let external = ExternalTokens::new(&cp, keys, vec![issuer])?;
/// let identity = external.authenticate(bearer).await?;
/// assert_eq!(identity.caller.org, acme.id);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ExternalTokens {
    cp: ControlPlane,
    keys: Arc<dyn IssuerKeys>,
    issuers: Arc<BTreeMap<String, IssuerConfig>>,
}

/// Who presents a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalIdentity {
    /// The caller: a user of the organization, with what is stored about them and nothing else.
    pub caller: Caller,
    /// Who vouches.
    pub issuer: String,
    /// The issuer's own name of them.
    pub subject: String,
    /// What the issuer says of groups.
    pub groups: ReportedGroups,
    /// The first moment at which the token is no longer good, the leeway apart.
    pub expires_at: Timestamp,
}

/// Groups as the issuer reports them. **They grant nothing**: who is in a group is what the `Group` record says. They are
/// for an embedder who keeps those records up to date by them, through the door.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReportedGroups {
    /// Our groups whose name at the issuer the token has, by the configured table.
    pub known: Vec<ResourceId>,
    /// Names the table does not have.
    pub unknown: Vec<String>,
}

impl ExternalTokens {
    /// Tokens of these issuers, for organizations of `cp`.
    ///
    /// # Errors
    /// [`Invalid`] for more than [`MAX_ISSUERS`], two of one name, or a configuration that cannot work.
    pub fn new(
        cp: &ControlPlane,
        keys: Arc<dyn IssuerKeys>,
        issuers: Vec<IssuerConfig>,
    ) -> std::result::Result<Self, Invalid> {
        if issuers.len() > MAX_ISSUERS {
            return Err(Invalid::new("issuers", issuers.len(), format!("at most {MAX_ISSUERS}")));
        }
        let mut by_name = BTreeMap::new();
        for config in issuers {
            config.check()?;
            if let Some(twice) = by_name.insert(config.issuer.clone(), config) {
                return Err(Invalid::new("issuer", twice.issuer, "an issuer that is named once"));
            }
        }
        Ok(Self { cp: cp.clone(), keys, issuers: Arc::new(by_name) })
    }

    /// Who presents this bearer. Everything about the user is decided live: who was disabled a moment ago does not pass.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], whose text is the same whatever was wrong: the reason is its source and in the log.
    /// [`Error::Issuer`] while the issuer's keys cannot be had; the store's.
    pub async fn authenticate(&self, bearer: &str) -> Result<ExternalIdentity> {
        let identity = self.identify(bearer).await;
        match &identity {
            Err(Error::Unauthenticated(reason)) => {
                tracing::info!(code = reason.code(), %reason, "a token of an issuer was refused");
            }
            Err(Error::Issuer(error)) => tracing::warn!(%error, "a token could not be verified"),
            _ => {}
        }
        identity
    }

    async fn identify(&self, bearer: &str) -> Result<ExternalIdentity> {
        let unverified = Unverified::parse(bearer)?;
        let config = self.issuers.get(unverified.issuer()?).ok_or(TokenError::WrongIssuer)?;
        unverified.check_algorithm(config)?;
        let key = self.keys.key(&config.issuer, unverified.kid()?).await?.ok_or(TokenError::UnknownKey)?;
        let verified = unverified.verify(&key, config, self.cp.clock().now())?;
        let org = org_of(config, &verified.claims)?;
        let user = self.user_of(config, org, &verified).await?;
        Ok(ExternalIdentity {
            caller: Caller::user(org, user).by(TokenKind::Access),
            issuer: config.issuer.clone(),
            groups: groups_of(config, &verified.claims)?,
            subject: verified.subject,
            expires_at: verified.expires_at,
        })
    }

    async fn user_of(&self, config: &IssuerConfig, org: OrgId, verified: &Verified) -> Result<ResourceId> {
        let store = self.cp.store();
        let row = match &config.user {
            UserMapping::Sub(users) => {
                let user = users.get(&verified.subject).ok_or(TokenError::UserGone)?;
                store.record(org, &ResourceKey::of::<User>(*user)).await?
            }
            UserMapping::VerifiedEmail { domains } => {
                let email = proven_email(config, &verified.claims)?;
                let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
                if !domains.contains(domain) {
                    return Err(TokenError::Claim { claim: "email" }.into());
                }
                store.record_by_unique_key(org, &User::KIND, email.as_str()).await?
            }
        };
        let row = row.filter(RecordRow::is_live).ok_or(TokenError::UserGone)?;
        if Record::<User>::read(&row)?.spec.disabled {
            return Err(TokenError::UserGone.into());
        }
        Ok(row.meta.id)
    }
}

fn org_of(config: &IssuerConfig, claims: &Map<String, Value>) -> std::result::Result<OrgId, TokenError> {
    match &config.org {
        OrgMapping::Fixed(org) => Ok(*org),
        OrgMapping::Claim { claim, orgs } => {
            let named = claims.get(claim).and_then(Value::as_str);
            named.and_then(|name| orgs.get(name)).copied().ok_or(TokenError::Claim { claim: "org" })
        }
    }
}

/// The address, if the issuer says that it is proven: `true`, and nothing that looks like it.
fn proven_email(
    config: &IssuerConfig,
    claims: &Map<String, Value>,
) -> std::result::Result<Email, TokenError> {
    if claims.get(&config.email_verified_claim) != Some(&Value::Bool(true)) {
        return Err(TokenError::Claim { claim: "email_verified" });
    }
    let email = claims.get(&config.email_claim).and_then(Value::as_str);
    // Letters of other alphabets may fold into ASCII ones, and so one address into another's.
    let email = email.filter(|email| email.is_ascii()).and_then(|email| email.parse().ok());
    email.ok_or(TokenError::Claim { claim: "email" })
}

fn groups_of(
    config: &IssuerConfig,
    claims: &Map<String, Value>,
) -> std::result::Result<ReportedGroups, TokenError> {
    let mut groups = ReportedGroups::default();
    let Some(named) = config.groups_claim.as_ref().and_then(|claim| claims.get(claim)) else {
        return Ok(groups);
    };
    let refused = TokenError::Claim { claim: "groups" };
    let names = named.as_array().filter(|names| names.len() <= MAX_GROUPS).ok_or(refused.clone())?;
    for name in names {
        let name = name.as_str().ok_or(refused.clone())?;
        match config.groups.get(name) {
            Some(group) => groups.known.push(*group),
            None => groups.unknown.push(name.to_owned()),
        }
    }
    Ok(groups)
}

//! The one place tokens are minted and verified.

use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::error::{Error, Result};
use crate::id::{OrgId, ResourceId, uuid_v7};
use crate::invalid::Invalid;
use crate::plane::Plane;
use crate::record::{Record, ResourceKey};
use crate::resource::user::User;
use crate::token::claims::{Claims, TokenType};
use crate::token::error::TokenError;
use crate::token::jwks::Jwks;
use crate::token::provider::SigningKeys;
use crate::token::signed::SignedToken;
use crate::token::verify::Expected;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Whose tokens these are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenOptions {
    /// The `iss` of every token: the URL of the installation.
    pub issuer: String,
    /// The `aud` of access tokens: the control plane. The other kinds have one of their own, made of it.
    pub audience: String,
    /// How far the clocks of replicas may differ: 0 unless said otherwise, at most 30 seconds, whole ones.
    pub leeway: Duration,
}

impl TokenOptions {
    /// Tokens of `issuer` for `audience`, without leeway.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), leeway: Duration::ZERO }
    }
}

/// Mints and verifies tokens. Cheap to clone.
///
/// # Examples
/// ```
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy)?));
/// let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
/// let tokens = TokenService::new(&cp, Arc::new(keys), options)?;
///
/// // After the login, which is the embedder's:
/// let token = tokens.mint_access(acme.id, acme.admin, Duration::from_secs(900)).await?;
/// // With every request:
/// let caller = tokens.authenticate(token.reveal()).await?;
/// assert_eq!(caller.principal, acme.admin_caller().principal);
///
/// let refused = tokens.authenticate("eyJhbGciOiJub25lIn0.e30.").await.unwrap_err();
/// assert_eq!((refused.code(), refused.to_string().as_str()), ("unauthenticated", "the token is not valid"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TokenService {
    pub(super) cp: ControlPlane,
    keys: Arc<dyn SigningKeys>,
    options: Arc<TokenOptions>,
}

impl TokenService {
    /// Tokens for the organizations of `cp`.
    ///
    /// # Errors
    /// [`Invalid`] for an issuer or audience that is empty, longer than 255 bytes or not visible ASCII, and for a leeway
    /// that is not whole seconds up to 30.
    pub fn new(
        cp: &ControlPlane,
        keys: Arc<dyn SigningKeys>,
        options: TokenOptions,
    ) -> std::result::Result<Self, Invalid> {
        for (field, text) in [("issuer", &options.issuer), ("audience", &options.audience)] {
            if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Invalid::new(field, text, "1 to 255 visible ASCII characters"));
            }
        }
        if options.leeway > Duration::from_secs(30) || options.leeway.subsec_nanos() != 0 {
            let leeway = format!("{:?}", options.leeway);
            return Err(Invalid::new("leeway", leeway, "0 to 30 whole seconds"));
        }
        Ok(Self { cp: cp.clone(), keys, options: Arc::new(options) })
    }

    /// The public keys, for others who verify our tokens.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.keys.key_set().jwks(self.plane().now())
    }

    /// The `iss` of every token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.options.issuer
    }

    /// The `aud` of a kind: each has its own, so that a verifier that forgets to look at the kind still refuses.
    #[must_use]
    pub fn audience(&self, token_type: TokenType) -> Cow<'_, str> {
        let own = &self.options.audience;
        match token_type {
            TokenType::Access => Cow::Borrowed(own),
            TokenType::Delegated => Cow::Owned(format!("{own}#delegated")),
            TokenType::Exchanged => Cow::Owned(format!("{own}#exchanged")),
            TokenType::Delegation => Cow::Borrowed("delegation"),
        }
    }

    pub(super) fn plane(&self) -> &Plane {
        &self.cp.plane
    }

    /// Claims of a new token of this kind, from now on for `lifetime`, in whole seconds; the optional ones are absent.
    pub(crate) fn new_claims(
        &self,
        token_type: TokenType,
        org: OrgId,
        sub: String,
        lifetime: Duration,
    ) -> Claims {
        let plane = self.plane();
        let now = plane.now();
        let iat = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0);
        Claims {
            iss: self.options.issuer.clone(),
            aud: self.audience(token_type).into_owned(),
            sub,
            org,
            token_type,
            iat,
            nbf: iat,
            exp: iat.saturating_add(lifetime.as_secs()),
            jti: uuid_v7(now, plane.entropy.as_ref()).to_string(),
            email: None,
            sid: None,
            act: None,
            may_act: None,
            tools: Vec::new(),
            permissions: None,
            scope: None,
        }
    }

    /// Signs claims with the present key.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be written or signed, or are good for longer than their kind may be.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<SignedToken> {
        let internal = |message: &str| Error::Internal { message: message.to_owned() };
        if claims.exp.saturating_sub(claims.iat) > claims.token_type.max_lifetime().as_secs() {
            return Err(internal("a token would be good for longer than its kind may be"));
        }
        let keys = self.keys.key_set();
        let key = keys.signing();
        let public = key.verifying_key();
        let header =
            json!({ "alg": public.algorithm().name(), "kid": public.kid(), "typ": claims.token_type.typ() });
        let payload =
            serde_json::to_vec(claims).map_err(|_| internal("the claims of a token cannot be written"))?;
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = key.sign(text.as_bytes()).ok_or_else(|| internal("a token cannot be signed"))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        let seconds = i64::try_from(claims.exp).unwrap_or(i64::MAX);
        Ok(SignedToken::new(text, Timestamp::from_micros(seconds.saturating_mul(1_000_000))))
    }

    /// Verifies the token itself, as one of this kind for this audience; whether its subject is still there is asked by
    /// whoever calls this.
    pub(crate) fn verify(
        &self,
        token: &str,
        token_type: TokenType,
        audience: &str,
    ) -> std::result::Result<Claims, TokenError> {
        let expected = Expected::new(token_type, &self.options.issuer, audience).leeway(self.options.leeway);
        self.keys.key_set().verify(token, &expected, self.plane().now())
    }

    /// The user, who must exist in the organization and be enabled at this moment.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if not; the store's.
    pub(crate) async fn live_user(&self, org: OrgId, user: ResourceId) -> Result<Record<User>> {
        let row = self.plane().store.record(org, &ResourceKey::of::<User>(user)).await?;
        let row = row.filter(crate::record::RecordRow::is_live).ok_or(TokenError::UserGone)?;
        let record = Record::<User>::read(&row)?;
        if record.spec.disabled { Err(TokenError::UserGone.into()) } else { Ok(record) }
    }
}

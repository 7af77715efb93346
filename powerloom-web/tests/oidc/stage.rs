//! An organization that believes an issuer, and the issuer's own signing.

use crate::issuer::Issuer;
use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Clock, ManualClock, Timestamp};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::error::Error;
use powerloom_core::token::external::{
    ExternalIdentity, ExternalTokens, IssuerConfig, OrgMapping, UserMapping,
};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_web::oidc::OidcKeys;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const AUDIENCE: &str = "https://loom.acme.com";

pub(crate) struct Stage {
    pub(crate) issuer: Issuer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) org: Organization,
    pub(crate) external: ExternalTokens,
    keys: Arc<MemorySigningKeys>,
    /// What the issuer signs with: our own minting, under the issuer's name.
    signer: TokenService,
}

pub(crate) async fn stage() -> Stage {
    build(|org| UserMapping::Sub([(org.admin.to_string(), org.admin)].into())).await
}

pub(crate) async fn build(user: impl FnOnce(&Organization) -> UserMapping) -> Stage {
    let issuer = Issuer::start().await;
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
    let store = powerloom_store::open("memory:").await.unwrap();
    let cp = ControlPlane::builder(store).clock(clock.clone()).build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let keys = Arc::new(MemorySigningKeys::new(KeySet::new(SigningKey::generate_es256().unwrap())));
    let signer = TokenService::new(&cp, keys.clone(), TokenOptions::new(&issuer.url, AUDIENCE)).unwrap();
    let oidc = OidcKeys::builder()
        .issuer(&issuer.url)
        .fetch_timeout(Duration::from_millis(500))
        .clock(clock.clone())
        .build()
        .unwrap();
    let config = IssuerConfig::new(&issuer.url, AUDIENCE, OrgMapping::Fixed(org.id), user(&org));
    let external = ExternalTokens::new(&cp, Arc::new(oidc), vec![config]).unwrap();
    let stage = Stage { issuer, clock, org, external, keys, signer };
    stage.publish();
    stage
}

impl Stage {
    /// The issuer publishes the keys it has now.
    pub(crate) fn publish(&self) {
        self.issuer.publish(serde_json::to_value(self.signer.jwks()).unwrap());
    }

    /// The issuer signs with another key from now on, and withdraws the one before.
    pub(crate) fn rotate(&self) {
        self.keys.replace(KeySet::new(SigningKey::generate_es256().unwrap()));
    }

    pub(crate) async fn token(&self) -> String {
        let hour = Duration::from_secs(3_600);
        self.signer.mint_access(self.org.id, self.org.admin, hour).await.unwrap().reveal().to_owned()
    }

    pub(crate) async fn present(&self, token: &str) -> Result<ExternalIdentity, Error> {
        self.external.authenticate(token).await
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Claims a provider would make now.
    pub(crate) fn claims(&self, extra: &Value) -> Value {
        let now = self.clock.now().as_micros() / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer.url, "aud": AUDIENCE, "sub": "00u1", "iat": now, "exp": now + 300,
            "email": "admin@acme.com", "email_verified": true,
        });
        for (name, value) in extra.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }
}

/// The stable code of a refusal.
pub(crate) fn refused(result: Result<ExternalIdentity, Error>) -> &'static str {
    match result {
        Err(Error::Unauthenticated(reason)) => reason.code(),
        Err(error) => error.code(),
        Ok(identity) => panic!("it was not refused: {identity:?}"),
    }
}

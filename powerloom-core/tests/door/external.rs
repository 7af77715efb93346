//! Tokens of an identity provider: who of us their bearer is, judged live.

use crate::world::{World, kind, world};
use async_trait::async_trait;
use powerloom_core::door::caller::TokenKind;
use powerloom_core::entropy::SeededEntropy;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::record::ResourceKey;
use powerloom_core::token::external::{
    ExternalIdentity, ExternalTokens, ForeignKey, ForeignKeySet, IssuerConfig, IssuerKeys, IssuerUnavailable,
    OrgMapping, UserMapping,
};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The published half of a JWKS, and how often it was asked.
#[derive(Debug)]
struct Published {
    keys: Option<ForeignKeySet>,
    asked: AtomicUsize,
}

#[async_trait]
impl IssuerKeys for Published {
    async fn key(&self, issuer: &str, kid: &str) -> Result<Option<ForeignKey>, IssuerUnavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let keys = self.keys.as_ref().ok_or_else(|| IssuerUnavailable::new(issuer, None))?;
        Ok(keys.get(kid).cloned())
    }
}

const ISSUER: &str = "https://login.acme.com";

/// An issuer whose tokens our own minting makes: the signature is the same wherever it comes from.
struct Provider {
    key: SigningKey,
    keys: Arc<Published>,
}

impl Provider {
    fn new() -> Self {
        let key = SigningKey::generate_ed25519(&SeededEntropy::new(77)).unwrap();
        let set = KeySet::new(SigningKey::generate_ed25519(&SeededEntropy::new(77)).unwrap());
        let jwks = serde_json::to_vec(&set.jwks("2026-01-01T00:00:00Z".parse().unwrap())).unwrap();
        let keys = Some(ForeignKeySet::from_jwks(&jwks).unwrap());
        Self { key, keys: Arc::new(Published { keys, asked: AtomicUsize::new(0) }) }
    }

    fn sign(&self, claims: &Value) -> String {
        let kid = self.key.verifying_key().kid();
        sign(&self.key, &json!({ "alg": "EdDSA", "kid": kid, "typ": "at+jwt" }), claims)
    }
}

/// The compact form, signed by the library's own key as PKCS#8.
fn sign(key: &SigningKey, header: &Value, claims: &Value) -> String {
    use aws_lc_rs::signature::Ed25519KeyPair;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let pair = Ed25519KeyPair::from_pkcs8(key.to_pkcs8().unwrap().expose()).unwrap();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = pair.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn claims(w: &World, extra: Value) -> Value {
    let now = w.cp.clock().now().as_micros() / 1_000_000;
    let mut claims = json!({
        "iss": ISSUER, "aud": "loom", "sub": "00u1", "iat": now, "exp": now + 300,
        "email": "Ada@acme.com", "email_verified": true,
    });
    for (name, value) in extra.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn by_email(w: &World) -> IssuerConfig {
    let domains = ["acme.com".to_owned()].into();
    IssuerConfig::new(ISSUER, "loom", OrgMapping::Fixed(w.org.id), UserMapping::VerifiedEmail { domains })
}

async fn identify(
    w: &World,
    provider: &Provider,
    config: IssuerConfig,
    extra: Value,
) -> Result<ExternalIdentity, Error> {
    let external = ExternalTokens::new(&w.cp, provider.keys.clone(), vec![config]).unwrap();
    external.authenticate(&provider.sign(&claims(w, extra))).await
}

fn refused(result: Result<ExternalIdentity, Error>) -> &'static str {
    match result {
        Err(Error::Unauthenticated(reason)) => reason.code(),
        other => panic!("it was not refused: {other:?}"),
    }
}

/// Sem. 2.10.
#[tokio::test]
async fn a_user_with_a_proven_address_is_the_user_of_that_address() {
    let (w, provider) = (world().await, Provider::new());
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let identity = identify(&w, &provider, by_email(&w), json!({})).await.unwrap();
    assert_eq!(identity.caller.principal.to_string(), format!("user:{ada}"));
    assert_eq!((identity.caller.org, identity.caller.token), (w.org.id, TokenKind::Access));
    assert_eq!((identity.caller.ceiling, identity.caller.delegated_from_session), (None, None));
    assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (ISSUER, "00u1"));
}

#[tokio::test]
async fn an_address_that_is_not_proven_or_not_of_the_issuers_domain_is_nobodys() {
    let (w, provider) = (world().await, Provider::new());
    w.user(w.root(), "ada@acme.com").await;
    w.user(w.root(), "grace@globex.com").await;
    w.user(w.root(), "kim@acme.com").await;
    for bad in [
        json!({ "email_verified": false }),
        json!({ "email_verified": "true" }),
        json!({ "email_verified": 1 }),
        json!({ "email_verified": null }),
        json!({ "email": null }),
        json!({ "email": "ada" }),
        json!({ "email": ["ada@acme.com"] }),
        json!({ "email": "grace@globex.com" }),
        json!({ "email": "ada@sub.acme.com" }),
        // The Kelvin sign becomes an ordinary k in lower case.
        json!({ "email": "\u{212a}im@acme.com" }),
    ] {
        assert_eq!(refused(identify(&w, &provider, by_email(&w), bad.clone()).await), "token_claim", "{bad}");
    }
    let unknown = identify(&w, &provider, by_email(&w), json!({ "email": "eve@acme.com" })).await;
    assert_eq!(refused(unknown), "token_user_gone", "none is made on the fly");
}

#[tokio::test]
async fn a_user_who_is_disabled_or_archived_does_not_pass_from_that_moment_on() {
    let (w, provider) = (world().await, Provider::new());
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let key = ResourceKey { kind: kind("User"), id: ada };
    let row = w.row(&key).await;
    w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
    assert_eq!(refused(identify(&w, &provider, by_email(&w), json!({})).await), "token_user_gone");
    let row = w.row(&key).await;
    w.update(&w.admin, &row, json!({ "disabled": false })).await.unwrap();
    assert!(identify(&w, &provider, by_email(&w), json!({})).await.is_ok());
    w.archive(&w.admin, &key).await.unwrap();
    assert_eq!(refused(identify(&w, &provider, by_email(&w), json!({})).await), "token_user_gone");
}

#[tokio::test]
async fn a_subject_is_whoever_the_table_says_and_only_in_the_organization() {
    let (w, provider) = (world().await, Provider::new());
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let by_sub = |sub: &str, user: ResourceId| {
        let mut config = by_email(&w);
        config.user = UserMapping::Sub([(sub.to_owned(), user)].into());
        config
    };
    // The address does not count then, proven or not.
    let identity =
        identify(&w, &provider, by_sub("00u1", ada), json!({ "email_verified": false })).await.unwrap();
    assert_eq!(identity.caller.principal.to_string(), format!("user:{ada}"));
    assert_eq!(refused(identify(&w, &provider, by_sub("00U1", ada), json!({})).await), "token_user_gone");
    assert_eq!(
        refused(identify(&w, &provider, by_sub("00u1", w.root()), json!({})).await),
        "token_user_gone"
    );
    let globex =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    let foreign = identify(&w, &provider, by_sub("00u1", globex.admin), json!({})).await;
    assert_eq!(refused(foreign), "token_user_gone");
}

#[tokio::test]
async fn a_claim_chooses_among_the_organizations_of_the_table_and_no_other() {
    let (w, provider) = (world().await, Provider::new());
    w.user(w.root(), "ada@acme.com").await;
    let globex =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    let orgs: BTreeMap<_, _> = [("t1".to_owned(), w.org.id), ("t2".to_owned(), globex.id)].into();
    let mut config = by_email(&w);
    config.org = OrgMapping::Claim { claim: "tid".to_owned(), orgs };
    let identity = identify(&w, &provider, config.clone(), json!({ "tid": "t1" })).await.unwrap();
    assert_eq!(identity.caller.org, w.org.id);
    // Ada is nobody at Globex.
    assert_eq!(
        refused(identify(&w, &provider, config.clone(), json!({ "tid": "t2" })).await),
        "token_user_gone"
    );
    for tid in [json!("t3"), json!(null), json!(["t1"]), json!(w.org.id)] {
        assert_eq!(
            refused(identify(&w, &provider, config.clone(), json!({ "tid": tid })).await),
            "token_claim"
        );
    }
}

/// Extra authority comes from stored membership only.
#[tokio::test]
async fn groups_are_reported_and_grant_nothing() {
    let (w, provider) = (world().await, Provider::new());
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let ops = w.create("Group", w.root(), "ops", json!({})).await;
    w.bind(format!("group:{}", ops.meta.id), "OrgAdmin", w.root()).await;
    let config = by_email(&w).with_groups("groups", [("Ops".to_owned(), ops.meta.id)].into());
    let identity =
        identify(&w, &provider, config.clone(), json!({ "groups": ["Ops", "Staff"] })).await.unwrap();
    assert_eq!(identity.groups.known, [ops.meta.id]);
    assert_eq!(identity.groups.unknown, ["Staff"]);
    let tried = w.try_create(&identity.caller, "OU", Some(w.root()), Some("x"), json!({})).await;
    assert_eq!(tried.unwrap_err().code(), "denied");
    w.derive("GroupMembership", json!({ "group": ops.meta.id, "member": format!("user:{ada}") })).await;
    w.try_create(&identity.caller, "OU", Some(w.root()), Some("x"), json!({})).await.unwrap();
    for bad in [json!("Ops"), json!([1]), json!(vec!["x"; 513])] {
        let bad = identify(&w, &provider, config.clone(), json!({ "groups": bad })).await;
        assert_eq!(refused(bad), "token_claim");
    }
    assert!(identify(&w, &provider, config, json!({})).await.unwrap().groups.known.is_empty());
}

#[tokio::test]
async fn no_issuers_keys_means_no_answer_and_an_unknown_issuer_is_never_asked() {
    let (w, provider) = (world().await, Provider::new());
    w.user(w.root(), "ada@acme.com").await;
    let down =
        Provider { keys: Arc::new(Published { keys: None, asked: AtomicUsize::new(0) }), ..Provider::new() };
    let error = identify(&w, &down, by_email(&w), json!({})).await.unwrap_err();
    assert_eq!((error.code(), matches!(error, Error::Issuer(_))), ("unavailable", true));
    let elsewhere = identify(&w, &provider, by_email(&w), json!({ "iss": "https://evil.example.com" })).await;
    assert_eq!(refused(elsewhere), "token_wrong_issuer");
    let external = ExternalTokens::new(&w.cp, provider.keys.clone(), vec![by_email(&w)]).unwrap();
    let shared = sign(&provider.key, &json!({ "alg": "HS256", "kid": "x" }), &claims(&w, json!({})));
    assert_eq!(refused(external.authenticate(&shared).await), "token_wrong_algorithm");
    assert_eq!(provider.keys.asked.load(Ordering::SeqCst), 0);
    assert!(ExternalTokens::new(&w.cp, provider.keys.clone(), vec![by_email(&w), by_email(&w)]).is_err());
}

/// The two worlds of tokens do not cross.
#[tokio::test]
async fn a_token_of_ours_is_none_of_the_issuers_and_the_other_way_round() {
    let (w, provider) = (world().await, Provider::new());
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_es256().unwrap()));
    let ours = TokenService::new(&w.cp, Arc::new(keys), TokenOptions::new(ISSUER, "loom")).unwrap();
    let theirs = provider.sign(&claims(&w, json!({})));
    assert_eq!(ours.authenticate(&theirs).await.unwrap_err().code(), "unauthenticated");
    let minted = ours.mint_access(w.org.id, ada, std::time::Duration::from_secs(60)).await.unwrap();
    let external = ExternalTokens::new(&w.cp, provider.keys.clone(), vec![by_email(&w)]).unwrap();
    assert_eq!(refused(external.authenticate(minted.reveal()).await), "token_unknown_key");
}

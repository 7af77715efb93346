//! Access tokens, from the login's end to the caller (sem. 2.10; reliability T3, T4).

use crate::world::{LOOM, World, denied, kind, world};
use powerloom_core::clock::Timestamp;
use powerloom_core::door::caller::TokenKind;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::Error;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::record::ResourceKey;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// What a client sees of a refusal, and what the log of whoever runs this does.
pub(crate) async fn refused(tokens: &TokenService, bearer: &str) -> (String, &'static str) {
    match tokens.authenticate(bearer).await.unwrap_err() {
        Error::Unauthenticated(reason) => {
            (Error::Unauthenticated(reason.clone()).envelope().to_string(), reason.code())
        }
        other => panic!("it failed otherwise: {other:?}"),
    }
}

async fn disable(w: &World, user: ResourceId) {
    let row = w.row(&ResourceKey { kind: kind("User"), id: user }).await;
    w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
}

#[tokio::test]
async fn an_access_token_is_its_user_until_the_very_second() {
    let (w, minute) = (world().await, MINUTE);
    let tokens = w.tokens();
    let token = tokens.mint_access(w.org.id, w.org.admin, minute).await.unwrap();
    let caller = tokens.authenticate(token.reveal()).await.unwrap();
    assert_eq!(caller, w.admin.clone().by(TokenKind::Access));
    w.clock.advance(minute - Duration::from_micros(1));
    tokens.authenticate(token.reveal()).await.unwrap();
    w.clock.advance(Duration::from_micros(1));
    assert_eq!(token.expires_at(), "2026-01-01T00:01:00Z".parse::<Timestamp>().unwrap());
    assert_eq!(refused(&tokens, token.reveal()).await.1, "token_expired");
}

#[tokio::test]
async fn a_lifetime_is_whole_seconds_up_to_an_hour() {
    let w = world().await;
    let tokens = w.tokens();
    for lifetime in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(3601)] {
        let error = tokens.mint_access(w.org.id, w.org.admin, lifetime).await.unwrap_err();
        assert_eq!(error.code(), "invalid", "{lifetime:?}");
    }
    tokens.mint_access(w.org.id, w.org.admin, Duration::from_secs(3600)).await.unwrap();
}

/// Row M11: what is withdrawn is withdrawn for tokens that are still good.
#[tokio::test]
async fn a_withdrawn_right_and_a_disabled_user_stop_the_very_next_call() {
    let w = world().await;
    let tokens = w.tokens();
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let binding = w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    let token = tokens.mint_access(w.org.id, ada, MINUTE).await.unwrap();
    let caller = tokens.authenticate(token.reveal()).await.unwrap();
    w.try_create(&caller, "OU", Some(w.root()), Some("one"), json!({})).await.unwrap();
    w.archive(&w.admin, &binding.key()).await.unwrap();
    let caller = tokens.authenticate(token.reveal()).await.unwrap();
    denied(w.try_create(&caller, "OU", Some(w.root()), Some("two"), json!({})).await);

    disable(&w, ada).await;
    assert_eq!(refused(&tokens, token.reveal()).await.1, "token_user_gone");
    let error = tokens.mint_access(w.org.id, ada, MINUTE).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated");
    assert_eq!(as_ada.org, w.org.id);
}

/// Row M25: a user is one of their own organization only.
#[tokio::test]
async fn nobody_is_a_user_of_another_organization() {
    let w = world().await;
    let tokens = w.tokens();
    let other =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    for (org, user) in
        [(other.id, w.org.admin), (w.org.id, other.admin), (OrgId::from_uuid(Uuid::nil()), w.org.admin)]
    {
        assert_eq!(tokens.mint_access(org, user, MINUTE).await.unwrap_err().code(), "unauthenticated");
    }
}

/// Keys of one installation are nothing to another; after a rotation both keys verify, until the old one is retired.
#[tokio::test]
async fn keys_rotate_under_tokens_in_use() {
    let w = world().await;
    let keys =
        Arc::new(MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap())));
    let tokens = TokenService::new(&w.cp, keys.clone(), TokenOptions::new(LOOM, LOOM)).unwrap();
    let mint =
        || async { tokens.mint_access(w.org.id, w.org.admin, MINUTE).await.unwrap().reveal().to_owned() };
    let old = mint().await;
    keys.rotate(SigningKey::generate_es256().unwrap(), w.cp.clock().now() + Duration::from_secs(30)).unwrap();
    let new = mint().await;
    for token in [&old, &new] {
        tokens.authenticate(token).await.unwrap();
    }
    assert_eq!(tokens.jwks().keys.len(), 2);
    w.clock.advance(Duration::from_secs(30));
    assert_eq!(refused(&tokens, &old).await.1, "token_retired_key");
    tokens.authenticate(&new).await.unwrap();
    assert_eq!(tokens.jwks().keys.len(), 1);
    assert_eq!(refused(&w.tokens(), &new).await.1, "token_unknown_key");
}

/// The answer is the same, whatever was wrong.
#[tokio::test]
async fn a_client_learns_nothing_from_a_refusal() {
    let w = world().await;
    let tokens = w.tokens();
    let good = tokens.mint_access(w.org.id, w.org.admin, MINUTE).await.unwrap().reveal().to_owned();
    let elsewhere = w.tokens().mint_access(w.org.id, w.org.admin, MINUTE).await.unwrap().reveal().to_owned();
    let bearers = [
        String::new(),
        "x".to_owned(),
        "tk_x".to_owned(),
        "pat_x".to_owned(),
        "a.b.c".to_owned(),
        elsewhere,
        good[..good.len() - 2].to_owned(),
        "x".repeat(9000),
        format!("{good}="),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ];
    let mut answers = Vec::new();
    let mut codes = Vec::new();
    for bearer in &bearers {
        let (answer, code) = refused(&tokens, bearer).await;
        answers.push(answer);
        codes.push(code);
    }
    answers.dedup();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        answers,
        [r#"{"error":{"code":"unauthenticated","detail":null,"message":"the token is not valid"}}"#]
    );
    assert_eq!(
        codes,
        [
            "token_bad_signature",
            "token_malformed",
            "token_too_long",
            "token_unknown_form",
            "token_unknown_key"
        ]
    );
}

#[tokio::test]
async fn a_service_needs_an_issuer_an_audience_and_a_small_leeway() {
    let w = world().await;
    let keys = || Arc::new(MemorySigningKeys::new(KeySet::new(SigningKey::generate_es256().unwrap())));
    let refused = |options| TokenService::new(&w.cp, keys(), options).unwrap_err().field;
    assert_eq!(refused(TokenOptions::new("", LOOM)), "issuer");
    assert_eq!(refused(TokenOptions::new(LOOM, "a b")), "audience");
    let mut options = TokenOptions::new(LOOM, LOOM);
    options.leeway = Duration::from_secs(31);
    assert_eq!(refused(options), "leeway");
}

//! What a token of an issuer is refused for, each by a token that is signed well.

use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::id::OrgId;
use crate::token::error::TokenError;
use crate::token::external::config::{IssuerConfig, OrgMapping, UserMapping};
use crate::token::external::jwk_set::ForeignKeySet;
use crate::token::external::key::ForeignAlgorithm;
use crate::token::external::verify::{MAX_FOREIGN_LEN, Unverified};
use crate::token::key::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const NOW: u64 = 1_767_225_600;

fn config() -> IssuerConfig {
    let org: OrgId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    let user = UserMapping::VerifiedEmail { domains: ["acme.com".to_owned()].into() };
    IssuerConfig::new("https://login.acme.com", "loom", OrgMapping::Fixed(org), user)
}

fn key() -> SigningKey {
    SigningKey::generate_ed25519(&SeededEntropy::new(5)).unwrap().with_kid("k").unwrap()
}

fn published() -> ForeignKeySet {
    let key = key();
    let mut jwk = json!({ "kid": "k" });
    for (name, value) in key.verifying_key().jwk_members().unwrap() {
        jwk[name] = json!(value);
    }
    ForeignKeySet::from_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap()
}

fn sign(header: &Value, payload: &str) -> String {
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
    let signature = key().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "k", "typ": "at+jwt" })
}

fn payload() -> Value {
    json!({ "iss": "https://login.acme.com", "aud": "loom", "sub": "u1", "iat": NOW, "exp": NOW + 300 })
}

fn with(mut base: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        base.as_object_mut().unwrap().remove(name);
    } else {
        base[name] = value;
    }
    base
}

fn verify(token: &str) -> Result<String, TokenError> {
    let unverified = Unverified::parse(token)?;
    let keys = published();
    let key = keys.get(unverified.kid()?).ok_or(TokenError::UnknownKey)?;
    let now = Timestamp::from_micros(i64::try_from(NOW).unwrap() * 1_000_000);
    unverified.verify(key, &config(), now).map(|verified| verified.subject)
}

/// Reliability T2.
#[test]
fn a_header_that_says_more_than_it_may_is_refused() {
    assert_eq!(verify(&sign(&header(), &payload().to_string())).unwrap(), "u1");
    assert!(verify(&sign(&with(header(), "x5t", json!("abc")), &payload().to_string())).is_ok());
    for member in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"] {
        let token = sign(&with(header(), member, json!(["x"])), &payload().to_string());
        assert!(matches!(verify(&token), Err(TokenError::Header { .. })), "{member}");
    }
    for alg in [json!("none"), json!("HS256"), json!("ES256"), json!("RS256"), json!("eddsa"), json!(null)] {
        let token = sign(&with(header(), "alg", alg.clone()), &payload().to_string());
        assert_eq!(verify(&token), Err(TokenError::WrongAlgorithm), "{alg}");
    }
    for typ in [json!("JWT"), json!("application/at+JWT"), json!(null)] {
        assert!(verify(&sign(&with(header(), "typ", typ), &payload().to_string())).is_ok());
    }
    for typ in [json!("dpop+jwt"), json!("secevent+jwt"), json!("delegation+jwt"), json!(7), json!("")] {
        let token = sign(&with(header(), "typ", typ), &payload().to_string());
        assert_eq!(verify(&token), Err(TokenError::WrongType));
    }
    let token = sign(&with(header(), "kid", json!("other")), &payload().to_string());
    assert_eq!(verify(&token), Err(TokenError::UnknownKey));
}

/// Reliability T3, T4.
#[test]
fn a_claim_that_is_not_what_it_must_be_is_refused() {
    let refused =
        |name: &str, value: Value| verify(&sign(&header(), &with(payload(), name, value).to_string()));
    assert!(refused("aud", json!(["other", "loom"])).is_ok());
    assert!(refused("iat", Value::Null).is_ok());
    assert!(refused("exp", json!(NOW - 29)).is_ok(), "within the leeway");
    assert!(refused("nbf", json!(NOW + 30)).is_ok(), "within the leeway");
    for (name, value, expect) in [
        ("iss", json!("https://login.acme.com/"), TokenError::WrongIssuer),
        ("iss", Value::Null, TokenError::Claim { claim: "iss" }),
        ("aud", json!("Loom"), TokenError::WrongAudience),
        ("aud", json!(["other"]), TokenError::WrongAudience),
        ("aud", json!([]), TokenError::WrongAudience),
        ("aud", json!(["loom", 1]), TokenError::Claim { claim: "aud" }),
        ("aud", Value::Null, TokenError::Claim { claim: "aud" }),
        ("exp", Value::Null, TokenError::Claim { claim: "exp" }),
        ("exp", json!("1767225900"), TokenError::Claim { claim: "exp" }),
        ("exp", json!(NOW - 30), TokenError::Expired),
        ("exp", json!(NOW + 86_401), TokenError::TooLongLived),
        ("iat", json!(NOW + 31), TokenError::NotYetValid),
        ("nbf", json!(NOW + 31), TokenError::NotYetValid),
        ("nbf", json!(-1), TokenError::Claim { claim: "nbf" }),
        ("sub", Value::Null, TokenError::Claim { claim: "sub" }),
        ("sub", json!(""), TokenError::Claim { claim: "sub" }),
        ("sub", json!("x".repeat(256)), TokenError::Claim { claim: "sub" }),
    ] {
        assert_eq!(refused(name, value.clone()), Err(expect), "{name}: {value}");
    }
}

#[test]
fn what_is_not_whole_and_signed_is_refused() {
    let good = sign(&header(), &payload().to_string());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = sign(&header(), &with(payload(), "sub", json!("u2")).to_string());
    let moved = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(verify(&moved), Err(TokenError::BadSignature));
    for token in [
        format!("{signed}."),
        signed.to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        String::new(),
    ] {
        assert!(matches!(verify(&token), Err(TokenError::Malformed { .. })), "{token}");
    }
    let twice = payload().to_string().replace("{", "{\"sub\":\"admin\",");
    assert_eq!(verify(&sign(&header(), &twice)), Err(TokenError::Malformed { part: "payload" }));
    let long = sign(&header(), &with(payload(), "x", json!("x".repeat(MAX_FOREIGN_LEN))).to_string());
    assert_eq!(verify(&long), Err(TokenError::TooLong));
}

#[test]
fn a_configuration_that_would_believe_too_much_is_refused() {
    assert!(config().check().is_ok());
    let no_domain = UserMapping::VerifiedEmail { domains: Default::default() };
    for (field, bad) in [
        ("issuer", IssuerConfig { issuer: String::new(), ..config() }),
        ("audience", IssuerConfig { audience: "a b".to_owned(), ..config() }),
        ("algorithms", config().with_algorithms([])),
        ("leeway", IssuerConfig { leeway: std::time::Duration::from_secs(31), ..config() }),
        ("max_lifetime", IssuerConfig { max_lifetime: std::time::Duration::from_secs(86_401), ..config() }),
        ("domains", IssuerConfig { user: no_domain, ..config() }),
    ] {
        assert_eq!(bad.check().unwrap_err().field, field);
    }
    let es256 = config().with_algorithms([ForeignAlgorithm::Es256]);
    let good = sign(&header(), &payload().to_string());
    let unverified = Unverified::parse(&good).unwrap();
    assert_eq!(unverified.check_algorithm(&es256), Err(TokenError::WrongAlgorithm));
    let now = Timestamp::from_micros(i64::try_from(NOW).unwrap() * 1_000_000);
    let refused = unverified.verify(published().get("k").unwrap(), &es256, now).unwrap_err();
    assert_eq!(refused, TokenError::WrongAlgorithm);
}

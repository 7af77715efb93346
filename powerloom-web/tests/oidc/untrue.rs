//! Issuers that are not who they say, or say what they must not.

use crate::issuer::{Issuer, Mood};
use crate::stage::{Stage, refused, stage};
use serde_json::json;

async fn no_keys(s: &Stage, mood: Mood) {
    s.issuer.mood(mood.clone());
    s.pass(60);
    assert_eq!(refused(s.present(&s.token().await).await), "unavailable", "{mood:?}");
}

#[tokio::test]
async fn a_discovery_document_that_names_another_issuer_or_strange_keys_is_refused() {
    let s = stage().await;
    let url = s.issuer.url.clone();
    let keys = format!("{url}/keys");
    for document in [
        json!({ "issuer": "https://login.acme.com", "jwks_uri": keys }),
        json!({ "issuer": format!("{url}/"), "jwks_uri": keys }),
        json!({ "jwks_uri": keys }),
        json!({ "issuer": url }),
        json!({ "issuer": url, "jwks_uri": "http://login.acme.com/keys" }),
        json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": url, "jwks_uri": 1 }),
        json!([]),
    ] {
        no_keys(&s, Mood::Says(document)).await;
    }
    assert_eq!(s.issuer.asked().1, 0, "no keys were fetched from anywhere");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (s, elsewhere) = (stage().await, Issuer::start().await);
    no_keys(&s, Mood::RedirectsDiscovery(elsewhere.url.clone())).await;
    no_keys(&s, Mood::RedirectsKeys(elsewhere.url.clone())).await;
    assert_eq!(elsewhere.asked(), (0, 0));
}

#[tokio::test]
async fn a_key_set_that_is_too_long_or_can_be_read_in_two_ways_is_refused_as_a_whole() {
    let s = stage().await;
    no_keys(&s, Mood::Oversized).await;
    no_keys(&s, Mood::Down).await;
    s.issuer.publish(json!({ "keys": "none" }));
    no_keys(&s, Mood::Well).await;
    let twice = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    s.issuer.publish(json!({ "keys": [twice, twice] }));
    no_keys(&s, Mood::Well).await;
    s.publish();
    s.pass(60);
    s.present(&s.token().await).await.unwrap();
}

#[tokio::test]
async fn what_has_other_keys_than_the_issuers_is_refused() {
    let (s, other) = (stage().await, stage().await);
    s.present(&s.token().await).await.unwrap();
    assert_eq!(refused(s.present(&other.token().await).await), "token_wrong_issuer");
    let token = s.token().await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let theirs = other.token().await;
    let moved = format!("{signed}.{}", theirs.rsplit_once('.').unwrap().1);
    assert_eq!(refused(s.present(&moved).await), "token_bad_signature");
}

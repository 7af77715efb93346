//! Confirming in advance what one does oneself.

use super::{Gated, gated};
use crate::world::Answer;
use powerloom_core::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Everybody may confirm what they do themselves, if they may decide: the administrator is named.
async fn confirmed() -> Gated {
    gated(json!({ "allow_self": true, "approvers": ["role:OrgAdmin"] })).await
}

fn consent(g: &Gated, uses: u32) -> Value {
    let expires_at = g.clock.now() + Duration::from_secs(3600);
    json!({ "ou_id": g.production, "verbs": ["agent.create"], "uses": uses, "expires_at": expires_at })
}

async fn create(g: &Gated, name: &str) -> Answer {
    g.w.post("/agents", g.agent(name)).await
}

#[tokio::test]
async fn a_consent_lets_through_what_its_giver_does_until_it_is_used_up_or_revoked() {
    let g = confirmed().await;
    create(&g, "before").await.expect(202);
    let given = g.w.post("/consents", consent(&g, 1)).await.expect(201);
    assert_eq!(given.header("location"), format!("/consents/{}", given.id()));
    assert_eq!(given.header("etag"), "\"1\"");
    assert_eq!((&given.body["user_ref"], &given.body["used"]), (&json!("user:admin@acme.com"), &json!(0)));
    assert_eq!(given.body["ou_path"], "/acme/production");
    assert_eq!(g.w.get("/consents").await.expect(200).body["items"], json!([given.body]));
    assert_eq!(g.get(&g.grace, "/consents").await.expect(200).body["items"], json!([]), "each their own");
    create(&g, "one").await.expect(201);
    create(&g, "two").await.expect(202);
    assert_eq!(g.w.get("/consents").await.expect(200).body["items"], json!([]), "it is used up");

    let other = g.w.post("/consents", consent(&g, 5)).await.expect(201);
    let path = format!("/consents/{}", other.id());
    g.w.as_of(&g.grace, Method::DELETE, &path, None).await.expect(403);
    g.w.delete(&path).await.expect(204);
    g.w.delete(&path).await.expect(204);
    create(&g, "three").await.expect(202);
}

#[tokio::test]
async fn consents_are_listed_page_by_page_newest_first() {
    let g = confirmed().await;
    let mut given = Vec::new();
    for uses in 1..=3 {
        given.insert(0, g.w.post("/consents", consent(&g, uses)).await.expect(201).body);
        g.clock.advance(Duration::from_millis(5));
    }
    let first = g.w.get("/consents?limit=2").await.expect(200);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = g.w.get(&format!("/consents?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((&first.body["items"], &rest.body["items"]), (&json!(given[..2]), &json!(given[2..])));
    assert_eq!(rest.body["next_cursor"], Value::Null);
}

/// It is a vote in advance: in person, and only by whoever may decide.
#[tokio::test]
async fn a_consent_needs_what_a_vote_needs() {
    let g = confirmed().await;
    let (_, nobody) = g.w.person("nobody@acme.com", &[]).await;
    let denied = g.post(&nobody, "/consents", consent(&g, 1)).await.expect(403);
    assert_eq!(denied.body["error"]["detail"]["permission"], "approval:decide");
    let token = json!({ "name": "laptop", "scopes": ["*:*"], "lifetime_seconds": 3600 });
    let token = g.w.post("/tokens", token).await.expect(201);
    let by_token =
        g.post(token.body["token"].as_str().unwrap(), "/consents", consent(&g, 1)).await.expect(403);
    assert_eq!(by_token.code(), "not_in_person");
    for (field, value) in
        [("verbs", json!([])), ("uses", json!(0)), ("expires_at", json!("2025-01-01T00:00:00Z"))]
    {
        let mut bad = consent(&g, 1);
        bad[field] = value;
        let refused = g.w.post("/consents", bad).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], field);
    }
}

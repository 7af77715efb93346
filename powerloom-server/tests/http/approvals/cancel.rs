//! Taking requests back.

use super::{gated, id};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_request_is_taken_back_by_whoever_asked_with_or_without_a_reason() {
    let g = gated(json!({})).await;
    let (one, two) = (g.asked("one").await, g.asked("two").await);
    let path = |request: &Value| format!("/approvals/{}/cancel", id(request));
    let refused = g.post(&g.grace, &path(&one), json!({})).await.expect(403);
    assert_eq!(refused.body["error"]["detail"]["permission"], "approval:cancel");
    let cancelled = g.post(&g.ada, &path(&one), json!({ "reason": "not needed" })).await.expect(200);
    assert_eq!(
        (&cancelled.body["state"], &cancelled.body["outcome"]["reason"]),
        (&json!("cancelled"), &json!("not needed"))
    );
    // No body at all is as good as an empty one.
    let bare = g.w.as_of(&g.ada, Method::POST, &path(&two), None).await.expect(200);
    assert_eq!((&bare.body["state"], &bare.body["outcome"]["reason"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(g.post(&g.ada, &path(&one), json!({})).await.expect(409).code(), "approval_decided");
    assert_eq!(g.vote(&g.grace, &one, "approve").await.expect(409).code(), "approval_decided");
    assert!(g.agents().await.is_empty());
}

#[tokio::test]
async fn many_are_taken_back_at_once_as_far_as_the_caller_may() {
    let g = gated(json!({})).await;
    for name in ["one", "two"] {
        g.asked(name).await;
    }
    let fit = json!({ "resource_kind": "Agent", "ou_id": g.production, "reason": "frozen" });
    let none = g.post(&g.grace, "/approvals/cancel", fit.clone()).await.expect(200);
    assert_eq!(none.body, json!({ "items": [] }));
    let skills = g.post(&g.ada, "/approvals/cancel", json!({ "resource_kind": "Skill" })).await.expect(200);
    assert_eq!(skills.body, json!({ "items": [] }));
    let request = g.w.request(Method::POST, "/approvals/cancel").bearer_auth(&g.ada);
    let done = g.w.send(request.header("idempotency-key", "k".repeat(255)).json(&fit)).await.expect(200);
    let items = done.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["cancelled"] == true && item["error"].is_null()), "{items:?}");
    assert!(g.ids(&g.grace, "/approvals").await.is_empty());
    g.post(&g.ada, "/approvals/cancel", json!({})).await.expect(200);
}

//! A change that waits, made at once and judged afterwards.

use super::{gated, id};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn the_change_is_made_at_once_and_a_review_judges_it() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let path = format!("/approvals/{}/break-glass", id(&request));
    let why = json!({ "justification": "production is down" });
    let denied = g.post(&g.ada, &path, why.clone()).await.expect(403);
    assert_eq!(denied.body["error"]["detail"]["permission"], "approval:break_glass");
    let unsaid = g.post(&g.w.admin, &path, json!({ "justification": " " })).await.expect(400);
    assert_eq!(unsaid.body["error"]["detail"]["field"], "justification");
    assert!(g.agents().await.is_empty());

    let broken = async || {
        let request = g.w.request(Method::POST, &path).bearer_auth(&g.w.admin);
        g.w.send(request.header("idempotency-key", "k1").json(&why)).await.expect(200).body
    };
    let first = broken().await;
    assert_eq!((&first["taken_back"], &first["note"]), (&json!(true), &Value::Null));
    assert_eq!(first["request"]["state"], "cancelled");
    assert_eq!(first["applied"]["key"]["kind"], "Agent");
    assert_eq!(g.agents().await, ["held"]);
    // Sent again with its key, it is not done again.
    assert_eq!(broken().await["applied"], first["applied"]);
    assert_eq!(g.post(&g.w.admin, &path, why.clone()).await.expect(409).code(), "approval_decided");

    let review = g
        .get(&g.grace, &format!("/approvals/{}", first["review_id"].as_str().unwrap()))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&review["purpose"], &review["justification"]),
        (&json!("review"), &json!("production is down"))
    );
    assert_eq!(g.ids(&g.grace, "/approvals").await, [id(&review)]);
    let again = g.asked("second").await;
    let shut =
        g.post(&g.w.admin, &format!("/approvals/{}/break-glass", id(&again)), why.clone()).await.expect(409);
    assert_eq!(shut.code(), "review_open");
    let twice = g.post(&g.w.admin, &format!("/approvals/{}/break-glass", id(&review)), why).await.expect(400);
    assert_eq!(twice.body["error"]["detail"]["field"], "request");
    let judged = g.vote(&g.grace, &review, "approve").await.expect(200);
    assert_eq!(judged.body["state"], "approved");
}

/// Whoever may make the change but not take requests back is told that it still waits.
#[tokio::test]
async fn a_request_that_still_waits_is_said_to() {
    let g = gated(json!({})).await;
    let permissions = ["agent:create", "agent:assign_owner", "approval:read", "approval:break_glass"];
    let role = json!({ "name": "on-call", "ou_id": g.w.acme.root_ou, "permissions": permissions });
    let role = g.w.post("/roles", role).await.expect(201);
    let (_, oncall) = g.w.person("oncall@acme.com", &[&format!("role:{}", role.id())]).await;
    let request = g.asked("held").await;
    let path = format!("/approvals/{}/break-glass", id(&request));
    let broken = g.post(&oncall, &path, json!({ "justification": "production is down" })).await.expect(200);
    assert_eq!(
        (&broken.body["taken_back"], &broken.body["request"]["state"]),
        (&json!(false), &json!("pending"))
    );
    assert!(broken.body["note"].as_str().unwrap().contains("approval:cancel"), "{}", broken.text);
    assert_eq!(g.agents().await, ["held"]);
}

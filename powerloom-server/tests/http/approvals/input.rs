//! What is refused, and what does not exist.

use super::{gated, id};
use reqwest::Method;
use serde_json::{Value, json};

/// One of another organization reads as one that never was, on every route.
#[tokio::test]
async fn a_foreign_request_and_an_unknown_one_are_answered_alike() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let stranger = g.w.token(g.w.other.id, g.w.other.admin).await;
    let unknown = "req_0198c0de-0000-7000-8000-000000000001";
    let vote = json!({ "ballot": "approve", "payload_hash": request["payload_hash"] });
    let routes = [
        (Method::GET, "", None),
        (Method::GET, "/change", None),
        (Method::POST, "/votes", Some(vote)),
        (Method::POST, "/cancel", Some(json!({}))),
        (Method::POST, "/break-glass", Some(json!({ "justification": "why not" }))),
    ];
    for (method, end, body) in routes {
        let mut answers = Vec::new();
        for name in [id(&request), unknown] {
            let path = format!("/approvals/{name}{end}");
            let answer = g.w.as_of(&stranger, method.clone(), &path, body.clone()).await.expect(404);
            answers.push(answer.text.replace(name.trim_start_matches("req_"), "X"));
        }
        assert_eq!(answers[0], answers[1], "{end}");
    }
    let consent = format!("/consents/{}", g.production);
    let foreign = g.w.as_of(&stranger, Method::DELETE, &consent, None).await.expect(404);
    assert_eq!(foreign.code(), "not_found");
    assert!(g.ids(&stranger, "/approvals?view=all").await.is_empty());
    let none = g.post(&stranger, "/approvals/cancel", json!({})).await.expect(200);
    assert_eq!(none.body, json!({ "items": [] }));
    g.vote(&g.grace, &request, "approve").await.expect(200);
}

#[tokio::test]
async fn whatever_is_malformed_is_refused_and_named() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let field = |answer: &crate::world::Answer| {
        assert_eq!(answer.code(), "invalid", "{}", answer.text);
        answer.body["error"]["detail"]["field"].as_str().unwrap_or_default().to_owned()
    };
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=InJlcV8i", "cursor"),
        ("state=approved", "state"),
        ("view=yours", "view"),
        ("colour=red", "colour"),
        ("ou_id=acme", "ou_id"),
        ("limit=many", "limit"),
    ] {
        let refused = g.get(&g.grace, &format!("/approvals?{query}")).await.expect(400);
        assert_eq!(field(&refused), named, "{query}");
    }
    let good = json!({ "ballot": "approve", "payload_hash": request["payload_hash"] });
    let votes = format!("/approvals/{}/votes", id(&request));
    for (name, value, named) in [
        ("ballot", json!("maybe"), "ballot"),
        ("payload_hash", json!("abc"), "payload_hash"),
        ("comment", json!("\u{1b}[31m"), "comment"),
        ("requirements", json!([g.production]), "requirements"),
        ("sure", json!(true), "sure"),
    ] {
        let mut body = good.clone();
        body[name] = value;
        let refused = g.post(&g.grace, &votes, body).await.expect(400);
        assert!(field(&refused).starts_with(named), "{name}: {}", refused.text);
    }
    for (path, body) in [
        ("/approvals/cancel", json!({ "all": true })),
        ("/approvals/cancel", Value::Null),
        ("/approvals/cancel", json!({ "resource_kind": "agent" })),
        ("/approvals/cancel", json!({ "reason": "" })),
    ] {
        field(&g.post(&g.ada, path, body).await.expect(400));
    }
    assert_eq!(g.get(&g.ada, "/approvals/held").await.expect(400).code(), "invalid");
    g.get(&g.ada, &format!("/approvals/{}", id(&request))).await.expect(200);
    g.w.send(g.w.request(Method::GET, "/approvals")).await.expect(401);
    assert_eq!(g.ids(&g.grace, "/approvals").await, [id(&request)], "nothing has changed");
}

//! The terms of a change: an idempotency key, and an expected version (sem. 2.14).

use crate::samples::id;
use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

impl World {
    async fn keyed(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path).bearer_auth(&self.admin).header("idempotency-key", key);
        self.send(body.into_iter().fold(request, |request, body| request.json(&body))).await
    }
}

#[tokio::test]
async fn the_same_key_is_answered_once_and_never_for_something_else() {
    let world = World::start().await;
    let all = world.everything().await;
    let agent = format!("/agents/{}", id(&all, "/agents"));
    let (skill, server) = (id(&all, "/skills"), id(&all, "/mcp-servers"));
    let user = |email: &str| Some(json!({ "ou_id": world.acme.root_ou, "email": email }));
    let (first, other) = (user("one@acme.com"), user("two@acme.com"));
    let cases = [
        (Method::POST, "/users".to_owned(), first.clone(), other.clone(), 201),
        (
            Method::POST,
            "/resources/OU".to_owned(),
            Some(all[0].body.clone()),
            Some(json!({ "ou_id": world.acme.root_ou, "name": "x" })),
            201,
        ),
        (
            Method::POST,
            format!("{agent}/skills"),
            Some(json!({ "skill_id": skill })),
            Some(json!({ "skill_id": server })),
            201,
        ),
        (
            Method::POST,
            format!("{agent}/mcp-servers"),
            Some(json!({ "mcp_server_id": server })),
            Some(json!({ "mcp_server_id": skill })),
            201,
        ),
        (
            Method::PATCH,
            agent.clone(),
            Some(json!({ "model": "claude-opus-4-1" })),
            Some(json!({ "model": "x" })),
            200,
        ),
        (Method::DELETE, format!("{agent}/mcp-servers/{server}"), None, None, 204),
        (Method::POST, format!("/credentials/{}/rotate", id(&all, "/credentials")), None, None, 200),
    ];
    for (number, (method, path, body, other, status)) in cases.into_iter().enumerate() {
        let key = format!("key-{number}");
        let answered = world.keyed(method.clone(), &path, &key, body.clone()).await.expect(status);
        let trail = world.trail().await;
        let again = world.keyed(method.clone(), &path, &key, body).await;
        assert_eq!((again.status, &again.text), (answered.status, &answered.text), "{method} {path}");
        for header in ["etag", "location"] {
            assert_eq!(again.headers.get(header), answered.headers.get(header), "{method} {path}");
        }
        if let Some(other) = other {
            let refused = world.keyed(method.clone(), &path, &key, Some(other)).await;
            // What is not there is refused before the key is looked at.
            assert!(
                matches!(refused.code(), "idempotency_mismatch" | "not_found"),
                "{method} {path}: {}",
                refused.text
            );
        }
        assert_eq!(world.trail().await, trail, "{method} {path}");
    }
    let other = world.keyed(Method::POST, "/users", "key-0", other).await.expect(409);
    assert_eq!(other.code(), "idempotency_mismatch");
    for key in ["", " ", "a b", &"k".repeat(256)] {
        let refused = world.keyed(Method::POST, "/users", key, first.clone()).await.expect(400);
        assert!(
            refused.body["error"]["detail"]["field"].as_str().unwrap().contains("idempotency"),
            "{key:?}"
        );
    }
}

#[tokio::test]
async fn headers_that_cannot_be_meant_are_refused_and_nothing_is_made() {
    let world = World::start().await;
    let body = json!({ "ou_id": world.acme.root_ou, "name": "engineering" });
    let before = world.trail().await;
    for (header, value) in [
        ("powerloom-justification", "%ff"),
        ("powerloom-justification", "%20"),
        ("powerloom-break-glass", "yes"),
        ("powerloom-under-plan", "req_1"),
    ] {
        let request = world.request(Method::POST, "/ous").bearer_auth(&world.admin).header(header, value);
        let refused = world.send(request.json(&body)).await.expect(400);
        assert_eq!(refused.code(), "invalid", "{header}: {value}");
    }
    let twice = world.request(Method::POST, "/ous").bearer_auth(&world.admin);
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b");
    world.send(twice.json(&body)).await.expect(400);
    assert_eq!(world.trail().await, before);
}

#[tokio::test]
async fn an_outdated_version_is_refused_in_every_collection_and_changes_nothing() {
    let world = World::start().await;
    for sample in world.everything().await {
        let path = format!("{}/{}", sample.path, sample.id);
        let before = world.get(&path).await.expect(200);
        for (tag, status, code) in [
            ("\"99\"", 412, "version_mismatch"),
            ("99", 412, "version_mismatch"),
            ("W/\"1\"", 412, "version_mismatch"),
        ] {
            for method in [Method::PATCH, Method::DELETE] {
                let request = world.request(method.clone(), &path).bearer_auth(&world.admin);
                let request =
                    request.header("if-match", tag).json(&json!({ "labels": { "team": "search" } }));
                let refused = world.send(request).await;
                if refused.status == 405 {
                    continue;
                }
                assert_eq!(
                    (refused.status, refused.code()),
                    (status, code),
                    "{method} {path}: {}",
                    refused.text
                );
            }
        }
        assert_eq!(world.get(&path).await.expect(200).text, before.text);
    }
}

/// A condition that nobody looks at is worse than none.
#[tokio::test]
async fn a_condition_is_refused_where_no_version_is_looked_at() {
    let world = World::start().await;
    let all = world.everything().await;
    let before = world.trail().await;
    let at = |path: &str, below: &str| format!("{path}/{}{below}", id(&all, path));
    for path in [
        "/ous".to_owned(),
        "/secrets/rewrap".to_owned(),
        at("/skills", "/versions"),
        at("/groups", "/members"),
        format!("/sync/Agent/{}/reset", id(&all, "/agents")),
    ] {
        let request =
            world.request(Method::POST, &path).bearer_auth(&world.admin).header("if-match", "\"1\"");
        let refused = world.send(request.json(&json!({}))).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], "if-match", "{path}");
    }
    assert_eq!(world.trail().await, before);
}

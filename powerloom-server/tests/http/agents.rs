//! Agents over REST (rows P28, P102, P103, M33–M36).

use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};

fn reviewer(world: &World) -> Value {
    json!({
        "name": "code-reviewer",
        "ou_id": world.acme.root_ou,
        "display_name": "Code Reviewer",
        "model": "claude-sonnet-4-6",
        "system_prompt": "Review Python code for correctness...",
        "agent_kind": "user",
        "owner_principal_id": world.acme.admin,
    })
}

/// Rows P28, P102, P103: the body of the deployment guide, as `curl -d` sends it.
#[tokio::test]
async fn an_agent_is_created_read_changed_listed_and_archived() {
    let world = World::start().await;
    let request = world
        .request(Method::POST, "/agents")
        .bearer_auth(&world.admin)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(reviewer(&world).to_string());
    let created = world.send(request).await.expect(201);
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("location"), format!("/agents/{}", created.id()));
    assert_eq!(created.body["owner_principal_id"], json!(world.acme.admin));
    assert_eq!(created.body["owner_principal_ref"], "user:admin@acme.com");
    assert_eq!(created.body["ou_path"], "/acme");
    assert_eq!(
        (&created.body["cma_agent_id"], &created.body["sync"]["status"]),
        (&Value::Null, &json!("pending"))
    );

    let path = format!("/agents/{}", created.id());
    let read = world.get(&path).await.expect(200);
    assert_eq!(read.body, created.body);
    let changed =
        world.patch(&path, json!({ "display_name": null, "model": "claude-opus-4-1" })).await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!((&changed.body["model"], changed.body.get("display_name")), (&json!("claude-opus-4-1"), None));

    let list = world.get(&format!("/agents?ou_id={}", world.acme.root_ou)).await.expect(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(list.body["next_cursor"], Value::Null);

    let gone = world.delete(&path).await.expect(204);
    assert_eq!(gone.text, "");
    // It stays in sight until the runtime has let go of it.
    assert_eq!(world.get(&path).await.expect(200).body["stage"], "archiving");
}

/// Sem. 2.14.
#[tokio::test]
async fn an_outdated_version_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let path = format!("/agents/{}", world.post("/agents", reviewer(&world)).await.expect(201).id());
    world.patch(&path, json!({ "model": "claude-opus-4-1" })).await.expect(200);
    let stale = world.request(Method::PATCH, &path).bearer_auth(&world.admin).header("if-match", "\"1\"");
    let refused = world.send(stale.json(&json!({ "model": "claude-haiku-4-5" }))).await.expect(412);
    assert_eq!(refused.code(), "version_mismatch");
    assert_eq!(world.get(&path).await.body["model"], "claude-opus-4-1");
    let known = world.request(Method::GET, &path).bearer_auth(&world.admin).header("if-none-match", "\"2\"");
    assert_eq!(world.send(known).await.expect(304).text, "");
}

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
    assert!(created.header("etag").starts_with("\"1-"), "{:?}", created.headers);
    assert_eq!(created.header("cache-control"), "private, no-cache");
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
    assert_eq!((&read.body, read.header("etag")), (&created.body, created.header("etag")));
    let changed =
        world.patch(&path, json!({ "display_name": null, "model": "claude-opus-4-1" })).await.expect(200);
    assert!(changed.header("etag").starts_with("\"2-"), "{:?}", changed.headers);
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
}

/// Row M36: where an agent stands, and where it is, are shown though they are no part of its version. Whoever revalidates
/// what they have is told, and their condition on the version still holds.
#[tokio::test]
async fn what_is_shown_is_sent_again_when_it_has_changed_though_the_version_has_not() {
    let world = World::start().await;
    let ou = |name: &str| json!({ "ou_id": world.acme.root_ou, "name": name });
    let labs = world.post("/ous", ou("labs")).await.expect(201).id().to_owned();
    let research = world.post("/ous", ou("research")).await.expect(201).id().to_owned();
    let mut body = reviewer(&world);
    body["ou_id"] = json!(labs);
    let path = format!("/agents/{}", world.post("/agents", body).await.expect(201).id());
    let read = world.get(&path).await.expect(200);
    let again = async |tag: &str| {
        let known = world.request(Method::GET, &path).bearer_auth(&world.admin).header("if-none-match", tag);
        world.send(known).await
    };
    let same = again(read.header("etag")).await.expect(304);
    assert_eq!((same.text.as_str(), same.header("etag")), ("", read.header("etag")));
    assert_eq!(same.header("cache-control"), "private, no-cache");
    again("\"1\"").await.expect(200);
    world.post(&format!("/ous/{labs}/move"), json!({ "to_ou_id": research })).await.expect(200);
    let moved = again(read.header("etag")).await.expect(200);
    assert_eq!((&moved.body["version"], &moved.body["ou_path"]), (&json!(1), &json!("/acme/research/labs")));
    let change = world.request(Method::PATCH, &path).bearer_auth(&world.admin);
    let change = change.header("if-match", read.header("etag")).json(&json!({ "model": "claude-opus-4-1" }));
    world.send(change).await.expect(200);
}

/// Whoever may change an agent but not read it is not shown it by a change of nothing.
#[tokio::test]
async fn a_change_shows_no_more_than_its_author_may_read() {
    let world = World::start().await;
    let agent = world.post("/agents", reviewer(&world)).await.expect(201);
    let path = format!("/agents/{}", agent.id());
    let role = json!({
        "ou_id": world.acme.root_ou, "name": "blind",
        "permissions": ["agent:update", "sync:reset", "sync:read"],
    });
    let role = format!("role:{}", world.post("/roles", role).await.expect(201).id());
    let (_, blind) = world.person("blind@acme.com", &[role.as_str()]).await;
    world.as_of(&blind, Method::GET, &path, None).await.expect(403);
    let named = |version: u64| json!({ "id": agent.id(), "kind": "Agent", "name": "code-reviewer", "version": version });
    let nothing = world.as_of(&blind, Method::PATCH, &path, Some(json!({}))).await.expect(200);
    assert_eq!(nothing.body, named(1));
    let label = json!({ "labels": { "team": "search" } });
    assert_eq!(world.as_of(&blind, Method::PATCH, &path, Some(label)).await.expect(200).body, named(2));
    let reset = format!("/sync/Agent/{}/reset", agent.id());
    assert_eq!(world.as_of(&blind, Method::POST, &reset, None).await.expect(200).body, named(2));
}

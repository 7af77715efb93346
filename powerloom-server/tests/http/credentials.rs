//! Credentials over REST (rows P63–P68, P109).

use crate::samples::id;
use crate::world::World;
use powerloom_core::id::ResourceId;
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::credential::Credential;
use reqwest::Method;
use serde_json::{Value, json};

/// Row P109: `POST /credentials`, `GET /credentials` filter `agent_id`, `DELETE /credentials/{id}`; row P66: the bearer is
/// minted here and nowhere to be read.
#[tokio::test]
async fn a_credential_is_made_listed_by_its_agent_and_deleted() {
    let world = World::start().await;
    let all = world.everything().await;
    let (agent, server) = (id(&all, "/agents"), id(&all, "/mcp-servers"));
    let credential = world.get(&format!("/credentials/{}", id(&all, "/credentials"))).await.expect(200);
    assert_eq!(credential.body["agent_id"], json!(agent));
    assert_eq!(credential.body["mcp_server_id"], json!(server));
    for secret in ["bearer", "token", "secret"] {
        assert!(!credential.text.contains(secret), "{}", credential.text);
    }
    let writer = world.post("/agents", all[10].body.clone()).await.expect(201).id().to_owned();
    let other = json!({ "agent_id": writer, "mcp_server_id": server });
    let other = world.post("/credentials", other).await.expect(201);
    let of = async |agent: &str| {
        world.get(&format!("/credentials?agent_id={agent}")).await.expect(200).body["items"].clone()
    };
    assert_eq!(of(agent).await, json!([credential.body]));
    assert_eq!(of(&writer).await, json!([other.body]));
    assert_eq!(of(server).await, json!([]));
    assert_eq!(world.get("/credentials").await.expect(200).body["items"].as_array().unwrap().len(), 2);
    world.delete(&format!("/credentials/{}", other.id())).await.expect(204);
    assert_eq!(of(&writer).await[0]["stage"], "archiving");
}

/// Sem. 2.6.
#[tokio::test]
async fn a_credential_is_rotated_and_nothing_tells_what_its_bearer_is_recognized_by() {
    let world = World::start().await;
    let all = world.everything().await;
    let path = format!("/credentials/{}/rotate", id(&all, "/credentials"));
    let before = world.get(path.trim_end_matches("/rotate")).await.expect(200);
    let rotate =
        |tag: &str| world.request(Method::POST, &path).bearer_auth(&world.admin).header("if-match", tag);
    let credential: ResourceId = before.id().parse().unwrap();
    let kept = async || {
        let key = ResourceKey::of::<Credential>(credential);
        let row = world.loom.store().record(world.acme.id, &key).await.unwrap().unwrap();
        row.status["fingerprint"].as_str().unwrap().to_owned()
    };
    let first = kept().await;
    let rotated = world.send(rotate(before.header("etag"))).await.expect(200);
    let second = kept().await;
    assert_ne!(first, second);
    let trail = world.get("/audit?limit=100").await.expect(200);
    assert!(trail.text.contains("credential.rotate"), "{}", trail.text);
    for shown in [&before, &rotated, &trail, &world.get("/resources/Credential").await.expect(200)] {
        assert!(!shown.text.contains(&first) && !shown.text.contains(&second), "{}", shown.text);
    }
    assert_eq!(before.body["status"].as_object().unwrap().keys().collect::<Vec<_>>(), ["vault"]);
    assert!(rotated.header("etag").starts_with("\"2-"), "{:?}", rotated.headers);
    assert_eq!(world.send(rotate(before.header("etag"))).await.expect(412).code(), "version_mismatch");
    assert_eq!(world.get(path.trim_end_matches("/rotate")).await.expect(200).body, rotated.body);
}

#[tokio::test]
async fn secrets_under_the_present_key_are_left_alone() {
    let world = World::start().await;
    world.everything().await;
    let before = world.trail().await;
    assert_eq!(
        world.post("/secrets/rewrap", Value::Null).await.expect(200).body,
        json!({ "rewrapped": false })
    );
    assert_eq!(world.trail().await, before);
}

//! Moving OUs over REST (sem. 2.1).

use crate::world::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn an_ou_is_moved_with_what_is_in_it_and_not_into_itself() {
    let world = World::start().await;
    let root = world.acme.root_ou;
    let ou = async |name: &str, below: &str| {
        world.post("/ous", json!({ "ou_id": below, "name": name })).await.expect(201).id().to_owned()
    };
    let engineering = ou("engineering", &root.to_string()).await;
    let platform = ou("platform", &engineering).await;
    let research = ou("research", &root.to_string()).await;
    let moved =
        world.post(&format!("/ous/{platform}/move"), json!({ "to_ou_id": research })).await.expect(200);
    assert_eq!(moved.body["path"], "/acme/research/platform");
    assert_eq!(moved.body["ou_path"], "/acme/research");
    assert!(moved.header("etag").starts_with("\"2-"), "{:?}", moved.headers);
    let path = format!("/ous/{research}/move");
    assert_eq!(world.post(&path, json!({ "to_ou_id": platform })).await.expect(409).code(), "cycle");
    let stale = world.request(Method::POST, &path).bearer_auth(&world.admin).header("if-match", "\"7\"");
    let stale = world.send(stale.json(&json!({ "to_ou_id": engineering }))).await.expect(412);
    assert_eq!(stale.code(), "version_mismatch");
    let whole = world.post(&format!("/ous/{root}/move"), json!({ "to_ou_id": research })).await.expect(400);
    assert_eq!(whole.body["error"]["detail"]["field"], "id");
}

#[tokio::test]
async fn the_organization_is_shown_to_whoever_may_read_it() {
    let world = World::start().await;
    let org = world.get("/organization").await.expect(200).body;
    assert_eq!((&org["slug"], &org["root_ou"]), (&json!("acme"), &json!(world.acme.root_ou)));
    assert_eq!(org["paused"], json!(null));
    let (_, nobody) = world.person("nobody@acme.com", &[]).await;
    let refused = world.as_of(&nobody, Method::GET, "/organization", None).await.expect(403);
    assert!(refused.text.contains("organization:read"), "{}", refused.text);
}

//! MCP servers over REST (rows P54, P107, P108).

use crate::world::World;
use serde_json::json;

/// Row P107: `POST /mcp-servers`, `GET /mcp-servers`.
#[tokio::test]
async fn an_mcp_server_is_registered_and_listed() {
    let world = World::start().await;
    let body = json!({
        "ou_id": world.acme.root_ou, "name": "pg-analytics", "display_name": "Analytics",
        "url": "https://mcp.acme.com/pg",
    });
    let made = world.post("/mcp-servers", body).await.expect(201);
    assert_eq!(made.header("location"), format!("/mcp-servers/{}", made.id()));
    assert_eq!(made.body["status"]["server_name"], "pg-analytics");
    let list = world.get("/mcp-servers?name=pg-analytics").await.expect(200);
    assert_eq!(list.body["items"], json!([made.body]));
    let moved =
        world.patch(&format!("/mcp-servers/{}", made.id()), json!({ "url": "https://x.acme.com" })).await;
    assert_eq!(moved.expect(409).code(), "immutable");
}

/// Row P108: `POST` and `GET /mcp-deployments`, `POST /mcp-deployments/{id}/destroy`; row P65: what it owns goes with it.
#[tokio::test]
async fn a_deployment_is_made_listed_and_destroyed_with_its_registration() {
    let world = World::start().await;
    let body = json!({
        "ou_id": world.acme.root_ou, "name": "pg-analytics", "template_kind": "postgres",
        "config": { "dsn_secret": "pg/analytics" },
    });
    let made = world.post("/mcp-deployments", body).await.expect(201);
    assert_eq!(world.get("/mcp-deployments").await.expect(200).body["items"], json!([made.body]));
    let owned = world.get("/mcp-servers").await.expect(200).body["items"][0].clone();
    assert_eq!((&owned["name"], &owned["status"]["deployment"]), (&json!("pg-analytics"), &json!(made.id())));
    let destroy = format!("/mcp-deployments/{}/destroy", made.id());
    let stale = world.request(reqwest::Method::POST, &destroy).bearer_auth(&world.admin);
    assert_eq!(world.send(stale.header("if-match", "\"9\"")).await.expect(412).code(), "version_mismatch");
    for _ in 0..2 {
        let gone = world.request(reqwest::Method::POST, &destroy).bearer_auth(&world.admin);
        assert_eq!(world.send(gone).await.expect(204).text, "");
    }
    assert_eq!(world.get("/mcp-deployments").await.expect(200).body["items"], json!([]));
    assert_eq!(world.get("/mcp-servers").await.expect(200).body["items"], json!([]));
    let archived = world.get("/mcp-deployments?archived=true").await.expect(200).body["items"].clone();
    assert_eq!(archived[0]["stage"], "archived");
}

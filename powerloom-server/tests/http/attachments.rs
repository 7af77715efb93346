//! What an agent has over REST (rows P52, P104, P105).

use crate::samples::id;
use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// Row P104: `POST` and `DELETE /agents/{id}/skills[/{skill_id}]`, with the body of the deployment guide.
#[tokio::test]
async fn a_skill_is_attached_pinned_listed_and_detached() {
    let world = World::start().await;
    let all = world.everything().await;
    let (agent, skill) = (format!("/agents/{}", id(&all, "/agents")), id(&all, "/skills"));
    let version = world.publish(skill, "python-lint", "one").await.expect(201).id().to_owned();
    let path = format!("{agent}/skills");

    let attached = world.post(&path, json!({ "skill_id": skill })).await.expect(201);
    let whole = json!({
        "agent_id": id(&all, "/agents"), "agent_version": 2, "skill_id": skill, "skill_version_id": null,
    });
    assert_eq!(attached.body, whole);
    assert_eq!(attached.header("etag"), "\"2\"");
    assert_eq!(attached.header("location"), format!("{path}/{skill}"));
    assert_eq!(world.get(attached.header("location")).await.expect(200).body, whole);
    let again = world.post(&path, json!({ "skill_id": skill })).await.expect(200);
    assert_eq!((again.body, again.headers.get("location")), (whole, None));

    let pinned = json!({ "skill_id": skill, "skill_version_id": version });
    let pinned = world.post(&path, pinned).await.expect(200);
    assert_eq!(
        (&pinned.body["skill_version_id"], &pinned.body["agent_version"]),
        (&json!(version), &json!(3))
    );
    assert_eq!(pinned.headers.get("location"), None, "nothing was made");
    let list = world.get(&path).await.expect(200).body["items"].clone();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["skill_version_id"]), (1, &json!(version)));
    let seen = world.get(&agent).await.expect(200).body["skills"].clone();
    assert_eq!(seen, json!([{ "skill": skill, "version": { "pinned": version } }]));

    let one = format!("{path}/{skill}");
    assert_eq!(world.delete(&one).await.expect(204).text, "");
    let missing = world.delete(&one).await.expect(404);
    assert_eq!(missing.body["error"]["detail"]["reference"], json!(skill));
    assert_eq!(world.get(&one).await.expect(404).text, missing.text);
    assert_eq!(world.get(&path).await.expect(200).body["items"], json!([]));
}

/// Row P105: `POST` and `DELETE /agents/{id}/mcp-servers[/{reg_id}]`.
#[tokio::test]
async fn an_mcp_server_is_attached_listed_and_detached() {
    let world = World::start().await;
    let all = world.everything().await;
    let (agent, server) = (id(&all, "/agents"), id(&all, "/mcp-servers"));
    let path = format!("/agents/{agent}/mcp-servers");
    let attached = world.post(&path, json!({ "mcp_server_id": server })).await.expect(201);
    assert_eq!(attached.body, json!({ "agent_id": agent, "agent_version": 2, "mcp_server_id": server }));
    assert_eq!(world.get(attached.header("location")).await.expect(200).body, attached.body);
    world.post(&path, json!({ "mcp_server_id": server })).await.expect(200);
    assert_eq!(world.get(&path).await.expect(200).body["items"].as_array().unwrap().len(), 1);
    world.delete(&format!("{path}/{server}")).await.expect(204);
    world.delete(&format!("{path}/{server}")).await.expect(404);
}

#[tokio::test]
async fn an_attachment_is_refused_by_the_field_that_is_wrong_and_changes_nothing() {
    let world = World::start().await;
    let all = world.everything().await;
    let agent = format!("/agents/{}", id(&all, "/agents"));
    let other = world.post("/skills", all[6].body.clone()).await.expect(201).id().to_owned();
    let version = world.publish(&other, "rust-lint", "one").await.expect(201).id().to_owned();
    let before = world.get(&agent).await.expect(200);
    let skill = id(&all, "/skills");
    for (body, status, field) in [
        (json!({}), 400, "skill_id"),
        (json!({ "skill_id": 7 }), 400, "skill_id"),
        (json!({ "skill_id": "python-lint" }), 400, "skill_id"),
        (json!({ "skill_id": skill, "version": version }), 400, "version"),
        (json!({ "skill_id": skill, "skill_version_id": version }), 400, "skill_version_id"),
    ] {
        let refused = world.post(&format!("{agent}/skills"), body.clone()).await.expect(status);
        let detail = &refused.body["error"]["detail"];
        let said =
            detail["field"].as_str().unwrap().to_owned() + refused.body["error"]["message"].as_str().unwrap();
        assert!(said.contains(field), "{body}: {}", refused.text);
    }
    let gone = json!({ "skill_id": world.acme.root_ou });
    assert_eq!(world.post(&format!("{agent}/skills"), gone).await.expect(404).code(), "not_found");
    let stale = |method: Method, path: String, body: Option<Value>| {
        let request = world.request(method, &path).bearer_auth(&world.admin).header("if-match", "\"9\"");
        body.into_iter().fold(request, |request, body| request.json(&body))
    };
    let server = json!({ "mcp_server_id": id(&all, "/mcp-servers") });
    for request in [
        stale(Method::POST, format!("{agent}/skills"), Some(json!({ "skill_id": skill }))),
        stale(Method::DELETE, format!("{agent}/skills/{skill}"), None),
        stale(Method::POST, format!("{agent}/mcp-servers"), Some(server)),
        stale(Method::DELETE, format!("{agent}/mcp-servers/{skill}"), None),
    ] {
        assert_eq!(world.send(request).await.expect(412).code(), "version_mismatch");
    }
    assert_eq!(world.get(&agent).await.expect(200).text, before.text);
}

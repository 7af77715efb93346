//! Who may not is told which permission is missing, and where; nothing changes (row M33).

use crate::samples::id;
use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// Row M33: over every collection and every action, by somebody who may only look.
#[tokio::test]
async fn a_refusal_names_the_permission_and_the_ou_and_nothing_changes() {
    let world = World::start().await;
    let all = world.everything().await;
    let (_, viewer) = world.person("viewer@acme.com", &["AgentViewer"]).await;
    let (skill, server) = (id(&all, "/skills").to_owned(), id(&all, "/mcp-servers").to_owned());
    let mut asks: Vec<(Method, String, Option<Value>, &str)> = Vec::new();
    for (path, create, update, archive) in [
        ("/ous", "ou:create", "ou:update", "ou:delete"),
        ("/users", "user:create", "user:update", "user:disable"),
        ("/groups", "group:create", "group:update", "group:delete"),
        ("/group-memberships", "group:manage_members", "", "group:manage_members"),
        ("/roles", "role:create", "role:update", "role:delete"),
        ("/role-bindings", "binding:create", "", "binding:delete"),
        ("/skills", "skill:create", "skill:update", "skill:delete"),
        ("/skill-grants", "skill:update", "", "skill:update"),
        ("/mcp-servers", "mcp:register", "mcp:update", "mcp:delete"),
        ("/mcp-deployments", "mcp:deploy", "mcp:update", "mcp:destroy"),
        ("/agents", "agent:create", "agent:update", "agent:archive"),
        ("/credentials", "credential:create", "", "credential:delete"),
        ("/approval-policies", "approval_policy:create", "approval_policy:update", "approval_policy:delete"),
    ] {
        let sample = all.iter().find(|sample| sample.path == path).unwrap();
        asks.push((Method::POST, path.to_owned(), Some(sample.body.clone()), create));
        if !update.is_empty() {
            let label = json!({ "labels": { "team": "search" } });
            asks.push((Method::PATCH, format!("{path}/{}", sample.id), Some(label), update));
        }
        asks.push((Method::DELETE, format!("{path}/{}", sample.id), None, archive));
    }
    let at = |path: &str, below: &str| format!("{path}/{}{below}", id(&all, path));
    let move_there = json!({ "to_ou_id": world.acme.root_ou });
    let files = json!({ "files": [{ "path": "SKILL.md", "content": "" }] });
    let seat = format!("/members/{}", id(&all, "/group-memberships"));
    asks.extend([
        (Method::POST, at("/agents", "/skills"), Some(json!({ "skill_id": skill })), "agent:update"),
        (Method::DELETE, at("/agents", &format!("/skills/{skill}")), None, "agent:update"),
        (
            Method::POST,
            at("/agents", "/mcp-servers"),
            Some(json!({ "mcp_server_id": server })),
            "agent:update",
        ),
        (Method::DELETE, at("/agents", &format!("/mcp-servers/{server}")), None, "agent:update"),
        (Method::POST, at("/skills", "/versions"), Some(files), "skill:publish"),
        (Method::POST, at("/mcp-deployments", "/destroy"), None, "mcp:destroy"),
        (Method::POST, at("/credentials", "/rotate"), None, "credential:create"),
        (Method::POST, at("/ous", "/move"), Some(move_there), "ou:update"),
        (
            Method::POST,
            at("/groups", "/members"),
            Some(json!({ "member": "service:ci" })),
            "group:manage_members",
        ),
        (Method::DELETE, at("/groups", &seat), None, "group:"),
        (Method::POST, format!("/sync/Agent/{}/reset", id(&all, "/agents")), None, "sync:reset"),
        (Method::POST, "/secrets/rewrap".to_owned(), None, "organization:update"),
    ]);
    let mut before = Vec::new();
    for sample in &all {
        before.push(world.get(&format!("{}/{}", sample.path, sample.id)).await.expect(200).text);
    }
    for (method, path, body, permission) in asks {
        let refused = world.as_of(&viewer, method.clone(), &path, body).await.expect(403);
        assert_eq!(refused.code(), "denied");
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(permission) && message.contains("/acme"), "{method} {path}: {message}");
        assert!(message.contains("OrgAdmin"), "{method} {path}: {message}");
        assert_eq!(
            refused.body["error"]["detail"]["permission"].as_str().map(|it| it.starts_with(permission)),
            Some(true)
        );
    }
    for (sample, before) in all.iter().zip(before) {
        assert_eq!(world.get(&format!("{}/{}", sample.path, sample.id)).await.expect(200).text, before);
    }
}

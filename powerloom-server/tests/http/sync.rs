//! Where resources stand on the runtime, over REST (rows P30, P42, P44).

use crate::samples::id;
use crate::world::World;
use powerloom_core::reconcile::state::SyncStatus;
use reqwest::Method;
use serde_json::{Value, json};

async fn pages(world: &World, query: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut next = format!("/sync?{query}");
    loop {
        let page = world.get(&next).await.expect(200).body;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { return seen };
        next = format!("/sync?{query}&cursor={cursor}");
    }
}

#[tokio::test]
async fn states_are_listed_by_status_and_kind_a_page_at_a_time() {
    let world = World::start().await;
    let all = world.everything().await;
    world.publish(id(&all, "/skills"), "python-lint", "one").await.expect(201);
    let kinds = |items: &[Value]| -> Vec<String> {
        items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
    };
    let everything = pages(&world, "").await;
    assert_eq!(kinds(&everything), ["Agent", "Credential", "Environment", "SkillVersion", "Vault"]);
    for query in ["limit=1", "limit=2", "limit=5", "limit=1&status=pending"] {
        assert_eq!(pages(&world, query).await, everything, "{query}");
    }
    assert_eq!(kinds(&pages(&world, "kind=Agent").await), ["Agent"]);
    assert!(pages(&world, "status=parked").await.is_empty());
    let one = world.get(&format!("/sync/Agent/{}", id(&all, "/agents"))).await.expect(200).body;
    assert_eq!(one, everything[0]);
    assert_eq!(
        (&one["status"], &one["attempts"], &one["ou_path"]),
        (&json!("pending"), &json!(0), &json!("/acme"))
    );
    for (query, field) in [
        ("status=lost", "status"),
        ("kind=Group", "kind"),
        ("kind=agent", "kind"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
        ("state=parked", "state"),
    ] {
        let refused = world.get(&format!("/sync?{query}")).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], field, "{}", refused.text);
    }
    let none = world.get(&format!("/sync/Group/{}", id(&all, "/groups"))).await.expect(404);
    assert_eq!(none.code(), "not_found");
    // Row M36: who may not read the state sees the agent without it, and no row in this list.
    let (_, viewer) = world.person("viewer@acme.com", &["AgentViewer"]).await;
    let seen = world.as_of(&viewer, Method::GET, "/sync?kind=Agent", None).await.expect(200);
    let agent = world.as_of(&viewer, Method::GET, &format!("/agents/{}", id(&all, "/agents")), None).await;
    assert_eq!(
        seen.body["items"].as_array().unwrap().is_empty(),
        agent.expect(200).body.get("sync").is_none()
    );
}

/// Row P44.
#[tokio::test]
async fn a_state_is_reset_and_shown() {
    let world = World::start().await;
    let all = world.everything().await;
    let path = format!("/sync/Agent/{}/reset", id(&all, "/agents"));
    let reset = world.post(&path, Value::Null).await.expect(200);
    assert_eq!((&reset.body["status"], &reset.body["attempts"]), (&json!("pending"), &json!(0)));
    let (_, viewer) = world.person("viewer@acme.com", &["AgentViewer"]).await;
    let refused = world.as_of(&viewer, Method::POST, &path, None).await.expect(403);
    assert!(refused.text.contains("sync:reset") && refused.text.contains("/acme"), "{}", refused.text);
}

/// The words of a status are written down once, in the core.
#[tokio::test]
async fn the_document_knows_every_word_of_a_status() {
    let world = World::start().await;
    let document = crate::contract::document(&world.loom);
    let parameters = document["paths"]["/sync"]["get"]["parameters"].as_array().unwrap();
    let status = parameters.iter().find(|parameter| parameter["name"] == "status").unwrap();
    assert_eq!(status["schema"]["pattern"], format!("^({})$", SyncStatus::WORDS.join("|")));
    let shown = &document["components"]["schemas"]["ResourceSync"]["properties"]["status"]["enum"];
    assert_eq!(*shown, json!(SyncStatus::WORDS));
}

//! Archiving, and what goes along.

use crate::world::{code, world};
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::Stage;
use serde_json::json;

/// Sem. 2.4: an agent is archived with its vault, its credentials and the bindings that name it.
#[tokio::test]
async fn an_agent_takes_its_vault_credentials_and_bindings_along() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    let server = w.server(w.root(), "pg-analytics").await;
    let spec = json!({ "agent": agent.meta.id, "mcp_server": server.meta.id });
    let credential =
        w.try_create(&w.admin, "Credential", None, None, spec).await.unwrap().record().unwrap().clone();
    let binding = w.bind(format!("agent:{}", agent.meta.id), "AgentViewer", w.root()).await;
    w.archive(&w.admin, &agent.key()).await.unwrap();
    assert_eq!(w.row(&agent.key()).await.meta.stage, Stage::Archiving);
    assert_eq!(w.row(&credential.key()).await.meta.stage, Stage::Archiving);
    assert_eq!(w.row(&binding.key()).await.meta.stage, Stage::Archived);
    assert_eq!(w.cp.sync_state(&w.admin, &agent.key()).await.unwrap().1, SyncStatus::Archiving);
    assert_eq!(code(w.update(&w.admin, &agent, json!({ "model": "x" })).await), "archived");
    assert_eq!(w.row(&server.key()).await.meta.stage, Stage::Live);
}

#[tokio::test]
async fn a_name_is_free_again_only_once_the_resource_is_archived() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    w.archive(&w.admin, &agent.key()).await.unwrap();
    let again = w.try_create(&w.admin, "Agent", Some(w.root()), Some("code-reviewer"), w.agent_spec()).await;
    assert_eq!(code(again), "name_taken", "it is still being taken off the runtime");
    let group = w.create("Group", w.root(), "team", json!({})).await;
    w.archive(&w.admin, &group.key()).await.unwrap();
    w.create("Group", w.root(), "team", json!({})).await;
}

#[tokio::test]
async fn archiving_twice_changes_nothing() {
    let w = world().await;
    let group = w.create("Group", w.root(), "team", json!({})).await;
    w.archive(&w.admin, &group.key()).await.unwrap();
    let rows = w.trail().await.len();
    w.archive(&w.admin, &group.key()).await.unwrap();
    assert_eq!(w.trail().await.len(), rows);
}

#[tokio::test]
async fn the_shared_environment_stays() {
    let w = world().await;
    let key = format!("{}/default", w.root());
    let environment =
        w.cp.store()
            .record_by_unique_key(w.org.id, &crate::world::kind("Environment"), &key)
            .await
            .unwrap()
            .expect("row P37: every organization has one");
    assert_eq!(code(w.archive(&w.admin, &environment.key()).await), "in_use");
}

/// A server an agent uses stays; one that only credentials use goes with them.
#[tokio::test]
async fn a_server_in_use_stays() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let server = w.server(w.root(), "repo-files").await;
    w.update(&w.admin, &agent, json!({ "mcp_servers": [server.meta.id] })).await.unwrap();
    assert_eq!(code(w.archive(&w.admin, &server.key()).await), "in_use");
    w.update(&w.admin, &agent, json!({ "mcp_servers": [] })).await.unwrap();
    w.archive(&w.admin, &server.key()).await.unwrap();
}

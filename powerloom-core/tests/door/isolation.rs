//! Two organizations on one store see nothing of each other (invariant 1).

use crate::world::{code, world};
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::store::RecordQuery;
use serde_json::json;

#[tokio::test]
async fn what_belongs_to_another_organization_does_not_exist() {
    let w = world().await;
    let other =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"boss@globex.com".parse().unwrap()).await.unwrap();
    let boss = other.admin_caller();
    let agent = w.agent(w.root(), "code-reviewer").await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await;
    let absent = |error: Error| assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    absent(w.cp.get(&boss, &agent.key()).await.unwrap_err());
    absent(w.cp.sync_state(&boss, &agent.key()).await.unwrap_err());
    absent(w.update(&boss, &agent, json!({ "model": "x" })).await.unwrap_err());
    absent(w.archive(&boss, &agent.key()).await.unwrap_err());
    let attach =
        Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
    absent(w.cp.submit(&boss, attach).await.unwrap_err());
    let here = w.try_create(&boss, "Agent", Some(w.root()), Some("spy"), w.agent_spec()).await;
    assert_eq!(code(here), "not_found");
    let mut spec = w.agent_spec();
    spec["owner"] = json!(boss.principal.to_string());
    spec["skills"] = json!([{ "skill": skill.meta.id }]);
    absent(w.try_create(&boss, "Agent", Some(other.root_ou), Some("thief"), spec).await.unwrap_err());
    let theirs = w.cp.list(&boss, &RecordQuery::default()).await.unwrap();
    assert!(theirs.iter().all(|row| row.meta.org == other.id));
    w.cp.bootstrap(&"globex".parse().unwrap(), &"boss@globex.com".parse().unwrap()).await.unwrap();
}

/// C32: a list shows what its reader may read.
#[tokio::test]
async fn a_list_shows_only_what_may_be_read() {
    let w = world().await;
    let (mine, theirs) = (w.ou(w.root(), "mine").await, w.ou(w.root(), "theirs").await);
    w.agent(mine, "visible").await;
    w.agent(theirs, "hidden").await;
    let (ada, as_ada) = w.user(mine, "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentViewer", mine).await;
    let agents = RecordQuery { kind: Some(crate::world::kind("Agent")), limit: 1, ..Default::default() };
    let seen = w.cp.list(&as_ada, &agents).await.unwrap();
    assert_eq!(seen.iter().map(|row| row.meta.name.as_str()).collect::<Vec<_>>(), ["visible"]);
}

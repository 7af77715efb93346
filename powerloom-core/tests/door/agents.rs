//! Agents: what they are made of, who may make and change them.

use crate::world::{code, denied, kind, world};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::ResourceKey;
use powerloom_core::store::RecordQuery;
use serde_json::json;
use uuid::Uuid;

/// Rows P1, P4, P33: declared is a row with a desired hash, dirty, and nothing is on the runtime yet.
#[tokio::test]
async fn a_defined_agent_is_only_a_desired_state() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let (state, status) = w.cp.sync_state(&w.admin, &agent.key()).await.unwrap();
    assert_eq!(status, SyncStatus::Pending);
    assert!(state.is_dirty() && state.remote.is_none() && state.actual.is_none());
}

/// Rows P11–P17: the properties, and what they may hold.
#[tokio::test]
async fn an_agent_has_its_properties_and_bad_ones_are_refused_by_name() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    assert_eq!(agent.spec["model"], "claude-sonnet-4-6");
    assert_eq!((agent.meta.name.as_str(), agent.meta.ou), ("code-reviewer", w.root()));
    let refused = [
        ("model", json!("")),
        ("model", json!("a b")),
        ("model", json!(7)),
        ("system_prompt", json!("x".repeat(32_769))),
        ("agent_kind", json!("robot")),
        ("owner", json!("service:cron")),
        ("owner", json!("nobody")),
        ("display_name", json!("x".repeat(256))),
        ("session_timeout_seconds", json!(0)),
        ("nonsense", json!(1)),
        ("mcp_servers", json!([w.root()])),
    ];
    let before = w.trail().await.len();
    for (field, value) in refused {
        let mut spec = w.agent_spec();
        spec[field] = value.clone();
        let answer = w.try_create(&w.admin, "Agent", Some(w.root()), Some("other"), spec).await;
        let error = answer.expect_err(field);
        assert!(matches!(error.code(), "invalid" | "not_found"), "{field} = {value}: {error:?}");
        assert!(error.to_string().contains(field) || field == "owner", "{field}: {error}");
    }
    let all =
        w.cp.list(&w.admin, &RecordQuery { kind: Some(kind("Agent")), ..Default::default() }).await.unwrap();
    assert_eq!((all.len(), w.trail().await.len()), (1, before), "a refused change leaves nothing");
}

/// Row P11.
#[tokio::test]
async fn a_name_is_unique_within_its_ou_only() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    w.agent(engineering, "code-reviewer").await;
    w.agent(w.root(), "code-reviewer").await;
    let again =
        w.try_create(&w.admin, "Agent", Some(engineering), Some("code-reviewer"), w.agent_spec()).await;
    assert_eq!(code(again), "name_taken");
}

/// Row P18: create, modify, invoke and view are governed one by one.
#[tokio::test]
async fn each_verb_on_an_agent_needs_its_own_permission() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let (viewer, as_viewer) = w.user(w.root(), "viewer@acme.com").await;
    w.bind(format!("user:{viewer}"), "AgentViewer", w.root()).await;
    assert!(w.cp.get(&as_viewer, &agent.key()).await.is_ok());
    let create = w.try_create(&as_viewer, "Agent", Some(w.root()), Some("mine"), w.agent_spec()).await;
    assert!(denied(create).contains("agent:create"));
    assert!(
        denied(w.update(&as_viewer, &agent, json!({ "model": "claude-opus-4-1" })).await)
            .contains("agent:update")
    );
    assert!(denied(w.archive(&as_viewer, &agent.key()).await).contains("agent:archive"));
    let (_, as_nobody) = w.user(w.root(), "nobody@acme.com").await;
    assert!(matches!(w.cp.get(&as_nobody, &agent.key()).await, Err(Error::Denied(_))));
}

/// Row M33, and rule 2.9: the denial says what is missing and where, and is on the chain.
#[tokio::test]
async fn a_denial_explains_itself_and_is_audited() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let (_, emma) = w.user(engineering, "emma@acme.com").await;
    let answer = w.try_create(&emma, "Agent", Some(engineering), Some("mine"), w.agent_spec()).await;
    let text = denied(answer);
    assert!(
        text.contains("`agent:create`") && text.contains("/acme/engineering") && text.contains("OrgAdmin"),
        "{text}"
    );
    let last = w.trail().await.pop().unwrap();
    assert_eq!(last, ("user:emma@acme.com".into(), "agent.create".into(), "deny".into()));
    w.verify().await;
}

/// Row P15; rule 2.2.9: an owner other than oneself needs `agent:assign_owner`.
#[tokio::test]
async fn a_builder_cannot_make_an_agent_that_acts_as_somebody_else() {
    let w = world().await;
    let (builder, as_builder) = w.user(w.root(), "builder@acme.com").await;
    w.bind(format!("user:{builder}"), "AgentBuilder", w.root()).await;
    let mut spec = w.agent_spec();
    let answer = w.try_create(&as_builder, "Agent", Some(w.root()), Some("mine"), spec.clone()).await;
    assert!(denied(answer).contains("agent:assign_owner"));
    spec["owner"] = json!(format!("user:{builder}"));
    let outcome = w.try_create(&as_builder, "Agent", Some(w.root()), Some("mine"), spec).await.unwrap();
    let mine = outcome.record().unwrap().clone();
    let answer = w.update(&as_builder, &mine, json!({ "owner": w.admin.principal.to_string() })).await;
    assert!(denied(answer).contains("agent:assign_owner"));
}

/// Row P15: a group can own an agent.
#[tokio::test]
async fn a_group_can_own_an_agent() {
    let w = world().await;
    let team = w.create("Group", w.root(), "platform-team", json!({})).await;
    let mut spec = w.agent_spec();
    spec["owner"] = json!(format!("group:{}", team.meta.id));
    w.create("Agent", w.root(), "shared", spec).await;
    assert_eq!(code(w.archive(&w.admin, &team.key()).await), "in_use");
}

/// Row P33: another spec is another hash; the same spec is no change at all.
#[tokio::test]
async fn an_update_changes_the_desired_hash_and_an_equal_one_changes_nothing() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let before = w.desired(&agent.key()).await;
    let rows = w.trail().await.len();
    let same = w.update(&w.admin, &agent, json!({ "model": "claude-sonnet-4-6" })).await.unwrap();
    assert!(matches!(same, Outcome::Unchanged { .. }));
    assert_eq!((w.desired(&agent.key()).await, w.trail().await.len()), (before.clone(), rows));
    w.update(&w.admin, &agent, json!({ "model": "claude-opus-4-1", "system_prompt": null })).await.unwrap();
    assert_ne!(w.desired(&agent.key()).await, before);
    let row = w.row(&agent.key()).await;
    assert_eq!((row.meta.version, row.meta.generation), (2, 2));
    assert!(row.spec.get("system_prompt").is_none(), "null clears an optional field");
}

/// The display name is for people: the runtime does not get it, so it makes nothing dirty.
#[tokio::test]
async fn what_the_runtime_does_not_get_does_not_make_an_agent_dirty() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let before = w.desired(&agent.key()).await;
    w.update(&w.admin, &agent, json!({ "display_name": "Code Reviewer" })).await.unwrap();
    assert_eq!(w.desired(&agent.key()).await, before);
}

#[tokio::test]
async fn an_update_of_an_older_version_is_refused() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    w.update(&w.admin, &agent, json!({ "model": "claude-opus-4-1" })).await.unwrap();
    let patch = json!({ "model": "claude-haiku-4-5" }).as_object().cloned().unwrap();
    let stale = Action::Update { target: agent.key(), expect: Some(1), patch };
    let error = w.cp.submit(&w.admin, stale).await.unwrap_err();
    assert!(matches!(error, Error::VersionMismatch { expected: 1, found: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn what_cannot_change_says_so() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    assert_eq!(code(w.update(&w.admin, &agent, json!({ "agent_kind": "service" })).await), "immutable");
    let hint = w.update(&w.admin, &agent, json!({ "modle": "x" })).await.unwrap_err().to_string();
    assert!(hint.contains("did you mean `model`"), "{hint}");
}

#[tokio::test]
async fn an_unknown_agent_does_not_exist() {
    let w = world().await;
    let key = ResourceKey { kind: kind("Agent"), id: ResourceId::from_uuid(Uuid::from_u128(7)) };
    assert!(matches!(w.cp.get(&w.admin, &key).await, Err(Error::NotFound { .. })));
    assert_eq!(code(w.archive(&w.admin, &key).await), "not_found");
}

/// Row P6, sem. 2.2.8: a service agent acts by its own bindings, a user agent by its owner's.
#[tokio::test]
async fn an_agent_acts_with_the_permissions_its_kind_gives_it() {
    let w = world().await;
    let (owner, _) = w.user(w.root(), "owner@acme.com").await;
    w.bind(format!("user:{owner}"), "AgentViewer", w.root()).await;
    let target = w.agent(w.root(), "target").await;
    let mut spec = w.agent_spec();
    spec["owner"] = json!(format!("user:{owner}"));
    let user_agent = w.create("Agent", w.root(), "helper", spec.clone()).await;
    spec["agent_kind"] = json!("service");
    let service_agent = w.create("Agent", w.root(), "robot", spec).await;
    let session = powerloom_core::id::SessionId::from_uuid(Uuid::from_u128(1));
    let as_user_agent = Caller::agent(w.org.id, user_agent.meta.id, session);
    let as_service_agent = Caller::agent(w.org.id, service_agent.meta.id, session);
    assert!(w.cp.get(&as_user_agent, &target.key()).await.is_ok());
    assert!(w.cp.get(&as_service_agent, &target.key()).await.is_err());
    w.bind(format!("agent:{}", service_agent.meta.id), "AgentViewer", w.root()).await;
    assert!(w.cp.get(&as_service_agent, &target.key()).await.is_ok());
}

//! Agents.

use crate::life::{check_life, check_lost_answer};
use crate::world::{World, again, agent, id, push, server, skill_version};
use powerloom_core::resource::agent::Agent;
use powerloom_core::runtime::{AgentPayload, AgentSkillPayload, Payload, Push, Runtime, RuntimeErrorClass};
use powerloom_runtime::emulator::Edit;
use serde_json::json;

/// An agent with everything an agent can have, and the skill it has in place.
async fn full(world: &World) -> Push {
    let skill = skill_version(50, 1, "Pay.");
    let remote = world.put(&skill).await;
    let payload = AgentPayload {
        description: Some("Answers.".to_owned()),
        system: Some("Be kind.".to_owned()),
        skills: vec![AgentSkillPayload { version: id(50), name: "refunds".to_owned(), number: 1 }],
        mcp_servers: vec![
            server("crm", "https://crm.example.com"),
            server("orders", "https://orders.example.com"),
        ],
        ..agent("support")
    };
    let mut push = push::<Agent>(7, Payload::Agent(payload));
    push.placed.insert(skill.key, remote);
    push
}

#[tokio::test]
async fn an_agent_is_what_was_pushed_and_every_change_behind_our_back_is_drift() {
    let world = World::start().await;
    let push = full(&world).await;
    let ask = json!({"enabled": true, "permission_policy": {"type": "always_ask"}});
    let edits = [
        ("/name", json!("other")),
        ("/description", json!(null)),
        ("/system", json!("Be rude.")),
        ("/model/id", json!("claude-haiku-5")),
        ("/tools", json!([])),
        ("/tools/0/default_config/enabled", json!(false)),
        ("/tools/1/default_config", ask),
        ("/tools/1/configs", json!([{"name": "refund", "enabled": false}])),
        ("/mcp_servers", json!([])),
        ("/mcp_servers/0/url", json!("https://evil.example.com")),
        ("/skills", json!([])),
        ("/skills/0/version", json!("skver_other")),
        ("/skills/0", json!({"type": "anthropic", "skill_id": "pdf", "version": "20251013"})),
        ("/multiagent", json!({"type": "multiagent_20261001"})),
        ("/execution_identity", json!({"type": "aws_role", "role_arn": "arn:aws:iam::1:role/x"})),
        ("/metadata", json!({"owner": "somebody else"})),
    ];
    check_life(&world, &push, &Payload::Agent(agent("plain")), &edits).await;
}

/// Sem. 2.4, row "Ambiguous create".
#[tokio::test]
async fn an_agent_whose_answer_was_lost_is_found_and_not_doubled() {
    let world = World::start().await;
    let push = full(&world).await;
    check_lost_answer(&world, &push, &Payload::Agent(agent("plain")), "/v1/agents", "agents").await;
}

#[tokio::test]
async fn an_agent_of_another_organization_or_an_archived_one_is_not_adopted() {
    let world = World::start().await;
    let push = push::<Agent>(7, Payload::Agent(agent("support")));
    let first = world.put(&push).await;
    world.edit(&first.id, "/metadata/powerloom_org", "00000000-0000-0000-0000-0000000000ff");
    let second = world.put(&again(&push, push.payload.clone(), None)).await;
    world.runtime.remove(&push.key, &second).await.unwrap();
    let third = world.put(&again(&push, push.payload.clone(), None)).await;
    assert!(first.id != second.id && second.id != third.id && first.id != third.id);
}

#[tokio::test]
async fn a_look_up_goes_through_all_pages() {
    let world = World::start().await;
    let first = world.put(&push::<Agent>(7, Payload::Agent(agent("support")))).await;
    for n in 0..120 {
        world.put(&push::<Agent>(1_000 + n, Payload::Agent(agent("other")))).await;
    }
    let found = world
        .put(&again(&push::<Agent>(7, Payload::Agent(agent("a"))), Payload::Agent(agent("b")), None))
        .await;
    assert_eq!(found.id, first.id);
}

#[tokio::test]
async fn a_push_over_a_newer_version_is_a_conflict() {
    let world = World::start().await;
    let push = push::<Agent>(7, Payload::Agent(agent("support")));
    let stale = world.put(&push).await;
    let newer = world.put(&again(&push, Payload::Agent(agent("b")), Some(&stale))).await;
    assert_eq!((stale.version, newer.version), (Some(1), Some(2)));
    let refused =
        world.runtime.push(&again(&push, Payload::Agent(agent("c")), Some(&stale))).await.unwrap_err();
    assert_eq!((refused.class, refused.maybe_applied), (RuntimeErrorClass::Conflict, false));
    assert_eq!(world.seen(&push, &newer).await, Some(Payload::Agent(agent("b"))));
}

#[tokio::test]
async fn metadata_of_others_and_the_effort_of_the_model_are_left_alone() {
    let world = World::start().await;
    let push = push::<Agent>(7, Payload::Agent(agent("support")));
    let mut remote = world.put(&push).await;
    world.edit(&remote.id, "/metadata/team", "blue");
    world.edit(&remote.id, "/model/effort", json!({"type": "low"}));
    assert_eq!(world.seen(&push, &remote).await, Some(push.payload.clone()));
    remote = world.put(&again(&push, Payload::Agent(agent("b")), Some(&remote))).await;
    let row = world.emulator.state()["agents"][&remote.id].clone();
    assert_eq!(
        (&row["metadata"]["team"], &row["model"]["effort"]),
        (&json!("blue"), &json!({"type": "low"}))
    );
}

#[tokio::test]
async fn a_skill_that_vanished_from_the_runtime_is_no_fault_of_the_agent() {
    let world = World::start().await;
    let push = full(&world).await;
    let skill = push.placed.values().next().unwrap().parent.clone().unwrap();
    world.emulator.edit(&Edit::remove(skill)).unwrap();
    assert_eq!(world.runtime.push(&push).await.unwrap_err().class, RuntimeErrorClass::Transient);
}

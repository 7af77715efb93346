//! Sessions.

use crate::mcp_server::McpServer;
use crate::world::{World, again, agent, credential, environment, org, push, server, vault};
use futures::{StreamExt, TryStreamExt};
use powerloom_core::id::SessionId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::resource::agent::Agent;
use powerloom_core::resource::environment::Environment;
use powerloom_core::resource::vault::Vault;
use powerloom_core::runtime::*;
use powerloom_runtime::emulator::{Edit, Fault, FaultRule};
use serde_json::json;
use uuid::Uuid;

async fn ready(world: &World, agent: AgentPayload) -> StartSession {
    let agent = world.put(&push::<Agent>(7, Payload::Agent(agent))).await;
    let environment = world.put(&push::<Environment>(2, Payload::Environment(environment("default")))).await;
    StartSession {
        org: org(),
        session: SessionId::from_uuid(Uuid::from_u128(9)),
        agent,
        environment,
        vault_ids: Vec::new(),
        title: Some("An order".to_owned()),
        unsure: false,
    }
}

fn is_idle(event: &RuntimeEvent, reason: &str) -> bool {
    event.kind == "session.status_idle" && event.body["stop_reason"]["type"] == reason
}

/// Prompts the session and returns what was streamed until it rests for `reason`.
async fn turn(world: &World, id: &str, text: &str, reason: &str) -> Vec<RuntimeEvent> {
    let mut stream = world.runtime.stream(id).await.unwrap();
    world.runtime.prompt(id, text).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        events.push(event.clone());
        if is_idle(&event, reason) {
            return events;
        }
    }
    panic!("the stream ended: {events:?}");
}

async fn history(world: &World, id: &str) -> Vec<RuntimeEvent> {
    world.runtime.history(id).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test]
async fn a_session_runs_the_version_it_was_told_and_its_history_is_what_was_streamed() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    world
        .put(&again(
            &push::<Agent>(7, Payload::Agent(agent("a"))),
            Payload::Agent(agent("b")),
            Some(&start.agent),
        ))
        .await;
    let id = world.runtime.start_session(&start).await.unwrap();
    let row = world.emulator.state()["sessions"][&id].clone();
    assert_eq!((&row["agent"]["version"], &row["agent"]["name"]), (&json!(1), &json!("support")));
    assert_eq!(row["title"], "An order");
    assert_eq!(row["metadata"]["powerloom_session"], start.session.to_string());
    assert_eq!(world.runtime.session(&id).await.unwrap().unwrap().status, RemoteStatus::Idle);

    let mut streamed = turn(&world, &id, "hello", "end_turn").await;
    let waiting = streamed.iter().position(|event| !event.processed).unwrap();
    let prompt = streamed.remove(waiting);
    assert!(
        prompt.kind == "user.message"
            && streamed.iter().any(|event| event.id == prompt.id && event.processed)
    );
    assert_eq!(history(&world, &id).await, streamed);

    let session = world.runtime.session(&id).await.unwrap().unwrap();
    assert!(session.usage.unwrap().output_tokens > 0);
    assert_eq!(session.cost.as_ref(), world.emulator.state()["sessions"][&id]["usage"].get("list_cost"));
}

#[tokio::test]
async fn a_session_whose_answer_was_lost_is_found_and_not_doubled() {
    let world = World::start().await;
    let mut start = ready(&world, agent("support")).await;
    let other = SessionId::from_uuid(Uuid::from_u128(10));
    world.runtime.start_session(&StartSession { session: other, ..start.clone() }).await.unwrap();
    world.lose_answer("/v1/sessions");
    let lost = world.runtime.start_session(&start).await.unwrap_err();
    assert_eq!((lost.class, lost.maybe_applied), (RuntimeErrorClass::Transient, true));
    start.unsure = true;
    let id = world.runtime.start_session(&start).await.unwrap();
    assert_eq!(world.live("sessions").len(), 2);
    let row = world.emulator.state()["sessions"][&id].clone();
    assert_eq!(row["metadata"]["powerloom_session"], start.session.to_string());
}

/// Row P63 and sem. 2.5: the policy is said, the bearer reaches the server, and a rotated one reaches it too.
#[tokio::test]
async fn an_mcp_call_needs_no_confirmation_and_bears_the_pushed_bearer() {
    let world = World::start().await;
    let orders = McpServer::start("mcp_one").await;
    let mut support = agent("support");
    support.mcp_servers = vec![server("orders", &orders.url)];
    let mut start = ready(&world, support).await;
    let vault = world.put(&push::<Vault>(300, vault("support"))).await;
    let placed = world.put(&credential(60, &orders.url, "mcp_one", &vault)).await;
    start.vault_ids = vec![vault.id.clone()];
    let id = world.runtime.start_session(&start).await.unwrap();
    turn(&world, &id, r#"call orders.get_order {"order_id": "1"}"#, "end_turn").await;
    assert_eq!(orders.calls(), ["get_order 1"]);

    orders.rotate("mcp_two");
    let rotated = credential(60, &orders.url, "mcp_two", &vault);
    assert_eq!(world.put(&again(&rotated, rotated.payload.clone(), Some(&placed))).await.id, placed.id);
    turn(&world, &id, r#"call orders.get_order {"order_id": "2"}"#, "end_turn").await;
    assert_eq!(orders.calls(), ["get_order 1", "get_order 2"]);
}

#[tokio::test]
async fn a_tool_call_that_waits_is_allowed_or_denied() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let ask = json!({"enabled": true, "permission_policy": {"type": "always_ask"}});
    world.edit(&start.agent.id, "/tools/0/default_config", ask);
    let start = StartSession { agent: RemoteRef { version: None, ..start.agent.clone() }, ..start };
    let id = world.runtime.start_session(&start).await.unwrap();
    for (answer, told) in
        [(ToolAnswer::Allow, None), (ToolAnswer::Deny("not today".to_owned()), Some("not today"))]
    {
        let events = turn(&world, &id, "use bash ls", "requires_action").await;
        let waiting = events.last().unwrap().body["stop_reason"]["event_ids"][0].as_str().unwrap().to_owned();
        let mut stream = world.runtime.stream(&id).await.unwrap();
        world.runtime.answer_tool(&id, &waiting, &answer).await.unwrap();
        while !is_idle(&stream.next().await.unwrap().unwrap(), "end_turn") {}
        let confirmed = history(&world, &id).await;
        let last = confirmed.iter().rfind(|event| event.kind == "user.tool_confirmation").unwrap();
        assert_eq!(last.body["deny_message"].as_str(), told);
    }
}

#[tokio::test]
async fn an_interrupted_session_can_be_archived_at_once_and_its_history_stays() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let id = world.runtime.start_session(&start).await.unwrap();
    let mut stream = world.runtime.stream(&id).await.unwrap();
    world.runtime.prompt(&id, "wait 60000").await.unwrap();
    while stream.next().await.unwrap().unwrap().kind != "session.status_running" {}
    world.runtime.interrupt(&id).await.unwrap();
    for _ in 0..2 {
        world.runtime.archive_session(&id).await.unwrap();
    }
    assert_eq!(world.runtime.session(&id).await.unwrap().unwrap().status, RemoteStatus::Terminated);
    assert!(!history(&world, &id).await.is_empty());
}

#[tokio::test]
async fn a_session_that_goes_on_running_is_not_archived_yet() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let id = world.runtime.start_session(&start).await.unwrap();
    world.runtime.prompt(&id, "wait 60000").await.unwrap();
    let refused = world.runtime.archive_session(&id).await.unwrap_err();
    assert_eq!((refused.class, refused.maybe_applied), (RuntimeErrorClass::Transient, false));
}

#[tokio::test]
async fn a_prompt_whose_answer_was_lost_is_in_the_history() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let id = world.runtime.start_session(&start).await.unwrap();
    world.lose_answer("/v1/sessions/*/events");
    let mut stream = world.runtime.stream(&id).await.unwrap();
    assert!(world.runtime.prompt(&id, "hello").await.unwrap_err().maybe_applied);
    while !is_idle(&stream.next().await.unwrap().unwrap(), "end_turn") {}
    assert_eq!(history(&world, &id).await.iter().filter(|event| event.kind == "user.message").count(), 1);
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_a_transient_failure() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let id = world.runtime.start_session(&start).await.unwrap();
    let cut = FaultRule::new("/v1/sessions/*/events/stream", Fault::CutStream { after: 2 }).count(1);
    world.emulator.faults().add(cut);
    let mut stream = world.runtime.stream(&id).await.unwrap();
    world.runtime.prompt(&id, "hello").await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = stream.next().await {
        told.push(event);
    }
    let last = told.pop().unwrap().unwrap_err();
    assert_eq!((told.len(), last.class, last.maybe_applied), (2, RuntimeErrorClass::Transient, false));
}

#[tokio::test]
async fn a_session_that_is_gone_says_so() {
    let world = World::start().await;
    let start = ready(&world, agent("support")).await;
    let id = world.runtime.start_session(&start).await.unwrap();
    world.emulator.edit(&Edit::remove(&id)).unwrap();
    assert_eq!(world.runtime.session(&id).await.unwrap(), None);
    world.runtime.archive_session(&id).await.unwrap();
    let errors = [
        world.runtime.prompt(&id, "hello").await.unwrap_err(),
        world.runtime.interrupt(&id).await.unwrap_err(),
        world.runtime.stream(&id).await.err().unwrap(),
        world.runtime.history(&id).await.unwrap().next().await.unwrap().unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.class == RuntimeErrorClass::Gone), "{errors:?}");
}

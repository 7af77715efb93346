//! What survives the end of the process.

use crate::api::{Api, Stream, id, of_kind};
use crate::mcp_server::McpServer;
use powerloom_runtime::emulator::{Block, Conversation, Emulator, Model, Reply};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let api = Api::over(Emulator::builder().state(&state)).await;
    let session = api.session(json!({"system": "one"}), json!({})).await;
    let agent = id(&api.get("/v1/agents").await["data"][0]);
    api.post(&format!("/v1/agents/{agent}"), json!({"system": "two"})).await;
    api.turn(&session, "hello").await;
    let before = api.emulator.state();
    api.emulator.shutdown().await;
    let api = Api::over(Emulator::builder().state(&state)).await;
    assert_eq!(api.emulator.state(), before);
    assert_eq!(api.get(&format!("/v1/agents/{agent}?version=1")).await["system"], "one");
    api.turn(&session, "and again").await;
}

#[tokio::test]
async fn a_turn_that_was_under_way_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let api = Api::over(Emulator::builder().state(&state)).await;
    let session = api.session(json!({}), json!({})).await;
    let mut stream = api.stream(&session).await;
    api.say(&session, "say one\nwait 300\nsay two").await;
    stream.until("agent.message").await;
    api.emulator.shutdown().await;
    let api = Api::over(Emulator::builder().state(&state)).await;
    api.stream(&session).await.until("session.status_idle").await;
    let events = api.get(&format!("/v1/sessions/{session}/events?types=agent.message")).await;
    let said: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| &event["content"][0]["text"]).collect();
    assert_eq!(said, ["one", "two"]);
}

#[tokio::test]
async fn a_tool_call_that_was_under_way_is_not_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let server = McpServer::start("right").await;
    let api = Api::over(Emulator::builder().state(&state)).await;
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let auth = json!({"auth": {"type": "static_bearer", "mcp_server_url": server.url, "token": "right"}});
    api.post(&format!("/v1/vaults/{vault}/credentials"), auth).await;
    let allow = json!({"permission_policy": {"type": "always_allow"}});
    let fields = json!({
        "mcp_servers": [{"type": "url", "name": "orders", "url": server.url}],
        "tools": [{"type": "mcp_toolset", "mcp_server_name": "orders", "default_config": allow}],
    });
    let session = api.session(fields, json!({"vault_ids": [vault]})).await;
    api.say(&session, "call orders.slow").await;
    while server.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    api.emulator.shutdown().await;
    let api = Api::over(Emulator::builder().state(&state)).await;
    let path = format!("/v1/sessions/{session}/events/stream");
    let mut stream = Stream::of(api.request(Method::GET, &path).send().await.unwrap());
    let status = api.get(&format!("/v1/sessions/{session}")).await["status"].clone();
    if status == "running" {
        stream.until("session.status_idle").await;
    }
    let events = api.get(&format!("/v1/sessions/{session}/events")).await;
    let results = of_kind(events["data"].as_array().unwrap(), "agent.mcp_tool_result").len();
    assert_eq!((results, server.calls().len()), (1, 1));
}

#[tokio::test]
async fn a_session_that_waits_for_its_client_still_waits_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let api = Api::over(Emulator::builder().state(&state)).await;
    let ask = json!({"permission_policy": {"type": "always_ask"}});
    let tools = json!({"tools": [{"type": "agent_toolset_20260401", "default_config": ask}]});
    let session = api.session(tools, json!({})).await;
    let events = api.turn(&session, "use bash echo one").await;
    let used = id(of_kind(&events, "agent.tool_use")[0]);
    api.emulator.shutdown().await;

    let api = Api::over(Emulator::builder().state(&state)).await;
    let mut stream = api.stream(&session).await;
    let confirmation = json!({"type": "user.tool_confirmation", "tool_use_id": used, "result": "allow"});
    api.post(&format!("/v1/sessions/{session}/events"), json!({"events": [confirmation]})).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&events, "agent.tool_result")[0]["content"][0]["text"], "one");
    assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
}

/// Says everything back.
#[derive(Debug)]
struct Parrot;

#[async_trait::async_trait]
impl Model for Parrot {
    async fn next(&self, conversation: &Conversation) -> Reply {
        Reply::new().with(Block::Say(conversation.prompt()))
    }
}

#[tokio::test]
async fn another_model_can_take_the_place_of_the_scripted_one() {
    let api = Api::over(Emulator::builder().model(Parrot)).await;
    let session = api.session(json!({}), json!({})).await;
    let events = api.turn(&session, "say this").await;
    assert_eq!(of_kind(&events, "agent.message")[0]["content"][0]["text"], "say this");
}

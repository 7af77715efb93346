//! Sessions, their events and their streams, without MCP.

use crate::api::{Api, Stream, id, kinds, message, of_kind};
use powerloom_runtime::emulator::Emulator;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const BASH_ASKS: &str = "always_ask";

fn toolset(policy: &str) -> Value {
    let config = json!({"enabled": true, "permission_policy": {"type": policy}});
    json!([{"type": "agent_toolset_20260401", "default_config": config}])
}

#[tokio::test]
async fn a_turn_has_the_events_of_the_service_in_their_order() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let events = api.turn(&session, "hello").await;
    assert_eq!(
        kinds(&events),
        [
            "user.message",
            "session.status_running",
            "session.thread_status_running",
            "user.message",
            "span.model_request_start",
            "agent.message",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "session.status_idle"
        ]
    );
    assert_eq!((&events[0]["processed_at"], &events[0]["id"]), (&Value::Null, &events[3]["id"]));
    assert!(events[3]["processed_at"].is_string());
    assert_eq!(events[5]["content"], json!([{"type": "text", "text": "Answer: hello"}]));
    assert_eq!(events[6]["model_request_start_id"], events[4]["id"]);
    assert_eq!(
        (&events[9]["stop_reason"], &events[9]["stop_details"]),
        (&json!({"type": "end_turn"}), &Value::Null)
    );
    let stored = api.get(&format!("/v1/sessions/{session}/events")).await;
    assert_eq!(stored["data"], json!(events[1..]));
    let shown = api.get(&format!("/v1/sessions/{session}")).await;
    assert_eq!(shown["status"], "idle");
    assert_eq!(shown["usage"]["output_tokens"], events[6]["model_usage"]["output_tokens"]);
}

#[tokio::test]
async fn a_late_joiner_gets_only_what_is_new_and_the_stream_outlives_the_rest() {
    let api = Api::over(Emulator::builder().keep_alive(Duration::from_millis(5))).await;
    let session = api.session(json!({}), json!({})).await;
    api.turn(&session, "first").await;
    let mut late = api.stream(&session).await;
    assert_eq!(late.frame().await.unwrap().unwrap(), ": connected");
    assert_eq!(late.frame().await.unwrap().unwrap(), ": keep-alive");
    assert!(late.frame().await.unwrap().unwrap().starts_with("event: ping\n"));
    api.say(&session, "second").await;
    let heard = late.until("session.status_idle").await;
    assert!(!json!(heard).to_string().contains("first"));
    api.say(&session, "third").await;
    assert!(json!(late.until("session.status_idle").await).to_string().contains("third"));
    api.delete(&format!("/v1/sessions/{session}")).await;
    assert_eq!(late.next().await.unwrap().unwrap()["type"], "session.deleted");
    assert_eq!(late.next().await.unwrap(), None);
    assert_eq!(api.call(Method::GET, &format!("/v1/sessions/{session}"), None).await.0, 404);
}

#[tokio::test]
async fn initial_events_start_a_session_running() {
    let api = Api::start().await;
    let more = json!({"initial_events": [message("wait 60000")], "title": "t", "metadata": {"a": "1"}});
    let session = api.session(json!({}), more).await;
    let path = format!("/v1/sessions/{session}");
    let shown = api.get(&path).await;
    assert_eq!((&shown["status"], &shown["title"]), (&json!("running"), &json!("t")));
    assert!(shown.get("initial_events").is_none());
    assert_eq!(api.refused(&format!("{path}/archive"), json!({})).await, 400, "it runs");
    assert_eq!(api.call(Method::DELETE, &path, None).await.0, 400, "it runs");
    let mut stream = api.stream(&session).await;
    api.post(&format!("{path}/events"), json!({"events": [{"type": "user.interrupt"}]})).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
    let archived = api.poke(&format!("{path}/archive")).await;
    assert_eq!(archived["status"], "terminated");
    assert_eq!(stream.next().await.unwrap().unwrap()["type"], "session.thread_status_terminated");
    assert_eq!(stream.next().await.unwrap().unwrap()["type"], "session.status_terminated");
    assert_eq!(stream.next().await.unwrap(), None);
    assert_eq!(api.refused(&format!("{path}/events"), json!({"events": [message("x")]})).await, 409);
    assert!(!api.get(&format!("{path}/events")).await["data"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupt_jumps_the_queue_and_what_was_queued_comes_after() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let mut stream = api.stream(&session).await;
    api.say(&session, "wait 60000").await;
    stream.until("span.model_request_start").await;
    api.say(&session, "next").await;
    let events = json!({"events": [{"type": "user.interrupt"}]});
    api.post(&format!("/v1/sessions/{session}/events"), events).await;
    let stopped = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&stopped, "span.model_request_end")[0]["is_error"], true);
    let next = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&next, "agent.message")[0]["content"][0]["text"], "Answer: next");
}

#[tokio::test]
async fn a_built_in_tool_that_must_ask_waits_for_every_answer() {
    let api = Api::start().await;
    let session = api.session(json!({"tools": toolset(BASH_ASKS)}), json!({})).await;
    let path = format!("/v1/sessions/{session}/events");
    let events = api.turn(&session, "use bash echo one\nand use bash echo two").await;
    let uses = of_kind(&events, "agent.tool_use");
    let (first, second) = (id(uses[0]), id(uses[1]));
    let reason = |events: &[Value]| events.last().unwrap()["stop_reason"].clone();
    assert_eq!(reason(&events), json!({"type": "requires_action", "event_ids": [first, second]}));
    let confirm = |id: &str, result: &str| json!({"events": [{"type": "user.tool_confirmation", "tool_use_id": id, "result": result}]});
    assert_eq!(api.refused(&path, confirm("sevt_none", "allow")).await, 400);
    let mut stream = api.stream(&session).await;
    api.post(&path, confirm(&first, "allow")).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(reason(&events), json!({"type": "requires_action", "event_ids": [second]}));
    assert_eq!(api.refused(&path, confirm(&first, "allow")).await, 400, "it is confirmed already");
    api.post(&path, confirm(&second, "deny")).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(reason(&events)["type"], "end_turn");
    let results = of_kind(&events, "agent.tool_result");
    let errors =
        |id: &str| results.iter().find(|result| result["tool_use_id"] == id).unwrap()["is_error"].clone();
    assert_eq!((errors(&first), errors(&second)), (json!(false), json!(true)));
}

#[tokio::test]
async fn an_interrupt_also_ends_the_wait_for_an_answer_and_a_queued_message_follows() {
    let api = Api::start().await;
    let session = api.session(json!({"tools": toolset(BASH_ASKS)}), json!({})).await;
    let used = id(of_kind(&api.turn(&session, "use bash echo one").await, "agent.tool_use")[0]);
    let mut stream = api.stream(&session).await;
    api.say(&session, "next").await;
    let interrupt = json!({"events": [{"type": "user.interrupt"}]});
    api.post(&format!("/v1/sessions/{session}/events"), interrupt).await;
    let events = stream.until("session.status_idle").await;
    let result = of_kind(&events, "agent.tool_result")[0];
    assert_eq!((&result["tool_use_id"], &result["is_error"]), (&json!(used), &json!(true)));
    assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
    let events = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&events, "agent.message")[0]["content"][0]["text"], "Answer: next");
}

#[tokio::test]
async fn a_custom_tool_is_the_clients_to_run() {
    let api = Api::start().await;
    let tool =
        json!({"type": "custom", "name": "ask_crm", "description": "d", "input_schema": {"type": "object"}});
    let session = api.session(json!({"tools": [tool]}), json!({})).await;
    let events = api.turn(&session, "custom ask_crm {\"id\": 7}").await;
    let used = of_kind(&events, "agent.custom_tool_use")[0];
    assert_eq!((&used["name"], &used["input"]), (&json!("ask_crm"), &json!({"id": 7})));
    assert_eq!(events.last().unwrap()["stop_reason"]["event_ids"], json!([used["id"]]));
    let mut stream = api.stream(&session).await;
    let result = json!({"type": "user.custom_tool_result", "custom_tool_use_id": used["id"],
        "content": [{"type": "text", "text": "gold"}]});
    let sent = api.post(&format!("/v1/sessions/{session}/events"), json!({"events": [result]})).await;
    assert!(sent["data"][0]["processed_at"].is_string());
    let events = stream.until("session.status_idle").await;
    let said = of_kind(&events, "agent.message")[0]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(said.ends_with("\nask_crm: gold"), "{said}");
    assert_eq!(
        api.refused(
            &format!("/v1/sessions/{session}/events"),
            json!({"events": [{
        "type": "user.custom_tool_result", "custom_tool_use_id": used["id"]}]})
        )
        .await,
        400
    );
}

#[tokio::test]
async fn a_turn_can_refuse_fail_be_rescheduled_or_break_the_session() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let refused = api.turn(&session, "refuse cyber").await;
    let last = refused.last().unwrap();
    assert_eq!(
        (&last["stop_reason"]["type"], &last["stop_details"]["category"]),
        (&json!("refusal"), &json!("cyber"))
    );
    let failed = api.turn(&session, "fail no luck").await;
    assert_eq!(failed.last().unwrap()["stop_reason"]["type"], "retries_exhausted");
    assert_eq!(of_kind(&failed, "session.error")[0]["error"]["retry_status"]["type"], "exhausted");
    let late = api.turn(&session, "reschedule 1\nsay 2 messages").await;
    assert_eq!(of_kind(&late, "session.status_rescheduled").len(), 1);
    assert_eq!(of_kind(&late, "session.status_running").len(), 2);
    assert_eq!(of_kind(&late, "agent.message").len(), 2);
    let mut stream = api.stream(&session).await;
    api.say(&session, "terminate").await;
    stream.until("session.status_terminated").await;
    assert_eq!(stream.next().await.unwrap(), None);
    assert_eq!(api.get(&format!("/v1/sessions/{session}")).await["status"], "terminated");
}

/// A model that is broken.
#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl powerloom_runtime::emulator::Model for Broken {
    async fn next(
        &self,
        _: &powerloom_runtime::emulator::Conversation,
    ) -> powerloom_runtime::emulator::Reply {
        panic!("this model is broken")
    }
}

#[tokio::test]
async fn an_interrupt_frees_a_session_whose_model_panicked() {
    let api = Api::over(Emulator::builder().model(Broken)).await;
    let session = api.session(json!({}), json!({})).await;
    let mut stream = api.stream(&session).await;
    api.say(&session, "hello").await;
    stream.until("span.model_request_start").await;
    tokio::task::yield_now().await;
    let interrupt = json!({"events": [{"type": "user.interrupt"}]});
    api.post(&format!("/v1/sessions/{session}/events"), interrupt).await;
    stream.until("session.status_idle").await;
}

#[tokio::test]
async fn ten_thousand_events_reach_a_reader_that_was_there() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let events = api.turn(&session, "say 10000 messages").await;
    assert_eq!(of_kind(&events, "agent.message").len(), 10_000);
}

#[tokio::test]
async fn the_history_can_be_filtered_ordered_and_paged() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let events = api.turn(&session, "say 3 messages").await;
    let path = format!("/v1/sessions/{session}/events");
    let messages = of_kind(&events, "agent.message");
    let mut page = api.get(&format!("{path}?types%5B%5D=agent.message&limit=2")).await;
    let mut seen = page["data"].as_array().unwrap().clone();
    while let Some(cursor) = page["next_page"].as_str().map(str::to_owned) {
        page = api.get(&format!("{path}?types=agent.message&limit=2&page={cursor}")).await;
        seen.extend(page["data"].as_array().unwrap().clone());
    }
    assert_eq!(json!(seen), json!(messages));
    let newest = api.get(&format!("{path}?order=desc&limit=1")).await;
    assert_eq!(newest["data"][0]["type"], "session.status_idle");
    let after = events[5]["processed_at"].as_str().unwrap();
    let later = api.get(&format!("{path}?created_at%5Bgt%5D={after}")).await;
    assert_eq!(later["data"], json!(events[6..]));
    assert_eq!(api.call(Method::GET, &format!("{path}?created_at%5Bgt%5D=soon"), None).await.0, 400);
}

#[tokio::test]
async fn sessions_are_listed_by_filter_and_pages_go_both_ways() {
    let api = Api::start().await;
    let agent = id(&api.agent(json!({})).await);
    let environment = id(&api.post("/v1/environments", json!({"name": "e"})).await);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let body =
            json!({"agent": {"type": "agent", "id": agent, "version": 1}, "environment_id": environment});
        sessions.push(id(&api.post("/v1/sessions", body).await));
    }
    api.session(json!({}), json!({})).await;
    let list = format!("/v1/sessions?agent_id={agent}&agent_version=1&statuses%5B%5D=idle&limit=2");
    let first = api.get(&list).await;
    assert_eq!((&first["data"][0]["id"], &first["prev_page"]), (&json!(sessions[2]), &Value::Null));
    let second = api.get(&format!("{list}&page={}", first["next_page"].as_str().unwrap())).await;
    assert_eq!((second["data"].as_array().unwrap().len(), &second["next_page"]), (1, &Value::Null));
    let back = api.get(&format!("{list}&page={}", second["prev_page"].as_str().unwrap())).await;
    assert_eq!(back["data"], first["data"]);
    api.poke(&format!("/v1/sessions/{}/archive", sessions[0])).await;
    assert_eq!(api.get(&format!("/v1/sessions?agent_id={agent}")).await["data"].as_array().unwrap().len(), 2);
    for query in ["agent_version=1", "statuses=done", "order=up"] {
        assert_eq!(api.call(Method::GET, &format!("/v1/sessions?{query}"), None).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_session_keeps_its_snapshot_and_overrides_are_its_own() {
    let api = Api::start().await;
    let agent = id(&api.agent(json!({"system": "one"})).await);
    let environment = id(&api.post("/v1/environments", json!({"name": "e"})).await);
    let create = |agent: Value| json!({"agent": agent, "environment_id": environment});
    let plain = api.post("/v1/sessions", create(json!(agent))).await;
    api.post(&format!("/v1/agents/{agent}"), json!({"system": "two"})).await;
    assert_eq!(api.get(&format!("/v1/sessions/{}", id(&plain))).await["agent"]["system"], "one");
    let over = |more: Value| {
        let mut agent = json!({"type": "agent_with_overrides", "id": agent, "version": 1});
        more.as_object().unwrap().iter().for_each(|(key, value)| agent[key] = value.clone());
        create(agent)
    };
    let changed = api.post("/v1/sessions", over(json!({"system": null, "model": "m2"}))).await;
    assert_eq!((&changed["agent"]["version"], &changed["agent"]["system"]), (&json!(1), &Value::Null));
    assert_eq!(changed["agent"]["model"]["id"], "m2");
    let (status, body) = api.call(Method::POST, "/v1/sessions", Some(over(json!({"model": null})))).await;
    assert_eq!((status, &body["error"]["details"]["error_code"]), (400, &json!("agent_model_required")));
    assert_eq!(api.refused("/v1/sessions", create(json!("agent_none"))).await, 404);
    assert_eq!(api.refused("/v1/sessions", json!({"agent": agent, "environment_id": "env_none"})).await, 404);
    assert_eq!(
        api.refused("/v1/sessions", json!({"agent": agent, "environment_id": environment, "model": "m"}))
            .await,
        400
    );
}

#[tokio::test]
async fn an_update_tells_what_changed_and_refuses_vaults() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({"title": "t"})).await;
    let path = format!("/v1/sessions/{session}");
    let mut stream = api.stream(&session).await;
    api.post(&path, json!({"title": "t"})).await;
    api.post(&path, json!({"title": null, "metadata": {"a": "1"}})).await;
    let event = stream.next().await.unwrap().unwrap();
    assert_eq!(
        (&event["title"], &event["metadata"], event.get("agent")),
        (&Value::Null, &json!({"a": "1"}), None)
    );
    assert_eq!(api.refused(&path, json!({"vault_ids": ["vlt_1"]})).await, 400);
}

#[tokio::test]
async fn the_primary_thread_and_the_resources_can_be_read() {
    let api = Api::start().await;
    let repository = json!({"type": "github_repository", "url": "https://github.com/a/b.git", "authorization_token": "hush"});
    let session = api.session(json!({}), json!({"resources": [repository]})).await;
    let path = format!("/v1/sessions/{session}");
    let resources = api.get(&format!("{path}/resources")).await;
    assert_eq!(resources["data"][0]["mount_path"], "/workspace/b");
    let own = format!("{path}/resources/{}", id(&resources["data"][0]));
    let updated = api.post(&own, json!({"authorization_token": "hush2"})).await;
    assert!(!format!("{resources}{updated}{}", api.get(&path).await).contains("hush"));
    assert_eq!(api.delete(&own).await["type"], "session_resource_deleted");
    let threads = api.get(&format!("{path}/threads")).await;
    let thread = format!("{path}/threads/{}", id(&threads["data"][0]));
    assert_eq!(api.get(&thread).await["parent_thread_id"], Value::Null);
    let stream = api.request(Method::GET, &format!("{thread}/stream")).send().await.unwrap();
    api.say(&session, "hello").await;
    Stream::of(stream).until("session.status_idle").await;
    let events = api.get(&format!("{path}/events")).await;
    assert_eq!(api.get(&format!("{thread}/events")).await["data"], events["data"]);
}

#[tokio::test]
async fn an_outcome_is_worked_on_and_judged() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let mut stream = api.stream(&session).await;
    let outcome = json!({"type": "user.define_outcome", "description": "a report", "rubric": {"type": "text", "content": "r"}});
    let sent = api.post(&format!("/v1/sessions/{session}/events"), json!({"events": [outcome]})).await;
    assert!(sent["data"][0]["processed_at"].is_string());
    let events = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&events, "span.outcome_evaluation_end")[0]["result"], "satisfied");
    let shown = api.get(&format!("/v1/sessions/{session}")).await;
    assert_eq!(shown["outcome_evaluations"][0]["result"], "satisfied");
}

#[tokio::test]
async fn previews_come_only_to_those_who_ask_and_outputs_become_files() {
    let api = Api::start().await;
    let session = api.session(json!({"tools": toolset("always_allow")}), json!({})).await;
    let path = format!("/v1/sessions/{session}/events/stream?event_deltas%5B%5D=agent.message");
    let mut preview = Stream::of(api.request(Method::GET, &path).send().await.unwrap());
    let write = "use write {\"file_path\": \"/mnt/session/outputs/a.txt\", \"content\": \"hi\"}";
    let plain = api.turn(&session, write).await;
    assert_eq!(of_kind(&plain, "event_delta").len(), 0);
    assert!(!of_kind(&preview.until("session.status_idle").await, "event_delta").is_empty());
    let bad = format!("/v1/sessions/{session}/events/stream?event_deltas=session.error");
    assert_eq!(api.call(Method::GET, &bad, None).await.0, 400);
    let request = api.request(Method::GET, &format!("/v1/files?scope_id={session}"));
    let files: Value =
        request.header("anthropic-beta", crate::api::BETA).send().await.unwrap().json().await.unwrap();
    let content = format!("/v1/files/{}/content", id(&files["data"][0]));
    assert_eq!(api.request(Method::GET, &content).send().await.unwrap().text().await.unwrap(), "hi");
}

//! What goes wrong on demand, and what changes behind the clients' backs.

use crate::api::{Api, id, kinds};
use powerloom_runtime::emulator::{Edit, EmulatorError, Fault, FaultRule};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const AGENT: &str = "/v1/agents";

fn body() -> Value {
    json!({"name": "a", "model": "m"})
}

#[tokio::test]
async fn a_cut_connection_has_its_effect_or_not_as_told() {
    let api = Api::start().await;
    let agents = async || api.get(AGENT).await["data"].as_array().unwrap().len();
    for (fault, left) in [(Fault::CutBefore, 0), (Fault::CutAfter, 1)] {
        api.emulator.faults().add(FaultRule::new(AGENT, fault).method("POST").count(1));
        let lost = api.request(Method::POST, AGENT).json(&body()).send().await;
        assert!(lost.is_err(), "no answer comes");
        assert_eq!(agents().await, left);
    }
    assert_eq!(api.emulator.requests().count("POST /v1/agents"), 2);
    let statuses: Vec<u16> = api.emulator.requests().list().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [0, 200, 0, 200]);
}

#[tokio::test]
async fn a_status_has_no_effect_and_a_rate_limit_says_when_to_come_again() {
    let api = Api::start().await;
    let rule = json!({"method": "POST", "path": "/v1/*", "skip": 1, "count": 1,
        "fault": {"type": "status", "status": 429, "retry_after": 7}});
    api.post("/_emulator/faults", rule).await;
    api.post(AGENT, body()).await;
    let response = api.request(Method::POST, AGENT).json(&body()).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let refused: Value = response.json().await.unwrap();
    assert_eq!(refused["error"]["type"], "rate_limit_error");
    api.post(AGENT, body()).await;
    assert_eq!(api.get(AGENT).await["data"].as_array().unwrap().len(), 2);
    for (status, kind) in [(500, "api_error"), (504, "timeout_error"), (529, "overloaded_error")] {
        api.emulator.faults().add(FaultRule::new(AGENT, Fault::status(status)).count(1));
        let (answered, body) = api.call(Method::GET, AGENT, None).await;
        assert_eq!((answered, &body["error"]["type"]), (status, &json!(kind)));
    }
    let requests = api.get("/_emulator/requests").await;
    assert_eq!(requests["counts"]["POST /v1/agents"], 3);
    assert_eq!(
        api.refused("/_emulator/faults", json!({"path": "/x", "fault": {"type": "made_up"}})).await,
        400
    );
}

#[tokio::test]
async fn an_answer_can_be_late_and_faults_can_be_cleared() {
    let api = Api::start().await;
    let late = Duration::from_millis(60);
    api.emulator.faults().add(FaultRule::new("/v1/**", Fault::latency(late)));
    let start = Instant::now();
    api.get(AGENT).await;
    assert!(start.elapsed() >= late);
    assert_eq!(api.get("/_emulator/faults").await["data"][0]["fault"], json!({"type": "latency", "ms": 60}));
    api.delete("/_emulator/faults").await;
    assert!(api.emulator.faults().list().is_empty());
}

#[tokio::test]
async fn a_stream_can_be_cut_or_repeat_itself() {
    let api = Api::start().await;
    let session = api.session(json!({}), json!({})).await;
    let path = format!("/v1/sessions/{session}/events/stream");
    api.emulator.faults().add(FaultRule::new(&path, Fault::CutStream { after: 2 }).count(1));
    let mut cut = api.stream(&session).await;
    api.emulator.faults().add(FaultRule::new(&path, Fault::DuplicateEvents).count(1));
    let mut twice = api.stream(&session).await;
    api.say(&session, "hello").await;
    assert!(cut.next().await.unwrap().is_some() && cut.next().await.unwrap().is_some());
    assert!(cut.next().await.is_err(), "the third event never comes");
    let events = twice.until("agent.message").await;
    assert_eq!(
        kinds(&events)[..4],
        ["user.message", "user.message", "session.status_running", "session.status_running"]
    );
}

#[tokio::test]
async fn an_edit_changes_or_removes_any_object_past_the_rules() {
    let api = Api::start().await;
    let agent = id(&api.agent(json!({"system": "one"})).await);
    api.emulator.edit(&Edit::set(&agent, "/system", "two")).unwrap();
    let edit = json!({"id": agent, "set": {"/metadata/owner": "x", "/model/id": "other"}});
    api.post("/_emulator/edit", edit).await;
    let seen = api.get(&format!("{AGENT}/{agent}")).await;
    assert_eq!((&seen["system"], &seen["version"]), (&json!("two"), &json!(1)));
    assert_eq!((&seen["metadata"]["owner"], &seen["model"]["id"]), (&json!("x"), &json!("other")));
    assert_eq!(api.emulator.state()["agents"][&agent]["system"], "two");
    assert!(matches!(api.emulator.edit(&Edit::set(&agent, "/a/b/c", 1)), Err(EmulatorError::Edit(_))));
    api.emulator.edit(&Edit::remove(&agent)).unwrap();
    assert_eq!(api.call(Method::GET, &format!("{AGENT}/{agent}"), None).await.0, 404);
    assert_eq!(api.refused("/_emulator/edit", json!({"id": agent, "remove": true})).await, 400);
}

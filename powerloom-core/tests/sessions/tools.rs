use crate::scripted::{Act, idle, rest, say};
use crate::stage::world;
use async_trait::async_trait;
use powerloom_core::runtime::ToolAnswer;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::session::tool_answers::{ToolAnswers, ToolAsk};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn call(name: &str) -> Act {
    let body = json!({"name": name, "mcp_server_name": "orders", "input": {"of": "all"}, "evaluated_permission": "ask"});
    Act::Say("agent.mcp_tool_use", body)
}

#[derive(Debug)]
struct After(Duration, Mutex<Vec<ToolAsk>>);

#[async_trait]
impl ToolAnswers for After {
    async fn answer(&self, ask: &ToolAsk) -> ToolAnswer {
        self.1.lock().unwrap().push(ask.clone());
        tokio::time::sleep(self.0).await;
        ToolAnswer::Allow
    }
}

/// Sem. 2.5: `requires_action` is not an end.
#[tokio::test(start_paused = true)]
async fn without_anybody_to_ask_a_call_is_refused_with_the_reason() {
    let world = world(vec![call("count"), Act::Ask(1), say("I may not"), idle("end_turn")]).await;
    let record = world.settled().await;
    assert_eq!(record.status, SessionStatus::IdleEndTurn);
    world.assert_whole(record.id).await;
    let answers = world.runtime.one(|remote| remote.answers.clone());
    let [(_, ToolAnswer::Deny(why))] = &answers[..] else { panic!("{answers:?}") };
    assert!(why.contains("`count`"), "{why}");
}

/// Sem. 3.4: running → awaiting_approval → running.
#[tokio::test(start_paused = true)]
async fn a_session_waits_for_every_answer_and_goes_on() {
    let world = world(vec![call("count"), call("delete"), Act::Ask(2), rest(5.0), idle("end_turn")]).await;
    let answers = Arc::new(After(Duration::from_secs(10), Mutex::default()));
    let pumps = world.pumps().tool_answers(answers.clone()).build();
    let id = world.invoke().await.session_id;
    tokio::spawn(async move { pumps.tick().await });
    tokio::time::sleep(Duration::from_secs(15)).await;
    let record = world.record(id).await;
    assert_eq!((record.status, record.status.public_word()), (SessionStatus::AwaitingApproval, "running"));
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(world.record(id).await.status, SessionStatus::Running);
    assert_eq!(world.cp.wait(&world.admin, id).await.unwrap().status, SessionStatus::IdleEndTurn);
    world.assert_whole(id).await;
    let asked = answers.1.lock().unwrap();
    let names: Vec<_> = asked.iter().map(|ask| (ask.tool.as_str(), ask.mcp_server.as_deref())).collect();
    assert_eq!(names, [("count", Some("orders")), ("delete", Some("orders"))]);
    assert_eq!(asked[0].input, json!({ "of": "all" }));
}

/// Sem. 3.4: a wait has a maximum, and then the call is refused.
#[tokio::test(start_paused = true)]
async fn a_call_nobody_decides_on_is_refused_in_the_end() {
    let world = world(vec![call("count"), Act::Ask(1), idle("end_turn")]).await;
    let mut asks = world.asks();
    asks.timeout_seconds = Some(7200);
    let id = world.cp.invoke(&world.admin, asks).await.unwrap().started().unwrap().session_id;
    let never = Arc::new(After(Duration::from_secs(100_000), Mutex::default()));
    world.pumps().tool_answers(never).build().tick().await.unwrap();
    let record = world.record(id).await;
    assert_eq!(record.status, SessionStatus::IdleEndTurn);
    assert_eq!(record.duration(world.cp.clock().now()).as_secs(), 3600);
    let answers = world.runtime.one(|remote| remote.answers.clone());
    assert!(matches!(&answers[0].1, ToolAnswer::Deny(why) if why.contains("3600 s")), "{answers:?}");
}

/// Sem. 3.4: awaiting_approval → timeout, cancelled.
#[tokio::test(start_paused = true)]
async fn a_session_that_waits_still_times_out_and_can_be_cancelled() {
    for cancel in [false, true] {
        let world = world(vec![call("count"), Act::Ask(1), idle("end_turn")]).await;
        let never = Arc::new(After(Duration::from_secs(100_000), Mutex::default()));
        let pumps = world.pumps().tool_answers(never).build();
        let id = world.invoke().await.session_id;
        tokio::spawn(async move { pumps.tick().await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.record(id).await.status, SessionStatus::AwaitingApproval);
        if cancel {
            world.cp.cancel(&world.admin, id).await.unwrap();
        }
        let expected = if cancel { SessionStatus::Cancelled } else { SessionStatus::Timeout };
        assert_eq!(world.cp.wait(&world.admin, id).await.unwrap().status, expected);
    }
}

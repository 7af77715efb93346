//! Sessions from the invocation to the last event.

use crate::held::held;
use crate::scripted::{Act, idle, rest, say};
use crate::stage::world;
use powerloom_core::approval::notifier::ApprovalEvent;
use powerloom_core::approval::notifier::ApprovalNotice;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::session::invoke::Invocation;
use serde_json::json;

/// Rows P69, P73, P75, P76: fire and forget with a ticket, waited for, and all of what happened.
#[tokio::test(start_paused = true)]
async fn a_session_is_as_its_schema_says_from_beginning_to_end() {
    let script = vec![
        rest(1.0),
        say("Seven"),
        Act::Say("agent.mcp_tool_use", json!({ "name": "count", "mcp_server_name": "orders", "input": {} })),
        idle("end_turn"),
    ];
    let world = world(script).await;
    let mut asks = world.asks();
    asks.title = Some("Orders".to_owned());
    held(&asks);
    let invocation = world.cp.invoke(&world.admin, asks).await.unwrap();
    assert!(held(&invocation)["ws_ticket"].is_string());
    let id = invocation.started().unwrap().session_id;
    held(&world.record(id).await);
    assert_eq!(world.pumps().build().tick().await.unwrap(), 1);
    assert_eq!(held(&world.record(id).await)["status"], "idle_end_turn");
    let log = world.log(id).await;
    assert!(log.len() > 3);
    log.iter().for_each(|event| drop(held(event)));
    let again = world.asks().sync();
    let _stop = world.start();
    let waited = held(&world.cp.invoke(&world.admin, again).await.unwrap());
    assert!(waited["session"].is_object() && waited.get("ws_ticket").is_none());
}

/// Row P97.
#[tokio::test(start_paused = true)]
async fn an_invocation_that_waits_is_as_its_schema_says() {
    let world = world(vec![]).await;
    let policy =
        json!({ "match": { "actions": ["invoke"] }, "approvers": ["role:OrgAdmin"], "allow_self": true });
    world.create("ApprovalPolicy", "invocations", policy).await;
    let invocation = world.cp.invoke(&world.admin, world.asks()).await.unwrap();
    assert!(matches!(invocation, Invocation::Pending { .. }));
    held(&invocation);
}

#[test]
fn a_notice_is_as_its_schema_says() {
    let id = "0198c0de-0000-7000-8000-000000000001";
    held(&ApprovalNotice {
        id: ApprovalNotice::stable_id("req_7", ApprovalEvent::Voted, 2),
        at: Timestamp::default(),
        org: id.parse().unwrap(),
        request_id: format!("req_{id}"),
        event: ApprovalEvent::Requested,
        verb: "agent.create".to_owned(),
        resource_kind: "Agent".parse().unwrap(),
        resource_id: None,
        ou: id.parse().unwrap(),
        requester: format!("user:{id}"),
        summary: "An agent.".to_owned(),
        payload_hash: Digest::ZERO,
        expires_at: None,
        approvers: vec!["role:Approver".to_owned()],
    });
}

use crate::scripted::{idle, rest, say};
use crate::stage::{bare, world};
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::session::record::InvokeMode;
use powerloom_core::session::status::SessionStatus;
use serde_json::json;

/// Rows P69, P74, P75.
#[tokio::test(start_paused = true)]
async fn fire_and_forget_answers_at_once_with_a_ticket() {
    let world = world(vec![]).await;
    let mut asks = world.asks();
    asks.title = Some("Orders".to_owned());
    let invoked = world.cp.invoke(&world.admin, asks).await.unwrap().started().unwrap();
    assert_eq!((invoked.status, invoked.mode), (SessionStatus::Pending, InvokeMode::FireAndForget));
    let ticket = invoked.ws_ticket.clone().unwrap();
    assert!(ticket.reveal().starts_with("tk_"));
    let url = format!("/sessions/{}/stream?ticket={}", invoked.session_id, ticket.reveal());
    assert_eq!(invoked.ws_url.as_deref(), Some(url.as_str()));
    assert!(!format!("{invoked:?}").contains(&ticket.reveal()[3..]), "a ticket is never logged");
    let wire = serde_json::to_value(&invoked).unwrap();
    assert_eq!((&wire["status"], &wire["mode"]), (&json!("pending"), &json!("fire_and_forget")));
    assert_eq!(wire["ws_ticket"], json!(ticket.reveal()));
    let record = world.record(invoked.session_id).await;
    assert_eq!((record.title.as_deref(), record.prompt.as_str()), (Some("Orders"), "How many orders?"));
}

/// Rows P73, P7, P9.
#[tokio::test(start_paused = true)]
async fn sync_blocks_until_the_session_has_settled() {
    let world = world(vec![rest(2.0), say("Seven"), idle("end_turn")]).await;
    let _stop = world.start();
    let invoked = world.cp.invoke(&world.admin, world.asks().sync()).await.unwrap().started().unwrap();
    assert_eq!((invoked.status, invoked.ws_ticket), (SessionStatus::IdleEndTurn, None));
    let record = invoked.session.unwrap();
    assert_eq!((record.event_count, record.mcp_tool_use_count, record.degradation_flagged), (4, 0, false));
    assert_eq!(record.duration(world.cp.clock().now()).as_secs(), 2);
    world.assert_whole(record.id).await;
}

/// Sem. 2.7: a client that goes away does not stop the session.
#[tokio::test(start_paused = true)]
async fn a_dropped_sync_call_does_not_cancel_the_session() {
    let world = world(vec![rest(5.0), idle("end_turn")]).await;
    let _stop = world.start();
    let call = world.cp.invoke(&world.admin, world.asks().sync());
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), call).await.is_err());
    let sessions = world.cp.sessions(&world.admin, &Default::default()).await.unwrap();
    let settled = world.cp.wait(&world.admin, sessions[0].id).await.unwrap();
    assert_eq!(settled.status, SessionStatus::IdleEndTurn);
}

/// Sem. 2.7: nobody waits for ever, even if nothing pumps.
#[tokio::test(start_paused = true)]
async fn a_sync_call_is_bounded_even_if_nothing_pumps() {
    let world = world(vec![]).await;
    let began = tokio::time::Instant::now();
    let invoked = world.cp.invoke(&world.admin, world.asks().sync()).await.unwrap().started().unwrap();
    assert_eq!((invoked.status, began.elapsed().as_secs()), (SessionStatus::Pending, 60 + 600 + 60));
}

/// Rows P70, P71, P72: who may not invoke learns nothing of the sync state.
#[tokio::test(start_paused = true)]
async fn the_checks_come_in_order() {
    let world = bare(vec![]).await;
    let viewer = world.user("viewer@acme.com", Some("AgentViewer")).await;
    let denied = world.cp.invoke(&viewer, world.asks()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    let unsynced = world.cp.invoke(&world.admin, world.asks()).await.unwrap_err();
    assert_eq!(unsynced.code(), "agent_not_synced");
    world.sync().await;
    world.cp.invoke(&world.admin, world.asks()).await.unwrap();
}

/// Sem. 2.14.
#[tokio::test(start_paused = true)]
async fn the_same_key_starts_one_session_and_gives_a_new_ticket() {
    let world = world(vec![]).await;
    let mut asks = world.asks();
    asks.idempotency_key = Some("once".to_owned());
    let first = world.cp.invoke(&world.admin, asks.clone()).await.unwrap().started().unwrap();
    let again = world.cp.invoke(&world.admin, asks.clone()).await.unwrap().started().unwrap();
    assert_eq!(first.session_id, again.session_id);
    assert_ne!(first.ws_ticket, again.ws_ticket);
    asks.prompt = "Something else".to_owned();
    let other = world.cp.invoke(&world.admin, asks).await.unwrap_err();
    assert_eq!(other.code(), "idempotency_mismatch");
}

/// Sem. 2.14: an invocation is submitted under the same terms as any change.
#[tokio::test(start_paused = true)]
async fn an_invocation_is_made_under_the_terms_it_is_given() {
    let world = world(vec![]).await;
    let key = SubmitOptions::default().idempotency_key("once");
    let ask = |options: SubmitOptions| {
        let (cp, caller, asks) = (&world.cp, &world.admin, world.asks());
        async move { cp.invoke_with(caller, asks, &options, std::future::pending()).await }
    };
    let first = ask(key.clone()).await.unwrap().started().unwrap();
    assert_eq!(ask(key).await.unwrap().started().unwrap().session_id, first.session_id);
    let unreasoned = ask(SubmitOptions::default().justification(" ")).await.unwrap_err();
    assert_eq!(unreasoned.code(), "invalid");
    let plan = "req_00000000-0000-7000-8000-000000000001".parse().unwrap();
    assert_eq!(ask(SubmitOptions::default().under(plan)).await.unwrap_err().code(), "not_found");
}

/// Sem. 2.7: a wait that is cut short answers with the session, which goes on.
#[tokio::test(start_paused = true)]
async fn a_sync_call_can_be_told_that_it_has_waited_enough() {
    let world = world(vec![rest(5.0), idle("end_turn")]).await;
    let _stop = world.start();
    let enough = tokio::time::sleep(std::time::Duration::from_secs(1));
    let options = SubmitOptions::default();
    let invoked = world.cp.invoke_with(&world.admin, world.asks().sync(), &options, enough).await.unwrap();
    let invoked = invoked.started().unwrap();
    assert_eq!(invoked.status, SessionStatus::Running);
    let settled = world.cp.wait(&world.admin, invoked.session_id).await.unwrap();
    assert_eq!(settled.status, SessionStatus::IdleEndTurn);
}

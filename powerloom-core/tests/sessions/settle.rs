use crate::fault::Fault;
use crate::scripted::{Act, idle, rest, say};
use crate::stage::{World, world};
use powerloom_core::runtime::RuntimeErrorClass;
use powerloom_core::session::record::DegradationReason;
use powerloom_core::session::status::SessionStatus;
use serde_json::json;
use std::time::Duration;

fn error(kind: &str, retry: &str) -> Act {
    Act::Say(
        "session.error",
        json!({"error": {"type": kind, "message": "boom", "retry_status": {"type": retry}}}),
    )
}

fn over() -> Act {
    Act::Say("session.status_terminated", json!({}))
}

/// Rows P86, P89, P90, P92; sem. 2.5.
#[tokio::test(start_paused = true)]
async fn a_session_settles_as_the_runtime_ends() {
    use SessionStatus::{Failed, IdleEndTurn, Terminated};
    for (script, status, why) in [
        (vec![idle("end_turn")], IdleEndTurn, None),
        (vec![over()], Terminated, None),
        (vec![error("unknown_error", "terminal"), over()], Failed, Some("boom")),
        (vec![idle("retries_exhausted")], Failed, Some("the runtime gave up after several tries")),
        (vec![idle("refusal")], Failed, Some("the model refused")),
        (vec![idle("budget_reached")], Failed, Some("the budget of the session is used up")),
        (
            vec![Act::Say("session.deleted", json!({}))],
            Failed,
            Some("the session was deleted on the runtime"),
        ),
    ] {
        let world = world(script).await;
        let record = world.settled().await;
        assert_eq!((record.status, record.error.as_deref()), (status, why));
        world.assert_whole(record.id).await;
    }
}

/// Sem. 2.7: one `session_ended`, no orphan.
#[tokio::test(start_paused = true)]
async fn a_session_the_runtime_refuses_has_failed() {
    let world = world(vec![]).await;
    *world.runtime.refusal.lock().unwrap() = Some(RuntimeErrorClass::Permanent);
    let record = world.settled().await;
    assert_eq!(record.status, SessionStatus::Failed);
    assert_eq!(record.error.as_deref(), Some("the runtime refused to start a session: no"));
    assert_eq!(world.kinds(record.id).await, ["powerloom.session_ended"]);
    assert_eq!((record.running_at, record.event_count), (None, 0));
}

/// Row P87; sem. 2.7: `pending` has a guard of its own.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_started_within_a_minute_times_out() {
    let world = world(vec![]).await;
    *world.runtime.refusal.lock().unwrap() = Some(RuntimeErrorClass::Transient);
    let began = tokio::time::Instant::now();
    let record = world.settled().await;
    assert_eq!((record.status, began.elapsed().as_secs()), (SessionStatus::Timeout, 60));
    assert_eq!(world.kinds(record.id).await, ["powerloom.session_ended"]);
}

/// Sem. 2.7: if the runtime has it after all, it is ended there.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_created_but_never_answered_leaves_no_orphan() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().build();
    // The pump reads row and log, writes `unsure`, calls: only the call to the runtime is counted here.
    world.faults.strike(1, Fault::HangAfter);
    pumps.tick().await.unwrap();
    assert_eq!(world.record(id).await.status, SessionStatus::Timeout);
    assert!(world.runtime.one(|remote| remote.archived));
}

/// An answer that was lost is found again by the metadata.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_the_start_is_adopted() {
    let world = world(vec![idle("end_turn")]).await;
    let id = world.invoke().await.session_id;
    world.faults.strike(1, Fault::FailAfter);
    world.pumps().build().tick().await.unwrap();
    world.assert_whole(id).await;
    let starts = world.runtime.starts.lock().unwrap();
    assert_eq!(starts.iter().map(|start| start.unsure).collect::<Vec<_>>(), [false, true]);
}

async fn judged(events: usize, calls: usize, end: Act) -> (bool, Option<DegradationReason>) {
    let mut script = Vec::new();
    // The prompt, the status and the end count too.
    script.extend((0..events - 3 - calls).map(|_| say("word")));
    script.extend((0..calls).map(|_| Act::Say("agent.mcp_tool_use", json!({"name": "count", "input": {}}))));
    script.push(end);
    let world = world(script).await;
    let record = world.settled().await;
    assert_eq!(record.event_count, events as u64);
    let ended = world.log(record.id).await.pop().unwrap().event.payload;
    assert_eq!(ended["degradation_flagged"], json!(record.degradation_flagged));
    (record.degradation_flagged, record.degradation_reason)
}

/// Rows P93–P95; vectors 4.8.
#[tokio::test(start_paused = true)]
async fn degradation_is_judged_when_the_session_settles() {
    assert_eq!(judged(9, 0, idle("end_turn")).await, (false, None));
    assert_eq!(judged(10, 0, idle("end_turn")).await, (true, Some(DegradationReason::NoMcpCalls)));
    assert_eq!(judged(10, 0, over()).await, (true, Some(DegradationReason::NoMcpCalls)));
    assert_eq!(judged(10, 1, idle("end_turn")).await, (false, None));
    assert_eq!(judged(10, 0, idle("refusal")).await, (false, None));
}

/// Sem. 2.5, 2.7.
#[tokio::test(start_paused = true)]
async fn an_mcp_error_flags_even_a_short_session() {
    let world = world(vec![error("mcp_authentication_failed_error", "exhausted"), idle("end_turn")]).await;
    let record = world.settled().await;
    assert_eq!((record.status, record.mcp_error_count), (SessionStatus::IdleEndTurn, 1));
    assert_eq!(record.degradation_reason, Some(DegradationReason::McpErrorEvent));
}

/// Vector 4.8: taken off while it runs, the server still counts.
#[tokio::test(start_paused = true)]
async fn degradation_is_judged_by_the_snapshot() {
    let mut script = vec![rest(10.0)];
    script.extend((0..10).map(|_| say("word")));
    script.push(idle("end_turn"));
    let world: World = world(script).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let server = world.record(id).await.snapshot.mcp_servers.clone();
    assert_eq!(server, ["orders"]);
    let servers = world
        .cp
        .list(
            &world.admin,
            &powerloom_core::store::RecordQuery {
                kind: Some("MCPServerRegistration".parse().unwrap()),
                ..Default::default()
            },
        )
        .await
        .unwrap();
    let detach = powerloom_core::door::mutation::Action::DetachMcpServer {
        agent: world.agent,
        mcp_server: servers[0].meta.id,
        expect: None,
    };
    world.cp.submit(&world.admin, detach).await.unwrap();
    assert!(world.cp.wait(&world.admin, id).await.unwrap().degradation_flagged);
}

/// Sem. 2.9: one row, by whoever started it, which fixes every event of the log.
#[tokio::test(start_paused = true)]
async fn the_end_is_audited_with_the_digest_of_every_event() {
    let world = world(vec![say("one"), say("two"), idle("end_turn")]).await;
    let record = world.settled().await;
    let rows = world.cp.store().audit_rows(world.org.id, 0, 1000).await.unwrap();
    let row = rows.iter().find(|entry| entry.row.verb == "session.end").unwrap();
    assert_eq!(
        (row.row.actor.as_str(), row.row.resource_id.clone()),
        ("user:admin@acme.com", record.id.to_string())
    );
    let detail = row.change().unwrap()["detail"].clone();
    let log = world.log(record.id).await;
    assert_eq!(detail["events_digest"], json!(chained(&log)));
    assert_eq!(detail["last_seq"], json!(log.last().unwrap().seq));
    assert_eq!(
        (&detail["status"], &detail["event_count"], &detail["mcp_tool_use_count"]),
        (&json!("idle_end_turn"), &json!(record.event_count), &json!(0))
    );
    assert_eq!(row.change().unwrap()["ous"], json!([record.ou]));
}

/// Sem. 2.9: a session that never ran has its row as well.
#[tokio::test(start_paused = true)]
async fn a_session_cancelled_or_refused_before_it_ran_has_its_row_too() {
    let refused = world(vec![]).await;
    *refused.runtime.refusal.lock().unwrap() = Some(RuntimeErrorClass::Permanent);
    let cancelled = world(vec![]).await;
    let id = cancelled.invoke().await.session_id;
    cancelled.cp.cancel(&cancelled.admin, id).await.unwrap();
    cancelled.pumps().build().tick().await.unwrap();
    let failed = refused.settled().await.id;
    for (world, id, status) in [(&refused, failed, "failed"), (&cancelled, id, "cancelled")] {
        let rows = world.cp.store().audit_rows(world.org.id, 0, 1000).await.unwrap();
        let ends: Vec<_> = rows.iter().filter(|entry| entry.row.verb == "session.end").collect();
        assert_eq!(ends.len(), 1);
        let detail = ends[0].change().unwrap()["detail"].clone();
        assert_eq!(detail["status"], json!(status));
        assert_eq!(detail["events_digest"], json!(chained(&world.log(id).await)));
    }
}

/// The bytes of the audit module's description, by another writer of canonical JSON.
fn chained(log: &[powerloom_core::session::event::SessionEvent]) -> String {
    use powerloom_core::digest::Digest;
    let link = |before: Digest, event| {
        let bytes = serde_json_canonicalizer::to_vec(event).unwrap();
        Digest::of_parts(&[b"powerloom/session-events/v1\n", before.as_bytes(), &bytes])
    };
    log.iter().fold(Digest::ZERO, link).to_string()
}

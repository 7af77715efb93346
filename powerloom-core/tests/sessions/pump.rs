use crate::scripted::{Act, idle, rest, say};
use crate::stage::world;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::status::SessionStatus;
use serde_json::json;
use std::time::Duration;

/// Rows P7, P8, P76–P82, P87, P88, P90.
#[tokio::test(start_paused = true)]
async fn a_session_is_pumped_from_the_runtime_into_the_log() {
    let world = world(vec![
        Act::Say(
            "agent.mcp_tool_use",
            json!({"name": "count", "mcp_server_name": "orders", "input": {"of": "all"}}),
        ),
        Act::Say(
            "agent.mcp_tool_result",
            json!({"mcp_tool_use_id": "sevt_3", "content": [{"type": "text", "text": "7"}]}),
        ),
        say("Seven"),
        rest(1.5),
        idle("end_turn"),
    ])
    .await;
    let id = world.invoke().await.session_id;
    assert_eq!(world.record(id).await.status, SessionStatus::Pending);
    world.pumps().build().tick().await.unwrap();
    world.assert_whole(id).await;
    let log = world.log(id).await;
    let frame = |index: usize| serde_json::to_value(&log[index]).unwrap();
    assert_eq!(frame(0)["type"], "powerloom.session_created");
    assert_eq!(frame(0)["payload"], json!({ "cma_session_id": format!("sesn_{id}") }));
    assert_eq!(frame(3)["type"], "agent.mcp_tool_use");
    assert_eq!(frame(3)["payload"]["tool"], "count");
    assert_eq!(frame(3)["payload"]["input"], json!({ "of": "all" }));
    assert_eq!(frame(4)["payload"]["result"], json!([{"type": "text", "text": "7"}]));
    assert_eq!(frame(5)["payload"], json!({"content": [{"type": "text", "text": "Seven"}]}));
    assert_eq!(frame(6)["payload"]["stop_reason"]["type"], "end_turn");
    let ended = &frame(7)["payload"];
    assert_eq!(
        *ended,
        json!({"status": "idle_end_turn", "event_count": 6, "mcp_tool_use_count": 1, "duration_ms": 1500,
            "degradation_flagged": false, "degradation_reason": null})
    );
    let record = world.record(id).await;
    assert_eq!(
        (record.status, record.event_count, record.mcp_tool_use_count),
        (SessionStatus::IdleEndTurn, 6, 1)
    );
    assert_eq!((record.remote_id, record.unsure, record.lease), (Some(format!("sesn_{id}")), false, None));
    assert!(world.runtime.one(|remote| remote.archived), "nobody can go on with it there");
}

/// Sem. 2.5: no replay on the stream, so what it missed comes from the history.
#[tokio::test(start_paused = true)]
async fn a_cut_stream_loses_and_doubles_nothing() {
    let world = world(vec![
        say("one"),
        Act::Again,
        rest(0.1),
        Act::Cut,
        say("two"),
        say("three"),
        rest(1.0),
        Act::Again,
        say("four"),
        Act::Cut,
        rest(0.05),
        Act::Cut,
        idle("end_turn"),
    ])
    .await;
    let id = world.settled().await.id;
    world.assert_whole(id).await;
}

/// Sem. 2.5: a connection may be dead without saying so.
#[tokio::test(start_paused = true)]
async fn an_end_no_stream_shows_is_found_when_it_stays_quiet() {
    let end = json!({ "stop_reason": { "type": "end_turn" } });
    let world = world(vec![say("one"), Act::Mutter("session.status_idle", end)]).await;
    let began = tokio::time::Instant::now();
    let id = world.settled().await.id;
    assert_eq!(began.elapsed().as_secs(), 15);
    world.assert_whole(id).await;
}

/// Sem. 2.5: the status lags, so only the second look counts.
#[tokio::test(start_paused = true)]
async fn a_runtime_that_is_idle_without_saying_why_has_ended_its_turn() {
    let world = world(vec![say("one")]).await;
    *world.runtime.status.lock().unwrap() = Some(powerloom_core::runtime::RemoteStatus::Idle);
    let began = tokio::time::Instant::now();
    let record = world.settled().await;
    assert_eq!((record.status, began.elapsed().as_secs()), (SessionStatus::IdleEndTurn, 30));
}

/// Row P91: the clock starts with `running`, and the last instant before the deadline still counts.
#[tokio::test(start_paused = true)]
async fn a_session_times_out_at_exactly_600_seconds_of_running() {
    for (seconds, status) in [(599.999, SessionStatus::IdleEndTurn), (600.0, SessionStatus::Timeout)] {
        let world = world(vec![rest(seconds), idle("end_turn")]).await;
        let id = world.invoke().await.session_id;
        tokio::time::advance(Duration::from_secs(20)).await;
        let began = tokio::time::Instant::now();
        world.pumps().build().tick().await.unwrap();
        let record = world.record(id).await;
        assert_eq!((record.status, began.elapsed()), (status, Duration::from_secs_f64(seconds)));
        assert_eq!(record.duration(world.cp.clock().now()).as_secs_f64(), seconds);
        assert!(world.runtime.one(|remote| remote.archived));
    }
}

/// Row P91: per invocation.
#[tokio::test(start_paused = true)]
async fn a_call_may_ask_for_less_time() {
    let world = world(vec![rest(100.0)]).await;
    let mut asks = world.asks();
    asks.timeout_seconds = Some(7);
    let id = world.cp.invoke(&world.admin, asks).await.unwrap().started().unwrap().session_id;
    world.pumps().build().tick().await.unwrap();
    let record = world.record(id).await;
    assert_eq!(
        (record.status, record.error.as_deref()),
        (SessionStatus::Timeout, Some("it ran longer than 7 s"))
    );
    assert_eq!(record.settled_at, Some(record.running_at.unwrap() + Duration::from_secs(7)));
    let kinds = world.kinds(id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "powerloom.session_ended").count(), 1);
}

/// What the session did while nobody pumped is judged by when it did it.
#[tokio::test(start_paused = true)]
async fn a_turn_that_ended_in_time_counts_although_nobody_was_there() {
    let at = "2026-01-01T00:00:05.000000Z";
    let end = json!({ "stop_reason": { "type": "end_turn" }, "processed_at": at });
    let world = world(vec![rest(5.0), Act::Say("session.status_idle", end)]).await;
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().build();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), pumps.tick()).await.is_err(),
        "dropped as in a crash"
    );
    tokio::time::sleep(Duration::from_secs(1000)).await;
    world.pumps().build().tick().await.unwrap();
    assert_eq!(world.record(id).await.status, SessionStatus::IdleEndTurn);
    world.assert_whole(id).await;
}

/// A pump whose lease is lost writes nothing any more.
#[tokio::test(start_paused = true)]
async fn a_pump_that_lost_its_lease_stops_without_a_word() {
    let world = world(vec![rest(50.0), say("late"), idle("end_turn")]).await;
    let id = world.invoke().await.session_id;
    let first = world.pumps().lease(Duration::from_secs(9)).build();
    let first = tokio::spawn(async move { first.tick().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Its lease is taken away as if its process had been stopped for longer than that.
    let mut request = powerloom_core::store::ClaimRequest {
        owner: "thief".to_owned(),
        now: world.cp.clock().now() + Duration::from_secs(60),
        until: world.cp.clock().now() + Duration::from_secs(62),
        limit: 1,
        except: Vec::new(),
    };
    let stolen = world.cp.store().claim_sessions(&request).await.unwrap();
    assert_eq!((stolen.len(), stolen[0].fence), (1, 2));
    let before = world.log(id).await.len();
    first.await.unwrap().unwrap();
    assert_eq!(world.log(id).await.len(), before);
    request.now = world.cp.clock().now();
    tokio::time::sleep(Duration::from_secs(70)).await;
    world.other_pumps().build().tick().await.unwrap();
    world.assert_whole(id).await;
}

/// A loop wakes up for a new session, has no more than it may, and lets go of what it has when it is stopped.
#[tokio::test(start_paused = true)]
async fn a_loop_pumps_what_it_may_and_lets_go_when_stopped() {
    let world = world(vec![rest(60.0), idle("end_turn")]).await;
    let pumps = world.pumps().concurrency(2).poll(Duration::from_secs(3600)).build();
    let stop = tokio_util::sync::CancellationToken::new();
    let until = stop.clone();
    let running = tokio::spawn(async move { pumps.run(until).await });
    tokio::task::yield_now().await;
    let ids =
        [world.invoke().await.session_id, world.invoke().await.session_id, world.invoke().await.session_id];
    tokio::time::sleep(Duration::from_secs(10)).await;
    let leased = |record: &powerloom_core::session::record::SessionRecord| record.lease.is_some();
    let records = [world.record(ids[0]).await, world.record(ids[1]).await, world.record(ids[2]).await];
    // Ids of one millisecond are in no order: any of the three may be the one that waits.
    let waiting: Vec<_> = records.iter().filter(|record| !leased(record)).map(|record| record.id).collect();
    assert_eq!(waiting.len(), 1);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(
        world.record(waiting[0]).await.status,
        SessionStatus::Timeout,
        "60 s of waiting were too long"
    );
    let late = world.invoke().await.session_id;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(leased(&world.record(late).await));
    stop.cancel();
    running.await.unwrap();
    assert!(!leased(&world.record(late).await), "another loop can have it at once");
}

/// Row P9: what the pump says reaches a reader that follows.
#[tokio::test(start_paused = true)]
async fn events_are_appended_in_batches_but_read_one_by_one() {
    let mut script: Vec<Act> = (0..300).map(|_| say("word")).collect();
    script.push(idle("end_turn"));
    let world = world(script).await;
    let id = world.settled().await.id;
    world.assert_whole(id).await;
    let first = world.cp.session_events(&world.admin, id, EventSeq::START, 100).await.unwrap();
    let next = world.cp.session_events(&world.admin, id, EventSeq::new(100), 1).await.unwrap();
    assert_eq!((first.len(), next[0].seq.number()), (100, 101));
    let version = world.record(id).await.version;
    assert!(version < 20, "{version} commits for 300 events");
}

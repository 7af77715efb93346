//! What a WebSocket carries (rows P75–P82), and how it ends.

use crate::sessions::client::{numbers, said};
use crate::sessions::stage::{PATIENCE, Stage, pass};
use crate::world::World;
use futures::StreamExt;
use powerloom_core::session::connection::STREAM_LEASE;
use powerloom_core::store::{Commit, Write};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Rows P76–P82: the frames of the deployment guide.
#[tokio::test]
async fn the_frames_are_those_of_the_guide() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    let content = json!([{ "type": "text", "text": "Let me look." }]);
    stage.runtime.say(id, "agent.message", json!({ "content": content }));
    let call = json!({ "name": "sql.explain", "mcp_server_name": "pg", "input": { "sql": "select 1" } });
    stage.runtime.say(id, "agent.mcp_tool_use", call);
    let result = json!([{ "type": "text", "text": "Seq Scan" }]);
    stage.runtime.say(id, "agent.mcp_tool_result", json!({ "content": result }));
    stage.runtime.end_turn(id);
    let (told, closed) = socket.drain().await;
    let kinds: Vec<&str> = told.iter().map(|told| told.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "powerloom.session_created",
            "user.message",
            "session.status_running",
            "agent.message",
            "agent.mcp_tool_use",
            "agent.mcp_tool_result",
            "session.status_idle",
            "powerloom.session_ended",
        ]
    );
    assert_eq!(numbers(&told), (1..=8).collect::<Vec<_>>());
    let payload = |index: usize| &told[index].payload;
    assert_eq!(payload(0)["cma_session_id"], format!("sesn_{id}"), "row P77");
    assert_eq!(payload(3)["content"], content, "row P78");
    assert_eq!(
        (&payload(4)["tool"], &payload(4)["input"]["sql"]),
        (&json!("sql.explain"), &json!("select 1")),
        "row P79"
    );
    assert_eq!(payload(5)["result"], result, "row P80");
    assert_eq!(payload(6)["stop_reason"]["type"], "end_turn", "row P81");
    assert_eq!(
        (&payload(7)["event_count"], &payload(7)["mcp_tool_use_count"]),
        (&json!(6), &json!(1)),
        "row P82"
    );
    // `session.status_idle` ends nothing; `powerloom.session_ended` does (sem. 2.7).
    assert_eq!(said(&closed), (1000, "ended"));
    assert_eq!(stage.log(id).await.len(), told.len());
}

/// Row P75: the URL of the answer is where the stream is.
#[tokio::test]
async fn the_url_of_an_invocation_opens_its_stream() {
    let stage = Stage::new().await;
    let started = stage.asks(json!({ "prompt": "Hello" })).await.expect(201);
    let mut socket = stage.client().open(started.body["ws_url"].as_str().unwrap()).await;
    assert_eq!(socket.next().await.unwrap().kind, "powerloom.session_created");
}

/// RFC 8441: a browser that has an HTTP/2 connection opens its sockets over that.
#[tokio::test]
async fn a_stream_opens_over_http2_too() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream?ticket={}", stage.ticket(id).await);
    let (mut send, connection) = h2::client::handshake(stage.client().connect().await).await.unwrap();
    tokio::spawn(connection);
    let settled = async {
        while !send.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.unwrap();
    let request = axum::http::Request::connect(format!("http://loom{path}"));
    let mut request = request.header("sec-websocket-version", "13").body(()).unwrap();
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    let (response, _client) = send.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let data = response.into_body().data().await.unwrap().unwrap();
    // One whole text message.
    assert_eq!(data[0], 0x81);
    assert!(String::from_utf8_lossy(&data).contains("powerloom.session_created"));
}

/// Sem. 2.7: a settled session replays, says that it had ended, and closes; from anywhere.
#[tokio::test]
async fn a_settled_session_replays_and_closes() {
    let stage = Stage::new().await;
    let record = stage.settled(600).await;
    let last = record.last_seq.number();
    let (told, closed) = stage.open(record.id, 0).await.drain().await;
    assert_eq!(numbers(&told), (1..=last).chain([last]).collect::<Vec<_>>());
    assert_eq!(told.last().unwrap().kind, "powerloom.session_already_ended");
    assert_eq!(said(&closed), (1000, "ended"));
    let (told, closed) = stage.open(record.id, last).await.drain().await;
    assert_eq!((told.len(), said(&closed).0), (1, 1000));
    let (told, _) = stage.open(record.id, last - 2).await.drain().await;
    assert_eq!(numbers(&told), [last - 1, last, last]);
}

/// A number nobody was ever told would be waited for without end.
#[tokio::test]
async fn a_stream_from_beyond_the_log_is_refused_and_costs_no_ticket() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let ticket = stage.ticket(id).await;
    let path = format!("/sessions/{id}/stream?ticket={ticket}");
    let refused = stage.client().open(&format!("{path}&after=1000")).await.refusal().await;
    assert_eq!(said(&refused), (1008, "after: the log does not reach there"));
    assert_eq!(stage.client().open(&path).await.next().await.unwrap().seq, 1);
}

/// Whoever goes, with a word or without, can be back at once with a new ticket.
#[tokio::test]
async fn a_stream_is_free_as_soon_as_its_client_has_gone() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    for round in 0..6 {
        let mut socket = stage.open(id, 0).await;
        socket.take(3).await;
        if round % 2 == 0 {
            // When the goodbye is answered, the stream is free.
            socket.close().await;
        } else {
            drop(socket);
            stage.figure_becomes("session_streams_open", 0).await;
        }
    }
}

/// A deployment: the client is told to go on elsewhere, and from where; its ticket is not used up by a server that stops.
#[tokio::test]
async fn a_server_that_stops_closes_resumably() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    socket.take(3).await;
    let unused = stage.ticket(id).await;
    stage.world.stopping.cancel();
    assert_eq!(said(&socket.refusal().await), (1001, "stopping; after=3"));
    assert_eq!(said(&stage.present(id, &unused).await.refusal().await), (1001, "stopping; after=0"));
    // Another replica, on the same store.
    stage.runtime.message(id, "go on");
    let path = format!("/sessions/{id}/stream?ticket={unused}&after=3");
    let told = stage.replica().await.open(&path).await.next().await.unwrap();
    assert_eq!((told.seq, told.kind.as_str()), (4, "agent.message"));
}

/// Somebody else has the lease, as after a long pause of this process: the stream says so and ends.
#[tokio::test]
async fn a_lost_lease_ends_the_stream() {
    let (stage, clock) = Stage::standing().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    socket.take(3).await;
    // The lease has run out on the store's clock, and another process takes it.
    clock.advance(Duration::from_secs(31));
    let store = stage.world.loom.store();
    let now = stage.world.loom.clock().now();
    let mut commit = Commit::new(stage.world.acme.id, now);
    let (holder, until) = ("another".to_owned(), now + Duration::from_secs(600));
    commit.write.push(Write::HoldStream { session: id, holder, until });
    store.commit(commit).await.unwrap();
    // The next time the lease is to be renewed.
    pass(STREAM_LEASE / 3).await;
    let closed = socket.refusal().await;
    assert_eq!(said(&closed), (4409, "stream_held; after=3"));
}

/// A client that is alive answers pings by itself; one that does not is closed after one more period.
#[tokio::test]
async fn a_silent_client_is_pinged_and_a_dead_one_closed() {
    let stage = Stage::with(|mut config| {
        config.bounds.ping_every = Duration::from_millis(80);
        config
    })
    .await;
    let (id, other) = (stage.running().await, stage.running().await);
    let mut alive = stage.open(id, 3).await;
    // Reading is what answers a ping.
    let alive = tokio::spawn(async move {
        let mut pings = 0;
        loop {
            match tokio::time::timeout(PATIENCE, alive.0.next()).await.unwrap().unwrap().unwrap() {
                Message::Ping(_) => pings += 1,
                Message::Text(_) => return pings,
                other => panic!("{other:?}"),
            }
        }
    });
    // This one does not read.
    let mut dead = stage.open(other, 3).await;
    stage.figure_becomes("session_slow_readers_total", 1).await;
    let (told, closed) = dead.drain().await;
    assert_eq!((told.len(), said(&closed)), (0, (4408, "silent; after=3")));
    stage.runtime.message(id, "still there?");
    assert!(alive.await.unwrap() >= 2);
}

/// What a client says is ignored, as long as it is short.
#[tokio::test]
async fn what_a_client_says_is_ignored_and_bounded() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    socket.take(3).await;
    socket.send(Message::text("{\"type\":\"user.message\"}")).await;
    socket.send(Message::binary(vec![0; 4096])).await;
    socket.send(Message::Ping(b"there?".to_vec().into())).await;
    stage.runtime.message(id, "go on");
    assert_eq!(socket.next().await.unwrap().seq, 4);
    socket.send(Message::text("x".repeat(4097))).await;
    assert_eq!(said(&socket.refusal().await), (1009, "too_long; after=4"));
    stage.figure_becomes("session_streams_open", 0).await;
    stage.open(id, 4).await;
}

/// Never a framework's own text: the envelope, also where no socket is asked for.
#[tokio::test]
async fn a_request_without_a_handshake_is_told_to_upgrade() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream?ticket={}", stage.ticket(id).await);
    let plain = stage.world.send(stage.world.request(Method::GET, &path)).await.expect(426);
    assert_eq!((plain.code(), plain.header("upgrade")), ("upgrade_required", "websocket"));
    assert_eq!(plain.header("sec-websocket-version"), "13");
    let post = stage.world.send(stage.world.request(Method::POST, &path)).await.expect(405);
    assert_eq!(post.code(), "method_not_allowed");
    let keyless = stage.world.request(Method::GET, &path).header("connection", "upgrade");
    let keyless = keyless.header("upgrade", "websocket").header("sec-websocket-version", "13");
    assert_eq!(stage.world.send(keyless).await.expect(400).code(), "invalid");
    for bad in ["/sessions/x/stream", &format!("{path}&after=x"), &format!("{path}&more=1")] {
        let refused = stage.world.send(stage.world.request(Method::GET, bad)).await.expect(400);
        assert_eq!(refused.code(), "invalid", "{bad}");
    }
    // None of this has used the ticket.
    assert_eq!(stage.client().open(&path).await.next().await.unwrap().seq, 1);
}

/// The ticket's route is the only one beside the anonymous ones that no bearer opens; the document says so.
#[tokio::test]
async fn only_the_stream_is_opened_by_a_ticket() {
    let world = World::start().await;
    let document = world.send(world.request(Method::GET, "/openapi.json")).await.expect(200).body;
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    let mut exceptions = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(security) = operation.get("security") {
                exceptions.push((format!("{method} {path}"), security.clone()));
            }
        }
    }
    exceptions.sort_by(|(one, _), (two, _)| one.cmp(two));
    let ticketed = json!([{ "ticket": [] }, { "bearer": [] }]);
    let expected = [
        ("get /.well-known/jwks.json", json!([])),
        ("get /healthz", json!([])),
        ("get /readyz", json!([])),
        ("get /sessions/{id}/stream", ticketed),
    ];
    assert_eq!(exceptions, expected.map(|(operation, security)| (operation.to_owned(), security)));
    let scheme = &document["components"]["securitySchemes"]["ticket"];
    assert_eq!(
        (&scheme["type"], &scheme["in"], &scheme["name"]),
        (&json!("apiKey"), &json!("query"), &json!("ticket"))
    );
    let stream = &document["paths"]["/sessions/{id}/stream"]["get"]["responses"];
    for status in ["101", "401", "403", "404", "426"] {
        assert!(stream[status].is_object(), "{status}");
    }
    let events = &document["paths"]["/sessions/{id}/events"]["get"]["responses"]["200"]["content"];
    assert!(events["application/json"].is_object() && events["text/event-stream"].is_object());
    references(&document, &mut |reference| {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "`{reference}` leads nowhere");
    });
    let invoke = &document["paths"]["/agents/{id}/invoke"]["post"];
    let headers: Vec<&str> =
        invoke["parameters"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(
        headers.contains(&"idempotency-key") && headers.contains(&"powerloom-break-glass"),
        "{headers:?}"
    );
}

fn references(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                see(reference);
            }
            fields.values().for_each(|value| references(value, see));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, see)),
        _ => {}
    }
}

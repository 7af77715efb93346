//! Asking an agent (rows P69–P75).

use crate::sessions::client::said;
use crate::sessions::stage::{PATIENCE, Stage, session_of};
use crate::world::World;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::session::status::SessionStatus;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Rows P69, P74, P75: the body of the deployment guide, as `curl -d` sends it.
#[tokio::test]
async fn fire_and_forget_answers_at_once_with_a_ticket() {
    let stage = Stage::new().await;
    let asks = json!({
        "prompt": "Review the migration in PR #42 for safety issues.",
        "mode": "fire_and_forget",
        "title": "PR #42 review",
    });
    let request = stage.world.request(Method::POST, &stage.invoke_path()).bearer_auth(&stage.world.admin);
    let form = request.header("content-type", "application/x-www-form-urlencoded").body(asks.to_string());
    let started = stage.world.send(form).await.expect(201);
    let (id, ticket) = (session_of(&started), started.body["ws_ticket"].as_str().unwrap());
    let expires_at = &started.body["ws_ticket_expires_at"];
    assert!(ticket.starts_with("tk_") && ticket.len() == 46 && expires_at.is_string());
    assert_eq!(
        started.body,
        json!({
            "session_id": id, "status": "pending", "mode": "fire_and_forget", "ws_ticket": ticket,
            "ws_url": format!("/sessions/{id}/stream?ticket={ticket}"), "ws_ticket_expires_at": expires_at,
        })
    );
    assert_eq!(started.header("location"), format!("/sessions/{id}"));
    assert_eq!(started.header("cache-control"), "no-store");
    let session = stage.world.get(started.header("location")).await.expect(200);
    assert_eq!((&session.body["title"], &session.body["prompt"]), (&asks["title"], &asks["prompt"]));

    // The mode is what the guide calls fire-and-forget unless said otherwise.
    let plain = stage.asks(json!({ "prompt": "Hello" })).await.expect(201);
    assert_eq!(plain.body["mode"], "fire_and_forget");
}

/// Row P73. The general bound on requests does not cut it.
#[tokio::test]
async fn sync_blocks_until_the_session_has_settled_however_long_requests_may_take() {
    let stage = Stage::with(|mut config| {
        config.bounds.request_timeout = Duration::from_millis(150);
        config
    })
    .await;
    let runtime = stage.runtime.clone();
    let answer = stage.asks(json!({ "prompt": "How many?", "mode": "sync" }));
    let ends = async {
        let id = only_session(&stage.world).await;
        runtime.prompted(id).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        runtime.message(id, "Seven");
        runtime.end_turn(id);
        id
    };
    let (answer, id) = tokio::join!(answer, ends);
    let answer = answer.expect(200);
    assert_eq!((session_of(&answer), &answer.body["status"]), (id, &json!("idle_end_turn")));
    assert_eq!((&answer.body["mode"], answer.body.get("ws_ticket")), (&json!("sync"), None));
    assert_eq!(answer.body["session"]["event_count"], 4);
    assert_eq!(answer.body["session"]["degradation_flagged"], false, "row P95");
}

/// The session there is, once there is one.
async fn only_session(world: &World) -> powerloom_core::id::SessionId {
    let found = async {
        loop {
            let sessions = world.get("/sessions").await.expect(200);
            if let Some(session) = sessions.body["items"].as_array().unwrap().first() {
                return session["id"].as_str().unwrap().parse().unwrap();
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// Sem. 2.7: a client that goes away stops nothing.
#[tokio::test]
async fn the_session_of_a_client_that_vanishes_goes_on() {
    let stage = Stage::new().await;
    let body = json!({ "prompt": "How many?", "mode": "sync" }).to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: loom\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        stage.invoke_path(),
        stage.world.admin,
        body.len(),
    );
    let mut socket = stage.client().connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
    let id = only_session(&stage.world).await;
    stage.runtime.prompted(id).await;
    drop(socket);
    stage.runtime.message(id, "Is anybody there?");
    stage.runtime.end_turn(id);
    let record = stage.wait(id).await;
    assert_eq!((record.status, record.cancel_requested), (SessionStatus::IdleEndTurn, false));
}

/// A deployment does not wait for the longest session, and its client learns where that one is.
#[tokio::test]
async fn a_sync_call_is_answered_when_the_server_stops() {
    let stage = Stage::new().await;
    let answer = stage.asks(json!({ "prompt": "How many?", "mode": "sync" }));
    let stops = async {
        let id = only_session(&stage.world).await;
        stage.runtime.prompted(id).await;
        stage.world.stopping.cancel();
        id
    };
    let (answer, id) = tokio::join!(answer, stops);
    let answer = answer.expect(200);
    assert_eq!((session_of(&answer), &answer.body["status"]), (id, &json!("running")));
}

/// Rows P70, P71, P72; sem. 2.7: who may not invoke learns nothing of the sync state; who is nobody, nothing at all.
#[tokio::test]
async fn the_checks_come_in_order() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let fresh = stage.new_agent("fresh").await;
    let path = format!("/agents/{fresh}/invoke");
    let asks = || Some(json!({ "prompt": "Hello" }));
    let (_, viewer) = world.person("viewer@acme.com", &["AgentViewer"]).await;

    let anonymous = world.send(world.request(Method::POST, &path).json(&asks())).await.expect(401);
    assert_eq!(anonymous.code(), "unauthenticated");
    let nowhere = "/agents/00000000-0000-7000-8000-000000000009/invoke";
    assert_eq!(world.post(nowhere, asks().unwrap()).await.expect(404).code(), "not_found");
    let denied = world.as_of(&viewer, Method::POST, &path, asks()).await.expect(403);
    assert_eq!(denied.code(), "denied");
    assert!(denied.text.contains("agent:invoke") && !denied.text.contains("sync"), "{}", denied.text);
    let unsynced = world.post(&path, asks().unwrap()).await.expect(409);
    assert_eq!(unsynced.code(), "agent_not_synced");
    stage.reconcile().await;
    world.post(&path, asks().unwrap()).await.expect(201);
    world.delete(&format!("/agents/{fresh}")).await.expect(204);
    assert_eq!(world.post(&path, asks().unwrap()).await.expect(409).code(), "agent_archived");
}

/// Row P72: the environment has gone from the runtime, and is not made anew yet.
#[tokio::test]
async fn an_agent_without_its_environment_is_refused() {
    let stage = Stage::new().await;
    let objects = stage.runtime.objects();
    let all = objects.objects();
    let environment = all.iter().find(|object| object.key.kind.as_str() == "Environment").unwrap();
    objects.vanish(&environment.key);
    let reconciler = ReconcilerLoop::builder(&stage.world.loom, stage.runtime.clone()).build();
    assert_eq!(reconciler.sweep().await.unwrap().drifted, 1);
    let refused = stage.asks(json!({ "prompt": "Hello" })).await.expect(409);
    assert_eq!(refused.code(), "environment_not_synced", "{}", refused.text);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_its_field() {
    let stage = Stage::new().await;
    let field =
        |answer: crate::world::Answer| answer.body["error"]["detail"]["field"].as_str().unwrap().to_owned();
    for (body, expected) in [
        (json!({ "prompt": "" }), "prompt"),
        (json!({ "prompt": "x".repeat(100_001) }), "prompt"),
        (json!({ "prompt": "x", "title": "" }), "title"),
        (json!({ "prompt": "x", "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "prompt": "x", "timeout_seconds": -1 }), "timeout_seconds"),
        (json!({ "prompt": "x", "mode": "later" }), "mode"),
        (json!({ "prompt": "x", "agent": stage.agent }), "agent"),
        (json!({ "mode": "sync" }), "prompt"),
    ] {
        assert_eq!(field(stage.asks(body.clone()).await.expect(400)), expected, "{body}");
    }
    assert_eq!(stage.world.get("/sessions").await.expect(200).body["items"], json!([]));
}

/// Sem. 2.14: the terms of a change are the terms of an invocation.
#[tokio::test]
async fn the_same_key_starts_one_session() {
    let stage = Stage::new().await;
    let ask = async |prompt: &str, key: &str| {
        let request = stage.world.request(Method::POST, &stage.invoke_path()).bearer_auth(&stage.world.admin);
        stage.world.send(request.header("idempotency-key", key).json(&json!({ "prompt": prompt }))).await
    };
    let first = ask("Hello", "once").await.expect(201);
    let again = ask("Hello", "once").await.expect(201);
    assert_eq!(session_of(&first), session_of(&again));
    assert_ne!(first.body["ws_ticket"], again.body["ws_ticket"]);
    assert_eq!(ask("Other", "once").await.expect(409).code(), "idempotency_mismatch");
    assert_eq!(ask("Hello", "a b").await.expect(400).code(), "invalid");
}

/// Rows P96, P97; sem. 2.14: what a policy holds back is answered with the request, and starts nothing; whoever may break the
/// glass starts it all the same.
#[tokio::test]
async fn an_invocation_can_be_held_back_questioned_forced_and_warned_about() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let policy = async |name: &str, mode: &str, approvers: Value| {
        let matches = json!({ "resource_kinds": ["Agent"], "actions": ["invoke"] });
        let policy = json!({
            "name": name, "ou_id": world.acme.root_ou, "match": matches, "mode": mode, "approvers": approvers,
        });
        format!("/approval-policies/{}", world.post("/approval-policies", policy).await.expect(201).id())
    };
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = world.request(Method::POST, &stage.invoke_path()).bearer_auth(&world.admin);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.send(request.json(&json!({ "prompt": "Hello" }))).await
    };
    let why = ("powerloom-justification", "it%20leaks%20customer%20names");

    let warns = policy("be-careful", "warn", json!([])).await;
    let warned = ask(&[]).await.expect(201);
    assert!(warned.body["warnings"][0].as_str().unwrap().contains("be-careful"), "{}", warned.text);
    world.delete(&warns).await.expect(204);

    let asks_why = policy("say-why", "require_justification", json!([])).await;
    assert_eq!(ask(&[]).await.expect(409).code(), "justification_required");
    ask(&[why]).await.expect(201);
    world.delete(&asks_why).await.expect(204);

    let before = world.get("/sessions").await.expect(200).body["items"].as_array().unwrap().len();
    policy("ask-first", "require_approval", json!(["role:OrgAdmin"])).await;
    let held = ask(&[]).await.expect(202);
    assert!(held.body["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(held.body["status"], "pending_approval");
    assert_eq!(held.header("location"), held.body["inbox"].as_str().unwrap());
    let now = world.get("/sessions").await.expect(200).body["items"].as_array().unwrap().len();
    assert_eq!(now, before);
    ask(&[why, ("powerloom-break-glass", "true")]).await.expect(201);
}

/// Sem. 2.7: a stop is asked for, by the starter or with `session:cancel`, and comes soon.
#[tokio::test]
async fn a_session_can_be_stopped() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut socket = stage.open(id, 0).await;
    let (_, viewer) = stage.world.person("viewer@acme.com", &["AgentViewer"]).await;
    let path = format!("/sessions/{id}/cancel");
    let denied = stage.world.as_of(&viewer, Method::POST, &path, None).await.expect(403);
    assert!(denied.text.contains("session:cancel"));
    let asked = stage.world.post(&path, Value::Null).await.expect(200);
    assert_eq!(asked.body, json!({ "session_id": id, "cancel_requested": true }));
    let record = stage.wait(id).await;
    assert!(record.status.is_settled() && record.cancel_requested, "{:?}", record.status);
    let (told, closed) = socket.drain().await;
    assert_eq!(told.last().unwrap().kind, "powerloom.session_ended");
    assert_eq!(said(&closed), (1000, "ended"));
    let settled = stage.world.post(&path, Value::Null).await.expect(409);
    assert_eq!(settled.code(), "session_settled");
}

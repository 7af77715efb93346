//! A stream outlives the question that opened it: whoever may no longer follow is out within 15 seconds.

use crate::sessions::client::said;
use crate::sessions::sse::{Event, Events, opened};
use crate::sessions::stage::{Stage, pass};
use powerloom_core::id::SessionId;
use powerloom_server::Config;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// How often it is asked.
const ASKED: Duration = Duration::from_secs(10);

/// A stream of server-sent events that has told all there is, and waits.
async fn following(stage: &Stage, id: SessionId, token: &str) -> Events {
    let request = stage.world.request(Method::GET, &format!("/sessions/{id}/events?after=2"));
    let mut events = opened(request.bearer_auth(token).header("accept", "text/event-stream")).await;
    assert_eq!(events.next().await.unwrap().id, "3");
    events
}

/// Ten seconds later; both sides are waiting again.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(20)).await;
    pass(ASKED).await;
}

/// The only thing that is told is that it is over, and not to come back.
async fn is_ended(events: Events) {
    assert_eq!(events.rest().await, [Event { comment: true, ..Event::default() }]);
}

async fn disable(stage: &Stage, user: impl std::fmt::Display) {
    stage.world.patch(&format!("/users/{user}"), json!({ "disabled": true })).await.expect(200);
}

#[tokio::test]
async fn a_disabled_user_reads_no_further() {
    let stage = Stage::with(Config::viewers).await;
    let id = stage.running().await;
    let (ada, token) = stage.world.person("ada@acme.com", &["AgentOperator"]).await;
    let events = following(&stage, id, &token).await;
    let path = format!("/sessions/{id}/stream?after=2");
    let mut socket = stage.client().try_open(&path, Some(&token)).await.unwrap();
    socket.take(1).await;
    let mut others = following(&stage, id, &stage.world.admin).await;

    disable(&stage, ada).await;
    a_while().await;
    assert_eq!(said(&socket.refusal().await), (4403, "forbidden"));
    is_ended(events).await;
    stage.runtime.message(id, "go on");
    assert_eq!(others.next().await.unwrap().id, "4", "who may, reads on");
}

#[tokio::test]
async fn who_loses_the_permission_reads_no_further() {
    let stage = Stage::with(Config::viewers).await;
    let id = stage.running().await;
    let (ada, token) = stage.world.person("ada@acme.com", &[]).await;
    let binding = json!({
        "ou_id": stage.world.acme.root_ou, "principal": format!("user:{ada}"), "role": "AgentOperator",
    });
    let binding = stage.world.post("/role-bindings", binding).await.expect(201).id().to_owned();
    let events = following(&stage, id, &token).await;
    let path = format!("/sessions/{id}/stream?after=2");
    let mut socket = stage.client().try_open(&path, Some(&token)).await.unwrap();
    socket.take(1).await;

    let gone = stage.world.delete(&format!("/role-bindings/{binding}")).await;
    assert!((200..300).contains(&gone.status), "{gone:?}");
    a_while().await;
    assert_eq!(said(&socket.refusal().await), (4403, "forbidden"));
    is_ended(events).await;
}

#[tokio::test]
async fn a_revoked_token_reads_no_further() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let wanted = json!({ "name": "ci", "scopes": ["session:*"], "lifetime_seconds": 3600 });
    let made = stage.world.post("/tokens", wanted).await.expect(201);
    let events = following(&stage, id, made.body["token"].as_str().unwrap()).await;
    let revoked = stage.world.delete(&format!("/tokens/{}", made.id())).await;
    assert!((200..300).contains(&revoked.status), "{revoked:?}");
    a_while().await;
    is_ended(events).await;
}

/// A ticket has no token to look at: its holder is.
#[tokio::test]
async fn the_client_of_a_ticket_reads_no_further_once_it_is_disabled() {
    let stage = Stage::new().await;
    let (ada, token) = stage.world.person("ada@acme.com", &["AgentOperator"]).await;
    let ask = json!({ "prompt": "How many orders?" });
    let started = stage.world.as_of(&token, Method::POST, &stage.invoke_path(), Some(ask)).await.expect(201);
    let mut socket = stage.client().open(started.body["ws_url"].as_str().unwrap()).await;
    assert_eq!(socket.next().await.unwrap().seq, 1);
    a_while().await;
    disable(&stage, ada).await;
    a_while().await;
    let (_, closed) = socket.drain().await;
    assert_eq!(said(&closed), (4403, "forbidden"));
}

//! Server-sent events: the same frames for whoever has only HTTP.

use crate::sessions::stage::{PATIENCE, Stage, pass};
use futures::{Stream, StreamExt};
use powerloom_core::id::SessionId;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::pin::Pin;
use std::time::Duration;

/// One event: its fields.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
    pub(crate) retry: String,
    pub(crate) comment: bool,
}

/// A stream of events, as a browser parses it.
pub(crate) struct Events {
    chunks: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Events {
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parsed(block);
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.chunks.next()).await.expect("nothing came")?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parsed(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => event.comment = true,
            "id" => event.id = value.to_owned(),
            "event" => event.kind = value.to_owned(),
            "data" => event.data = serde_json::from_str(value).unwrap(),
            "retry" => event.retry = value.to_owned(),
            other => panic!("field `{other}`"),
        }
    }
    event
}

fn ask(stage: &Stage, id: SessionId, query: &str) -> RequestBuilder {
    let request = stage.world.request(Method::GET, &format!("/sessions/{id}/events{query}"));
    request.bearer_auth(&stage.world.admin).header("accept", "text/event-stream")
}

pub(crate) async fn opened(request: RequestBuilder) -> Events {
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["vary"], "accept");
    Events { chunks: Box::pin(response.bytes_stream()), text: String::new() }
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id.parse().unwrap()).collect()
}

/// Rows P76–P82, over HTTP: any number may read at once, and each has all of it.
#[tokio::test]
async fn every_reader_gets_every_frame_to_the_end() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(opened(ask(&stage, id, "")).await);
    }
    let mut socket = stage.open(id, 0).await;
    for word in 0..100 {
        stage.runtime.message(id, &format!("two\nlines {word}"));
    }
    stage.runtime.end_turn(id);
    let (told, _) = socket.drain().await;
    drop(socket);
    for reader in readers {
        let events = reader.rest().await;
        assert_eq!(events.len(), told.len());
        for (event, told) in events.iter().zip(&told) {
            assert_eq!((event.id.parse(), &event.kind), (Ok(told.seq), &told.kind));
            let frame = json!({ "seq": told.seq.to_string(), "type": told.kind, "payload": told.payload });
            assert_eq!(event.data, frame);
        }
    }
    stage.figure_becomes("session_streams_open", 0).await;
}

/// A browser comes back with the id of the last event it has; that counts, not the URL it began with.
#[tokio::test]
async fn a_reader_resumes_behind_the_last_id_it_has() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut first = opened(ask(&stage, id, "?after=1")).await;
    assert_eq!(first.next().await.unwrap().id, "2");
    drop(first);
    stage.runtime.message(id, "meanwhile");
    let again = opened(ask(&stage, id, "?after=1").header("last-event-id", "2")).await;
    stage.runtime.end_turn(id);
    assert_eq!(ids(&again.rest().await), [3, 4, 5, 6]);
}

/// A settled session replays; a browser that has all of it is told not to come back (204).
#[tokio::test]
async fn a_settled_session_replays_once() {
    let stage = Stage::new().await;
    let record = stage.settled(300).await;
    let last = record.last_seq.number();
    let events = opened(ask(&stage, record.id, "")).await.rest().await;
    assert_eq!(ids(&events), (1..=last).chain([last]).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap().kind, "powerloom.session_already_ended");
    let resumed = opened(ask(&stage, record.id, "").header("last-event-id", (last - 1).to_string())).await;
    assert_eq!(ids(&resumed.rest().await), [last, last]);
    let done = ask(&stage, record.id, "").header("last-event-id", last.to_string());
    assert_eq!(stage.world.send(done).await.expect(204).text, "");
}

/// A deployment: the stream ends with a hint when to come back.
#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut events = opened(ask(&stage, id, "?after=2")).await;
    assert_eq!(events.next().await.unwrap().id, "3");
    stage.world.stopping.cancel();
    let rest = events.rest().await;
    assert_eq!(rest, [Event { retry: "1000".to_owned(), ..Event::default() }]);
}

/// Proxies cut what is silent for too long.
#[tokio::test]
async fn a_silent_stream_is_kept_open_by_comments() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut events = opened(ask(&stage, id, "?after=2")).await;
    assert_eq!(events.next().await.unwrap().id, "3");
    // Until it waits again.
    tokio::time::sleep(Duration::from_millis(20)).await;
    pass(Duration::from_secs(15)).await;
    assert_eq!(events.next().await.unwrap(), Event { comment: true, ..Event::default() });
    stage.runtime.message(id, "go on");
    assert_eq!(events.next().await.unwrap().id, "4");
}

/// Sem. 2.7: whoever started it, others with `session:stream`; a foreign session is as absent as one that never was.
#[tokio::test]
async fn a_stream_is_for_those_who_may() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let (_, nobody) = stage.world.person("nobody@acme.com", &[]).await;
    let stranger = stage.world.token(stage.world.other.id, stage.world.other.admin).await;
    let with = |token: &str, id: &str| {
        let request = stage.world.request(Method::GET, &format!("/sessions/{id}/events"));
        request.bearer_auth(token).header("accept", "text/event-stream")
    };
    let denied = stage.world.send(with(&nobody, &id.to_string())).await.expect(403);
    assert!(denied.text.contains("session:stream"), "{}", denied.text);
    let foreign = stage.world.send(with(&stranger, &id.to_string())).await.expect(404);
    let absent = "00000000-0000-7000-8000-000000000009";
    let missing = stage.world.send(with(&stranger, absent)).await.expect(404);
    assert_eq!(foreign.text.replace(&id.to_string(), absent), missing.text);
}

#[tokio::test]
async fn what_is_no_stream_is_refused_by_its_field() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let field =
        |answer: crate::world::Answer| answer.body["error"]["detail"]["field"].as_str().unwrap().to_owned();
    for (query, header, expected) in [
        ("", "x", "last-event-id"),
        ("", "1000", "after"),
        ("?after=1000", "1", ""),
        ("?limit=5", "1", "limit"),
        ("?cursor=IjEi", "1", "cursor"),
        ("?after=x", "1", "after"),
    ] {
        let answer = ask(&stage, id, query).header("last-event-id", header).send().await.unwrap();
        if expected.is_empty() {
            // The header counts.
            assert_eq!(answer.status().as_u16(), 200);
            continue;
        }
        let refused =
            stage.world.send(ask(&stage, id, query).header("last-event-id", header)).await.expect(400);
        assert_eq!(field(refused), expected, "{query} {header}");
    }
}

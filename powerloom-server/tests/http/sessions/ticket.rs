//! Tickets over real sockets (rows P83–P85; vectors 4.7).

use crate::sessions::client::{numbers, said};
use crate::sessions::stage::Stage;
use powerloom_core::clock::{Clock, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const REFUSED: (u16, &str) = (4401, "ticket_refused");

/// Row P83: once in, a ticket is used up; what is left of it says nothing.
#[tokio::test]
async fn a_ticket_opens_the_stream_once() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let ticket = stage.ticket(id).await;
    let mut first = stage.present(id, &ticket).await;
    assert_eq!(first.next().await.unwrap().seq, 1);
    first.close().await;
    assert_eq!(said(&stage.present(id, &ticket).await.refusal().await), REFUSED);
}

/// Row P84; vector 4.7: exactly.
#[tokio::test]
async fn a_ticket_is_good_for_59_999_milliseconds_and_not_for_60_000() {
    let (stage, clock) = Stage::standing().await;
    let id = stage.running().await;
    let (one, two) = (stage.ticket(id).await, stage.ticket(id).await);
    let said_to_end = stage.world.post(&format!("/sessions/{id}/ticket"), Value::Null).await.expect(201);
    let ends: Timestamp = said_to_end.body["ws_ticket_expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends, clock.now() + Duration::from_secs(60));
    clock.advance(Duration::from_millis(59_999));
    let mut good = stage.present(id, &one).await;
    assert_eq!(good.next().await.unwrap().seq, 1);
    good.close().await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(said(&stage.present(id, &two).await.refusal().await), REFUSED);
}

/// Row P83; vector 4.7.
#[tokio::test]
async fn of_two_sockets_racing_with_one_ticket_one_wins() {
    let stage = Stage::new().await;
    for _ in 0..8 {
        let id = stage.running().await;
        let ticket = stage.ticket(id).await;
        let (mut one, mut two) = tokio::join!(stage.present(id, &ticket), stage.present(id, &ticket));
        let outcomes = [one.next().await, two.next().await];
        let refused: Vec<_> =
            outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(said).collect();
        assert_eq!(refused, [REFUSED]);
    }
}

/// Row P85; vector 4.7: the loser's ticket is as good as before.
#[tokio::test]
async fn of_two_sockets_racing_with_two_tickets_one_wins() {
    let stage = Stage::new().await;
    for _ in 0..8 {
        let id = stage.running().await;
        let tickets = [stage.ticket(id).await, stage.ticket(id).await];
        let (mut one, mut two) = tokio::join!(stage.present(id, &tickets[0]), stage.present(id, &tickets[1]));
        let outcomes = [one.next().await, two.next().await];
        let loser = usize::from(outcomes[0].is_ok());
        assert_eq!(said(outcomes[loser].as_ref().unwrap_err()), (4409, "stream_held; after=0"));
        let winner = if loser == 0 { two } else { one };
        winner.close().await;
        let mut again = stage.present(id, &tickets[loser]).await;
        assert_eq!(again.next().await.unwrap().seq, 1);
    }
}

/// Row P85; vector 4.7: a second client changes nothing for the first.
#[tokio::test]
async fn the_first_client_is_not_disturbed_by_a_second() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut first = stage.open(id, 0).await;
    assert_eq!(numbers(&first.take(3).await), [1, 2, 3]);
    let ticket = stage.ticket(id).await;
    let held = stage.present(id, &ticket).await.refusal().await;
    assert_eq!(said(&held).0, 4409);
    stage.runtime.message(id, "still here");
    stage.runtime.end_turn(id);
    let (rest, closed) = first.drain().await;
    assert_eq!((numbers(&rest), said(&closed)), (vec![4, 5, 6], (1000, "ended")));
    let mut second = stage.present(id, &ticket).await;
    assert_eq!(second.next().await.unwrap().seq, 1);
}

/// Vector 4.7: a probe does not burn it.
#[tokio::test]
async fn a_ticket_tried_on_another_session_stays_good() {
    let stage = Stage::new().await;
    let (a, b) = (stage.running().await, stage.running().await);
    let ticket = stage.ticket(a).await;
    assert_eq!(said(&stage.present(b, &ticket).await.refusal().await), REFUSED);
    assert_eq!(stage.present(a, &ticket).await.next().await.unwrap().seq, 1);
}

/// Vector 4.7: used, expired, foreign, unknown, absent: not one byte tells which.
#[tokio::test]
async fn a_refused_ticket_reads_the_same_whatever_is_wrong_with_it() {
    let (stage, clock) = Stage::standing().await;
    let (id, other) = (stage.running().await, stage.running().await);
    let expired = stage.ticket(id).await;
    clock.advance(Duration::from_secs(60));
    let (used, foreign) = (stage.ticket(id).await, stage.ticket(other).await);
    let mut socket = stage.present(id, &used).await;
    socket.next().await.unwrap();
    socket.close().await;
    let stream = format!("/sessions/{id}/stream");
    let unknown = format!("tk_{}", "A".repeat(43));
    let mut bytes = Vec::new();
    for query in [
        format!("?ticket={used}"),
        format!("?ticket={expired}"),
        format!("?ticket={foreign}"),
        format!("?ticket={unknown}"),
        "?ticket=".to_owned(),
        format!("?ticket={}", "x".repeat(4000)),
        String::new(),
    ] {
        bytes.push((raw_answer(&stage, &format!("{stream}{query}")).await, query));
    }
    let nowhere = "/sessions/00000000-0000-7000-8000-000000000009/stream?ticket=tk_x";
    bytes.push((raw_answer(&stage, nowhere).await, "another session".to_owned()));
    let (first, _) = &bytes[0];
    assert!(first.ends_with(b"ticket_refused"), "{first:?}");
    for (answer, query) in &bytes {
        assert_eq!(answer, first, "{query}");
    }
}

/// Everything the server sends to somebody who shakes hands, but the date and the id of the request.
async fn raw_answer(stage: &Stage, path: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = stage.client().connect().await;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: loom\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nrequest-id: same\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A close frame: two bytes, a code, and the reason.
    while !answer.ends_with(b"ticket_refused") {
        let mut piece = [0; 1024];
        let read = socket.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let date = text.lines().find(|line| line.to_ascii_lowercase().starts_with("date:")).unwrap_or_default();
    text.replacen(date, "", 1).into_bytes()
}

/// Sem. 2.7: `session:stream`, and being the starter or holding `session:list_all`.
#[tokio::test]
async fn a_ticket_is_for_those_who_may_stream() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/ticket");
    let (_, operator) = stage.world.person("operator@acme.com", &["AgentOperator"]).await;
    let (_, nobody) = stage.world.person("nobody@acme.com", &[]).await;
    let denied = stage.world.as_of(&nobody, Method::POST, &path, None).await.expect(403);
    assert!(denied.text.contains("session:stream"), "{}", denied.text);
    // Streams, but did not start it.
    let other = stage.world.as_of(&operator, Method::POST, &path, None).await;
    let own = stage
        .world
        .as_of(&operator, Method::POST, &stage.invoke_path(), Some(json!({ "prompt": "Hi" })))
        .await;
    let own = own.expect(201).body["session_id"].as_str().unwrap().to_owned();
    stage.world.as_of(&operator, Method::POST, &format!("/sessions/{own}/ticket"), None).await.expect(201);
    assert_eq!(other.status, 403, "{}", other.text);
    assert!(other.text.contains("session:list_all"));
    // The audit trail and the log of requests have no ticket; the dump of the store neither (core holds that).
    let anonymous = stage.world.send(stage.world.request(Method::POST, &path)).await.expect(401);
    assert_eq!(anonymous.code(), "unauthenticated");
}

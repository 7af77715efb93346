//! Two servers on one store: what one was at when it stopped, the other finishes.

use crate::stage::{Stage, connected};
use powerloom_core::session::event::{EventSeq, SESSION_ENDED};
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::status::SessionStatus;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROMPT: &str = "say one\nsay two\nwait 2500\nsay three\nsay four";

/// Invariant 5: no event of a session is lost or doubled, and its reader goes on where it was.
#[tokio::test]
async fn a_session_goes_on_with_the_other_server_without_a_lost_or_doubled_event() {
    let stage = Stage::set().await;
    let (one, two) = (stage.loom().await, stage.loom().await);
    let first = stage.server(&one).runtime(stage.runtime()).start().await.unwrap();
    let agent = stage.synced_agent(&first.url()).await;
    let second = stage.server(&two).runtime(stage.runtime()).start().await.unwrap();
    let caller = stage.org.admin_caller();

    let invoke = Invoke::new(agent["id"].as_str().unwrap().parse().unwrap(), PROMPT);
    let session = one.invoke(&caller, invoke).await.unwrap().started().unwrap().session_id;
    let mut reader = one.follow(&caller, session, EventSeq::START).await.unwrap();
    let mut seen = Vec::new();
    while seen.iter().filter(|kind| *kind == "agent.message").count() < 2 {
        seen.push(reader.next().await.unwrap().unwrap().event.kind.clone());
    }
    let before = one.session(&caller, session).await.unwrap();
    assert_eq!(before.status, SessionStatus::Running);

    assert!(first.shutdown().await.is_clean());
    let mut reader = two.follow(&caller, session, reader.after()).await.unwrap();
    while let Some(event) = reader.next().await {
        seen.push(event.unwrap().event.kind.clone());
    }

    let log = two.session_events(&caller, session, EventSeq::START, 500).await.unwrap();
    let kinds: Vec<String> = log.iter().map(|event| event.event.kind.clone()).collect();
    assert_eq!(seen, kinds, "the reader saw the log, whole and once");
    let numbers: Vec<u64> = log.iter().map(|event| event.seq.number()).collect();
    assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>());
    let ids: Vec<&String> = log.iter().filter_map(|event| event.event.event_id.as_ref()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no event of the runtime twice");
    assert_eq!(kinds.iter().filter(|kind| *kind == "agent.message").count(), 4, "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some(SESSION_ENDED));
    let after = two.session(&caller, session).await.unwrap();
    assert_eq!(after.status, SessionStatus::IdleEndTurn);
    assert!(after.fence > before.fence, "another pump has had it");
    assert!(second.shutdown().await.is_clean());
}

/// Frame numbers as server-sent events tell them, to the end of the answer or until `enough`.
async fn numbers(answer: &mut reqwest::Response, enough: impl Fn(&str) -> bool) -> Vec<u64> {
    let mut text = String::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
        if enough(&text) {
            break;
        }
    }
    text.lines().filter_map(|line| line.strip_prefix("id:")?.trim().parse().ok()).collect()
}

/// A WebSocket opened by hand, so that nothing but the server decides when it ends.
async fn websocket(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut stream = connected(address, &request).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

/// Reads to the close frame with this code, answers it, and reads to the end.
async fn closes_with(stream: &mut TcpStream, code: u16) {
    let (mut bytes, code) = (Vec::new(), code.to_be_bytes());
    let closed = |bytes: &[u8]| bytes.windows(4).any(|at| at[0] == 0x88 && at[2..] == code);
    while !closed(&bytes) {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "it ended without a close frame: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..count]);
    }
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, code[0], code[1]]).await.unwrap();
    // Whether the other side still says something does not matter.
    let _ = stream.read_to_end(&mut bytes).await;
}

/// Streams end with the server, and say where to go on: with the other one.
#[tokio::test]
async fn a_stream_is_closed_for_its_reader_to_go_on_with_the_other_server() {
    let stage = Stage::set().await;
    let first = stage.server(&stage.loom().await).runtime(stage.runtime()).start().await.unwrap();
    let agent = stage.synced_agent(&first.url()).await;
    let second = stage.server(&stage.loom().await).runtime(stage.runtime()).start().await.unwrap();
    let path = format!("/agents/{}/invoke", agent["id"].as_str().unwrap());
    let (status, started) =
        stage.post(&first.url(), &path, &json!({ "prompt": PROMPT, "mode": "fire_and_forget" })).await;
    assert_eq!(status, 201, "{started}");
    let path = format!("/sessions/{}/events", started["session_id"].as_str().unwrap());
    let events = async |url: &str, after: u64| {
        let request = stage.client.get(format!("{url}{path}")).bearer_auth(&stage.admin);
        let request =
            request.header("accept", "text/event-stream").header("last-event-id", after.to_string());
        request.send().await.unwrap()
    };
    let mut reading = events(&first.url(), 0).await;
    let mut socket = websocket(first.address(), started["ws_url"].as_str().unwrap()).await;
    let mut seen = numbers(&mut reading, |text| {
        text.matches("event: agent.message").count() >= 2 || text.matches("event:agent.message").count() >= 2
    })
    .await;

    let (stopped, rest, ()) =
        tokio::join!(first.shutdown(), numbers(&mut reading, |_| false), closes_with(&mut socket, 1001));
    assert!(stopped.is_clean(), "{stopped:?}");
    seen.extend(rest);
    let mut reading = events(&second.url(), *seen.last().unwrap()).await;
    seen.extend(numbers(&mut reading, |_| false).await);
    let (_, ended) = stage.get(&second.url(), &path.replace("/events", "")).await;
    assert_eq!(ended["status"], "idle_end_turn");
    let last: u64 = ended["last_seq"].as_str().unwrap().parse().unwrap();
    assert_eq!(seen, (1..=last).collect::<Vec<_>>(), "no frame is lost or doubled");
    assert!(second.shutdown().await.is_clean());
}

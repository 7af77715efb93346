//! What clients cannot do to a server.

use crate::stage::{Stage, connected, hasty, rest};
use powerloom_server::{Bounds, RunningServer, ServerBounds};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn started(stage: &Stage, bounds: ServerBounds) -> RunningServer {
    stage.server(&stage.loom().await).bounds(bounds).start().await.unwrap()
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_request_is_closed() {
    let stage = Stage::set().await;
    let server = started(&stage, hasty()).await;
    // The second is how HTTP/2 begins, and no more of it.
    for bytes in ["", "PRI * HT", "GET /healthz HTTP/1.1\r\nhost: a\r\n"] {
        let mut stream = connected(server.address(), bytes).await;
        let said = rest(&mut stream).await;
        assert!(!said.contains(" 200 "), "{bytes:?}: {said}");
    }
    assert_eq!(stage.get(&server.url(), "/healthz").await.0, 200);
    assert!(server.shutdown().await.is_clean());
}

#[tokio::test]
async fn too_many_headers_and_too_long_ones_are_answered_431() {
    let stage = Stage::set().await;
    let server = started(&stage, ServerBounds::default()).await;
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(40 << 10));
    for headers in [many, long] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        let mut stream = connected(server.address(), &request).await;
        let said = rest(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
    assert!(server.shutdown().await.is_clean());
}

#[tokio::test]
async fn one_connection_more_than_there_may_be_waits_for_another_to_end() {
    let stage = Stage::set().await;
    let mut bounds = ServerBounds::default();
    bounds.connections = 1;
    let server = started(&stage, bounds).await;
    let request = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut first = connected(server.address(), request).await;
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    let mut second = connected(server.address(), request).await;
    let waits = tokio::time::timeout(Duration::from_millis(200), second.read_exact(&mut answer)).await;
    assert!(waits.is_err(), "there was no room for it");
    drop(first);
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);
    assert!(server.shutdown().await.is_clean());
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up() {
    let stage = Stage::set().await;
    let mut bounds = Bounds::default();
    bounds.requests_per_second = NonZeroU32::new(1);
    bounds.burst = NonZeroU32::new(4).unwrap();
    let server = stage.server_with(&stage.loom().await, bounds).start().await.unwrap();
    let url = server.url();
    let (status, created) = stage
        .post(&url, "/users", &serde_json::json!({ "ou_id": stage.org.root_ou, "email": "ada@acme.com" }))
        .await;
    assert_eq!(status, 201, "{created}");
    let ada = stage.token(created["id"].as_str().unwrap()).await;

    let mut refused = None;
    for _ in 0..8 {
        let answer =
            stage.client.get(format!("{url}/whoami")).bearer_auth(&stage.admin).send().await.unwrap();
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("eight at once are more than four");
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limited");
    assert!(body["error"]["detail"]["retry_after_ms"].as_u64().unwrap() >= 1, "{body}");
    let other = stage.client.get(format!("{url}/whoami")).bearer_auth(&ada).send().await.unwrap();
    assert_eq!(other.status(), 200, "her own share is untouched");
    assert!(server.shutdown().await.is_clean());
}

/// A body that stops arriving is given up, and the connection serves on or ends; it does not hang.
#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let stage = Stage::set().await;
    let mut bounds = Bounds::default();
    bounds.request_timeout = Duration::from_millis(300);
    let server = stage.server_with(&stage.loom().await, bounds).start().await.unwrap();
    let head = format!(
        "POST /agents HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n",
        stage.admin
    );
    let mut stream = connected(server.address(), &head).await;
    stream.write_all(b"{\"name\":").await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 503 ") || said.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(server.shutdown().await.is_clean());
}

/// A client that asks and asks and reads no answer has its connection no longer than others may wait for it.
#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let stage = Stage::set().await;
    let mut bounds = hasty();
    bounds.connections = 1;
    bounds.write = Duration::from_millis(300);
    let server = started(&stage, bounds).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut stalled = socket.connect(server.address()).await.unwrap();
    let asks = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(200);
    stalled.write_all(asks.as_bytes()).await.unwrap();

    let request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut other = connected(server.address(), request).await;
    let said = rest(&mut other).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "there is room for one, and who has it reads nothing: {said}");
    drop(stalled);
    assert!(server.shutdown().await.is_clean());
}

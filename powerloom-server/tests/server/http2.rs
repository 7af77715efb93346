//! HTTP/2, with and without a WebSocket on it.

use crate::stage::{Stage, hasty};
use powerloom_server::{RunningServer, ServerBounds};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(10);

/// A session that has been started.
async fn invoked(stage: &Stage, server: &RunningServer, prompt: &str) -> Value {
    let agent = stage.synced_agent(&server.url()).await;
    let path = format!("/agents/{}/invoke", agent["id"].as_str().unwrap());
    let (status, started) =
        stage.post(&server.url(), &path, &json!({ "prompt": prompt, "mode": "fire_and_forget" })).await;
    assert_eq!(status, 201, "{started}");
    started
}

/// RFC 8441: a browser that has an HTTP/2 connection opens its sockets over that.
#[tokio::test]
async fn a_stream_opens_over_http2_too() {
    let stage = Stage::set().await;
    let server = stage.server(&stage.loom().await).runtime(stage.runtime()).start().await.unwrap();
    let started = invoked(&stage, &server, "say one").await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let settled = async {
        while !send.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("a WebSocket may not be opened over HTTP/2");
    let request = axum::http::Request::connect(format!("http://loom{}", started["ws_url"].as_str().unwrap()));
    let mut request = request.header("sec-websocket-version", "13").body(()).unwrap();
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    let (response, client) = send.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let data = response.into_body().data().await.unwrap().unwrap();
    // One whole text message.
    assert_eq!(data[0], 0x81);
    assert!(String::from_utf8_lossy(&data).contains("powerloom.session_created"));
    drop((client, send));
    assert!(server.shutdown().await.is_clean());
}

/// It answers every ping, and that is all it does.
#[tokio::test]
async fn a_connection_of_http2_without_a_stream_is_closed_after_a_while() {
    let stage = Stage::set().await;
    let mut bounds = hasty();
    bounds.idle = Duration::from_millis(200);
    let server = stage.server(&stage.loom().await).bounds(bounds).start().await.unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let request = axum::http::Request::get("http://loom/healthz").body(()).unwrap();
        let (response, _) = send.send_request(request, true).unwrap();
        let mut body = response.await.unwrap().into_body();
        while let Some(data) = body.data().await {
            let count = data.unwrap().len();
            body.flow_control().release_capacity(count).unwrap();
        }
    }
    let ended = tokio::time::timeout(PATIENCE, connection).await.expect("it is held for ever");
    ended.unwrap().unwrap();
    drop(send);
    assert!(server.shutdown().await.is_clean());
}

/// Its window is shut, and the connection answers every ping: neither the stream nor the end of the server waits for it.
#[tokio::test]
async fn a_stream_over_http2_whose_client_takes_nothing_is_given_up() {
    let stage = Stage::set().await;
    let mut bounds = ServerBounds::default();
    bounds.write = Duration::from_millis(500);
    let server =
        stage.server(&stage.loom().await).runtime(stage.runtime()).bounds(bounds).start().await.unwrap();
    let started = invoked(&stage, &server, "say one\nwait 60000\nsay two").await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut send, connection) = h2::client::Builder::new()
        .initial_window_size(16)
        .handshake::<_, bytes::Bytes>(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get(format!(
        "http://loom/sessions/{}/events",
        started["session_id"].as_str().unwrap()
    ));
    let request = request.header("authorization", format!("Bearer {}", stage.admin));
    let request = request.header("accept", "text/event-stream").body(()).unwrap();
    let (response, _) = send.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.into_body();
    // Held, and never given back.
    let first = body.data().await.unwrap().unwrap();
    assert_eq!(first.len(), 16);
    let end = tokio::time::timeout(PATIENCE, body.data()).await.expect("it is held for ever");
    assert!(end.unwrap().unwrap_err().is_reset());

    let began = std::time::Instant::now();
    assert!(server.shutdown().await.is_clean());
    assert!(began.elapsed() < PATIENCE);
}

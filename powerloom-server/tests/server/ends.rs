//! How a server ends.

use crate::stage::{Stage, connected, eventually, hasty, rest};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The head of a request whose body the test sends when it likes.
fn head(stage: &Stage, length: usize) -> String {
    format!(
        "POST /agents HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        stage.admin
    )
}

/// A request that has arrived and waits for its body.
async fn under_way(stage: &Stage, address: std::net::SocketAddr, length: usize) -> TcpStream {
    let mut stream = connected(address, &head(stage, length)).await;
    let mut word = [0; 25];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n", "the handler reads the body");
    stream
}

#[tokio::test]
async fn a_request_under_way_is_answered_while_new_connections_are_refused() {
    let stage = Stage::set().await;
    let loom = stage.loom().await;
    let server = stage.server(&loom).runtime(stage.runtime()).start().await.unwrap();
    let address = server.address();
    let body = stage.agent().to_string();
    let mut slow = under_way(&stage, address, body.len()).await;

    let ending = tokio::spawn(server.shutdown());
    eventually("it accepts no more", async || TcpStream::connect(address).await.is_err().then_some(())).await;
    assert!(!ending.is_finished(), "a request is under way");
    slow.write_all(body.as_bytes()).await.unwrap();
    let said = rest(&mut slow).await;
    assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
    assert!(ending.await.unwrap().is_clean());
}

#[tokio::test]
async fn a_request_that_outlasts_the_deadline_is_cut_and_nothing_is_left_running() {
    let stage = Stage::set().await;
    let server = stage.server(&stage.loom().await).bounds(hasty()).start().await.unwrap();
    let mut slow = under_way(&stage, server.address(), 10).await;
    let began = std::time::Instant::now();
    let stopped = server.shutdown().await;
    assert_eq!((stopped.cut, stopped.is_clean()), (1, false));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(rest(&mut slow).await, "");
}

/// A load balancer sees that it is to send no more while connections are still taken.
#[tokio::test]
async fn it_says_that_it_is_not_ready_before_it_stops_accepting() {
    let stage = Stage::set().await;
    let mut bounds = hasty();
    bounds.linger = Duration::from_secs(2);
    let server = stage.server(&stage.loom().await).bounds(bounds).start().await.unwrap();
    let url = server.url();
    assert_eq!(stage.get(&url, "/readyz").await.0, 200);
    let ending = tokio::spawn(server.shutdown());
    eventually("it is not ready", async || {
        let (status, body) = stage.get(&url, "/readyz").await;
        (status == 503 && body["status"] == "stopping").then_some(())
    })
    .await;
    assert_eq!(stage.get(&url, "/healthz").await.0, 200, "it lives, and still takes connections");
    assert!(ending.await.unwrap().is_clean());
}

#[tokio::test]
async fn a_dropped_server_gives_its_port_back() {
    let stage = Stage::set().await;
    let server = stage.server(&stage.loom().await).start().await.unwrap();
    let address = server.address();
    drop(server);
    eventually("the port is free", async || TcpStream::connect(address).await.is_err().then_some(())).await;
}

#[tokio::test]
async fn an_address_in_use_is_refused_by_name() {
    let stage = Stage::set().await;
    let first = stage.server(&stage.loom().await).start().await.unwrap();
    let refused = stage.server(&stage.loom().await).listen(first.address()).start().await.unwrap_err();
    assert!(refused.to_string().contains(&first.address().to_string()), "{refused}");
    assert!(first.shutdown().await.is_clean());
}

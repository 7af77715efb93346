//! What does the face cost: a check and a governed create over loopback HTTP, next to a handler that only authenticates.
//!
//! One server process thread pool, 16 kept-alive connections, requests written by hand so that the client weighs little. The limit
//! is an axum handler behind the same verification of the same access token, which answers a constant. The store is in memory.
//!
//! `cargo bench --package powerloom-benches --bench http`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::routing::post;
use axum::{Json, Router};
use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_server::{Bounds, Config, router};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const REQUESTS: u32 = 4_000;
const CONNECTIONS: u32 = 16;

struct House {
    runtime: tokio::runtime::Runtime,
    acme: Organization,
    token: String,
    ours: SocketAddr,
    limit: SocketAddr,
    made: AtomicU64,
}

impl House {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (acme, token, ours, limit) = runtime.block_on(async {
            let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
            let acme =
                loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
            let keys =
                MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
            let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
            let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
            let token = tokens.mint_access(acme.id, acme.admin, Duration::from_secs(3600)).await.unwrap();
            let mut bounds = Bounds::default();
            bounds.requests_per_second = None;
            let config = Config::new(tokens.clone()).bounds(bounds);
            let ours = serve(router(loom, config, CancellationToken::new())).await;
            let limit = serve(Router::new().route(
                "/",
                post(async move |headers: HeaderMap, _: Json<Value>| {
                    let bearer = headers[AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer ").unwrap();
                    tokens.authenticate(bearer).await.unwrap();
                    Json(json!({ "allowed": true }))
                }),
            ))
            .await;
            (acme, token.reveal().to_owned(), ours, limit)
        });
        Self { runtime, acme, token, ours, limit, made: AtomicU64::new(0) }
    }

    /// Sends all requests over all connections, and waits for every answer.
    fn ask(&self, address: SocketAddr, path: &str, status: &[u8], body: impl Fn() -> Value) -> Duration {
        let requests: Vec<Vec<Vec<u8>>> = (0..CONNECTIONS)
            .map(|_| (0..REQUESTS / CONNECTIONS).map(|_| self.request(path, &body())).collect())
            .collect();
        self.runtime.block_on(async {
            let began = Instant::now();
            let mut clients = tokio::task::JoinSet::new();
            for requests in requests {
                let status = status.to_vec();
                clients.spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    for request in requests {
                        stream.write_all(&request).await.unwrap();
                        answer(&mut stream, &status).await;
                    }
                });
            }
            while let Some(done) = clients.join_next().await {
                done.unwrap();
            }
            began.elapsed()
        })
    }

    fn request(&self, path: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nhost: loom\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .into_bytes()
    }

    fn check(&self) -> Value {
        json!({ "permission": "agent:create", "ou_id": self.acme.root_ou })
    }

    fn agent(&self) -> Value {
        json!({
            "name": format!("agent-{}", self.made.fetch_add(1, Ordering::Relaxed)),
            "ou_id": self.acme.root_ou,
            "model": "claude-sonnet-4-6",
            "agent_kind": "user",
            "owner_principal_id": self.acme.admin,
        })
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Reads one answer whole, and looks at its status.
async fn answer(stream: &mut TcpStream, status: &[u8]) {
    let (mut buffer, mut filled) = ([0u8; 8192], 0);
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server hung up");
        filled += read;
        let Some(head) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head]).unwrap();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if filled == head + 4 + length.parse::<usize>().unwrap() {
            assert_eq!(&buffer[9..12], status, "{}", String::from_utf8_lossy(&buffer[..filled]));
            return;
        }
    }
}

fn main() {
    if is_listing() {
        return;
    }
    let house = House::new();
    let limit = || house.ask(house.limit, "/", b"200", || house.check());
    compare("a check over HTTP", REQUESTS, &mut || limit(), &mut || {
        house.ask(house.ours, "/authz/check", b"200", || house.check())
    });
    compare("an agent created over HTTP", REQUESTS, &mut || limit(), &mut || {
        house.ask(house.ours, "/agents", b"201", || house.agent())
    });
}

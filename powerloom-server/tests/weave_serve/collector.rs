//! A receiver of OTLP over HTTP that keeps what it is sent.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<u8>>>);

impl Collector {
    /// A collector, and where it is.
    pub async fn start() -> (Self, String) {
        let collector = Self::default();
        let keep = async |State(collector): State<Self>, body: Bytes| {
            collector.0.lock().unwrap().extend_from_slice(&body);
        };
        let routes = Router::new().route("/v1/traces", post(keep)).with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (collector, url)
    }

    /// All it was sent.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// The same. Text stands in protocol buffers as it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

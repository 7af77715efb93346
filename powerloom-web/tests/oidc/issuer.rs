//! A provider on the loopback, whose answers a test chooses and counts.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How the provider answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    Well,
    Down,
    Silent,
    RedirectsDiscovery(String),
    RedirectsKeys(String),
    Says(Value),
    Oversized,
}

#[derive(Debug)]
struct Site {
    url: String,
    jwks: Value,
    mood: Mood,
    asked: (usize, usize),
}

#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    site: Arc<Mutex<Site>>,
    task: JoinHandle<()>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Site { url: url.clone(), jwks: json!({ "keys": [] }), mood: Mood::Well, asked: (0, 0) };
        let site = Arc::new(Mutex::new(site));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(site.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, site, task }
    }

    pub(crate) fn publish(&self, jwks: Value) {
        self.site.lock().unwrap().jwks = jwks;
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.site.lock().unwrap().mood = mood;
    }

    /// How often its discovery document and its keys were asked for.
    pub(crate) fn asked(&self) -> (usize, usize) {
        self.site.lock().unwrap().asked
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn common(mood: &Mood) -> Option<Response> {
    match mood {
        Mood::Down => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            None
        }
        _ => None,
    }
}

async fn discovery(State(site): State<Arc<Mutex<Site>>>) -> Response {
    let (mood, url) = {
        let mut site = site.lock().unwrap();
        site.asked.0 += 1;
        (site.mood.clone(), site.url.clone())
    };
    if let Some(answer) = common(&mood).await {
        return answer;
    }
    match mood {
        Mood::RedirectsDiscovery(to) => {
            Redirect::temporary(&format!("{to}/.well-known/openid-configuration")).into_response()
        }
        Mood::Says(document) => axum::Json(document).into_response(),
        _ => axum::Json(json!({ "issuer": url, "jwks_uri": format!("{url}/keys") })).into_response(),
    }
}

async fn keys(State(site): State<Arc<Mutex<Site>>>) -> Response {
    let (mood, jwks) = {
        let mut site = site.lock().unwrap();
        site.asked.1 += 1;
        (site.mood.clone(), site.jwks.clone())
    };
    if let Some(answer) = common(&mood).await {
        return answer;
    }
    match mood {
        Mood::RedirectsKeys(to) => Redirect::temporary(&format!("{to}/keys")).into_response(),
        Mood::Oversized => {
            let mut jwks = jwks;
            jwks["padding"] = json!("x".repeat(300 * 1024));
            axum::Json(jwks).into_response()
        }
        _ => axum::Json(jwks).into_response(),
    }
}

//! The layers around routes that misbehave as the real ones do not.

use super::*;
use crate::config::{Bounds, Config};
use crate::patience::Patience;
use axum::routing::get;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

async fn app(change: impl FnOnce(Config) -> Config) -> App {
    let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
    let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
    let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
    let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
    App::new(loom, change(Config::new(tokens)), CancellationToken::new())
}

async fn asked(app: &App, path: &str, origin: Option<&str>) -> (Response, Value) {
    let routes = Router::new()
        .route("/panic", get(async || -> String { panic!("a thing that cannot be: {}", 7) }))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_secs(600)).await))
        .route(
            "/patient",
            get(async |patience: Patience| {
                patience.lift();
                tokio::time::sleep(Duration::from_secs(600)).await;
            }),
        )
        .route("/quick", get(async || "done"));
    let mut request = Request::get(path);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = around(routes, app).with_state(app.clone()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (Response::from_parts(head, Body::empty()), serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn a_panic_is_answered_with_the_envelope_and_the_next_request_is_served() {
    let app = app(|config| config).await;
    let (response, body) = asked(&app, "/panic", None).await;
    assert_eq!((response.status(), &body["error"]["code"]), (500.try_into().unwrap(), &"internal".into()));
    assert!(!body.to_string().contains("cannot be"), "what was wrong is for the log: {body}");
    assert!(response.headers().contains_key(REQUEST_ID));
    assert_eq!(asked(&app, "/quick", None).await.0.status(), 200);
    assert_eq!(app.metrics.in_flight.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_ends_with_the_envelope_unless_its_handler_lifted_the_bound() {
    let bounds = Bounds { request_timeout: Duration::from_secs(5), ..Bounds::default() };
    let app = app(|config| config.bounds(bounds)).await;
    let began = tokio::time::Instant::now();
    let (response, body) = asked(&app, "/slow", None).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!((response.status(), &body["error"]["code"]), (503.try_into().unwrap(), &"timeout".into()));
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    let (response, _) = asked(&app, "/patient", None).await;
    assert_eq!((response.status(), began.elapsed().as_secs()), (200.try_into().unwrap(), 605));
}

/// Otherwise the figure would only ever grow.
#[tokio::test(start_paused = true)]
async fn a_request_whose_client_went_away_is_not_counted_as_under_way() {
    let app = app(|config| config).await;
    let gone = tokio::time::timeout(Duration::from_secs(1), asked(&app, "/slow", None)).await;
    assert!(gone.is_err());
    assert_eq!(app.metrics.in_flight.get(), 0);
}

#[tokio::test]
async fn a_page_may_call_only_from_a_listed_origin() {
    let listed = "https://console.acme.com";
    let allowed = |response: &Response| response.headers().get("access-control-allow-origin").cloned();
    let app = app(|config| config.cors_origins([listed.to_owned(), "*".to_owned()])).await;
    let (response, _) = asked(&app, "/quick", Some(listed)).await;
    assert_eq!(allowed(&response).unwrap(), listed);
    for other in ["https://console.acme.com.example.com", "null", "https://example.com"] {
        assert_eq!(allowed(&asked(&app, "/quick", Some(other)).await.0), None, "{other}");
    }
    let closed = self::app(|config| config).await;
    assert_eq!(allowed(&asked(&closed, "/quick", Some(listed)).await.0), None);
}

/// Anybody may send `X1 /healthz`, `X2 /healthz`, and so on: what they call it is kept nowhere.
#[tokio::test]
async fn methods_nobody_knows_are_counted_as_one() {
    let app = app(|config| config).await;
    let routes = around(Router::new().route("/quick", get(async || "done")), &app).with_state(app.clone());
    for method in ["GET", "PATCH", "X1", "X2", "GETS"] {
        let request = Request::builder().method(method).uri("/quick").body(Body::empty()).unwrap();
        let _ = routes.clone().oneshot(request).await.unwrap();
    }
    let text = app.metrics.text().unwrap();
    for method in ["GET", "PATCH", "_OTHER"] {
        assert!(text.contains(&format!("method=\"{method}\"")), "{method}: {text}");
    }
    assert!(!text.contains("X1") && !text.contains("X2") && !text.contains("GETS"), "{text}");
}

#[tokio::test]
async fn no_answer_is_guessed_at() {
    let app = app(|config| config.cors_origins(["https://console.acme.com".to_owned()])).await;
    for path in ["/quick", "/panic", "/nowhere"] {
        let (response, _) = asked(&app, path, Some("https://console.acme.com")).await;
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}

//! What every request goes through: an id, a span, figures, a time limit, and a net for panics.

use crate::app::App;
use crate::failure::Failure;
use crate::metrics::Request as Counted;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;
use tracing::field::Empty;

/// The header that names a request, in logs and in answers.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Longest request id of a client that is taken over.
const MAX_REQUEST_ID: usize = 128;

/// Puts the layers around all routes.
pub(crate) fn around(routes: Router<App>, app: &App) -> Router<App> {
    let mut routes =
        routes.layer(CatchPanicLayer::custom(panicked)).layer(from_fn_with_state(app.clone(), observe));
    if !app.config.cors_origins.is_empty() {
        routes = routes.layer(cors(&app.config.cors_origins));
    }
    routes
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER, REQUEST_ID])
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
    tracing::error!(panic = text, "a handler panicked");
    Failure::Panicked.into_response()
}

/// Names, times and counts a request.
///
/// The query is not logged: a ticket may be in it.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    let span = tracing::info_span!(
        "request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = %method,
        http.route = %route,
        url.path = %request.uri().path(),
        request_id = %id.to_str().unwrap_or_default(),
        principal = Empty,
        http.response.status_code = Empty,
    );
    app.metrics.in_flight.inc();
    let mut response = next.run(request).instrument(span.clone()).await;
    app.metrics.in_flight.dec();
    let status = response.status().as_u16();
    let took = began.elapsed();
    span.record("http.response.status_code", status);
    span.in_scope(|| {
        tracing::info!(status, took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered")
    });
    app.metrics.answered(Counted { method, route, status }, took);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The client's own id of the request, if it is fit for a log, or a new one.
fn request_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=MAX_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        let id = uuid::Uuid::now_v7().to_string();
        HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    })
}

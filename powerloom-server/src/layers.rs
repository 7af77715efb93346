//! What every request goes through: an id, a span, figures, a time limit, and a net for panics.

use crate::app::App;
use crate::failure::Failure;
use crate::input::{BREAK_GLASS, IDEMPOTENCY_KEY, JUSTIFICATION, UNDER_PLAN};
use crate::metrics::Request as Counted;
use crate::patience::bound_time;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::RequestBodyTimeoutLayer;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// The header that names a request, in logs and in answers.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Longest request id of a client that is taken over.
const MAX_REQUEST_ID: usize = 128;

/// Puts the layers around all routes. The last one added is the first a request meets.
pub(crate) fn around(routes: Router<App>, app: &App) -> Router<App> {
    let mut routes = routes
        .layer(from_fn_with_state(app.clone(), bound_time))
        // A body that stops arriving holds nobody up, on routes without a bound on their time either.
        .layer(RequestBodyTimeoutLayer::new(app.config.bounds.request_timeout))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), observe));
    if !app.config.cors_origins.is_empty() {
        routes = routes.layer(cors(&app.config.cors_origins));
    }
    routes.layer(map_response(as_it_says))
}

/// No browser guesses what an answer is: it is what its `content-type` says.
async fn as_it_says(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin_of(origin)).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static(IDEMPOTENCY_KEY),
            HeaderName::from_static(JUSTIFICATION),
            HeaderName::from_static(BREAK_GLASS),
            HeaderName::from_static(UNDER_PLAN),
            HeaderName::from_static("last-event-id"),
            REQUEST_ID,
        ])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER, REQUEST_ID])
}

/// Whether this is an origin as browsers send it. A wildcard is none: whoever wants one lists the pages that may call.
pub(crate) fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ',', ' ', '@']))
}

fn origin_of(text: &str) -> Option<HeaderValue> {
    let value = is_origin(text).then(|| HeaderValue::from_str(text).ok()).flatten();
    if value.is_none() {
        tracing::error!(
            origin = text,
            "no page may call from this: it is no origin such as `https://console.acme.com`"
        );
    }
    value
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    Failure::of_panic(panic.as_ref(), "a handler").into_response()
}

/// Names, times and counts a request.
///
/// The query is not logged: a ticket may be in it.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = known(request.method());
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
    crate::trace_context::adopt(&span, request.headers());
    let under_way = UnderWay::begin(&app, &span);
    let mut response = next.run(request).instrument(span.clone()).await;
    under_way.answered();
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

/// A request being answered. If its client goes away the handler is dropped, and nobody else would say so.
struct UnderWay<'a> {
    app: &'a App,
    span: &'a Span,
    answered: bool,
}

impl<'a> UnderWay<'a> {
    fn begin(app: &'a App, span: &'a Span) -> Self {
        app.metrics.in_flight.inc();
        Self { app, span, answered: false }
    }

    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.app.metrics.in_flight.dec();
        if !self.answered {
            self.span.in_scope(|| tracing::info!("the client went away before it was answered"));
        }
    }
}

/// A method by its name, if it is one of the nine (RFC 9110, 9.3; RFC 5789). A client may call a method what it likes: a figure
/// or a span for each such word would fill the memory.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        // As OpenTelemetry writes it.
        _ => "_OTHER",
    }
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

#[cfg(test)]
mod tests;

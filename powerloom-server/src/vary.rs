//! Answers that depend on what the client accepts.

use axum::http::{HeaderValue, header};
use axum::response::Response;

/// A cache keeps an answer for those who accept the same (RFC 9110, 12.5.5).
pub(crate) async fn by_accept(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

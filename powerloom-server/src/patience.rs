//! How long a request may take, and how a handler asks for more.

use crate::app::App;
use crate::failure::Failure;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

/// The bound on the time of one request, in the hands of its handler.
///
/// A handler that is *meant* to take long takes this as an argument and lifts the bound, once it knows: an invocation that
/// waits for its session, the application of a plan. One that answers with a stream need not: only the time until the head
/// of the answer counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience(CancellationToken);

impl Patience {
    /// From here on this request may take as long as it takes: whoever calls this has a bound of its own.
    pub(crate) fn lift(&self) {
        self.0.cancel();
    }
}

impl<S: Sync> FromRequestParts<S> for Patience {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Absent where no layer bounds the time: then there is nothing to lift.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Answers 503 `timeout` once a request has taken longer than the bounds allow, and drops what it was at: whatever that was
/// happened or did not, and an idempotency key finds out.
pub(crate) async fn bound_time(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let after = app.config.bounds.request_timeout;
    let patience = Patience::default();
    request.extensions_mut().insert(patience.clone());
    let late = async {
        tokio::select! {
            biased;
            () = patience.0.cancelled() => std::future::pending().await,
            () = tokio::time::sleep(after) => {}
        }
    };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = late => Failure::TimedOut { after }.into_response(),
    }
}

//! What a handler answers when it cannot: always the one envelope `{"error": {"code", "message", "detail"}}` (sem. 2.14).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use powerloom_core::checkpointer::CheckpointError;
use powerloom_core::error::Error;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;
use powerloom_core::manifest::{ManifestErrors, PlanError, ResolveError};
use serde_json::{Value, json};
use std::any::Any;
use std::time::Duration;
use tokio::task::JoinError;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The core refused or failed.
    #[error(transparent)]
    Core(#[from] Error),
    /// Documents that cannot be used: each fault with its place.
    #[error("{0}")]
    Manifest(ManifestErrors),
    /// No checkpoint was made, or what is anchored cannot be told.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// Nobody signs checkpoints here.
    #[error(
        "checkpoints are not configured here: the server has neither a key to sign them nor a place to keep them"
    )]
    NoCheckpoints,
    /// No bearer, or not one.
    #[error("say who you are: `Authorization: Bearer <token>`")]
    NoBearer,
    /// A stream of a session, with a bearer where only a ticket opens it.
    #[error("a ticket opens this stream, and no bearer: `POST /sessions/{{id}}/ticket` gives one")]
    NoTicket,
    /// A stream of a session, but no handshake of a WebSocket.
    #[error("this is a WebSocket (RFC 6455, version 13): ask with its handshake")]
    UpgradeRequired,
    /// A page of another site asks for a stream.
    #[error(
        "a page of `{origin}` may not open this: expected a page of this server, or of one of its `cors_origins`"
    )]
    Origin {
        /// Whose page it is.
        origin: String,
    },
    /// The body is of a kind this route does not read.
    #[error("`content-type` is `{found}`, which is not allowed: expected {allowed}")]
    MediaType {
        /// What it says.
        found: String,
        /// What is read.
        allowed: &'static str,
    },
    /// The body is too long.
    #[error("the body is longer than {most} bytes")]
    TooLong {
        /// The most.
        most: usize,
    },
    /// The path exists, the method does not.
    #[error("`{method}` is not allowed here")]
    Method {
        /// Which.
        method: String,
    },
    /// There is no such path.
    #[error("`{path}` does not exist")]
    Path {
        /// Which.
        path: String,
    },
    /// The principal asks too often.
    #[error("too many requests: try again in {} ms", .wait.as_millis().max(1))]
    RateLimited {
        /// How long to wait.
        wait: Duration,
    },
    /// The request took too long. What it asked for may or may not have happened.
    #[error("the request took longer than {} seconds; it may have been done: look, or send it again with the same idempotency key", .after.as_secs())]
    TimedOut {
        /// How long it was given.
        after: Duration,
    },
    /// A handler panicked.
    #[error("something went wrong here; the log says what")]
    Panicked,
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Core(invalid.into())
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Resolve(ResolveError::Manifest(errors)) => Self::Manifest(errors),
            PlanError::Resolve(ResolveError::Store(error)) => Self::Core(error.into()),
            PlanError::Refused(error) => Self::Core(error),
            other => Self::Core(Error::Internal { message: other.to_string() }),
        }
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Refused(error) => Self::Core(*error),
            CheckpointError::Store(error) => Self::Core(error.into()),
            CheckpointError::Broken(found) => Self::Core(found.into()),
            other => Self::Checkpoint(other),
        }
    }
}

impl Failure {
    /// What a panic is answered with; the log says what it was.
    pub(crate) fn of_panic(panic: &(dyn Any + Send), what: &str) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
        tracing::error!(panic = text, "{what} panicked");
        Self::Panicked
    }

    /// What is answered if a task has not come to its end.
    pub(crate) fn of_task(error: JoinError, what: &str) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::of_panic(panic.as_ref(), what),
            Err(error) => Error::Internal { message: format!("{what} was cut: {error}") }.into(),
        }
    }

    /// The HTTP status and the stable code.
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Core(error) => {
                let status = StatusCode::from_u16(error.kind().status());
                (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error.code())
            }
            Self::Manifest(_) => (StatusCode::UNPROCESSABLE_ENTITY, "manifest"),
            Self::NoBearer | Self::NoTicket => (StatusCode::UNAUTHORIZED, ErrorKind::Unauthenticated.code()),
            Self::UpgradeRequired => (StatusCode::UPGRADE_REQUIRED, "upgrade_required"),
            Self::Origin { .. } => (StatusCode::FORBIDDEN, "origin_not_allowed"),
            Self::Checkpoint(error) => {
                // A key or a name that does not fit is the installation's fault, not the caller's.
                let kind = Some(error.kind()).filter(|kind| *kind != ErrorKind::Invalid);
                let kind = kind.unwrap_or(ErrorKind::Internal);
                let status = StatusCode::from_u16(kind.status());
                (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), kind.code())
            }
            Self::NoCheckpoints => (StatusCode::CONFLICT, "checkpoints_not_configured"),
            Self::MediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Path { .. } => (StatusCode::NOT_FOUND, ErrorKind::NotFound.code()),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, ErrorKind::RateLimited.code()),
            Self::TimedOut { .. } => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.code()),
        }
    }

    fn envelope(&self, code: &str) -> Value {
        let detail = match self {
            Self::Core(error) => return error.envelope(),
            Self::Manifest(errors) => json!(errors),
            Self::MediaType { found, allowed } => {
                json!({ "field": "content-type", "value": found, "allowed": allowed })
            }
            Self::Origin { origin } => {
                let allowed = "this server's own, or one of its `cors_origins`";
                json!({ "field": "origin", "value": origin, "allowed": allowed })
            }
            Self::TooLong { most } => json!({ "max_bytes": most }),
            Self::RateLimited { wait } => json!({ "retry_after_ms": millis(*wait) }),
            _ => Value::Null,
        };
        json!({ "error": { "code": code, "message": self.to_string(), "detail": detail } })
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        if status.is_server_error() {
            tracing::error!(code, error = %Chain(&self), "a request failed");
        }
        let mut response = (status, Json(self.envelope(code))).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, 15.5.22 and RFC 6455, 4.4.
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        let wait = match &self {
            Self::RateLimited { wait } => Some(wait.as_millis().div_ceil(1000).max(1)),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        };
        if let Some(seconds) = wait.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()) {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// An error with all its causes, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

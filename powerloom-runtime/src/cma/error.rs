//! What can go wrong with a call, and what its caller can do about it.

use crate::cma::api_error::ApiError;
use crate::cma::error_class::ErrorClass;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;
use std::fmt;
use std::time::Duration;

/// The cause below a [`CmaError`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a call of the service failed.
///
/// No variant holds the API key. [`class`](CmaError::class) says what to do next, and
/// [`maybe_applied`](CmaError::maybe_applied) whether the service may have done what was asked all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmaError {
    /// The call was refused here, before anything was sent.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The HTTP client could not be set up: no usable root certificates, for instance.
    #[error("could not set up the HTTP client")]
    Setup {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// No connection came about: nothing was sent.
    #[error("could not connect to the service")]
    Connect {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// Something took longer than its limit.
    #[error("{waited_for} did not come within {limit:?}")]
    Timeout {
        /// What was waited for.
        waited_for: WaitedFor,
        /// The limit that was reached.
        limit: Duration,
        /// Whether the service may have done what was asked.
        maybe_applied: bool,
    },
    /// The connection broke after the request began to go out, or in the middle of the answer.
    #[error("the connection was cut")]
    Cut {
        /// Whether the service may have done what was asked.
        maybe_applied: bool,
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// The answer, or a frame of a stream, was not what was promised.
    #[error("could not read {what}")]
    Decode {
        /// What was to be read.
        what: &'static str,
        /// Whether the service may have done what was asked.
        maybe_applied: bool,
        /// Why it could not be read.
        #[source]
        source: Cause,
    },
    /// The service answered with an error.
    #[error(transparent)]
    Api(Box<ApiError>),
}

/// What a call waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitedFor {
    /// The connection.
    Connection,
    /// The whole answer, or the opening of a stream.
    Answer,
    /// The next bytes of a stream; heartbeats count.
    Stream,
}

impl fmt::Display for WaitedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "a connection",
            Self::Answer => "an answer",
            Self::Stream => "the next bytes of a stream",
        })
    }
}

impl CmaError {
    /// What the caller can do about it; see [`ErrorClass`] for the whole table.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) | Self::Setup { .. } => ErrorClass::Permanent,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Cut { .. } | Self::Decode { .. } => {
                ErrorClass::Transient
            }
            Self::Api(error) => error.class(),
        }
    }

    /// The kind every crate of Powerloom answers with.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Setup { .. } | Self::Decode { .. } => ErrorKind::Internal,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Cut { .. } => ErrorKind::Unavailable,
            Self::Api(error) => error.kind(),
        }
    }

    /// Whether the service may have done what was asked although the call failed.
    ///
    /// True only for calls that change something. A create that fails so must be looked up (by its metadata) before
    /// it is sent again: the service takes no idempotency key.
    #[must_use]
    pub fn maybe_applied(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Setup { .. } | Self::Connect { .. } => false,
            Self::Timeout { maybe_applied, .. }
            | Self::Cut { maybe_applied, .. }
            | Self::Decode { maybe_applied, .. } => *maybe_applied,
            Self::Api(error) => error.maybe_applied,
        }
    }

    /// The service's answer, where there is one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The HTTP status of the service's answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.api().map(|error| error.status)
    }

    /// Whether the service knows nothing of that name (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the state did not allow it (409): a stale version, a taken key, a change at the same time.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }
}

impl From<ApiError> for CmaError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

//! Why one call had no good answer.

use powerloom_core::error_kind::ErrorKind;
use std::time::Duration;

/// The cause below an error of this crate.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why one call had no good answer. It shows neither the URL nor anything of the answer but its status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection came about: nothing was sent.
    #[error("could not connect")]
    Connect {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// The whole answer did not come in time.
    #[error("no whole answer came within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke after the request began to go out.
    #[error("the connection was cut")]
    Cut {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// The answer is a redirect, which is not followed: what was meant for one place must not reach another.
    #[error("the answer is a redirect (status {status}), which is not followed")]
    Redirect {
        /// The status.
        status: u16,
    },
    /// The answer is an error.
    #[error("the answer has status {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than is read.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl FetchError {
    /// Whether the same call may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Cut { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Redirect { .. } | Self::TooLong { .. } => false,
        }
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Status { status: 429, .. } => ErrorKind::RateLimited,
            _ if self.is_retryable() => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        }
    }
}

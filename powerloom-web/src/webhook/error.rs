//! Why a message was not delivered.

use crate::fetch_error::{Cause, FetchError};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;

/// Why a message was not delivered, as far as is known: the receiver may have it and its answer be lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It was refused here, before anything was sent.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The HTTP client could not be set up: no usable root certificates, for instance.
    #[error("could not set up the HTTP client")]
    Setup {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// No try had a good answer.
    #[error("message `{id}` was not delivered in {attempts} tries")]
    Undelivered {
        /// The message.
        id: String,
        /// How often it was tried.
        attempts: u32,
        /// How the last try ended.
        #[source]
        source: FetchError,
    },
}

impl WebhookError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Setup { .. } => ErrorKind::Internal,
            Self::Undelivered { source, .. } => source.kind(),
        }
    }
}

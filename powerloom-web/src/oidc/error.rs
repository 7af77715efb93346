//! Why an issuer's keys were not had.

use crate::fetch_error::{Cause, FetchError};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;

/// Why an issuer's keys were not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// An option cannot work.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The HTTP client could not be set up: no usable root certificates, for instance.
    #[error("could not set up the HTTP client")]
    Setup {
        /// What the HTTP client says.
        #[source]
        source: Cause,
    },
    /// A document could not be fetched.
    #[error("could not fetch {what}")]
    Fetch {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// A document is not what it must be.
    #[error("{what} is refused: {problem}")]
    Document {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl OidcError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Setup { .. } => ErrorKind::Internal,
            Self::Fetch { .. } | Self::Document { .. } => ErrorKind::Unavailable,
        }
    }
}

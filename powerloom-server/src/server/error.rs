//! Why a server cannot run.

use powerloom_core::error_kind::ErrorKind;
use std::net::SocketAddr;

/// Why a server cannot be started, or cannot take over new certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Certificate and key cannot be used.
    #[cfg(feature = "tls")]
    #[error("the {what} in `{}` cannot be used", path.display())]
    Tls {
        /// Which of the two, or both.
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it. It shows nothing of a key.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ServerError {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } => ErrorKind::Unavailable,
            #[cfg(feature = "tls")]
            Self::Tls { .. } => ErrorKind::Invalid,
        }
    }
}

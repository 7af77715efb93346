//! Why the emulator could not start, or could not do what its owner asked.

use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the emulator could not start or could not do what its owner asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The state file cannot be read or written.
    #[error("cannot use the state file `{}`", path.display())]
    StateFile {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process works on the state file.
    #[error("the state file `{}` is in use by another process", path.display())]
    StateInUse {
        /// The file asked for.
        path: PathBuf,
    },
    /// The state file is not one, or has been damaged.
    #[error("the state file `{}` is damaged in line {line}: {what}", path.display())]
    StateCorrupt {
        /// The file asked for.
        path: PathBuf,
        /// The first line that cannot be used, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The state file was written by a newer program.
    #[error(
        "the state file `{}` has version {found}, and this program reads up to {supported}",
        path.display()
    )]
    StateTooNew {
        /// The file asked for.
        path: PathBuf,
        /// The version it bears.
        found: u64,
        /// The newest version understood here.
        supported: u64,
    },
    /// An edit names something that does not exist or cannot be edited so.
    #[error("the edit is refused")]
    Edit(#[source] Invalid),
    /// The HTTP client for outgoing calls could not be made.
    #[error("cannot prepare outgoing connections")]
    Outgoing {
        /// What the HTTP library said.
        #[source]
        source: reqwest::Error,
    },
}

impl EmulatorError {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } | Self::StateFile { .. } | Self::StateInUse { .. } => ErrorKind::Unavailable,
            Self::StateCorrupt { .. } | Self::StateTooNew { .. } => ErrorKind::Corrupt,
            Self::Edit(_) => ErrorKind::Invalid,
            Self::Outgoing { .. } => ErrorKind::Internal,
        }
    }
}

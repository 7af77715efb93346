//! Why a store could not be opened.

use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;
use std::path::PathBuf;

/// Why a store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of a store.
    #[error("the store's URL is refused")]
    Url(#[from] Invalid),
    /// The folder of the file does not exist.
    #[error("the folder `{}` does not exist", folder.display())]
    MissingFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file may not be read and written, or cannot be made.
    #[error("`{}` cannot be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no database.
    #[error("`{}` is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error("`{}` is a database of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id in its header.
        application_id: i64,
    },
    /// The file is damaged.
    #[error("`{}` is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the check found first.
        detail: String,
    },
    /// The file was written by a newer version of this software.
    #[error("`{}` has schema {found}, newer than {known}, the newest this version knows", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// Another process holds the file.
    #[error("`{}` is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("`{}` cannot be opened", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Url(_) | Self::MissingFolder { .. } | Self::NotADatabase { .. } | Self::Foreign { .. } => {
                ErrorKind::Invalid
            }
            Self::Unwritable { .. } | Self::Locked { .. } | Self::Failed { .. } => ErrorKind::Unavailable,
            Self::Corrupt { .. } | Self::NewerSchema { .. } => ErrorKind::Corrupt,
        }
    }
}

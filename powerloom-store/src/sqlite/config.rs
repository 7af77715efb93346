//! Where the file is and how it is used.

use std::path::PathBuf;
use std::time::Duration;

/// Where the database file is and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The file; made if it is not there. Its folder must exist.
    pub path: PathBuf,
    /// How long a write waits for another process that writes. Five seconds by default.
    pub busy_timeout: Duration,
    /// The file never grows above this many bytes: what does not fit is refused, reads go on. No bound by default.
    pub max_bytes: Option<u64>,
}

impl SqliteConfig {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), busy_timeout: Duration::from_secs(5), max_bytes: None }
    }
}

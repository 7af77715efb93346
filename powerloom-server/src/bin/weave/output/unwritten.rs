//! Standard output that takes no more.

use std::io;

/// Standard output cannot be written.
///
/// It is an error of its own, so that a connection that broke is never taken for a reader that has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(crate) struct Unwritten(#[from] io::Error);

impl Unwritten {
    /// Whether its reader has gone away, as `head` does.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }

    /// Whether a command failed because the reader of its output has gone away.
    pub(crate) fn is_why(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.downcast_ref::<Self>().is_some_and(Self::is_closed))
    }
}

//! What keeps a checkpoint from being made or anchored.

use crate::anchor::AnchorError;
use crate::audit::Break;
use crate::audit::signer::SignError;
use crate::audit::trust::{Contradiction, NoteRefused};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::invalid::Invalid;
use crate::log_tree::Unfollowed;
use crate::store::StoreError;

/// Why one anchor has not got the newest checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorFailure {
    /// It did not do what was asked.
    #[error("anchor `{anchor}`: {error}")]
    Anchor {
        /// Which.
        anchor: String,
        /// What it answered.
        error: AnchorError,
    },
    /// What it keeps is no checkpoint of this log by a trusted key. It is not written over.
    #[error("anchor `{anchor}` keeps a note that is not to be believed: {error}")]
    Note {
        /// Which.
        anchor: String,
        /// Why not.
        error: NoteRefused,
    },
}

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Whoever asks may not, or cannot be asked about now.
    #[error(transparent)]
    Refused(#[from] Box<Error>),
    /// The chain is broken.
    #[error("no checkpoint is signed")]
    Broken(#[from] Break),
    /// The log is not the one that was anchored.
    #[error("no checkpoint is signed: the log contradicts what `{anchor}` keeps")]
    Contradicted {
        /// Which anchor.
        anchor: String,
        /// How.
        #[source]
        contradiction: Contradiction,
    },
    /// No anchor could be read: whether the log is the one that was anchored is not known.
    #[error("no checkpoint is signed: what is anchored cannot be read ({} anchors failed)", failures.len())]
    Unread {
        /// What each of them answered.
        failures: Vec<AnchorFailure>,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signer's key is not one of those that may sign.
    #[error("the signer's own checkpoint would not be believed")]
    Signer(#[from] NoteRefused),
    /// The checkpoint has no text.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl CheckpointError {
    /// What can be done. [`ErrorKind::Corrupt`]: a person must look, and nothing is signed until then.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(error) => error.kind(),
            Self::Broken(_) | Self::Contradicted { .. } => ErrorKind::Corrupt,
            Self::Unread { .. } | Self::Sign(_) => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Signer(_) | Self::Invalid(_) => ErrorKind::Invalid,
        }
    }
}

impl From<Unfollowed> for CheckpointError {
    fn from(unfollowed: Unfollowed) -> Self {
        match unfollowed {
            Unfollowed::Store(error) => error.into(),
            Unfollowed::Broken(found) => found.into(),
        }
    }
}

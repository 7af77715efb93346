//! The port to where checkpoints are kept: out of the reach of whoever can write the store.

use crate::audit::checkpoint::Origin;
use crate::audit::note::SignedNote;
use crate::error_kind::ErrorKind;
use async_trait::async_trait;
use std::fmt;

/// Why an anchor did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// It cannot be reached or written now; the note may have arrived all the same, and may be published again.
    #[error("the anchor cannot be used now: {message}")]
    Unavailable {
        /// What is wrong, without credentials.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It has a checkpoint of this log that covers more entries, and keeps that.
    #[error("the anchor has a checkpoint of {kept} entries and refuses one of {offered}")]
    Behind {
        /// How many entries the kept one covers.
        kept: u64,
        /// How many the refused one covers.
        offered: u64,
    },
    /// It will never take this note.
    #[error("the anchor refuses the note: {message}")]
    Refused {
        /// Why.
        message: String,
    },
    /// What it keeps cannot be read.
    #[error("what the anchor keeps cannot be read: {message}")]
    Corrupt {
        /// What is wrong with it.
        message: String,
    },
    /// It takes notes and cannot be asked for them.
    #[error("the anchor cannot be read back")]
    WriteOnly,
}

impl AnchorError {
    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Behind { .. } => ErrorKind::Conflict,
            Self::Refused { .. } | Self::WriteOnly => ErrorKind::Invalid,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Keeps checkpoints: a file on another machine, a bucket that forgets nothing, a service of somebody else.
///
/// # Guarantees every implementation gives
/// 1. **Durable**: once [`publish`](Self::publish) has returned `Ok`, [`latest`](Self::latest) finds the note or one of
///    more entries, also after a crash.
/// 2. **Whole**: a note is there as a whole or not at all, byte for byte as it was given.
/// 3. **Forward**: a note is never replaced by one of fewer entries, however many publish at the same time; what would do
///    so is [`AnchorError::Behind`].
/// 4. **Repeatable**: the same note published twice is there once, or twice the same.
/// 5. **Apart**: notes of one log are never taken for those of another.
/// 6. **Cancel-safe**: dropping the future leaves the note there or not.
///
/// An anchor verifies no signature and needs no key: whoever reads one decides what to believe
/// ([`Trust`](crate::audit::trust::Trust)).
#[async_trait]
pub trait Anchor: fmt::Debug + Send + Sync + 'static {
    /// What it is called in reports: `file:/var/lib/loom`, without credentials.
    fn name(&self) -> &str;

    /// Whether [`latest`](Self::latest) can ever answer. A log needs at least one anchor that can be read back: from it a
    /// restarted program learns what it has signed before.
    fn access(&self) -> AnchorAccess;

    /// Keeps a checkpoint's note of the log `origin`.
    ///
    /// # Errors
    /// [`AnchorError`].
    async fn publish(&self, origin: &Origin, note: &SignedNote) -> Result<(), AnchorError>;

    /// The note of the log `origin` that covers the most entries; `None` if there is none.
    ///
    /// # Errors
    /// [`AnchorError`]; [`AnchorError::WriteOnly`] where [`access`](Self::access) says so.
    async fn latest(&self, origin: &Origin) -> Result<Option<SignedNote>, AnchorError>;
}

/// What can be done with an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a third access must be handled wherever anchors are read")]
pub enum AnchorAccess {
    /// Notes can be published and read back.
    ReadWrite,
    /// Notes can only be published.
    WriteOnly,
}

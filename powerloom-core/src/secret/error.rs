//! Why a secret could not be sealed or opened.

use crate::error_kind::ErrorKind;
use crate::invalid::Invalid;
use crate::secret::key_id::KeyId;

/// Why a secret could not be sealed or opened. No text of it holds a byte of a secret or of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The sealed secret does not belong to this key and this row, or was changed: which of these is not told, so
    /// that nobody learns by asking.
    #[error("the sealed secret cannot be opened")]
    CannotOpen,

    /// The bytes have not the form of a sealed secret.
    #[error("the bytes are not a sealed secret of a known version")]
    Malformed,

    /// The key it was sealed under is not held any more (or not here).
    #[error("the master key `{key_id}` is not known here")]
    UnknownKey {
        /// The key that is needed.
        key_id: KeyId,
    },

    /// The place that holds the keys does not answer; the same call may work later.
    #[error("the master key `{key_id}` cannot be used now")]
    KeyUnavailable {
        /// The key that is needed.
        key_id: KeyId,
        /// What the place said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The key has wrapped as many data keys as it safely may: rotate.
    #[error("the master key `{key_id}` has wrapped too many secrets: rotate it")]
    KeyExhausted {
        /// The worn-out key.
        key_id: KeyId,
    },

    /// A file or variable that should hold keys does not.
    #[error("the keys in {place} cannot be used: {problem}")]
    BadKeySource {
        /// The path or the name of the variable.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
        /// What the operating system said.
        #[source]
        source: Option<std::io::Error>,
    },

    /// The secret itself is refused.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl SecretError {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::CannotOpen | Self::Malformed | Self::UnknownKey { .. } => ErrorKind::Corrupt,
            Self::KeyUnavailable { .. } => ErrorKind::Unavailable,
            Self::KeyExhausted { .. } => ErrorKind::Conflict,
            Self::BadKeySource { .. } | Self::Invalid(_) => ErrorKind::Invalid,
        }
    }
}

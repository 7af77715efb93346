//! The few classes of failure a caller can act on; every error of this crate answers with one.

use serde::{Deserialize, Serialize};

/// What the caller can do about an error.
///
/// Each has one stable [`code`](ErrorKind::code) and one HTTP [`status`](ErrorKind::status); Python classes and
/// Node codes are this list and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input can never be accepted: correct it.
    Invalid,
    /// Who calls is not known: authenticate.
    Unauthenticated,
    /// The caller is known and may not: ask for the permission.
    Denied,
    /// Nothing of that name exists in the caller's organization.
    NotFound,
    /// The state does not allow it now: read again, then decide.
    Conflict,
    /// What was read has a newer version: read again, then decide.
    VersionMismatch,
    /// Too much at once: wait, then send the same call.
    RateLimited,
    /// Something this needs cannot be reached: the same call may work later.
    Unavailable,
    /// The stored data contradicts itself or cannot be read: a person must look.
    Corrupt,
    /// A defect or an unforeseen answer.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the declaration.
    pub const ALL: [Self; 10] = [
        Self::Invalid,
        Self::Unauthenticated,
        Self::Denied,
        Self::NotFound,
        Self::Conflict,
        Self::VersionMismatch,
        Self::RateLimited,
        Self::Unavailable,
        Self::Corrupt,
        Self::Internal,
    ];

    /// The stable code, the same in Rust, Python, Node and REST.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::VersionMismatch => "version_mismatch",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status a server answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::VersionMismatch => 412,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
            Self::Corrupt | Self::Internal => 500,
        }
    }

    /// Whether the same call, unchanged, may work later. A conflict may not: it needs a fresh read.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

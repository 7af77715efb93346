//! Why a token was refused: for logs, never for whoever presented it.

use crate::error_kind::ErrorKind;

/// Why a token was refused.
///
/// A client sees none of this: a face answers with [`Error::Unauthenticated`](crate::error::Error::Unauthenticated),
/// whose text and code (`unauthenticated`, 401) are the same for all. The [`code`](Self::code) is for the log. No text
/// holds a byte of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing a token looks like.
    #[error("the bearer has the form of no token")]
    UnknownForm,
    /// Longer than any token is.
    #[error("the token is longer than allowed")]
    TooLong,
    /// Not three parts of canonical base64url with JSON in the first two.
    #[error("the token's {part} is malformed")]
    Malformed {
        /// `form`, `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// The header has a member that is not allowed, or lacks one.
    #[error("the token's header is refused: {problem}")]
    Header {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No key of that id is known.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The key was retired.
    #[error("the token's key is retired")]
    RetiredKey,
    /// The header names another algorithm than the key's one.
    #[error("the token's algorithm is not that of its key")]
    WrongAlgorithm,
    /// The signature does not fit.
    #[error("the token's signature does not fit")]
    BadSignature,
    /// A claim is absent, or not what it must be.
    #[error("the token's claim `{claim}` is refused")]
    Claim {
        /// Which.
        claim: &'static str,
    },
    /// A token of another kind than is accepted here.
    #[error("the token is of another kind")]
    WrongType,
    /// Issued by somebody else.
    #[error("the token is another issuer's")]
    WrongIssuer,
    /// Meant for somebody else.
    #[error("the token is for another audience")]
    WrongAudience,
    /// Not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Not valid any more.
    #[error("the token has expired")]
    Expired,
    /// Good for longer than a token of its kind may be.
    #[error("the token is good for too long")]
    TooLongLived,
    /// The user is gone or disabled.
    #[error("the token's user is gone or disabled")]
    UserGone,
    /// The session is unknown, over, being stopped, or was started by somebody else.
    #[error("the token's session does not run for its subject")]
    SessionGone,
    /// A session's handle that is unreadable, unknown or replaced, or whose session does not run. Which is not said.
    #[error("the session handle is not good")]
    HandleRefused,
    /// No API token of that id, or another secret.
    #[error("the API token is not known")]
    UnknownToken,
    /// The API token was revoked.
    #[error("the API token is revoked")]
    Revoked,
    /// A token of that kind is not taken here.
    #[error("a token of that kind is not taken here")]
    NotAccepted,
}

impl TokenError {
    /// Always [`ErrorKind::Unauthenticated`].
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Unauthenticated
    }

    /// The stable code, for logs and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownForm => "token_unknown_form",
            Self::TooLong => "token_too_long",
            Self::Malformed { .. } => "token_malformed",
            Self::Header { .. } => "token_header",
            Self::UnknownKey => "token_unknown_key",
            Self::RetiredKey => "token_retired_key",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::BadSignature => "token_bad_signature",
            Self::Claim { .. } => "token_claim",
            Self::WrongType => "token_wrong_type",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Expired => "token_expired",
            Self::TooLongLived => "token_too_long_lived",
            Self::UserGone => "token_user_gone",
            Self::SessionGone => "token_session_gone",
            Self::HandleRefused => "handle_refused",
            Self::UnknownToken => "token_unknown",
            Self::Revoked => "token_revoked",
            Self::NotAccepted => "token_not_accepted",
        }
    }
}

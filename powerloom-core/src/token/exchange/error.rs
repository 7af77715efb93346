//! Why an exchange was refused, with the code a client is answered.

use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::store::StoreError;
use crate::token::error::TokenError;

/// Why an exchange, or a mint by an actor's own identity, was refused.
///
/// [`code`](Self::code) and the text are for the client; the reason a token was not good is a source, for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The request lacks a parameter, has one twice, or one that is not understood.
    #[error("`{parameter}` is refused: expected {expected}")]
    Request {
        /// Which.
        parameter: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The grant type is another.
    #[error("the grant type is not token exchange")]
    GrantType,
    /// The subject token or the actor's is not good (RFC 8693, 2.2.2).
    #[error("the `{parameter}` is not valid")]
    Token {
        /// Which.
        parameter: &'static str,
        /// Why: for the log.
        #[source]
        source: TokenError,
    },
    /// The actor's assertion was used before.
    #[error("the `actor_token` was used before")]
    Replayed,
    /// A member of the chain is not there, not active, or not where the token says.
    #[error("the chain of actors does not hold at `{actor}`")]
    Chain {
        /// Which.
        actor: String,
    },
    /// The actor is not who may redeem this token.
    #[error("the actor may not redeem this token: {problem}")]
    Actor {
        /// Why.
        problem: &'static str,
    },
    /// The chain would be too deep.
    #[error("the actor has depth {depth}, more than the {limit} that is allowed there")]
    Depth {
        /// Its depth; a top-level actor has 1.
        depth: u32,
        /// The smallest limit of all its ancestors.
        limit: u32,
    },
    /// The scope is empty, malformed, or more than may be had.
    #[error("the scope is refused: {problem}")]
    Scope {
        /// Why.
        problem: &'static str,
    },
    /// The audience is none that tokens are given for.
    #[error("the audience is not known")]
    Target,
    /// Something this needs failed.
    #[error(transparent)]
    Failed(Box<Error>),
}

impl ExchangeError {
    /// The `error` of the answer (RFC 6749, 5.2; RFC 8707, 2 for `invalid_target`).
    ///
    /// [`Failed`](Self::Failed) is no fault of the client's: a face answers it with a status of 500 or above.
    ///
    /// A token that is not good in itself is an `invalid_request`, as RFC 8693, 2.2.2 has it; one that is good while those
    /// behind it are not is an `invalid_grant`, and an actor it is not meant for an `unauthorized_client`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request { .. } | Self::Token { .. } => "invalid_request",
            Self::GrantType => "unsupported_grant_type",
            Self::Replayed | Self::Chain { .. } | Self::Depth { .. } => "invalid_grant",
            Self::Actor { .. } => "unauthorized_client",
            Self::Scope { .. } => "invalid_scope",
            Self::Target => "invalid_target",
            Self::Failed(_) => "temporarily_unavailable",
        }
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Request { .. } | Self::GrantType | Self::Scope { .. } | Self::Target => ErrorKind::Invalid,
            Self::Token { .. } | Self::Replayed => ErrorKind::Unauthenticated,
            Self::Chain { .. } | Self::Actor { .. } | Self::Depth { .. } => ErrorKind::Denied,
            Self::Failed(error) => error.kind(),
        }
    }
}

impl From<Error> for ExchangeError {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<StoreError> for ExchangeError {
    fn from(error: StoreError) -> Self {
        Self::from(Error::from(error))
    }
}

//! What our tokens say.

use crate::id::{OrgId, SessionId};
use crate::permission::PermissionSet;
use crate::token::meta_tool::MetaTool;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The kind of a signed token: its `type` claim and its `typ` header. One is never taken for another (reliability T3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new kind must break whoever decides on one")]
pub enum TokenType {
    /// Of a person, after the embedder's login.
    Access,
    /// Of one tool call of a session (row M5).
    Delegated,
    /// Given for another token, for a resource (RFC 8693).
    Exchanged,
    /// To be exchanged, and for nothing else (sem. 2.10, "Delegation token").
    Delegation,
}

impl TokenType {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Access, Self::Delegated, Self::Exchanged, Self::Delegation];

    /// The `typ` of the header: each kind has its own (RFC 8725, 3.11).
    #[must_use]
    pub const fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Delegated => "delegated+jwt",
            Self::Exchanged => "exchanged+jwt",
            Self::Delegation => "delegation+jwt",
        }
    }

    /// The longest a token of this kind may be good for, from `iat` to `exp`; checked when minted and when verified.
    #[must_use]
    pub const fn max_lifetime(self) -> Duration {
        match self {
            Self::Access => Duration::from_secs(3600),
            Self::Delegated => Duration::from_secs(300),
            Self::Exchanged => Duration::from_secs(120),
            Self::Delegation => Duration::from_secs(3600),
        }
    }
}

/// Who acts for the subject (RFC 8693, 4.1): the outermost is the present one, the nested ones came before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the form is the RFC's")]
pub struct Actor {
    /// Who: `agent:<id>`, or the id of a workload.
    pub sub: String,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

/// What a signed token says. Times are whole seconds since 1970 (RFC 7519).
///
/// A claim this type does not know is not looked at; one it knows must have its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the wire form of our tokens, written by mints and read by verifiers"
)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Whose authority it carries: for `access` and `delegated` the user's id.
    pub sub: String,
    /// The organization.
    pub org: OrgId,
    /// Its kind.
    #[serde(rename = "type")]
    pub token_type: TokenType,
    /// When it was issued.
    pub iat: u64,
    /// The first second at which it is valid.
    pub nbf: u64,
    /// The first second at which it is no longer valid.
    pub exp: u64,
    /// Its own name; unique.
    pub jti: String,
    /// The user's address; of an access token. For people and logs: nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The session; of a delegated token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// Who acts for the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who alone may act on it (RFC 8693, 4.4); of a delegation token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<Actor>,
    /// The one tool the token is for; of a delegated token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<MetaTool>,
    /// What the tool may need, for people: what counts is derived from `tools` when the token is verified (rows M8, M11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionSet>,
    /// The scopes of an exchanged or delegation token, separated by spaces (RFC 8693, 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

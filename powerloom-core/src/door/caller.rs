//! Who asks: an authenticated principal of one organization, and what narrows it.

use crate::id::{OrgId, ResourceId, SessionId};
use crate::name::Name;
use crate::permission::PermissionSet;
use crate::principal::Principal;
use crate::token::META_PERMISSIONS;
use serde::{Deserialize, Serialize};

/// What the caller was authenticated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new kind of token must break whoever decides on one")]
pub enum TokenKind {
    /// By the program that embeds the control plane.
    Embedded,
    /// An access token of a person.
    Access,
    /// A token minted for one tool call of a session (row M5).
    Delegated,
    /// A long-lived token of a program.
    Api,
}

/// Who asks. Authentication has already happened: this is its result, never built from what a client merely says.
///
/// # Examples
/// ```
/// use powerloom_core::door::caller::{Caller, TokenKind};
/// use powerloom_core::id::{OrgId, ResourceId, SessionId};
/// use powerloom_core::permission::{Permission, PermissionSet};
///
/// let org: OrgId = "00000000-0000-7000-8000-000000000001".parse()?;
/// let ada: ResourceId = "00000000-0000-7000-8000-000000000002".parse()?;
/// let session: SessionId = "00000000-0000-7000-8000-000000000003".parse()?;
/// let person = Caller::user(org, ada).by(TokenKind::Access);
/// // What an agent does for her, out of a session she started: at most this, and recorded as hers and the session's.
/// let delegated = person.delegated(session, PermissionSet::of(&[Permission::AGENT_READ]));
/// assert_eq!(delegated.token, TokenKind::Delegated);
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The organization; nothing of another can be reached through it.
    pub org: OrgId,
    /// The principal whose permissions count.
    pub principal: Principal,
    /// What it was authenticated by.
    pub token: TokenKind,
    /// The session on whose behalf the call is made (row M41).
    pub delegated_from_session: Option<SessionId>,
    /// Nothing beyond this, whatever the principal may (sem. 2.10).
    pub ceiling: Option<PermissionSet>,
}

impl Caller {
    /// A principal of `org`, authenticated by the embedding program.
    #[must_use]
    pub fn new(org: OrgId, principal: Principal) -> Self {
        Self { org, principal, token: TokenKind::Embedded, delegated_from_session: None, ceiling: None }
    }

    /// A person.
    #[must_use]
    pub fn user(org: OrgId, user: ResourceId) -> Self {
        Self::new(org, Principal::User(user))
    }

    /// An agent, out of one of its sessions (row P6).
    #[must_use]
    pub fn agent(org: OrgId, agent: ResourceId, session: SessionId) -> Self {
        Self { delegated_from_session: Some(session), ..Self::new(org, Principal::Agent(agent)) }
    }

    /// A program of the organization.
    #[must_use]
    pub fn service(org: OrgId, name: Name) -> Self {
        Self::new(org, Principal::Service(name))
    }

    /// The same caller by a token minted for `session`: narrowed to `ceiling`, and named so in the audit trail.
    #[must_use]
    pub fn delegated(mut self, session: SessionId, ceiling: PermissionSet) -> Self {
        self.token = TokenKind::Delegated;
        self.delegated_from_session = Some(session);
        self.ceiling = Some(ceiling);
        self
    }

    /// The same caller, narrowed to what is both in its ceiling and in `ceiling`.
    #[must_use]
    pub fn narrowed(mut self, ceiling: PermissionSet) -> Self {
        self.ceiling = Some(self.ceiling.map_or(ceiling, |held| held.intersection(ceiling)));
        self
    }

    /// What the caller may do at most, whatever its principal may: the ceiling, and with a delegated token nothing beyond
    /// [`META_PERMISSIONS`]. A delegated caller without a ceiling may do nothing.
    #[must_use]
    pub fn reach(&self) -> PermissionSet {
        match (self.token, self.ceiling) {
            (TokenKind::Delegated, ceiling) => ceiling.unwrap_or_default().intersection(META_PERMISSIONS),
            (_, ceiling) => ceiling.unwrap_or(PermissionSet::ALL),
        }
    }

    /// Whether something narrows the caller: then it never passes as its principal in person.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.ceiling.is_some() || self.token == TokenKind::Delegated
    }

    /// The same caller, authenticated by another kind of token.
    #[must_use]
    pub fn by(mut self, token: TokenKind) -> Self {
        self.token = token;
        self
    }
}

//! What a snapshot is compiled from: one plain struct per stored thing, references by id.

use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::name::{Email, Name};
use crate::permission::PermissionSet;
use crate::principal::Principal;
use crate::role::BuiltinRole;
use serde::{Deserialize, Serialize};
use std::fmt;

/// All of one organization that authorization looks at. No id may occur twice; the order of the lists is irrelevant.
#[derive(Debug, Clone, Default)]
pub struct AuthzData {
    /// The OUs; exactly one has no parent.
    pub ous: Vec<OuData>,
    /// The users, disabled ones too.
    pub users: Vec<UserData>,
    /// The groups.
    pub groups: Vec<GroupData>,
    /// Who is in which group.
    pub memberships: Vec<MembershipData>,
    /// The custom roles. Built-in roles are not data: they come from [`BuiltinRole`] and cannot be redefined.
    pub roles: Vec<RoleData>,
    /// The agents, archived ones too.
    pub agents: Vec<AgentData>,
    /// The role bindings, expired ones too.
    pub bindings: Vec<BindingData>,
    /// What [`BuiltinRole::AgentRuntime`] holds in this organization; empty unless configured (rule 2.2.8).
    pub agent_runtime: PermissionSet,
}

/// An organizational unit.
#[derive(Debug, Clone)]
pub struct OuData {
    /// Its id.
    pub id: ResourceId,
    /// The OU above; `None` for the root.
    pub parent: Option<ResourceId>,
    /// Its own name, unique among its siblings.
    pub name: Name,
}

/// A person.
#[derive(Debug, Clone)]
pub struct UserData {
    /// Its id.
    pub id: ResourceId,
    /// Unique in the organization.
    pub email: Email,
    /// The OU whose `ou:` principal, with those above, covers the user (row M32).
    pub home_ou: ResourceId,
    /// A disabled user may do nothing, and neither may an agent it owns.
    pub disabled: bool,
}

/// A group.
#[derive(Debug, Clone)]
pub struct GroupData {
    /// Its id.
    pub id: ResourceId,
    /// The OU it lives in.
    pub ou: ResourceId,
    /// Its name there.
    pub name: Name,
}

/// `member` is in `group`. A member may be of any kind; an `ou:` member stands for all users it covers.
#[derive(Debug, Clone)]
pub struct MembershipData {
    /// The group.
    pub group: ResourceId,
    /// Who is in it.
    pub member: Principal,
}

/// A custom role.
#[derive(Debug, Clone)]
pub struct RoleData {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: Name,
    /// What it holds.
    pub permissions: PermissionSet,
    /// Where it is usable: in this OU and below it. Bound elsewhere it grants and denies nothing. `None`: everywhere.
    pub owning_ou: Option<ResourceId>,
}

/// An agent.
#[derive(Debug, Clone)]
pub struct AgentData {
    /// Its id.
    pub id: ResourceId,
    /// The OU it lives in.
    pub ou: ResourceId,
    /// Its name there, unique among the agents that are not archived.
    pub name: Name,
    /// Whose permissions it acts with.
    pub kind: AgentKind,
    /// A user or a group (row P15). An agent of kind `user` whose owner is anything else, or unknown, may do nothing.
    pub owner: Principal,
    /// It never exceeds this, whatever its owner or its bindings hold.
    pub boundary: Option<PermissionSet>,
    /// An archived agent may do nothing.
    pub archived: bool,
}

/// Whose permissions an agent acts with (row P14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Its owner's, as they are at the moment of the call.
    User,
    /// Its own, from bindings.
    Service,
}

/// A role binding: `principal` holds (or is denied) `role` at `scope` and below.
#[derive(Debug, Clone)]
pub struct BindingData {
    /// Its id.
    pub id: ResourceId,
    /// To whom.
    pub principal: Principal,
    /// What.
    pub role: RoleRef,
    /// From which OU downwards.
    pub scope: ResourceId,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// From this moment on it counts no more.
    pub expires_at: Option<Timestamp>,
}

/// Names a role: a built-in one by its name, or a custom one as `role:<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RoleRef {
    /// One of the catalogue.
    Builtin(BuiltinRole),
    /// A custom role of the organization.
    Custom(ResourceId),
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(role) => role.fmt(f),
            Self::Custom(id) => write!(f, "role:{id}"),
        }
    }
}

impl TryFrom<String> for RoleRef {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        match text.strip_prefix("role:") {
            Some(id) => Ok(Self::Custom(id.parse()?)),
            None => Ok(Self::Builtin(text.parse()?)),
        }
    }
}

impl From<RoleRef> for String {
    fn from(role: RoleRef) -> Self {
        role.to_string()
    }
}

/// Whether a binding gives or takes. Closed: there is no third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever else gives.
    Deny,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

//! The roles every organization has: the catalogue of rule 2.2.

use crate::invalid::Invalid;
use crate::permission::{Permission as P, PermissionSet};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A built-in role. On the wire it is its name; an alias is accepted on input.
///
/// ```
/// use powerloom_core::role::BuiltinRole;
/// assert_eq!("AgentAuthor".parse::<BuiltinRole>()?, BuiltinRole::AgentBuilder);
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
///
/// Closed: what a role holds is law here, and a new role should be looked at wherever roles are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum BuiltinRole {
    /// Everything.
    OrgAdmin,
    /// Everything except `organization:update` and `role:escalate`.
    ///
    /// The rule also withholds `approval_policy:*` *above its own scope*. Bindings flow down only, so a binding at an
    /// OU never reaches a policy above it: the role holds `approval_policy:*`, and the rule is kept by the flow.
    OuAdmin,
    /// Groups and their members.
    GroupAdmin,
    /// Makes and changes agents; alias `AgentAuthor`. It cannot choose another owner.
    AgentBuilder,
    /// Runs the agents that are there: an [`AgentBuilder`](Self::AgentBuilder) that cannot create one, but may invoke
    /// it, reset its sync and hand it over.
    AgentOwner,
    /// Invokes agents; alias `DeploymentOperator`.
    AgentOperator,
    /// Looks; alias `Viewer`.
    AgentViewer,
    /// Everything about skills.
    SkillOwner,
    /// Reads and uses skills.
    SkillUser,
    /// Decides approval requests.
    Approver,
    /// Reads everything and verifies the audit chain.
    Auditor,
    /// What every service agent holds at its own OU, unasked: nothing, unless configured (rule 2.2.8).
    AgentRuntime,
}

const BUILDER: PermissionSet = PermissionSet::of(&[
    P::AGENT_CREATE,
    P::AGENT_READ,
    P::AGENT_UPDATE,
    P::AGENT_ARCHIVE,
    P::SKILL_READ,
    P::SKILL_USE,
    P::MCP_READ,
    P::MCP_USE,
    P::CREDENTIAL_CREATE,
    P::CREDENTIAL_READ,
    P::CREDENTIAL_DELETE,
    P::OU_READ,
    P::USER_READ,
    P::SYNC_READ,
    P::SESSION_READ,
]);

impl BuiltinRole {
    /// Every built-in role, the widest first.
    pub const ALL: [Self; 12] = [
        Self::OrgAdmin,
        Self::OuAdmin,
        Self::GroupAdmin,
        Self::AgentBuilder,
        Self::AgentOwner,
        Self::AgentOperator,
        Self::AgentViewer,
        Self::SkillOwner,
        Self::SkillUser,
        Self::Approver,
        Self::Auditor,
        Self::AgentRuntime,
    ];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrgAdmin => "OrgAdmin",
            Self::OuAdmin => "OUAdmin",
            Self::GroupAdmin => "GroupAdmin",
            Self::AgentBuilder => "AgentBuilder",
            Self::AgentOwner => "AgentOwner",
            Self::AgentOperator => "AgentOperator",
            Self::AgentViewer => "AgentViewer",
            Self::SkillOwner => "SkillOwner",
            Self::SkillUser => "SkillUser",
            Self::Approver => "Approver",
            Self::Auditor => "Auditor",
            Self::AgentRuntime => "AgentRuntime",
        }
    }

    /// The other name under which it is accepted, if it has one.
    #[must_use]
    pub const fn alias(self) -> Option<&'static str> {
        match self {
            Self::AgentBuilder => Some("AgentAuthor"),
            Self::AgentOperator => Some("DeploymentOperator"),
            Self::AgentViewer => Some("Viewer"),
            _ => None,
        }
    }

    /// What it holds.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::OrgAdmin => PermissionSet::ALL,
            Self::OuAdmin => PermissionSet::ALL.difference(PermissionSet::of(&[
                P::ORGANIZATION_UPDATE,
                P::ROLE_ESCALATE,
                P::APPROVAL_BREAK_GLASS,
            ])),
            Self::GroupAdmin => PermissionSet::of_resource("group").union(PermissionSet::of(&[P::USER_READ])),
            Self::AgentBuilder => BUILDER,
            Self::AgentOwner => BUILDER
                .difference(PermissionSet::of(&[P::AGENT_CREATE]))
                .union(PermissionSet::of(&[P::AGENT_INVOKE, P::SYNC_RESET, P::AGENT_ASSIGN_OWNER])),
            Self::AgentOperator => PermissionSet::of(&[
                P::AGENT_READ,
                P::AGENT_INVOKE,
                P::SESSION_READ,
                P::SESSION_STREAM,
                P::SESSION_CANCEL,
            ]),
            Self::AgentViewer => {
                PermissionSet::of(&[P::AGENT_READ, P::SKILL_READ, P::MCP_READ, P::SESSION_READ])
            }
            Self::SkillOwner => PermissionSet::of_resource("skill"),
            Self::SkillUser => PermissionSet::of(&[P::SKILL_READ, P::SKILL_USE]),
            Self::Approver => PermissionSet::of(&[P::APPROVAL_READ, P::APPROVAL_DECIDE]),
            Self::Auditor => PermissionSet::of_resource("audit").union(PermissionSet::of_action("read")),
            Self::AgentRuntime => PermissionSet::EMPTY,
        }
    }
}

impl FromStr for BuiltinRole {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|role| role.name() == text || role.alias() == Some(text)).ok_or_else(
            || {
                let nearest =
                    Self::ALL.into_iter().min_by_key(|role| strsim::damerau_levenshtein(role.name(), text));
                Invalid::new(
                    "role",
                    text,
                    format!("a built-in role; the nearest is `{}`", nearest.map_or("", Self::name)),
                )
            },
        )
    }
}

impl TryFrom<String> for BuiltinRole {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<BuiltinRole> for &'static str {
    fn from(role: BuiltinRole) -> Self {
        role.name()
    }
}

impl fmt::Display for BuiltinRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_read_and_the_name_is_written() {
        for role in BuiltinRole::ALL {
            assert_eq!(role.name().parse::<BuiltinRole>().unwrap(), role);
            if let Some(alias) = role.alias() {
                assert_eq!(serde_json::from_str::<BuiltinRole>(&format!("{alias:?}")).unwrap(), role);
            }
        }
        assert_eq!(serde_json::to_string(&BuiltinRole::OuAdmin).unwrap(), "\"OUAdmin\"");
        assert!("OrgAdmn".parse::<BuiltinRole>().unwrap_err().allowed.contains("`OrgAdmin`"));
    }

    /// The catalogue of rule 2.2, row by row.
    #[test]
    fn each_role_holds_exactly_what_the_catalogue_says() {
        let held = |role: BuiltinRole| role.permissions().to_string();
        assert_eq!(BuiltinRole::OrgAdmin.permissions(), PermissionSet::ALL);
        let withheld = PermissionSet::ALL.difference(BuiltinRole::OuAdmin.permissions());
        assert_eq!(withheld.to_string(), "organization:update, role:escalate, approval:break_glass");
        assert_eq!(
            held(BuiltinRole::GroupAdmin),
            "user:read, group:read, group:create, group:update, group:delete, group:manage_members"
        );
        assert_eq!(
            held(BuiltinRole::AgentBuilder),
            "ou:read, user:read, agent:read, agent:create, agent:update, agent:archive, skill:read, skill:use, mcp:read, \
             mcp:use, credential:read, credential:create, credential:delete, sync:read, session:read"
        );
        assert_eq!(
            held(BuiltinRole::AgentOwner),
            "ou:read, user:read, agent:read, agent:update, agent:archive, agent:invoke, agent:assign_owner, skill:read, \
             skill:use, mcp:read, mcp:use, credential:read, credential:create, credential:delete, sync:read, sync:reset, \
             session:read"
        );
        assert_eq!(
            held(BuiltinRole::AgentOperator),
            "agent:read, agent:invoke, session:read, session:stream, session:cancel"
        );
        assert_eq!(held(BuiltinRole::AgentViewer), "agent:read, skill:read, mcp:read, session:read");
        assert_eq!(
            held(BuiltinRole::SkillOwner),
            "skill:read, skill:create, skill:update, skill:delete, skill:publish, skill:use"
        );
        assert_eq!(held(BuiltinRole::SkillUser), "skill:read, skill:use");
        assert_eq!(held(BuiltinRole::Approver), "approval:read, approval:decide");
        let auditor = BuiltinRole::Auditor.permissions();
        assert!(auditor.iter().all(|p| p.action() == "read" || p.resource() == "audit"));
        assert_eq!(auditor.len(), 24);
        assert!(BuiltinRole::AgentRuntime.permissions().is_empty());
    }
}

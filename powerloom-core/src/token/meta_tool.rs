//! The 11 tools of the meta-agent (rows M13–M23), and what a call of each may do at most.

use crate::invalid::Invalid;
use crate::permission::{Permission as P, PermissionSet};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A tool of the meta-agent.
///
/// ```
/// use powerloom_core::permission::Permission;
/// use powerloom_core::token::{META_PERMISSIONS, MetaTool};
/// let tool: MetaTool = "list_ous".parse()?;
/// assert!(!tool.permissions().contains(Permission::AGENT_CREATE));
/// assert!(tool.permissions().is_subset(META_PERMISSIONS));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "the list is closed: a tool more is a decision about authority (row M27)"
)]
pub enum MetaTool {
    /// The OUs as a tree (row M13).
    ListOus,
    /// The users (row M14).
    ListUsers,
    /// The skills with their versions (row M15).
    ListSkills,
    /// The MCP servers (row M16).
    ListMcpServers,
    /// The agents with where they stand (row M17).
    ListAgents,
    /// One user, by e-mail (row M18).
    DescribeUser,
    /// One agent, by id, with what is attached to it (row M19).
    DescribeAgent,
    /// Declares an agent (row M20).
    CreateAgent,
    /// Gives an agent a skill (row M21).
    AttachSkillToAgent,
    /// Gives an agent an MCP server (row M22).
    AttachMcpServerToAgent,
    /// Gives an agent its bearer for an MCP server (row M23).
    CreateCredential,
}

/// What all tools together may need: no delegated call goes beyond it, whatever its user may do (rows M24–M27).
///
/// No decision on an approval, no write to policies, roles, bindings, groups, users or OUs, no tokens, no sessions.
pub const META_PERMISSIONS: PermissionSet = union(&MetaTool::ALL);

impl MetaTool {
    /// Every tool.
    pub const ALL: [Self; 11] = [
        Self::ListOus,
        Self::ListUsers,
        Self::ListSkills,
        Self::ListMcpServers,
        Self::ListAgents,
        Self::DescribeUser,
        Self::DescribeAgent,
        Self::CreateAgent,
        Self::AttachSkillToAgent,
        Self::AttachMcpServerToAgent,
        Self::CreateCredential,
    ];

    /// What a call of it may do at most. Of that, its user's own permissions decide what it may.
    ///
    /// A tool that writes may read just what its input names: an OU by its path, an owner by an e-mail.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::ListOus => PermissionSet::of(&[P::OU_READ]),
            Self::ListUsers => PermissionSet::of(&[P::USER_READ]),
            Self::ListSkills => PermissionSet::of(&[P::SKILL_READ]),
            Self::ListMcpServers => PermissionSet::of(&[P::MCP_READ]),
            Self::ListAgents => PermissionSet::of(&[P::AGENT_READ, P::SYNC_READ]),
            Self::DescribeUser => PermissionSet::of(&[P::USER_READ, P::OU_READ]),
            Self::DescribeAgent => {
                PermissionSet::of(&[P::AGENT_READ, P::SYNC_READ, P::SKILL_READ, P::MCP_READ])
            }
            Self::CreateAgent => {
                PermissionSet::of(&[P::AGENT_CREATE, P::AGENT_ASSIGN_OWNER, P::OU_READ, P::USER_READ])
            }
            Self::AttachSkillToAgent => PermissionSet::of(&[P::AGENT_UPDATE, P::SKILL_USE]),
            Self::AttachMcpServerToAgent => PermissionSet::of(&[P::AGENT_UPDATE, P::MCP_USE]),
            Self::CreateCredential => PermissionSet::of(&[P::CREDENTIAL_CREATE, P::MCP_USE]),
        }
    }

    /// Its name, as the agent calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListOus => "list_ous",
            Self::ListUsers => "list_users",
            Self::ListSkills => "list_skills",
            Self::ListMcpServers => "list_mcp_servers",
            Self::ListAgents => "list_agents",
            Self::DescribeUser => "describe_user",
            Self::DescribeAgent => "describe_agent",
            Self::CreateAgent => "create_agent",
            Self::AttachSkillToAgent => "attach_skill_to_agent",
            Self::AttachMcpServerToAgent => "attach_mcp_server_to_agent",
            Self::CreateCredential => "create_credential",
        }
    }
}

const fn union(tools: &[MetaTool]) -> PermissionSet {
    let (mut set, mut rest) = (PermissionSet::EMPTY, tools);
    while let [first, more @ ..] = rest {
        set = set.union(first.permissions());
        rest = more;
    }
    set
}

impl FromStr for MetaTool {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|tool| tool.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|tool| tool.name()).collect();
            Invalid::new("tool", text, format!("one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for MetaTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_written_as_its_name_everywhere() {
        for tool in MetaTool::ALL {
            assert_eq!(serde_json::to_value(tool).unwrap(), tool.name());
            assert_eq!(tool.name().parse::<MetaTool>().unwrap(), tool);
        }
        assert!("delete_agent".parse::<MetaTool>().is_err());
    }

    /// Rows M24–M27, M38: what no call out of a session may do, whoever started it.
    #[test]
    fn the_ceiling_leaves_out_approvals_policies_roles_bindings_and_administration() {
        for resource in [
            "organization",
            "approval",
            "approval_policy",
            "role",
            "binding",
            "group",
            "token",
            "audit",
            "custom",
        ] {
            let these = PermissionSet::of_resource(resource);
            assert!(!these.is_empty() && these.intersection(META_PERMISSIONS).is_empty(), "{resource}");
        }
        let writes: Vec<String> = META_PERMISSIONS
            .iter()
            .filter(|permission| permission.action() != "read")
            .map(|permission| permission.to_string())
            .collect();
        let expected = [
            "agent:create",
            "agent:update",
            "agent:assign_owner",
            "skill:use",
            "mcp:use",
            "credential:create",
        ];
        assert_eq!(writes, expected);
    }

    /// Sem. 2.15: a token minted for `list_ous` cannot create.
    #[test]
    fn a_listing_tool_only_reads() {
        for tool in MetaTool::ALL
            .into_iter()
            .filter(|tool| !tool.name().contains("_to_") && !tool.name().starts_with("create"))
        {
            assert!(tool.permissions().iter().all(|permission| permission.action() == "read"), "{tool}");
        }
    }
}

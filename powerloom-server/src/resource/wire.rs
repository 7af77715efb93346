//! Which collections there are, and where a field is called differently over REST than in the record.

use powerloom_core::record::KindName;

/// How a field of a spec is written over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// As in the record.
    Same,
    /// A user's or a group's id alone, without `user:` or `group:` before it (row P28: `owner_principal_id`).
    OwnerId,
}

/// A field that has another name over REST.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renamed {
    /// Its name over REST.
    pub(crate) wire: &'static str,
    /// Its name in the spec.
    pub(crate) spec: &'static str,
    /// Its form over REST.
    pub(crate) written: Written,
}

const fn renamed(wire: &'static str, spec: &'static str) -> Renamed {
    Renamed { wire, spec, written: Written::Same }
}

/// A kind with routes of its own.
#[derive(Debug)]
pub(crate) struct Collection {
    /// The kind.
    pub(crate) kind: KindName,
    /// Where: `/agents`.
    pub(crate) path: &'static str,
    /// What one is called in the OpenAPI document.
    pub(crate) name: &'static str,
    /// What one is called in a sentence.
    pub(crate) noun: &'static str,
    /// Fields with another name.
    pub(crate) renamed: &'static [Renamed],
    /// A list may be narrowed to those that refer to this agent (row P109).
    pub(crate) by_agent: bool,
    /// It can be changed by `PATCH`.
    pub(crate) patch: bool,
}

impl Collection {
    const fn new(kind: &'static str, path: &'static str, name: &'static str, noun: &'static str) -> Self {
        let kind = KindName::known(kind);
        Self { kind, path, name, noun, renamed: &[], by_agent: false, patch: true }
    }

    const fn renamed(mut self, renamed: &'static [Renamed]) -> Self {
        self.renamed = renamed;
        self
    }

    const fn by_agent(mut self) -> Self {
        self.by_agent = true;
        self
    }

    const fn fixed(mut self) -> Self {
        self.patch = false;
        self
    }
}

/// Every collection, in the order of the OpenAPI document.
pub(crate) static COLLECTIONS: [Collection; 13] = [
    Collection::new("Agent", "/agents", "Agent", "agent").renamed(&[Renamed {
        wire: "owner_principal_id",
        spec: "owner",
        written: Written::OwnerId,
    }]),
    Collection::new("Skill", "/skills", "Skill", "skill"),
    Collection::new("MCPServerRegistration", "/mcp-servers", "McpServer", "MCP server"),
    Collection::new("MCPDeployment", "/mcp-deployments", "McpDeployment", "MCP deployment"),
    Collection::new("Credential", "/credentials", "Credential", "credential")
        .renamed(&[renamed("agent_id", "agent"), renamed("mcp_server_id", "mcp_server")])
        .by_agent()
        .fixed(),
    Collection::new("OU", "/ous", "Ou", "OU"),
    Collection::new("User", "/users", "User", "user"),
    Collection::new("Group", "/groups", "Group", "group"),
    Collection::new("GroupMembership", "/group-memberships", "GroupMembership", "group membership")
        .renamed(&[renamed("group_id", "group")])
        .fixed(),
    Collection::new("Role", "/roles", "Role", "role"),
    Collection::new("RoleBinding", "/role-bindings", "RoleBinding", "role binding").fixed(),
    Collection::new("SkillAccessGrant", "/skill-grants", "SkillAccessGrant", "skill access grant")
        .renamed(&[renamed("skill_id", "skill")])
        .fixed(),
    Collection::new("ApprovalPolicy", "/approval-policies", "ApprovalPolicy", "approval policy"),
];

/// Skill versions have no routes of this table, but are shown by it.
static SKILL_VERSION: [Renamed; 1] = [renamed("skill_id", "skill")];

/// The fields of a kind that have another name.
pub(crate) fn renamed_fields(kind: &KindName) -> &'static [Renamed] {
    if kind.as_str() == "SkillVersion" {
        return &SKILL_VERSION;
    }
    COLLECTIONS.iter().find(|collection| collection.kind == *kind).map_or(&[], |found| found.renamed)
}

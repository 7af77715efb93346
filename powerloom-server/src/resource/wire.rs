//! Which collections there are, and where a field is called differently over REST than in the record.

use powerloom_core::record::KindName;
use std::borrow::Cow;

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

/// Versions live below their skill and have routes of their own, but are shown by this table.
pub(crate) static SKILL_VERSIONS: Collection =
    Collection::new("SkillVersion", "/skills/{id}/versions", "SkillVersion", "version of a skill")
        .renamed(&[renamed("skill_id", "skill"), renamed("previous_version_id", "previous")])
        .fixed();

/// What every resource shows; a field of a spec that is called the same is shown, and given, as `spec_<name>`.
const METADATA: [&str; 15] = [
    "id",
    "kind",
    "name",
    "ou_id",
    "ou_path",
    "version",
    "generation",
    "stage",
    "labels",
    "created_at",
    "updated_at",
    "status",
    "sync",
    "path",
    "warnings",
];

/// What a field of a spec that has no other name is called.
pub(crate) fn plain_name(spec: &str) -> Cow<'_, str> {
    if METADATA.contains(&spec) { Cow::Owned(format!("spec_{spec}")) } else { Cow::Borrowed(spec) }
}

/// What a field of a spec is called.
pub(crate) fn wire_name<'n>(kind: &KindName, spec: &'n str) -> Cow<'n, str> {
    match renamed_fields(kind).iter().find(|renamed| renamed.spec == spec) {
        Some(renamed) => Cow::Borrowed(renamed.wire),
        None => plain_name(spec),
    }
}

/// The fields of a kind that have another name.
pub(crate) fn renamed_fields(kind: &KindName) -> &'static [Renamed] {
    let mut known = std::iter::once(&SKILL_VERSIONS).chain(&COLLECTIONS);
    known.find(|collection| collection.kind == *kind).map_or(&[], |found| found.renamed)
}

/// Where resources of a kind are, below the root.
pub(crate) fn path_of(kind: &KindName) -> Option<&'static str> {
    COLLECTIONS.iter().find(|collection| collection.kind == *kind).map(|found| found.path)
}

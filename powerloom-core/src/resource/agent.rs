//! Kind `Agent`: the desired state of one agent (rows P11–P17).

use crate::authz::AgentKind;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::{Permission, PermissionPattern};
use crate::principal::Principal;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::field::{DESCRIPTION, DISPLAY_NAME, Field, Form};
use crate::resource::group::principal_reference;
use crate::resource::kind::{
    AuthzPart, Declared, Home, KindPermissions, ProjectError, Projection, Reference, Related,
};
use crate::resource::mcp_server::McpServer;
use crate::resource::skill::Skill;
use crate::resource::skill_version::SkillVersion;
use crate::runtime::{AgentMcpServerPayload, AgentPayload, AgentSkillPayload, Payload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most skills an agent may have (sem. 2.5).
pub const MAX_SKILLS: usize = 20;
/// Most MCP servers an agent may have (sem. 2.5).
pub const MAX_MCP_SERVERS: usize = 20;
/// Longest system prompt, in characters (sem. 2.3).
pub const MAX_SYSTEM_PROMPT: usize = 32_768;

/// An agent.
#[derive(Debug)]
pub struct Agent;

/// Which version of a skill an agent has (sem. 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a projection must know every way to follow a skill")]
pub enum SkillPin {
    /// Always the newest.
    #[default]
    Current,
    /// This one.
    Pinned(ResourceId),
}

/// A skill an agent has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AttachedSkill {
    /// The skill.
    pub skill: ResourceId,
    /// Which version of it.
    #[serde(default)]
    pub version: SkillPin,
}

/// What an agent's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
    /// The runtime's model id.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 256))]
    pub model: String,
    /// Instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 32768))]
    pub system_prompt: Option<String>,
    /// Whose permissions it has.
    pub agent_kind: AgentKind,
    /// The user or group responsible for it (row P15).
    #[serde(rename = "owner")]
    pub owner_principal: Principal,
    /// Its skills.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_items = 20))]
    pub skills: Vec<AttachedSkill>,
    /// Its MCP servers.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_items = 20))]
    pub mcp_servers: Vec<ResourceId>,
    /// Narrows a `user` agent to these permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_boundary: Option<Vec<PermissionPattern>>,
    /// How long its sessions may run; ten minutes if absent (row P91).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 86400))]
    pub session_timeout_seconds: Option<u32>,
}

impl AgentSpec {
    /// An agent of this model and kind that `owner` is responsible for; everything else is left out.
    #[must_use]
    pub fn new(model: impl Into<String>, agent_kind: AgentKind, owner: Principal) -> Self {
        Self {
            display_name: None,
            description: None,
            model: model.into(),
            system_prompt: None,
            agent_kind,
            owner_principal: owner,
            skills: Vec::new(),
            mcp_servers: Vec::new(),
            permission_boundary: None,
            session_timeout_seconds: None,
        }
    }
}

impl Schema for Agent {
    const KIND: KindName = KindName::known("Agent");
    type Spec = AgentSpec;
    type Status = ();
}

impl Declared for Agent {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("description", DESCRIPTION),
        Field::new("model", Form::Text { min: 1, max: 256 }).required(),
        Field::new("system_prompt", Form::Text { min: 1, max: MAX_SYSTEM_PROMPT }),
        Field::new("agent_kind", Form::Choice(&["user", "service"])).required().immutable(),
        Field::new("owner_principal_ref", Form::Principal).as_spec("owner").required(),
        Field::new("skills", Form::Skills),
        Field::new("mcp_servers", Form::References(McpServer::KIND)),
        Field::new("permission_boundary", Form::Permissions),
        Field::new("session_timeout_seconds", Form::Integer { min: 1, max: 86_400 }),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::AGENT_READ,
        create: Permission::AGENT_CREATE,
        update: Permission::AGENT_UPDATE,
        archive: Permission::AGENT_ARCHIVE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 40;
    const ABOUT: &'static str = "The desired state of one agent.";
    const ON_RUNTIME: bool = true;
    const AUTHZ: AuthzPart = AuthzPart::Subject(&["owner", "permission_boundary"]);

    fn validate(spec: &AgentSpec) -> Result<(), Invalid> {
        if !matches!(spec.owner_principal, Principal::User(_) | Principal::Group(_)) {
            return Err(Invalid::new("owner", &spec.owner_principal, "a user or a group"));
        }
        if spec.model.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Invalid::new(
                "model",
                &spec.model,
                "a model id without spaces, such as `claude-sonnet-4-6`",
            ));
        }
        if spec.skills.len() > MAX_SKILLS {
            return Err(Invalid::new("skills", spec.skills.len(), format!("at most {MAX_SKILLS} skills")));
        }
        if spec.mcp_servers.len() > MAX_MCP_SERVERS {
            let allowed = format!("at most {MAX_MCP_SERVERS} MCP servers");
            return Err(Invalid::new("mcp_servers", spec.mcp_servers.len(), allowed));
        }
        let mut seen = BTreeSet::new();
        for (index, attached) in spec.skills.iter().enumerate() {
            if !seen.insert(attached.skill) {
                return Err(Invalid::new(format!("skills[{index}]"), attached.skill, "each skill once"));
            }
        }
        seen.clear();
        for (index, server) in spec.mcp_servers.iter().enumerate() {
            if !seen.insert(*server) {
                return Err(Invalid::new(format!("mcp_servers[{index}]"), server, "each MCP server once"));
            }
        }
        Ok(())
    }

    fn references(spec: &AgentSpec) -> Vec<Reference> {
        let mut references: Vec<Reference> =
            principal_reference("owner", &spec.owner_principal).into_iter().collect();
        for (index, attached) in spec.skills.iter().enumerate() {
            let field = format!("skills[{index}]");
            references.push(
                Reference::new(&field, ResourceKey::of::<Skill>(attached.skill))
                    .needing(Permission::SKILL_USE),
            );
            if let SkillPin::Pinned(version) = attached.version {
                references.push(Reference::new(
                    format!("{field}.version"),
                    ResourceKey::of::<SkillVersion>(version),
                ));
            }
        }
        for (index, server) in spec.mcp_servers.iter().enumerate() {
            let key = ResourceKey::of::<McpServer>(*server);
            references
                .push(Reference::new(format!("mcp_servers[{index}]"), key).needing(Permission::MCP_USE));
        }
        references
    }

    fn project(record: &Record<Self>, related: &Related) -> Result<Option<Projection>, ProjectError> {
        let spec = &record.spec;
        let mut depends_on: Vec<ResourceKey> = related.environment.iter().cloned().collect();
        let mut skills = Vec::with_capacity(spec.skills.len());
        for attached in &spec.skills {
            let skill = project_skill(attached, related)?;
            depends_on.push(ResourceKey::of::<SkillVersion>(skill.version));
            skills.push(skill);
        }
        let mut mcp_servers = Vec::with_capacity(spec.mcp_servers.len());
        for server in &spec.mcp_servers {
            mcp_servers.push(project_server(*server, related)?);
        }
        skills.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
        mcp_servers.sort();
        let payload = AgentPayload {
            name: record.meta.name.clone(),
            description: spec.description.clone(),
            model: spec.model.clone(),
            system: spec.system_prompt.clone(),
            skills,
            mcp_servers,
        };
        Ok(Some(Projection { payload: Payload::Agent(payload), depends_on }))
    }
}

fn project_skill(attached: &AttachedSkill, related: &Related) -> Result<AgentSkillPayload, ProjectError> {
    let skill: Record<Skill> = related.record(attached.skill)?;
    let (version, number) = match attached.version {
        SkillPin::Pinned(id) => (id, related.record::<SkillVersion>(id)?.spec.number),
        SkillPin::Current => {
            let current = skill.status.current.ok_or_else(|| ProjectError::NotReady {
                on: format!("skill `{}` has no version yet", skill.meta.name),
            })?;
            (current.id, current.number)
        }
    };
    Ok(AgentSkillPayload { version, name: skill.meta.name, number })
}

fn project_server(id: ResourceId, related: &Related) -> Result<AgentMcpServerPayload, ProjectError> {
    let server: Record<McpServer> = related.record(id)?;
    let url = server.spec.url.ok_or_else(|| ProjectError::NotReady {
        on: format!("MCP server `{}` is not served yet", server.meta.name),
    })?;
    Ok(AgentMcpServerPayload { name: server.status.server_name, url })
}

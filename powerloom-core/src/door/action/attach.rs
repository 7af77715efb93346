//! Giving an agent skills and MCP servers, and taking them away (rows P52, P53): updates with names of their own.

use crate::door::action::update::change;
use crate::door::work::{Draft, Step, Work};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::record::{Record, RecordRow, ResourceKey, Schema};
use crate::resource::agent::{Agent, AgentSpec, AttachedSkill, SkillPin};
use crate::resource::mcp_server::McpServer;
use crate::resource::skill::Skill;
use serde_json::{Map, Value, json};

/// What is attached or detached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attachment {
    Skill(ResourceId, SkillPin),
    NoSkill(ResourceId),
    McpServer(ResourceId),
    NoMcpServer(ResourceId),
}

impl Attachment {
    fn word(self) -> &'static str {
        match self {
            Self::Skill(..) => "attach_skill",
            Self::NoSkill(_) => "detach_skill",
            Self::McpServer(_) => "attach_mcp_server",
            Self::NoMcpServer(_) => "detach_mcp_server",
        }
    }

    /// What is taken away, as an error names it.
    fn taken(self) -> Option<(&'static str, ResourceId)> {
        match self {
            Self::NoSkill(skill) => Some(("skill of the agent", skill)),
            Self::NoMcpServer(server) => Some(("MCP server of the agent", server)),
            Self::Skill(..) | Self::McpServer(_) => None,
        }
    }

    /// The field of the spec it changes.
    fn field(self) -> &'static str {
        match self {
            Self::Skill(..) | Self::NoSkill(_) => "skills",
            Self::McpServer(_) | Self::NoMcpServer(_) => "mcp_servers",
        }
    }
}

/// Checks and writes an attachment. What is attached already stays unchanged; what is not cannot be taken away.
pub(crate) async fn attach(
    work: &mut Work<'_>,
    agent: ResourceId,
    expect: Option<u64>,
    attachment: Attachment,
) -> Step<Draft> {
    let row = work.row(&ResourceKey::of::<Agent>(agent)).await?;
    work.about(&Agent::KIND, agent, attachment.word(), row.meta.ou);
    let mut spec = Record::<Agent>::read(&row)?.spec;
    let mut created = false;
    match attachment {
        // In its place: the same again must come to the same list.
        Attachment::Skill(skill, version) => {
            match spec.skills.iter_mut().find(|attached| attached.skill == skill) {
                Some(attached) => attached.version = version,
                None => {
                    spec.skills.push(AttachedSkill { skill, version });
                    created = true;
                }
            }
        }
        Attachment::NoSkill(skill) => spec.skills.retain(|attached| attached.skill != skill),
        Attachment::McpServer(server) if spec.mcp_servers.contains(&server) => {}
        Attachment::McpServer(server) => {
            spec.mcp_servers.push(server);
            created = true;
        }
        Attachment::NoMcpServer(server) => spec.mcp_servers.retain(|attached| *attached != server),
    }
    let field = attachment.field();
    let patch = Map::from_iter([(field.to_owned(), list(&spec, field)?)]);
    let before = names(work, &row, field).await?;
    let kind = work.kind_of(&row)?.clone();
    let mut draft = change(work, &kind, row, expect, &patch).await?;
    draft.created = created;
    if let (true, Some((what, id))) = (draft.unchanged, attachment.taken()) {
        return Err(Error::not_found(what, id).into());
    }
    if let Some(next) = draft.record.as_ref().filter(|_| !draft.unchanged) {
        draft.change.after = json!({ field: names(work, next, field).await? });
        draft.change.before = json!({ field: before });
    }
    Ok(draft)
}

fn list(spec: &AgentSpec, field: &str) -> Result<Value> {
    let value = if field == "skills" {
        serde_json::to_value(&spec.skills)
    } else {
        serde_json::to_value(&spec.mcp_servers)
    };
    value.map_err(|error| Error::from(Invalid::new(field, error, "what JSON can hold")))
}

/// The names of what is attached, sorted: what people read in the audit trail.
async fn names(work: &Work<'_>, agent: &RecordRow, field: &str) -> Result<Vec<String>> {
    let spec = Record::<Agent>::read(agent)?.spec;
    let keys: Vec<ResourceKey> = if field == "skills" {
        spec.skills.iter().map(|attached| ResourceKey::of::<Skill>(attached.skill)).collect()
    } else {
        spec.mcp_servers.iter().map(|server| ResourceKey::of::<McpServer>(*server)).collect()
    };
    let rows = work.plane.store.records(work.org.id, &keys).await?;
    let mut names: Vec<String> = rows.into_iter().map(|row| row.meta.name).collect();
    names.sort();
    Ok(names)
}

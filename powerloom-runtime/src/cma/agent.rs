//! Agents: what runs in a session. Versioned, archived for ever, never deleted.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::model::{Model, ModelConfig};
use crate::cma::page::{Page, all, push, push_time};
use crate::cma::patch::Patch;
use crate::cma::tool::{AgentSkill, McpServer, Tool};
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

impl CmaClient {
    /// The agents of the key's workspace.
    #[must_use]
    pub const fn agents(&self) -> Agents<'_> {
        Agents(self)
    }
}

/// Calls on agents; from [`CmaClient::agents`].
#[derive(Debug, Clone, Copy)]
pub struct Agents<'a>(&'a CmaClient);

impl Agents<'_> {
    /// Creates an agent, at version 1. Not idempotent: see [`CmaError::maybe_applied`].
    ///
    /// # Errors
    /// 400 if MCP servers and toolsets do not match each other, or a limit is passed.
    pub async fn create(&self, agent: &CreateAgent) -> Result<Agent, CmaError> {
        self.0.json(Call::post("agents").json(agent)?, "the agent").await
    }

    /// Reads the newest version.
    ///
    /// # Errors
    /// 404 if there is no such agent.
    pub async fn retrieve(&self, id: &str) -> Result<Agent, CmaError> {
        self.0.json(Call::get("agents").id("agent", id)?, "the agent").await
    }

    /// Reads version `version`, counted from 1.
    ///
    /// # Errors
    /// 404 if there is no such agent or version.
    pub async fn retrieve_version(&self, id: &str, version: i64) -> Result<Agent, CmaError> {
        let call = Call::get("agents").id("agent", id)?.query(vec![("version", version.to_string())]);
        self.0.json(call, "the agent").await
    }

    /// Changes what `update` names; a change makes a new version, a request that changes nothing does not. Running
    /// sessions keep the version they began with.
    ///
    /// # Errors
    /// 409 if [`UpdateAgent::version`] is not the newest.
    pub async fn update(&self, id: &str, update: &UpdateAgent) -> Result<Agent, CmaError> {
        self.0.json(Call::post("agents").id("agent", id)?.json(update)?, "the agent").await
    }

    /// Makes the agent read-only, for ever. Running sessions go on; new ones are refused.
    ///
    /// # Errors
    /// 404 if there is no such agent.
    pub async fn archive(&self, id: &str) -> Result<Agent, CmaError> {
        self.0.json(Call::post("agents").id("agent", id)?.then("archive"), "the agent").await
    }

    /// One page of agents.
    ///
    /// # Errors
    /// 400 for a cursor that is not of this list.
    pub async fn list(&self, list: &ListAgents) -> Result<Page<Agent>, CmaError> {
        self.0.json(Call::get("agents").query(list.query(list.page.as_deref())), "the agents").await
    }

    /// Every agent from `list.page` on, page after page.
    #[must_use]
    pub fn all(&self, list: ListAgents) -> BoxStream<'static, Result<Agent, CmaError>> {
        all(self.0.clone(), "the agents", move |page| {
            Ok(Call::get("agents").query(list.query(page.or(list.page.as_deref()))))
        })
    }

    /// One page of the versions of an agent.
    ///
    /// # Errors
    /// 404 if there is no such agent.
    pub async fn versions(&self, id: &str, list: &ListVersions) -> Result<Page<Agent>, CmaError> {
        self.0.json(versions(id, list, list.page.as_deref())?, "the versions").await
    }

    /// Every version of an agent, page after page.
    #[must_use]
    pub fn all_versions(&self, id: &str, list: ListVersions) -> BoxStream<'static, Result<Agent, CmaError>> {
        let id = id.to_owned();
        all(self.0.clone(), "the versions", move |page| versions(&id, &list, page.or(list.page.as_deref())))
    }
}

fn versions(id: &str, list: &ListVersions, page: Option<&str>) -> Result<Call, CmaError> {
    Ok(Call::get("agents").id("agent", id)?.then("versions").query(list.query(page)))
}

/// A new agent. Limits are the service's: name 256, description 2 048, system 100 000 characters, 20 MCP servers, 16
/// pairs of metadata (key 64, value 512).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CreateAgent {
    /// What it is called.
    pub name: String,
    /// What it thinks with.
    pub model: Model,
    /// Its system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What it is for, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// The MCP servers its toolsets refer to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mcp_servers: Vec<McpServer>,
    /// Its skills; they need the `read` tool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<AgentSkill>,
    /// The caller's own words about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Which agents it may call on, in the service's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiagent: Option<Value>,
    /// As whom it acts, in the service's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_identity: Option<Value>,
}

impl CreateAgent {
    /// An agent with a name and a model, and nothing else.
    pub fn new(name: impl Into<String>, model: impl Into<Model>) -> Self {
        Self {
            name: name.into(),
            model: model.into(),
            system: None,
            description: None,
            tools: Vec::new(),
            mcp_servers: Vec::new(),
            skills: Vec::new(),
            metadata: BTreeMap::new(),
            multiagent: None,
            execution_identity: None,
        }
    }
}

/// A partial change of an agent. Lists and objects are replaced whole; metadata is merged key by key.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateAgent {
    /// Refuses the change (409) unless this is the newest version; `None` overwrites whatever is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Cannot be cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Cannot be cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Its system prompt.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub system: Patch<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    /// What it may use.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub tools: Patch<Vec<Tool>>,
    /// The MCP servers its toolsets refer to.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub mcp_servers: Patch<Vec<McpServer>>,
    /// Its skills.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub skills: Patch<Vec<AgentSkill>>,
    /// A value sets the key, `None` deletes it, other keys stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Option<String>>,
    /// Which agents it may call on.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub multiagent: Patch<Value>,
    /// As whom it acts; cleared, it is set back.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub execution_identity: Patch<Value>,
}

/// An agent as the service holds it, with every default filled in.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Agent {
    /// `agent_…`
    pub id: String,
    /// Counted from 1.
    pub version: i64,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// What it thinks with.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub model: ModelConfig,
    /// Its system prompt.
    #[serde(default)]
    pub system: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What it may use.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tools: Vec<Tool>,
    /// Its MCP servers.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub mcp_servers: Vec<McpServer>,
    /// Its skills, each with its version.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub skills: Vec<AgentSkill>,
    /// The caller's own words about it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Which agents it may call on.
    #[serde(default)]
    pub multiagent: Option<Value>,
    /// As whom it acts.
    #[serde(default)]
    pub execution_identity: Option<Value>,
    /// When its first version was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When this version was made.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// When it was archived, if it was.
    #[serde(default)]
    pub archived_at: Option<Timestamp>,
}

/// Which agents to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListAgents {
    /// 1 to 100 a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
    /// Created at this time or later.
    pub created_at_gte: Option<Timestamp>,
    /// Created at this time or earlier.
    pub created_at_lte: Option<Timestamp>,
}

impl ListAgents {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push_time(&mut query, "created_at[gte]", self.created_at_gte);
        push_time(&mut query, "created_at[lte]", self.created_at_lte);
        push(&mut query, "include_archived", self.include_archived);
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListVersions {
    /// How many a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
}

impl ListVersions {
    pub(crate) fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_sends_what_it_names_and_nothing_else() {
        let mut update = UpdateAgent::default();
        assert_eq!(serde_json::to_value(&update).unwrap(), json!({}));
        update.version = Some(3);
        update.system = Patch::Clear;
        update.tools = Patch::Set(Vec::new());
        update.metadata = BTreeMap::from([("gone".into(), None), ("kept".into(), Some("1".into()))]);
        assert_eq!(
            serde_json::to_value(&update).unwrap(),
            json!({"version": 3, "system": null, "tools": [], "metadata": {"gone": null, "kept": "1"}})
        );
    }

    #[test]
    fn an_agent_is_read_with_unknown_fields_and_nulls() {
        let agent: Agent = serde_json::from_value(json!({
            "type": "agent", "id": "agent_1", "version": 1_759_178_010_641_129_i64, "name": "n",
            "model": {"id": "claude-opus-5-5", "effort": {"type": "high"}, "speed": "standard"},
            "system": null, "description": null, "tools": null, "mcp_servers": [{"type": "url", "name": "a", "url": "b"}],
            "skills": [{"type": "custom", "skill_id": "s", "version": "skver_1"}], "metadata": {"a": "b"},
            "multiagent": null, "execution_identity": {"type": "service_account"}, "from_the_future": [1],
            "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00.5Z", "archived_at": null,
        }))
        .unwrap();
        assert_eq!(agent.version, 1_759_178_010_641_129);
        assert!(agent.tools.is_empty() && agent.archived_at.is_none());
        assert_eq!(agent.mcp_servers, [McpServer::url("a", "b")]);
    }
}

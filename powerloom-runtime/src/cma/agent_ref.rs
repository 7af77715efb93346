//! Which agent a session runs.

use crate::cma::model::Model;
use crate::cma::patch::Patch;
use crate::cma::tool::{AgentSkill, McpServer, Tool};
use serde::Serialize;

/// Which agent a session runs.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum AgentRef {
    /// One version of an agent; `None` is the newest.
    #[serde(rename = "agent")]
    Pinned {
        /// `agent_…`
        id: String,
        /// Counted from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<i64>,
    },
    /// An agent with fields replaced for this session only.
    #[serde(rename = "agent_with_overrides")]
    Overridden(Box<AgentOverrides>),
    /// The newest version, by bare id.
    #[serde(untagged)]
    Newest(String),
}

impl AgentRef {
    /// Version `version` of agent `id`.
    pub fn pinned(id: impl Into<String>, version: i64) -> Self {
        Self::Pinned { id: id.into(), version: Some(version) }
    }
}

impl From<&str> for AgentRef {
    fn from(id: &str) -> Self {
        Self::Newest(id.to_owned())
    }
}

/// An agent with fields replaced whole for one session.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct AgentOverrides {
    /// `agent_…`
    pub id: String,
    /// Counted from 1; `None` is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Cannot be cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The system prompt.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub system: Patch<String>,
    /// What it may use.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub tools: Patch<Vec<Tool>>,
    /// Its MCP servers.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub mcp_servers: Patch<Vec<McpServer>>,
    /// Its skills.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub skills: Patch<Vec<AgentSkill>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn overrides_tell_clear_from_keep() {
        let overrides =
            AgentOverrides { id: "agent_1".into(), system: Patch::Clear, ..AgentOverrides::default() };
        assert_eq!(
            serde_json::to_value(AgentRef::Overridden(Box::new(overrides))).unwrap(),
            json!({"type": "agent_with_overrides", "id": "agent_1", "system": null})
        );
    }
}

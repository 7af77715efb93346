//! What an agent may use: toolsets, tools of the caller, MCP servers, skills.

use crate::cma::lenient::null_is_empty;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A toolset or a tool of an agent; at most 256 tools in all.
///
/// The service fills in defaults: the agent toolset is on and allowed, an MCP toolset is on and **asks before every
/// call**, so that an agent created without an explicit [`PermissionPolicy::AlwaysAllow`] stops at its first one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum Tool {
    /// The tools of the sandbox: `bash`, `read`, `write`, `edit`, `glob`, `grep`, `web_fetch`, `web_search`.
    #[serde(rename = "agent_toolset_20260401")]
    AgentToolset {
        /// What holds for every tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_config: Option<ToolDefaults>,
        /// What holds for single tools.
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
        configs: Vec<ToolConfig>,
    },
    /// The tools of one declared MCP server.
    #[serde(rename = "mcp_toolset")]
    McpToolset {
        /// The name the server is declared with.
        mcp_server_name: String,
        /// What holds for every tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_config: Option<ToolDefaults>,
        /// What holds for single tools.
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
        configs: Vec<ToolConfig>,
    },
    /// A tool whose calls the caller answers.
    #[serde(rename = "custom")]
    Custom {
        /// 1 to 128 letters, digits, `_`, `-`.
        name: String,
        /// What it does, for the model.
        description: String,
        /// A JSON Schema of `type: object`.
        input_schema: Value,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

/// What holds for every tool of a toolset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolDefaults {
    /// Whether the tools can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether a call needs a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_policy: Option<PermissionPolicy>,
}

impl ToolDefaults {
    /// Both set.
    #[must_use]
    pub fn new(enabled: bool, policy: PermissionPolicy) -> Self {
        Self { enabled: Some(enabled), permission_policy: Some(policy) }
    }
}

/// What holds for one tool of a toolset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolConfig {
    /// The bare name of the tool.
    pub name: String,
    /// Whether it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether a call needs a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_policy: Option<PermissionPolicy>,
    /// The tool's own settings, such as `allowed_domains`; in answers of the agent toolset also `type`.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

impl ToolConfig {
    /// The tool `name`, with nothing set.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// Whether a call of a tool needs a confirmation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PermissionPolicy {
    /// It never does.
    AlwaysAllow,
    /// It always does.
    AlwaysAsk,
    /// The service judges each call.
    Auto,
    /// A policy this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

/// An MCP server an agent may reach. It holds no credential: that comes from a vault of the session, found by URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum McpServer {
    /// A server at an address.
    #[serde(rename = "url")]
    Url {
        /// 1 to 255 characters, unique within the agent; an [`Tool::McpToolset`] must refer to it.
        name: String,
        /// At most 2 048 characters.
        url: String,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

impl McpServer {
    /// The server called `name` at `url`.
    pub fn url(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self::Url { name: name.into(), url: url.into() }
    }
}

/// A skill attached to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentSkill {
    /// A skill of the workspace.
    Custom {
        /// `skill_…`
        skill_id: String,
        /// `skver_…`; `None` is the newest at the time a session starts. Answers always name one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// A skill of the vendor.
    Anthropic {
        /// A word such as `xlsx`.
        skill_id: String,
        /// A date such as `20251013`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resolved_toolset_is_read_and_written_back_unchanged() {
        let resolved = json!({
            "type": "agent_toolset_20260401",
            "default_config": {"enabled": true, "permission_policy": {"type": "always_allow"}},
            "configs": [{
                "type": "web_fetch", "name": "web_fetch", "enabled": true,
                "permission_policy": {"type": "auto"}, "url_sources": null, "max_content_tokens": 10,
            }],
        });
        let tool: Tool = serde_json::from_value(resolved.clone()).unwrap();
        assert!(matches!(tool, Tool::AgentToolset { .. }));
        assert_eq!(serde_json::to_value(&tool).unwrap(), resolved);
    }

    #[test]
    fn unknown_kinds_are_kept_whole() {
        let unknown = json!({"type": "from_the_future", "depth": {"x": 1}});
        assert_eq!(serde_json::from_value::<Tool>(unknown.clone()).unwrap(), Tool::Other(unknown.clone()));
        assert_eq!(
            serde_json::from_value::<PermissionPolicy>(unknown.clone()).unwrap(),
            PermissionPolicy::Other(unknown.clone())
        );
        assert_eq!(
            serde_json::from_value::<McpServer>(unknown.clone()).unwrap(),
            McpServer::Other(unknown.clone())
        );
        let skill: AgentSkill = serde_json::from_value(unknown.clone()).unwrap();
        assert_eq!(serde_json::to_value(&skill).unwrap(), unknown);
    }
}

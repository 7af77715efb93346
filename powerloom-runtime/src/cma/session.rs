//! Sessions: one run of an agent in an environment.

use crate::cma::agent_ref::AgentRef;
use crate::cma::budget::Budget;
use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::model::ModelConfig;
use crate::cma::outgoing::OutgoingEvent;
use crate::cma::page::{Order, Page, all, push, push_time};
use crate::cma::patch::Patch;
use crate::cma::resource::MountedResource;
use crate::cma::tool::{AgentSkill, McpServer, Tool};
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

impl CmaClient {
    /// The sessions of the key's workspace.
    #[must_use]
    pub const fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }
}

/// Calls on sessions; from [`CmaClient::sessions`].
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a>(&'a CmaClient);

impl Sessions<'_> {
    /// Creates a session: idle, or running at once if there are initial events. Not idempotent: see
    /// [`CmaError::maybe_applied`]. MCP servers and credentials are not tried here; what fails shows as an event.
    ///
    /// # Errors
    /// 400 or 404 if agent, environment or a vault is unknown or archived.
    pub async fn create(&self, session: &CreateSession) -> Result<Session, CmaError> {
        self.0.json(Call::post("sessions").json(session)?, "the session").await
    }

    /// Reads a session. Its status may lag behind its events for a moment.
    ///
    /// # Errors
    /// 404 if there is none of that id, or no more.
    pub async fn retrieve(&self, id: &str) -> Result<Session, CmaError> {
        self.0.json(Call::get("sessions").id("session", id)?, "the session").await
    }

    /// Changes what `update` names. Vaults cannot be changed after the creation.
    ///
    /// # Errors
    /// 400 if the agent part is changed while the session runs.
    pub async fn update(&self, id: &str, update: &UpdateSession) -> Result<Session, CmaError> {
        self.0.json(Call::post("sessions").id("session", id)?.json(update)?, "the session").await
    }

    /// Ends a session for ever; its history stays readable.
    ///
    /// # Errors
    /// A 4xx while it runs: interrupt it first.
    pub async fn archive(&self, id: &str) -> Result<Session, CmaError> {
        self.0.json(Call::post("sessions").id("session", id)?.then("archive"), "the session").await
    }

    /// Deletes a session with its history and the files of its sandbox.
    ///
    /// # Errors
    /// A 4xx while it runs; 404 if there is none of that id.
    pub async fn delete(&self, id: &str) -> Result<(), CmaError> {
        self.0.bytes(Call::delete("sessions").id("session", id)?, "the deletion").await.map(drop)
    }

    /// One page of sessions.
    ///
    /// # Errors
    /// 400 for a cursor that is not of this list.
    pub async fn list(&self, list: &ListSessions) -> Result<Page<Session>, CmaError> {
        self.0.json(Call::get("sessions").query(list.query(list.page.as_deref())), "the sessions").await
    }

    /// Every session that fits, page after page.
    #[must_use]
    pub fn all(&self, list: ListSessions) -> BoxStream<'static, Result<Session, CmaError>> {
        all(self.0.clone(), "the sessions", move |page| {
            Ok(Call::get("sessions").query(list.query(page.or(list.page.as_deref()))))
        })
    }
}

/// A new session.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CreateSession {
    /// Who works.
    pub agent: AgentRef,
    /// Where.
    pub environment_id: String,
    /// The vaults whose credentials it may use; of two that fit a server the first wins. This is the only way a
    /// credential reaches a session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vault_ids: Vec<String>,
    /// What it is called, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The caller's own words about it: at most 16 pairs, key 64, value 512 characters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What is mounted in its sandbox.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<MountedResource>,
    /// At most 50, of messages and one outcome: all of them are taken, or the session is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initial_events: Vec<OutgoingEvent>,
    /// What it may cost; can only be set here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl CreateSession {
    /// A session of `agent` in an environment, and nothing else.
    pub fn new(agent: impl Into<AgentRef>, environment_id: impl Into<String>) -> Self {
        Self {
            agent: agent.into(),
            environment_id: environment_id.into(),
            vault_ids: Vec::new(),
            title: None,
            metadata: BTreeMap::new(),
            resources: Vec::new(),
            initial_events: Vec::new(),
            budget: None,
        }
    }
}

/// A partial change of a session.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateSession {
    /// What it is called.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub title: Patch<String>,
    /// A value sets the key, `None` deletes it, other keys stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Option<String>>,
    /// Replaces tools or servers for this session; it must be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<SessionAgentUpdate>,
    /// Replaces the budget; cleared, it is gone for good.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub budget: Patch<Budget>,
}

/// What can be replaced in the agent of a session.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct SessionAgentUpdate {
    /// What it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Its MCP servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<Vec<McpServer>>,
}

/// What a session is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionStatus {
    /// It waits. A session that finishes its work is idle too; the last idle event says why it stopped.
    Idle,
    /// It works.
    Running,
    /// It works again in a moment, after a passing error.
    Rescheduling,
    /// It will not work again: archived, or beyond repair.
    Terminated,
    /// A word this client does not know, kept.
    #[serde(untagged)]
    Other(String),
}

/// A session as the service holds it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// `sesn_…`
    pub id: String,
    /// What it is doing.
    pub status: SessionStatus,
    /// The agent as it was when the session began.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub agent: SessionAgent,
    /// `env_…`
    #[serde(default)]
    pub environment_id: String,
    /// The vaults it uses.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub vault_ids: Vec<String>,
    /// What it is called.
    #[serde(default)]
    pub title: Option<String>,
    /// The caller's own words about it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What is mounted in its sandbox, in the service's form.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub resources: Vec<Value>,
    /// How its outcome was judged, in the service's form.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub outcome_evaluations: Vec<Value>,
    /// What it may cost, in the service's form.
    #[serde(default)]
    pub budget: Option<Value>,
    /// How long it worked.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub stats: SessionStats,
    /// What it used.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub usage: SessionUsage,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// When it was archived, if it was.
    #[serde(default)]
    pub archived_at: Option<Timestamp>,
}

/// The agent of a session, as it was when the session began.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct SessionAgent {
    /// `agent_…`
    #[serde(default)]
    pub id: String,
    /// Counted from 1.
    #[serde(default)]
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
    /// What it may use.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tools: Vec<Tool>,
    /// Its MCP servers.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub mcp_servers: Vec<McpServer>,
    /// Its skills.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub skills: Vec<AgentSkill>,
}

/// How long a session worked.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct SessionStats {
    /// Seconds at work.
    #[serde(default)]
    pub active_seconds: Option<f64>,
    /// Seconds since it began.
    #[serde(default)]
    pub duration_seconds: Option<f64>,
}

/// What a session used.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct SessionUsage {
    /// Tokens read.
    #[serde(default)]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default)]
    pub output_tokens: Option<u64>,
    /// Tokens read from the cache.
    #[serde(default)]
    pub cache_read_input_tokens: Option<u64>,
    /// Tokens put into the cache, in the service's form.
    #[serde(default)]
    pub cache_creation: Option<Value>,
    /// The list cost so far, in the service's form.
    #[serde(default)]
    pub list_cost: Option<Value>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListSessions {
    /// Of this agent.
    pub agent_id: Option<String>,
    /// Of this version; only together with `agent_id`.
    pub agent_version: Option<i64>,
    /// Created after this time.
    pub created_at_gt: Option<Timestamp>,
    /// Created at this time or later.
    pub created_at_gte: Option<Timestamp>,
    /// Created before this time.
    pub created_at_lt: Option<Timestamp>,
    /// Created at this time or earlier.
    pub created_at_lte: Option<Timestamp>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
    /// How many a page.
    pub limit: Option<u32>,
    /// The service's default is newest first.
    pub order: Option<Order>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// In one of these states; empty means any.
    pub statuses: Vec<SessionStatus>,
}

impl ListSessions {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "agent_id", self.agent_id.as_deref());
        push(&mut query, "agent_version", self.agent_version);
        push_time(&mut query, "created_at[gt]", self.created_at_gt);
        push_time(&mut query, "created_at[gte]", self.created_at_gte);
        push_time(&mut query, "created_at[lt]", self.created_at_lt);
        push_time(&mut query, "created_at[lte]", self.created_at_lte);
        push(&mut query, "include_archived", self.include_archived);
        push(&mut query, "limit", self.limit);
        push(&mut query, "order", self.order.map(Order::word));
        push(&mut query, "page", page);
        query.extend(self.statuses.iter().map(|status| ("statuses[]", status.word().to_owned())));
        query
    }
}

impl SessionStatus {
    /// The word on the wire.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Rescheduling => "rescheduling",
            Self::Terminated => "terminated",
            Self::Other(word) => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_status_is_kept_and_a_known_one_has_its_word() {
        for word in ["idle", "running", "rescheduling", "terminated", "dreaming"] {
            let status: SessionStatus = serde_json::from_value(json!(word)).unwrap();
            assert_eq!((status.word(), serde_json::to_value(&status).unwrap()), (word, json!(word)));
            assert_eq!(matches!(status, SessionStatus::Other(_)), word == "dreaming");
        }
    }

    #[test]
    fn a_session_of_the_service_is_read() {
        let session: Session = serde_json::from_value(json!({
            "type": "session", "id": "sesn_1", "status": "idle", "environment_id": "env_1", "vault_ids": ["vlt_1"],
            "agent": {"type": "agent", "id": "agent_1", "version": 3, "name": "n", "model": {"id": "m"}, "tools": []},
            "title": null, "metadata": {}, "resources": [], "outcome_evaluations": [], "budget": null,
            "stats": {"active_seconds": 1.5}, "usage": {"input_tokens": 10, "server_tool_use": {"x": 1}},
            "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z", "archived_at": null,
        }))
        .unwrap();
        assert_eq!((session.agent.version, session.usage.input_tokens), (3, Some(10)));
    }
}

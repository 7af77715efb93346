//! The row of a session: who started it, exactly what runs, how it went (rows P9, P75, P94).

use crate::clock::Timestamp;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::invalid::Invalid;
use crate::reconcile::state::{Lease, RemoteRef};
use crate::session::delegation::Delegation;
use crate::session::event::EventSeq;
use crate::session::status::SessionStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;
use std::time::Duration;

/// How the caller waits (rows P73, P74).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new mode must break every caller that decides on one")]
pub enum InvokeMode {
    /// Until the session has settled.
    Sync,
    /// Not at all; the answer has a ticket for the stream.
    FireAndForget,
}

impl FromStr for InvokeMode {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "sync" => Ok(Self::Sync),
            "fire_and_forget" => Ok(Self::FireAndForget),
            _ => Err(Invalid::new("mode", text, "`sync` or `fire_and_forget`")),
        }
    }
}

/// What runs, frozen when the session is invoked: later changes of the agent do not touch it (sem. 2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionSnapshot {
    /// The agent's name when it was invoked.
    pub agent_name: String,
    /// The agent on the runtime, with the version that runs.
    pub agent: RemoteRef,
    /// The environment on the runtime.
    pub environment: RemoteRef,
    /// Names of the attached skills.
    pub skills: Vec<String>,
    /// Names of the attached MCP servers; degradation is judged by these.
    pub mcp_servers: Vec<String>,
    /// The runtime's vaults that hold the agent's credentials.
    pub vault_ids: Vec<String>,
}

/// Why a session is suspected of having run without its MCP servers (rows P93–P95, sem. 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DegradationReason {
    /// The runtime said that an MCP server could not be reached or refused the credential.
    McpErrorEvent,
    /// Ten events or more, MCP servers attached, and not one MCP call.
    NoMcpCalls,
}

/// What the runtime says the session used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SessionUsage))]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens read from a cache.
    pub cache_read_input_tokens: u64,
    /// Tokens written to a cache.
    pub cache_creation_input_tokens: u64,
}

/// One run of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The organization.
    pub org: OrgId,
    /// The agent.
    pub agent_id: ResourceId,
    /// The agent's OU: permissions on the session are judged there.
    pub ou: ResourceId,
    /// The principal that invoked, in resolved form.
    pub started_by: String,
    /// The user at the root of the chain; equals `started_by` unless an agent invoked.
    pub on_behalf_of: String,
    /// The session whose agent invoked this one (sem. 2.7).
    #[cfg_attr(feature = "schema", schema(required))]
    pub parent: Option<SessionId>,
    /// 1 for a session a person started, one more for each agent between.
    pub depth: u32,
    /// What the caller calls it.
    #[cfg_attr(feature = "schema", schema(required))]
    pub title: Option<String>,
    /// What was asked.
    pub prompt: String,
    /// How the caller waits.
    pub mode: InvokeMode,
    /// What runs.
    pub snapshot: SessionSnapshot,
    /// What lets its MCP servers act for whoever started it; a reader is not shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub delegation: Option<Delegation>,
    /// Where it is.
    pub status: SessionStatus,
    /// Why it failed, if it did.
    #[cfg_attr(feature = "schema", schema(required))]
    pub error: Option<String>,
    /// The runtime's own id of it (`cma_session_id`).
    #[cfg_attr(feature = "schema", schema(required))]
    pub remote_id: Option<String>,
    /// A runtime session may have been created whose answer never came.
    pub unsure: bool,
    /// When it was invoked.
    pub created_at: Timestamp,
    /// When it entered `running`; the timeout counts from here (row P91).
    #[cfg_attr(feature = "schema", schema(required))]
    pub running_at: Option<Timestamp>,
    /// When it settled.
    #[cfg_attr(feature = "schema", schema(required))]
    pub settled_at: Option<Timestamp>,
    /// How long it may run, in milliseconds; 600 000 by default.
    pub timeout_ms: u64,
    /// Somebody asked to stop it.
    pub cancel_requested: bool,
    /// Number of the last event in the log.
    pub last_seq: EventSeq,
    /// Events of the runtime so far, without our own `powerloom.*` frames.
    pub event_count: u64,
    /// `agent.mcp_tool_use` events so far.
    pub mcp_tool_use_count: u64,
    /// `session.error` events so far that named an MCP server or a credential.
    pub mcp_error_count: u64,
    /// Judged once, when it settles (row P94).
    pub degradation_flagged: bool,
    /// Why it is flagged.
    #[cfg_attr(feature = "schema", schema(required))]
    pub degradation_reason: Option<DegradationReason>,
    /// What it used, where reported.
    #[cfg_attr(feature = "schema", schema(required))]
    pub usage: Option<Usage>,
    /// What it cost, as the runtime states it; absent where it states none (never a guess).
    #[cfg_attr(feature = "schema", schema(required))]
    pub cost: Option<Value>,
    /// Who pumps it now.
    #[cfg_attr(feature = "schema", schema(required))]
    pub lease: Option<Lease>,
    /// Raised by every claim of the pump; a write of an older claim is refused.
    pub fence: u64,
    /// Raised by every write.
    pub version: u64,
}

impl SessionRecord {
    /// How long it ran: from entry into `running` to the end, or to `now` while it runs (row P9).
    #[must_use]
    pub fn duration(&self, now: Timestamp) -> Duration {
        self.running_at.map(|start| self.settled_at.unwrap_or(now).since(start)).unwrap_or_default()
    }

    /// The moment at which it has run too long.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.running_at.map(|start| start + Duration::from_millis(self.timeout_ms))
    }

    /// Whether its agent may act on somebody's behalf at `now`: it runs, or waits for a decision on one of its calls;
    /// nobody has asked to stop it; and it is not overdue, whether or not a pump has noticed (row M10).
    #[must_use]
    pub fn is_acting(&self, now: Timestamp) -> bool {
        matches!(self.status, SessionStatus::Running | SessionStatus::AwaitingApproval)
            && !self.cancel_requested
            && self.deadline().is_some_and(|deadline| now < deadline)
    }

    /// Whether no pump has anything to do with it any more: it has settled, and the runtime has nothing of it that must
    /// go.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let left = self.delegation.as_ref().is_some_and(|delegation| delegation.vault.is_some());
        self.status.is_settled() && !left
    }

    /// The record as readers see it: without the bookkeeping of its handle.
    #[must_use]
    pub fn shown(self) -> Self {
        Self { delegation: None, ..self }
    }
}

//! Who answers a tool call that waits for one (`requires_action`, sem. 2.5).

use crate::id::{OrgId, ResourceId, SessionId};
use crate::runtime::ToolAnswer;
use async_trait::async_trait;
use serde_json::Value;
use std::fmt;

/// A tool call that waits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToolAsk {
    /// The organization.
    pub org: OrgId,
    /// The session.
    pub session: SessionId,
    /// Its agent.
    pub agent: ResourceId,
    /// The user at the root of the chain of sessions.
    pub on_behalf_of: String,
    /// The runtime's event of the call.
    pub event_id: String,
    /// The tool; empty if the log does not say.
    pub tool: String,
    /// The MCP server it belongs to, if it does.
    pub mcp_server: Option<String>,
    /// What it is given.
    pub input: Value,
}

/// Decides on tool calls that wait.
///
/// # Guarantees every implementation gives
/// 1. **Repeatable**: after a crash the same event is asked for again; the answer must not depend on how often.
/// 2. **Cancel-safe**: the future is dropped when the call no longer waits, or after `Limits::decision_timeout`,
///    which counts as a refusal.
#[async_trait]
pub trait ToolAnswers: fmt::Debug + Send + Sync + 'static {
    /// Answers one call. It may take its time: the session waits, its timeout goes on.
    async fn answer(&self, ask: &ToolAsk) -> ToolAnswer;
}

/// Refuses every call, and tells the agent why: nobody is there to ask.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing in it")]
pub struct DenyTools;

#[async_trait]
impl ToolAnswers for DenyTools {
    async fn answer(&self, ask: &ToolAsk) -> ToolAnswer {
        ToolAnswer::Deny(format!(
            "the call of `{}` needs an approval, and this installation has nobody who decides on tool calls",
            ask.tool
        ))
    }
}

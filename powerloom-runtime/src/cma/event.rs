//! An event of a session, kept whole, and typed views on it.

use crate::cma::content::Content;
use crate::cma::lenient::null_is_empty;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One event of a session, exactly as the service sent it: an unknown type or field loses nothing.
///
/// [`body`](Event::body) reads the types this client knows. The same id may come twice: a `user.*` event is first
/// queued, without a time, and later processed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Event(Map<String, Value>);

impl Event {
    /// The service's id, `sevt_…`; the previews of a stream have none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// The type, such as `agent.message`; empty if it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// When it was processed; `None` while it is queued, and for previews.
    #[must_use]
    pub fn processed_at(&self) -> Option<Timestamp> {
        self.text("processed_at")?.parse().ok()
    }

    /// One field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The whole event.
    #[must_use]
    pub const fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The whole event, by value.
    #[must_use]
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    /// The typed view. A type this client does not know, or a known one that is not as documented, is
    /// [`EventBody::Other`].
    #[must_use]
    pub fn body(&self) -> EventBody {
        EventBody::deserialize(&self.0).unwrap_or(EventBody::Other)
    }

    /// Whether the turn is over: idle with any reason but `requires_action`, terminated, or deleted.
    #[must_use]
    pub fn ends_turn(&self) -> bool {
        match self.body() {
            EventBody::StatusIdle { stop_reason, .. } => {
                !matches!(stop_reason, StopReason::RequiresAction { .. })
            }
            EventBody::StatusTerminated | EventBody::Deleted => true,
            _ => false,
        }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self)
    }
}

/// What an event says, for the types this client knows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum EventBody {
    /// What the user said.
    #[serde(rename = "user.message")]
    UserMessage {
        /// What was said.
        #[serde(default, deserialize_with = "null_is_empty")]
        content: Vec<Content>,
    },
    /// What the agent said.
    #[serde(rename = "agent.message")]
    AgentMessage {
        /// What was said; blocks may be redacted.
        #[serde(default, deserialize_with = "null_is_empty")]
        content: Vec<Content>,
    },
    /// The agent thinks: a signal only.
    #[serde(rename = "agent.thinking")]
    AgentThinking,
    /// A call of a tool of the sandbox.
    #[serde(rename = "agent.tool_use")]
    ToolUse {
        /// The tool.
        name: String,
        /// What it is given.
        #[serde(default)]
        input: Value,
        /// What the permission policy made of it: `allow`, `ask`, `deny`.
        #[serde(default)]
        evaluated_permission: Option<String>,
    },
    /// What came out of it.
    #[serde(rename = "agent.tool_result")]
    ToolResult {
        /// The event of the call.
        tool_use_id: String,
        /// What came out.
        #[serde(default, deserialize_with = "null_is_empty")]
        content: Vec<Content>,
        /// Whether it failed.
        #[serde(default)]
        is_error: Option<bool>,
    },
    /// A call of a tool of an MCP server.
    #[serde(rename = "agent.mcp_tool_use")]
    McpToolUse {
        /// The server's name in the agent.
        #[serde(default)]
        mcp_server_name: String,
        /// The bare name of the tool.
        name: String,
        /// What it is given.
        #[serde(default)]
        input: Value,
        /// What the permission policy made of it: `allow`, `ask`, `deny`.
        #[serde(default)]
        evaluated_permission: Option<String>,
    },
    /// What came out of it.
    #[serde(rename = "agent.mcp_tool_result")]
    McpToolResult {
        /// The event of the call.
        mcp_tool_use_id: String,
        /// What came out.
        #[serde(default, deserialize_with = "null_is_empty")]
        content: Vec<Content>,
        /// Whether it failed.
        #[serde(default)]
        is_error: Option<bool>,
    },
    /// A call of a tool of the caller, who must answer it.
    #[serde(rename = "agent.custom_tool_use")]
    CustomToolUse {
        /// The tool.
        name: String,
        /// What it is given.
        #[serde(default)]
        input: Value,
    },
    /// The session works.
    #[serde(rename = "session.status_running")]
    StatusRunning,
    /// The session works again in a moment.
    #[serde(rename = "session.status_rescheduled")]
    StatusRescheduled,
    /// The session waits.
    #[serde(rename = "session.status_idle")]
    StatusIdle {
        /// Why it stopped.
        #[serde(default)]
        stop_reason: StopReason,
        /// More on a refusal, in the service's form.
        #[serde(default)]
        stop_details: Option<Value>,
    },
    /// The session will not work again.
    #[serde(rename = "session.status_terminated")]
    StatusTerminated,
    /// The session was deleted; the stream ends.
    #[serde(rename = "session.deleted")]
    Deleted,
    /// Something went wrong in the session.
    #[serde(rename = "session.error")]
    Error {
        /// What.
        error: SessionError,
    },
    /// What the session used so far.
    #[serde(rename = "session.usage")]
    Usage {
        /// In the service's form.
        #[serde(default)]
        usage: Value,
    },
    /// The model answered.
    #[serde(rename = "span.model_request_end")]
    ModelRequestEnd {
        /// What it used.
        #[serde(default, deserialize_with = "null_is_empty")]
        model_usage: ModelUsage,
        /// Whether it failed.
        #[serde(default)]
        is_error: Option<bool>,
    },
    /// Everything else; read it with [`Event::get`].
    #[serde(other)]
    Other,
}

/// Why a session became idle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The turn is done, or was interrupted.
    EndTurn,
    /// It waits for the caller: confirmations, or results of the caller's tools.
    RequiresAction {
        /// The events that wait.
        #[serde(default, deserialize_with = "null_is_empty")]
        event_ids: Vec<String>,
    },
    /// It tried too often.
    RetriesExhausted,
    /// It may not cost more.
    BudgetReached,
    /// The model refused.
    Refusal,
    /// A reason this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

impl Default for StopReason {
    /// What an idle event that names no reason is read as.
    fn default() -> Self {
        Self::Other(Value::Null)
    }
}

/// Something that went wrong in a session.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct SessionError {
    /// Such as `mcp_connection_failed_error`, `mcp_authentication_failed_error`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// For people.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub message: String,
    /// What the service does about it.
    #[serde(default)]
    pub retry_status: Option<RetryStatus>,
    /// The MCP server, where it is about one.
    #[serde(default)]
    pub mcp_server_name: Option<String>,
}

/// What the service does about an error in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryStatus {
    /// It tries again.
    Retrying,
    /// The turn is lost; the session becomes idle.
    Exhausted,
    /// The session will terminate.
    Terminal,
    /// A word this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

/// What one request to the model used, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
pub struct ModelUsage {
    /// Read.
    #[serde(default)]
    pub input_tokens: u64,
    /// Written.
    #[serde(default)]
    pub output_tokens: u64,
    /// Put into the cache.
    #[serde(default)]
    pub cache_creation_input_tokens: u64,
    /// Read from the cache.
    #[serde(default)]
    pub cache_read_input_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(json: Value) -> Event {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_unknown_event_is_kept_whole_with_id_type_and_time() {
        let json = json!({"type": "agent.dreams", "id": "sevt_1", "processed_at": "2026-11-20T10:00:02.3Z", "x": [1]});
        let event = event(json.clone());
        assert_eq!((event.id(), event.kind()), (Some("sevt_1"), "agent.dreams"));
        assert_eq!(event.processed_at(), Some("2026-11-20T10:00:02.300Z".parse().unwrap()));
        assert_eq!((event.body(), event.into_json()), (EventBody::Other, json));
    }

    #[test]
    fn a_known_event_that_is_not_as_documented_is_kept_too() {
        let event = event(json!({"type": "agent.mcp_tool_use", "id": "sevt_1", "name": 7}));
        assert_eq!((event.body(), event.get("name")), (EventBody::Other, Some(&json!(7))));
    }

    #[test]
    fn a_turn_ends_with_any_stop_but_requires_action() {
        let idle = |reason: Value| event(json!({"type": "session.status_idle", "stop_reason": reason}));
        for reason in ["end_turn", "retries_exhausted", "budget_reached", "refusal", "from_the_future"] {
            assert!(idle(json!({"type": reason})).ends_turn(), "{reason}");
        }
        let waits = idle(json!({"type": "requires_action", "event_ids": ["sevt_2"]}));
        assert!(!waits.ends_turn());
        assert!(idle(Value::Null).ends_turn() && event(json!({"type": "session.status_idle"})).ends_turn());
        assert!(event(json!({"type": "session.status_terminated"})).ends_turn());
        assert!(event(json!({"type": "session.deleted"})).ends_turn());
        assert!(!event(json!({"type": "session.status_running"})).ends_turn());
    }

    #[test]
    fn typed_views_read_what_is_documented() {
        let message = event(json!({"type": "agent.message", "content": [
            {"type": "text", "text": "Hello"}, {"type": "redacted"}, {"type": "hologram", "x": 1}]}));
        let EventBody::AgentMessage { content } = message.body() else { panic!("{message:?}") };
        assert_eq!(content[0].as_text(), Some("Hello"));
        assert_eq!(content[1..], [Content::Redacted, Content::Other(json!({"type": "hologram", "x": 1}))]);

        let failed =
            event(json!({"type": "session.error", "error": {"type": "mcp_authentication_failed_error",
            "message": "no", "mcp_server_name": "orders", "retry_status": {"type": "retrying"}}}));
        let EventBody::Error { error } = failed.body() else { panic!("{failed:?}") };
        assert_eq!(
            (error.mcp_server_name.as_deref(), error.retry_status),
            (Some("orders"), Some(RetryStatus::Retrying))
        );

        let result =
            event(json!({"type": "agent.mcp_tool_result", "mcp_tool_use_id": "sevt_1", "is_error": null}));
        assert!(
            matches!(result.body(), EventBody::McpToolResult { mcp_tool_use_id, .. } if mcp_tool_use_id == "sevt_1")
        );

        let span = event(
            json!({"type": "span.model_request_end", "is_error": false, "model_usage": {"input_tokens": 5, "speed": "x"}}),
        );
        assert!(
            matches!(span.body(), EventBody::ModelRequestEnd { model_usage, .. } if model_usage.input_tokens == 5)
        );
    }
}

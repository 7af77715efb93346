//! Events a caller sends to a session.

use crate::cma::content::Content;
use serde::Serialize;
use serde_json::Value;

/// An event to send. Ids of tool calls are the ids of the **events** that announced them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum OutgoingEvent {
    /// What the user says.
    #[serde(rename = "user.message")]
    Message {
        /// What is said.
        content: Vec<Content>,
    },
    /// Stops the turn; it jumps the queue.
    #[serde(rename = "user.interrupt")]
    Interrupt {
        /// `None` is the main thread.
        #[serde(skip_serializing_if = "Option::is_none")]
        session_thread_id: Option<String>,
    },
    /// Answers a call that waits for a confirmation.
    #[serde(rename = "user.tool_confirmation")]
    ToolConfirmation {
        /// The event that announced the call.
        tool_use_id: String,
        /// The answer.
        result: Confirmation,
        /// Why not, for the model; only with a denial.
        #[serde(skip_serializing_if = "Option::is_none")]
        deny_message: Option<String>,
    },
    /// The result of a tool of the caller.
    #[serde(rename = "user.custom_tool_result")]
    CustomToolResult {
        /// The event that announced the call.
        custom_tool_use_id: String,
        /// What came out.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Content>,
        /// Whether it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
    /// The result of a tool of a self-hosted environment.
    #[serde(rename = "user.tool_result")]
    ToolResult {
        /// The event that announced the call.
        tool_use_id: String,
        /// What came out.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Content>,
        /// Whether it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
    /// Names what the session is to reach.
    #[serde(rename = "user.define_outcome")]
    DefineOutcome {
        /// The goal.
        description: String,
        /// How it is judged: `{"type":"text","content":…}` or `{"type":"file","file_id":…}`.
        rubric: Value,
        /// At most 20; the service's default is 3.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_iterations: Option<u32>,
    },
    /// A word of the system; at most one a request, last.
    #[serde(rename = "system.message")]
    SystemMessage {
        /// Blocks of text.
        content: Vec<Content>,
    },
    /// An event in the service's form, with its `type`.
    #[serde(untagged)]
    Other(Value),
}

/// The answer to a call that waits for a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a confirmation says yes or no")]
pub enum Confirmation {
    /// The call is made.
    Allow,
    /// It is not.
    Deny,
}

impl OutgoingEvent {
    /// A message of one block of text.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message { content: vec![Content::text(text)] }
    }

    /// Stops the turn.
    #[must_use]
    pub const fn interrupt() -> Self {
        Self::Interrupt { session_thread_id: None }
    }

    /// Lets the call announced by the event `tool_use_id` be made.
    pub fn allow(tool_use_id: impl Into<String>) -> Self {
        Self::ToolConfirmation {
            tool_use_id: tool_use_id.into(),
            result: Confirmation::Allow,
            deny_message: None,
        }
    }

    /// Denies the call announced by the event `tool_use_id`, and tells the model why.
    pub fn deny(tool_use_id: impl Into<String>, why: impl Into<String>) -> Self {
        Self::ToolConfirmation {
            tool_use_id: tool_use_id.into(),
            result: Confirmation::Deny,
            deny_message: Some(why.into()),
        }
    }
}

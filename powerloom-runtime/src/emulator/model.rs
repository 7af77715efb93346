//! The model behind the emulator: what it is shown, and what it may do next.

use async_trait::async_trait;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// Decides what an agent does next.
///
/// # Rules
/// 1. The emulator asks for one [`Reply`] at a time and shows it the whole conversation each time. A model keeps no
///    state of its own, so that a turn goes on after a restart where its events left off.
/// 2. A reply that uses a tool never ends the turn: the model is asked again when every result is there.
/// 3. The future is dropped when the user interrupts; that must do no harm.
/// 4. One turn has at most 1000 replies; after that it ends with `tool_use_limit_reached_error`.
///
/// # Examples
/// ```
/// use powerloom_runtime::emulator::{Block, Conversation, Model, Reply};
///
/// /// Says everything back.
/// #[derive(Debug)]
/// struct Parrot;
///
/// #[async_trait::async_trait]
/// impl Model for Parrot {
///     async fn next(&self, conversation: &Conversation) -> Reply {
///         Reply::new().with(Block::Say(conversation.prompt()))
///     }
/// }
/// ```
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// The next reply in `conversation`.
    async fn next(&self, conversation: &Conversation) -> Reply;
}

/// What a model is shown.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Conversation {
    /// The session's id.
    pub session_id: String,
    /// The agent as it was when the session was created, with the session's own changes.
    pub agent: Value,
    /// Every processed event of the session, oldest first, this turn's included.
    pub history: Vec<Value>,
    /// The events of this turn, oldest first; the first is the user's.
    pub turn: Vec<Value>,
    /// The tools that can be used now.
    pub tools: Vec<Tool>,
    /// The names of the declared MCP servers that cannot be reached in this turn.
    pub unreachable: Vec<String>,
}

impl Conversation {
    /// The text of the user's messages of this turn, or of the outcome that was asked for, line after line.
    #[must_use]
    pub fn prompt(&self) -> String {
        let texts = self.turn.iter().flat_map(|event| match event.get("type").and_then(Value::as_str) {
            Some("user.message") => texts(event.get("content")),
            Some("user.define_outcome") => vec![str_of(event, "description")],
            _ => Vec::new(),
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// How many replies the model gave in this turn already.
    #[must_use]
    pub fn replies(&self) -> usize {
        let ends = self.turn.iter().filter(|event| str_of(event, "type") == "span.model_request_end");
        ends.filter(|event| event.get("is_error") != Some(&Value::Bool(true))).count()
    }

    /// Name and text of every tool result of this turn, oldest first.
    #[must_use]
    pub fn results(&self) -> Vec<(String, String)> {
        let result = |event: &Value| {
            let of = ["tool_use_id", "mcp_tool_use_id", "custom_tool_use_id"];
            let of =
                of.into_iter().find_map(|key| event.get(key)).filter(|_| event.get("result").is_none())?;
            let tool = self.turn.iter().find(|known| known.get("id") == Some(of))?;
            Some((str_of(tool, "name"), texts(event.get("content")).join("\n")))
        };
        self.turn.iter().filter_map(result).collect()
    }
}

fn str_of(event: &Value, key: &str) -> String {
    event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(content: Option<&Value>) -> Vec<String> {
    let blocks = content.and_then(Value::as_array).into_iter().flatten();
    blocks.filter_map(|block| block.get("text").and_then(Value::as_str)).map(str::to_owned).collect()
}

/// A tool the agent can use now.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tool {
    /// Where it runs.
    pub source: ToolSource,
    /// Its bare name.
    pub name: String,
    /// The JSON Schema of its input.
    pub input_schema: Value,
}

impl Tool {
    /// A tool `name` of `source` that takes what `input_schema` says.
    #[must_use]
    pub fn new(source: ToolSource, name: impl Into<String>, input_schema: Value) -> Self {
        Self { source, name: name.into(), input_schema }
    }
}

/// Where a tool runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolSource {
    /// In the session's sandbox. The emulator has none and makes up the result.
    BuiltIn,
    /// On the MCP server of this name. The call is real.
    Mcp(String),
    /// With the client, who is asked by `agent.custom_tool_use`.
    Custom,
}

/// One answer of the model.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reply {
    /// How long the model takes.
    pub after: Duration,
    /// What it says and which tools it uses, in order.
    pub blocks: Vec<Block>,
    /// How the turn goes on if no tool is used.
    pub stop: Stop,
}

impl Reply {
    /// A reply that says nothing and ends the turn.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same reply with one more block.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// The same reply, given after `duration`.
    #[must_use]
    pub fn after(mut self, duration: Duration) -> Self {
        self.after = duration;
        self
    }

    /// The same reply with another stop.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }
}

/// One piece of a reply.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Block {
    /// The model thought; what, is not told (`agent.thinking`).
    Thinking,
    /// An `agent.message` with this text.
    Say(String),
    /// The use of a tool.
    Use {
        /// Where the tool runs.
        source: ToolSource,
        /// Its bare name.
        name: String,
        /// The arguments.
        input: Map<String, Value>,
    },
}

/// How a turn goes on after a reply that uses no tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stop {
    /// The turn is done.
    #[default]
    EndTurn,
    /// The model has more to say: it is asked again.
    Continue,
    /// The model refuses.
    Refusal {
        /// Why, as a class.
        category: Option<String>,
        /// Why, in words.
        explanation: Option<String>,
    },
    /// The model failed and retries are used up: the session goes idle with `retries_exhausted`.
    Failed {
        /// An `error.type` of `session.error`, such as `model_request_failed_error`.
        kind: String,
        /// What happened.
        message: String,
    },
    /// The session cannot be saved: it terminates.
    Terminated {
        /// What happened.
        message: String,
    },
    /// A passing failure: the session is rescheduled and goes on after this time.
    Rescheduled(Duration),
}

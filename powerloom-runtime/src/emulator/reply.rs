//! What the model is shown before a reply, and the events its reply becomes.

use crate::emulator::fields::{field, list, set, text};
use crate::emulator::journal::Journal;
use crate::emulator::links::Links;
use crate::emulator::mcp::Link;
use crate::emulator::model::{Block, Conversation, Reply, Stop, Tool, ToolSource};
use crate::emulator::tools::{AGENT_TOOLSET, BUILT_IN, tool_setting};
use serde_json::{Map, Value, json};

pub(crate) fn conversation(journal: &Journal<'_>, session: &str, links: &Links) -> Conversation {
    let done = |event: &Value| !field(event, "processed_at").is_null();
    let mut conversation = Conversation {
        session_id: session.to_owned(),
        agent: field(journal.session(), "agent").clone(),
        history: journal.stored(0).into_iter().filter(done).collect(),
        turn: journal.stored(journal.inner.turn_start).into_iter().filter(done).collect(),
        tools: Vec::new(),
        unreachable: links.failed.clone(),
    };
    for tool in list(&conversation.agent, "tools") {
        match text(tool, "type") {
            AGENT_TOOLSET => {
                let enabled = BUILT_IN.into_iter().filter(|name| tool_setting(tool, name).0);
                let schema = json!({"type": "object"});
                conversation
                    .tools
                    .extend(enabled.map(|name| Tool::new(ToolSource::BuiltIn, name, schema.clone())));
            }
            "mcp_toolset" => {
                let link = links.open.get(text(tool, "mcp_server_name"));
                let offered = link.map(Link::tools).unwrap_or_default().iter();
                conversation.tools.extend(offered.filter(|offer| tool_setting(tool, &offer.name).0).cloned());
            }
            _ => {
                let schema = field(tool, "input_schema").clone();
                conversation.tools.push(Tool::new(ToolSource::Custom, text(tool, "name"), schema));
            }
        }
    }
    conversation
}

/// Writes the events of a reply. Returns how long the session has to pause, if it was rescheduled.
pub(crate) fn tell(
    journal: &mut Journal<'_>,
    conversation: &Conversation,
    span: &str,
    reply: Reply,
) -> Option<std::time::Duration> {
    let mut output = 0;
    let mut uses = false;
    for block in reply.blocks {
        match block {
            Block::Thinking => {
                journal.emit("agent.thinking", json!({}));
            }
            Block::Say(said) => {
                output += tokens(&said);
                journal.emit("agent.message", json!({"content": [{"type": "text", "text": said}]}));
            }
            Block::Use { source, name, input } => {
                uses = true;
                output += tokens(&name) + tokens(&Value::Object(input.clone()).to_string());
                emit_use(journal, &conversation.agent, &source, &name, input);
            }
        }
    }
    let input = conversation.history.iter().map(|event| tokens(&field(event, "content").to_string())).sum();
    journal.emit("span.model_request_end", span_end(span, input, output, false));
    add_usage(journal, input, output);
    if uses {
        return None;
    }
    let error = |journal: &mut Journal<'_>, kind: &str, message: String, retry: &str| {
        let error = json!({"type": kind, "message": message, "retry_status": {"type": retry}});
        journal.emit("session.error", json!({"error": error}));
    };
    match reply.stop {
        Stop::Continue => {}
        Stop::EndTurn => {
            judge(journal, &conversation.turn);
            let queued = journal.inbox();
            if queued.iter().any(|event| text(event, "type") == "user.message") {
                journal.begin_turn(queued);
            } else {
                journal.rest(json!({"type": "end_turn"}), Value::Null);
            }
        }
        Stop::Refusal { category, explanation } => {
            let details = json!({"type": "refusal", "category": category, "explanation": explanation});
            journal.rest(json!({"type": "refusal"}), details);
        }
        Stop::Failed { kind, message } => {
            error(journal, &kind, message, "exhausted");
            journal.rest(json!({"type": "retries_exhausted"}), Value::Null);
        }
        Stop::Terminated { message } => {
            error(journal, "unknown_error", message, "terminal");
            journal.terminate();
        }
        Stop::Rescheduled(pause) => {
            error(journal, "model_overloaded_error", "the model is overloaded".to_owned(), "retrying");
            set(journal.session_mut(), "status", "rescheduling");
            journal.emit("session.status_rescheduled", json!({}));
            return Some(pause);
        }
    }
    None
}

fn emit_use(
    journal: &mut Journal<'_>,
    agent: &Value,
    source: &ToolSource,
    name: &str,
    input: Map<String, Value>,
) {
    let policy = |matches: &dyn Fn(&Value) -> bool| {
        let toolset = list(agent, "tools").iter().find(|tool| matches(tool));
        toolset.map_or((false, String::new()), |toolset| tool_setting(toolset, name))
    };
    let (kind, (enabled, policy)) = match source {
        ToolSource::Custom => {
            journal.emit("agent.custom_tool_use", json!({"name": name, "input": input}));
            return;
        }
        ToolSource::BuiltIn => ("agent.tool_use", policy(&|tool| text(tool, "type") == AGENT_TOOLSET)),
        ToolSource::Mcp(server) => {
            ("agent.mcp_tool_use", policy(&|tool| text(tool, "mcp_server_name") == server.as_str()))
        }
    };
    let permission = match policy.as_str() {
        _ if !enabled => "deny",
        "always_ask" => "ask",
        _ => "allow",
    };
    let evaluation = match policy.as_str() {
        "auto" => json!({"type": "auto", "evaluated_permission": {"type": permission}}),
        policy => json!({"type": policy}),
    };
    let mut fields = json!({"name": name, "input": input, "evaluated_permission": permission});
    if enabled {
        set(&mut fields, "evaluation", evaluation);
    }
    if let ToolSource::Mcp(server) = source {
        set(&mut fields, "mcp_server_name", server.as_str());
    }
    journal.emit(kind, fields);
}

/// The outcomes that were asked for in this turn are always satisfied at its end.
fn judge(journal: &mut Journal<'_>, turn: &[Value]) {
    for asked in turn.iter().filter(|event| text(event, "type") == "user.define_outcome") {
        let id = text(asked, "outcome_id");
        let start = journal.emit("span.outcome_evaluation_start", json!({"outcome_id": id, "iteration": 1}));
        let usage = json!({"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0});
        let end = json!({"outcome_id": id, "iteration": 1, "outcome_evaluation_start_id": field(&start, "id"),
            "result": "satisfied", "explanation": "the emulator is always satisfied", "usage": usage});
        let end = journal.emit("span.outcome_evaluation_end", end);
        let mut evaluations = list(journal.session(), "outcome_evaluations").to_vec();
        for evaluation in evaluations.iter_mut().filter(|evaluation| text(evaluation, "outcome_id") == id) {
            set(evaluation, "result", "satisfied");
            set(evaluation, "iteration", 1);
            set(evaluation, "completed_at", field(&end, "processed_at").clone());
        }
        set(journal.session_mut(), "outcome_evaluations", evaluations);
    }
}

/// About four characters make a token; the point is that the same turn always costs the same.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(4)).unwrap_or(u64::MAX)
}

pub(crate) fn span_end(start: &str, input: u64, output: u64, is_error: bool) -> Value {
    let usage = json!({"input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0});
    json!({"model_request_start_id": start, "is_error": is_error, "model_usage": usage})
}

fn add_usage(journal: &mut Journal<'_>, input: u64, output: u64) {
    let mut usage = field(journal.session(), "usage").clone();
    for (key, more) in [("input_tokens", input), ("output_tokens", output)] {
        let sum = field(&usage, key).as_u64().unwrap_or(0) + more;
        set(&mut usage, key, sum);
    }
    set(journal.session_mut(), "usage", usage);
}

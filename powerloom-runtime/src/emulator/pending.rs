//! The tool uses of a turn that have no result yet, and what each of them waits for.

use crate::emulator::fields::{field, text};
use crate::emulator::incoming::answered;
use crate::emulator::journal::Journal;
use serde_json::{Value, json};

/// How a tool use stands that has no result yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It can be made.
    Due,
    /// The client has to answer.
    Asked,
    /// It must not be made, and why.
    Denied(String),
}

/// The tool uses of this turn that have no result.
pub(crate) fn open_uses(journal: &Journal<'_>) -> Vec<Value> {
    let turn = journal.stored(journal.inner.turn_start);
    let open = |tool: &&Value| {
        let kinds = ["agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"];
        kinds.contains(&text(tool, "type"))
            && !turn.iter().any(|event| answered(event) == Some(text(tool, "id")))
    };
    turn.iter().filter(open).cloned().collect()
}

pub(crate) fn state_of(journal: &Journal<'_>, tool: &Value) -> Use {
    if text(tool, "type") == "agent.custom_tool_use" {
        return Use::Asked;
    }
    match text(tool, "evaluated_permission") {
        "allow" => Use::Due,
        "deny" => Use::Denied("the tool is disabled".to_owned()),
        _ => {
            let turn = journal.stored(journal.inner.turn_start);
            let confirms = |event: &&Value| {
                text(event, "type") == "user.tool_confirmation"
                    && text(event, "tool_use_id") == text(tool, "id")
                    && !field(event, "processed_at").is_null()
            };
            match turn.iter().find(confirms) {
                None => Use::Asked,
                Some(event) if text(event, "result") == "allow" => Use::Due,
                Some(event) => match text(event, "deny_message") {
                    "" => Use::Denied("the user denied the call".to_owned()),
                    why => Use::Denied(why.to_owned()),
                },
            }
        }
    }
}

pub(crate) fn finish_use(journal: &mut Journal<'_>, tool: &Value, content: Value, is_error: bool) {
    let id = text(tool, "id");
    match text(tool, "type") {
        "agent.mcp_tool_use" => {
            let fields = json!({"mcp_tool_use_id": id, "content": content, "is_error": is_error});
            journal.emit("agent.mcp_tool_result", fields);
        }
        "agent.tool_use" => {
            let fields = json!({"tool_use_id": id, "content": content, "is_error": is_error});
            journal.emit("agent.tool_result", fields);
        }
        _ => {}
    }
}

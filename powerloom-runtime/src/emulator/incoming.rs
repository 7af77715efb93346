//! Events that clients send: which are allowed, and when.

use crate::emulator::fields::{field, list, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::refusal::Refusal;
use serde_json::{Value, json};

/// Checks an event that creates or feeds a session; `history` are the session's events so far.
///
/// Returns the event as it is to be stored, without id and time.
pub(crate) fn check(event: &Value, history: &[Value], self_hosted: bool) -> Result<Value, Refusal> {
    let kind = text(event, "type");
    let allowed: &[&str] = match kind {
        "user.message" | "system.message" => &["content"],
        "user.interrupt" => &["session_thread_id"],
        "user.tool_confirmation" => &["tool_use_id", "result", "deny_message", "session_thread_id"],
        "user.custom_tool_result" => &["custom_tool_use_id", "content", "is_error", "session_thread_id"],
        "user.tool_result" => &["tool_use_id", "content", "is_error", "session_thread_id"],
        "user.define_outcome" => &["description", "rubric", "max_iterations"],
        _ => return Err(Refusal::invalid(format!("events: the type `{kind}` cannot be sent"))),
    };
    let keys = event.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    if let Some(key) = keys.filter(|key| *key != "type").find(|key| !allowed.contains(key)) {
        return Err(Refusal::invalid(format!("{kind}.{key}: extra inputs are not permitted")));
    }
    let mut event = event.clone();
    match kind {
        "user.message" => blocks(&event, kind, &["text", "image", "document", "redacted"], true)?,
        "system.message" => blocks(&event, kind, &["text"], true)?,
        "user.tool_confirmation" => confirmation(&event, history)?,
        "user.custom_tool_result" => {
            blocks(&event, kind, &["text", "image", "document", "search_result"], false)?;
            open_use(history, text(&event, "custom_tool_use_id"), &["agent.custom_tool_use"])?;
        }
        "user.tool_result" => {
            if !self_hosted {
                return Err(Refusal::invalid("user.tool_result: only in self_hosted environments"));
            }
            open_use(history, text(&event, "tool_use_id"), &["agent.tool_use"])?;
        }
        "user.define_outcome" => outcome(&mut event)?,
        _ => {}
    }
    Ok(event)
}

/// The tool use an event answers: `tool_use_id` and its kin, on results but not on confirmations.
pub(crate) fn answered(event: &Value) -> Option<&str> {
    if !text(event, "type").ends_with("tool_result") {
        return None;
    }
    ["tool_use_id", "mcp_tool_use_id", "custom_tool_use_id"].iter().find_map(|key| event.get(*key)?.as_str())
}

fn blocks(event: &Value, kind: &str, allowed: &[&str], required: bool) -> Result<(), Refusal> {
    let content = field(event, "content");
    if content.is_null() && !required {
        return Ok(());
    }
    let fits = |block: &Value| match text(block, "type") {
        "text" => field(block, "text").is_string(),
        "image" | "document" => allowed.contains(&text(block, "type")) && field(block, "source").is_object(),
        other => allowed.contains(&other),
    };
    let items = list(event, "content");
    if !content.is_array() || (required && items.is_empty()) || items.len() > 1000 || !items.iter().all(fits)
    {
        return Err(Refusal::invalid(format!("{kind}.content: must be an array of blocks of {allowed:?}")));
    }
    Ok(())
}

fn confirmation(event: &Value, history: &[Value]) -> Result<(), Refusal> {
    let id = text(event, "tool_use_id");
    let tool = open_use(history, id, &["agent.tool_use", "agent.mcp_tool_use"])?;
    if text(tool, "evaluated_permission") != "ask" {
        return Err(Refusal::invalid(format!("user.tool_confirmation: `{id}` needs no confirmation")));
    }
    let confirmed =
        |event: &Value| text(event, "type") == "user.tool_confirmation" && text(event, "tool_use_id") == id;
    if history.iter().any(confirmed) {
        return Err(Refusal::invalid(format!("user.tool_confirmation: `{id}` is confirmed already")));
    }
    match text(event, "result") {
        "allow" if field(event, "deny_message").is_null() => Ok(()),
        "deny" => Ok(()),
        _ => Err(Refusal::invalid(
            "user.tool_confirmation.result: allow, or deny (which may bear a deny_message)",
        )),
    }
}

fn open_use<'a>(history: &'a [Value], id: &str, kinds: &[&str]) -> Result<&'a Value, Refusal> {
    let tool = history.iter().find(|event| text(event, "id") == id && kinds.contains(&text(event, "type")));
    let tool =
        tool.ok_or_else(|| Refusal::invalid(format!("`{id}` is not the event id of such a tool use")))?;
    if history.iter().any(|event| answered(event) == Some(id)) {
        return Err(Refusal::invalid(format!("the tool use `{id}` has its result already")));
    }
    Ok(tool)
}

fn outcome(event: &mut Value) -> Result<(), Refusal> {
    let rubric = field(event, "rubric");
    let fits = match text(rubric, "type") {
        "text" => text(rubric, "content").chars().count() <= 262_144,
        "file" => !text(rubric, "file_id").is_empty(),
        _ => false,
    };
    let most = field(event, "max_iterations").as_u64();
    let most = if field(event, "max_iterations").is_null() { Some(3) } else { most };
    let most = most.filter(|most| (1..=20).contains(most));
    if text(event, "description").is_empty() || !fits || most.is_none() {
        return Err(Refusal::invalid(
            "user.define_outcome: needs a description, a rubric, and 1 to 20 iterations",
        ));
    }
    set(event, "max_iterations", json!(most));
    set(event, "outcome_id", new_id("outc"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_client_events_of_the_right_form_are_taken() {
        let refused = |event: Value| check(&event, &[], false).is_err();
        assert!(!refused(json!({"type": "user.message", "content": [{"type": "text", "text": "hi"}]})));
        assert!(refused(json!({"type": "user.message", "content": "hi"})));
        assert!(refused(json!({"type": "user.message", "content": []})));
        assert!(refused(json!({"type": "agent.message", "content": []})));
        assert!(refused(json!({"type": "user.interrupt", "why": "x"})));
        assert!(refused(json!({"type": "user.tool_result", "tool_use_id": "sevt_1"})));
    }

    #[test]
    fn a_confirmation_answers_one_open_call_that_asked() {
        let ask = json!({"type": "agent.mcp_tool_use", "id": "sevt_1", "evaluated_permission": "ask"});
        let free = json!({"type": "agent.tool_use", "id": "sevt_2", "evaluated_permission": "allow"});
        let history = [ask, free];
        let confirm =
            |id: &str| json!({"type": "user.tool_confirmation", "tool_use_id": id, "result": "allow"});
        assert!(check(&confirm("sevt_1"), &history, false).is_ok());
        assert!(check(&confirm("sevt_2"), &history, false).is_err());
        assert!(check(&confirm("sevt_3"), &history, false).is_err());
        let done =
            [history[0].clone(), json!({"type": "agent.mcp_tool_result", "mcp_tool_use_id": "sevt_1"})];
        assert!(check(&confirm("sevt_1"), &done, false).is_err());
    }
}

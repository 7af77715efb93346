//! What happens in a session, as people watch it.

use crate::api::events::{ALREADY_ENDED, ENDED, Frame};
use crate::failure::Exit;
use crate::output::ink::Ink;
use crate::output::plain;
use serde_json::Value;

/// Longest input or result of a tool that is shown, in characters.
const MAX_SHOWN: usize = 160;

/// Most lines of a tool's result that are shown.
const MAX_LINES: usize = 3;

/// The text of a frame, each line with its end; empty for what people need not see.
pub(crate) fn frame(frame: &Frame, ink: Ink) -> String {
    let Frame { kind, payload, .. } = frame;
    match kind.as_str() {
        "user.message" => blocks(payload, |text| indented(text, &ink.dim("> "))),
        "agent.message" => blocks(payload, |text| format!("{}\n", plain::block(text.trim_end()))),
        "agent.thinking" => format!("{}\n", ink.dim("· thinks")),
        "agent.mcp_tool_use" | "agent.tool_use" | "agent.custom_tool_use" => call(payload, ink),
        "agent.mcp_tool_result" | "agent.tool_result" | "user.custom_tool_result" => result(payload, ink),
        "session.error" => format!("{} {}\n", ink.bad("x"), ink.bad(error_text(payload))),
        "powerloom.session_created" => String::new(),
        ENDED | ALREADY_ENDED => end(payload, ink),
        "session.status_idle" | "session.status_terminated" | "session.usage" => String::new(),
        other => {
            let state = other.strip_prefix("session.status_").map(|state| state.replace('_', " "));
            match state {
                Some(state) => format!("{}\n", ink.dim(format!("· {}", plain::line(&state)))),
                // What the runtime counts and what its threads do by themselves.
                None if other.starts_with("span.") || other.starts_with("session.thread_") => String::new(),
                None => format!("{}\n", ink.dim(format!("· {}", plain::line(other)))),
            }
        }
    }
}

/// The exit code of a session's end.
pub(crate) fn exit(status: &str) -> Exit {
    match status {
        "idle_end_turn" | "terminated" => Exit::Done,
        _ => Exit::Failed,
    }
}

/// The texts among the blocks of a message.
fn blocks(payload: &Value, show: impl Fn(&str) -> String) -> String {
    let blocks = payload.get("content").and_then(Value::as_array);
    blocks
        .into_iter()
        .flatten()
        .filter_map(|block| block.get("text").and_then(Value::as_str))
        .map(show)
        .collect()
}

fn indented(text: &str, mark: &str) -> String {
    plain::block(text.trim_end()).lines().fold(String::new(), |all, line| format!("{all}{mark}{line}\n"))
}

fn call(payload: &Value, ink: Ink) -> String {
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let tool = text("tool").or_else(|| text("name")).unwrap_or("a tool");
    let server =
        text("mcp_server_name").map(|server| format!("{}.", plain::line(server))).unwrap_or_default();
    let input = match payload.get("input") {
        None | Some(Value::Null) => String::new(),
        Some(Value::Object(fields)) if fields.is_empty() => String::new(),
        Some(input) => format!(" {}", plain::brief(&plain::json(&input.to_string()), MAX_SHOWN)),
    };
    format!("{} {}{}\n", ink.busy("→"), ink.name(format!("{server}{}", plain::line(tool))), ink.dim(input))
}

fn result(payload: &Value, ink: Ink) -> String {
    let failed = payload.get("is_error").and_then(Value::as_bool).unwrap_or(false);
    let result = payload.get("result").or_else(|| payload.get("content")).unwrap_or(&Value::Null);
    let text = match result {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| block.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let shown: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mark = if failed { ink.bad("x") } else { ink.good("←") };
    if shown.is_empty() {
        return format!("{mark} {}\n", ink.dim(if failed { "failed" } else { "done" }));
    }
    let mut out = String::new();
    for (index, line) in shown.iter().take(MAX_LINES).enumerate() {
        let line = plain::brief(line, MAX_SHOWN);
        let line = if failed { ink.bad(line) } else { ink.dim(line) };
        out.push_str(&if index == 0 { format!("{mark} {line}\n") } else { format!("  {line}\n") });
    }
    if shown.len() > MAX_LINES {
        let more = u64::try_from(shown.len() - MAX_LINES).unwrap_or(u64::MAX);
        out.push_str(&format!("  {}\n", ink.dim(format!("… {} more", counted(more, "line")))));
    }
    out
}

fn error_text(payload: &Value) -> String {
    let error = payload.get("error").unwrap_or(payload);
    let text = error.get("message").and_then(Value::as_str).map(str::to_owned);
    plain::line(&text.unwrap_or_else(|| error.to_string())).into_owned()
}

/// The last line: how it ended, and what it came to.
pub(crate) fn end(payload: &Value, ink: Ink) -> String {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| payload.get(name).and_then(Value::as_u64);
    let status = text("status");
    let word = plain::line(status).replace('_', " ");
    let mut said = vec![match (exit(status), status) {
        (_, "") => ink.dim("ended before"),
        (Exit::Done, _) => ink.good(format!("✓ {word}")),
        _ => ink.bad(format!("x {word}")),
    }];
    said.extend(number("event_count").map(|count| counted(count, "event")));
    said.extend(number("mcp_tool_use_count").map(|count| counted(count, "MCP call")));
    said.extend(number("duration_ms").map(duration));
    let usage = payload.get("usage");
    let tokens = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    if let (Some(input), Some(output)) = (tokens("input_tokens"), tokens("output_tokens")) {
        said.push(format!("{input} tokens in, {output} out"));
    }
    let mut out = format!("{}\n", said.join(" · "));
    if payload.get("degradation_flagged").and_then(Value::as_bool).unwrap_or(false) {
        let reason = text("degradation_reason");
        out.push_str(&format!(
            "{}\n",
            ink.busy(format!("degraded: {}", plain::line(&reason.replace('_', " "))))
        ));
    }
    if !text("error").is_empty() {
        out.push_str(&format!("{}\n", ink.bad(plain::line(text("error")))));
    }
    out
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn duration(millis: u64) -> String {
    match millis {
        0..=999 => format!("{millis} ms"),
        1000..=59_999 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_session_reads_as_a_conversation_with_its_calls_and_ends_with_counts() {
        let frames = [
            json!({ "seq": "1", "type": "powerloom.session_created", "payload": { "cma_session_id": "sesn_1" } }),
            json!({ "seq": "2", "type": "user.message", "payload": { "content": [{ "type": "text", "text": "Review\nthis" }] } }),
            json!({ "seq": "3", "type": "session.status_running", "payload": {} }),
            json!({ "seq": "4", "type": "agent.mcp_tool_use", "payload": { "tool": "read_file", "name": "read_file",
                "mcp_server_name": "repo-files", "input": { "path": "README.md" } } }),
            json!({ "seq": "5", "type": "agent.mcp_tool_result", "payload": { "result": [{ "type": "text",
                "text": "# Loom\u{1b}[2J\n\none\ntwo\nthree" }] } }),
            json!({ "seq": "6", "type": "agent.mcp_tool_result", "payload": { "is_error": true, "result": "no such file" } }),
            json!({ "seq": "7", "type": "agent.message", "payload": { "content": [{ "type": "text", "text": "Nothing\u{9b}31m here\nneeds fixing.\n" }] } }),
            json!({ "seq": "8", "type": "session.status_idle", "payload": { "stop_reason": { "type": "end_turn" } } }),
            json!({ "seq": "9", "type": "powerloom.session_ended", "payload": { "status": "idle_end_turn", "event_count": 7,
                "mcp_tool_use_count": 1, "duration_ms": 3456, "degradation_flagged": true, "degradation_reason": "no_mcp_tool_use",
                "usage": { "input_tokens": 12, "output_tokens": 34 } } }),
        ];
        let text: String = frames
            .into_iter()
            .map(|value| frame(&serde_json::from_value(value).unwrap(), Ink::new(false)))
            .collect();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn only_a_session_that_did_its_work_is_a_success() {
        assert_eq!((exit("idle_end_turn"), exit("terminated")), (Exit::Done, Exit::Done));
        for other in ["failed", "timeout", "cancelled", "", "running"] {
            assert_eq!(exit(other), Exit::Failed, "{other}");
        }
    }
}

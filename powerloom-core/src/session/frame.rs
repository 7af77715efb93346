//! From an event of the runtime to a frame of the log (rows P76–P82).
//!
//! A frame is `{"type", "payload"}`. The payload is the event as the runtime tells it, without `id`, `type` and
//! `processed_at`, which the log keeps beside it. Two types get a field more under the name the deployment guide
//! uses: `agent.mcp_tool_use` has `tool` (the runtime's `name`), `agent.mcp_tool_result` has `result` (its `content`).

use crate::clock::Timestamp;
use crate::runtime::RuntimeEvent;
use crate::session::event::NewEvent;
use serde_json::{Map, Value};

/// The frame of an event, or `None` while the runtime still queues it: then it comes again once it is processed.
#[must_use]
pub fn frame(event: RuntimeEvent, now: Timestamp) -> Option<NewEvent> {
    if !event.processed && event.kind.starts_with("user.") {
        return None;
    }
    let mut payload = match event.body {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    let processed_at = payload.remove("processed_at");
    payload.remove("id");
    payload.remove("type");
    match event.kind.as_str() {
        "agent.mcp_tool_use" => add(&mut payload, "tool", "name"),
        "agent.mcp_tool_result" => add(&mut payload, "result", "content"),
        _ => {}
    }
    let at = processed_at.as_ref().and_then(Value::as_str).and_then(|at| at.parse().ok()).unwrap_or(now);
    Some(NewEvent { event_id: Some(event.id), kind: event.kind, payload: Value::Object(payload), at })
}

/// Shows `from` under the name `to` too, unless the runtime has that name itself.
fn add(payload: &mut Map<String, Value>, to: &str, from: &str) {
    let value = payload.get(from).cloned().unwrap_or(Value::Null);
    payload.entry(to).or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn framed(kind: &str, body: Value, processed: bool) -> Option<NewEvent> {
        let event = RuntimeEvent { id: "sevt_1".to_owned(), kind: kind.to_owned(), body, processed };
        frame(event, Timestamp::from_micros(7))
    }

    /// Rows P76, P78.
    #[test]
    fn the_payload_is_the_event_without_what_the_log_keeps_beside_it() {
        let body = json!({"id": "sevt_1", "type": "agent.message", "processed_at": "2026-11-20T10:00:02Z",
            "content": [{"type": "text", "text": "Hello"}]});
        let event = framed("agent.message", body, true).unwrap();
        assert_eq!(event.payload, json!({"content": [{"type": "text", "text": "Hello"}]}));
        assert_eq!(event.at, "2026-11-20T10:00:02Z".parse().unwrap());
        assert_eq!(event.event_id.as_deref(), Some("sevt_1"));
    }

    /// Rows P79, P80.
    #[test]
    fn an_mcp_call_shows_tool_and_input_and_its_result_shows_result() {
        let call = json!({"name": "query", "mcp_server_name": "orders", "input": {"sql": "select 1"}});
        let event = framed("agent.mcp_tool_use", call, true).unwrap();
        assert_eq!(
            event.payload,
            json!({"tool": "query", "name": "query", "mcp_server_name": "orders", "input": {"sql": "select 1"}})
        );
        let result = json!({"mcp_tool_use_id": "sevt_0", "content": [{"type": "text", "text": "1"}]});
        let event = framed("agent.mcp_tool_result", result, true).unwrap();
        assert_eq!(event.payload["result"], event.payload["content"]);
        assert_eq!(event.at, Timestamp::from_micros(7));
    }

    #[test]
    fn a_queued_prompt_waits_until_it_is_processed() {
        assert_eq!(framed("user.message", json!({}), false), None);
        assert!(framed("user.message", json!({}), true).is_some());
        assert!(framed("agent.message", Value::Null, false).is_some());
    }
}

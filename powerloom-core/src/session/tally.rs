//! What a session's log adds up to (row P9): a fold, so that the figures can never disagree with the log.

use crate::session::event::NewEvent;
use crate::session::record::{SessionRecord, Usage};
use serde_json::Value;

/// The figures of a log.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain figures")]
pub struct Tally {
    /// Events of the runtime; our own `powerloom.*` frames do not count.
    pub event_count: u64,
    /// `agent.mcp_tool_use` events.
    pub mcp_tool_use_count: u64,
    /// `session.error` events that name an MCP server or a credential.
    pub mcp_error_count: u64,
    /// The runtime's last statement of what was used, or else the sum over the model's requests.
    pub usage: Option<Usage>,
    /// The runtime's last statement of the cost, verbatim.
    pub cost: Option<Value>,
}

impl Tally {
    /// The figures of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a NewEvent>) -> Self {
        let mut tally = Self::default();
        for event in events {
            tally.take(event);
        }
        tally
    }

    /// Counts one event more.
    pub fn take(&mut self, event: &NewEvent) {
        if is_ours(&event.kind) {
            return;
        }
        self.event_count += 1;
        match event.kind.as_str() {
            "agent.mcp_tool_use" => self.mcp_tool_use_count += 1,
            "session.error" if is_mcp_error(&event.payload) => self.mcp_error_count += 1,
            "span.model_request_end" => {
                if let Some(used) = event.payload.get("model_usage").and_then(read_usage) {
                    let sum = self.usage.get_or_insert_default();
                    sum.input_tokens = sum.input_tokens.saturating_add(used.input_tokens);
                    sum.output_tokens = sum.output_tokens.saturating_add(used.output_tokens);
                    sum.cache_read_input_tokens =
                        sum.cache_read_input_tokens.saturating_add(used.cache_read_input_tokens);
                    sum.cache_creation_input_tokens =
                        sum.cache_creation_input_tokens.saturating_add(used.cache_creation_input_tokens);
                }
            }
            "session.usage" => {
                let stated = event.payload.get("usage");
                // A statement is about the whole session: it replaces the sum.
                self.usage = stated.and_then(read_usage).or(self.usage);
                let cost = stated.and_then(|usage| usage.get("list_cost")).filter(|cost| !cost.is_null());
                if let Some(cost) = cost {
                    self.cost = Some(cost.clone());
                }
            }
            _ => {}
        }
    }

    /// Writes the figures into the session's row.
    pub fn write(&self, record: &mut SessionRecord) {
        record.event_count = self.event_count;
        record.mcp_tool_use_count = self.mcp_tool_use_count;
        record.mcp_error_count = self.mcp_error_count;
        record.usage = self.usage;
        record.cost.clone_from(&self.cost);
    }
}

/// Whether a frame is our own and not the runtime's.
#[must_use]
pub fn is_ours(kind: &str) -> bool {
    kind.starts_with("powerloom.")
}

/// Whether a `session.error` is about an MCP server or a credential (sem. 2.5).
#[must_use]
pub fn is_mcp_error(payload: &Value) -> bool {
    let Some(error) = payload.get("error") else { return false };
    let kind = error.get("type").and_then(Value::as_str).unwrap_or_default();
    error.get("mcp_server_name").is_some_and(Value::is_string)
        || kind.starts_with("mcp_")
        || kind.contains("credential")
}

fn read_usage(from: &Value) -> Option<Usage> {
    let of = |field: &str| from.get(field).and_then(Value::as_u64);
    let created = of("cache_creation_input_tokens").or_else(|| {
        let parts = from.get("cache_creation")?.as_object()?;
        Some(parts.values().filter_map(Value::as_u64).fold(0, u64::saturating_add))
    });
    let known = [of("input_tokens"), of("output_tokens"), of("cache_read_input_tokens"), created];
    known.iter().any(Option::is_some).then(|| Usage {
        input_tokens: of("input_tokens").unwrap_or(0),
        output_tokens: of("output_tokens").unwrap_or(0),
        cache_read_input_tokens: of("cache_read_input_tokens").unwrap_or(0),
        cache_creation_input_tokens: created.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(kind: &str, payload: Value) -> NewEvent {
        NewEvent { event_id: None, kind: kind.to_owned(), payload, at: Timestamp::default() }
    }

    /// Row P9: only what the runtime said counts.
    #[test]
    fn our_own_frames_do_not_count() {
        let events = [
            event("powerloom.session_created", json!({})),
            event("agent.message", json!({})),
            event("agent.mcp_tool_use", json!({})),
            event("powerloom.session_ended", json!({})),
        ];
        let tally = Tally::of(&events);
        assert_eq!((tally.event_count, tally.mcp_tool_use_count), (2, 1));
    }

    /// Sem. 2.5: an error about an MCP server or a credential counts as one, an overloaded model does not.
    #[test]
    fn an_error_counts_if_it_names_a_server_or_a_credential() {
        for (error, counts) in [
            (json!({"type": "mcp_connection_failed_error"}), true),
            (json!({"type": "unknown_error", "mcp_server_name": "orders"}), true),
            (json!({"type": "credential_host_unreachable_error"}), true),
            (json!({"type": "model_overloaded_error", "mcp_server_name": null}), false),
        ] {
            let tally = Tally::of(&[event("session.error", json!({ "error": error }))]);
            assert_eq!(tally.mcp_error_count == 1, counts, "{error}");
        }
    }

    #[test]
    fn a_statement_of_usage_replaces_the_sum_and_the_cost_stays_verbatim() {
        let span =
            event("span.model_request_end", json!({"model_usage": {"input_tokens": 5, "output_tokens": 1}}));
        let mut tally = Tally::of(&[span.clone(), span]);
        assert_eq!(tally.usage.unwrap().input_tokens, 10);
        tally.take(&event(
            "session.usage",
            json!({"usage": {"input_tokens": 12, "cache_creation": {"ephemeral_1h_input_tokens": 2,
                "ephemeral_5m_input_tokens": 3}, "list_cost": {"amount": "7", "currency": "USD"}}}),
        ));
        let usage = tally.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.cache_creation_input_tokens), (12, 5));
        assert_eq!(tally.cost, Some(json!({"amount": "7", "currency": "USD"})));
    }

    proptest! {
        /// However a log is cut into batches, it adds up to the same.
        #[test]
        fn a_fold_in_parts_is_the_fold_of_the_whole(kinds in prop::collection::vec(0usize..5, 0..60), cut in 0usize..60) {
            let names = ["agent.message", "agent.mcp_tool_use", "session.error", "powerloom.session_created",
                "span.model_request_end"];
            let payload = json!({"error": {"type": "mcp_x"}, "model_usage": {"input_tokens": 3}});
            let events: Vec<_> = kinds.iter().map(|kind| event(names[*kind], payload.clone())).collect();
            let (first, rest) = events.split_at(cut.min(events.len()));
            let mut parts = Tally::of(first);
            rest.iter().for_each(|event| parts.take(event));
            prop_assert_eq!(&parts, &Tally::of(&events));
            let counted = |name: &str| events.iter().filter(|event| event.kind == name).count() as u64;
            prop_assert_eq!(parts.mcp_tool_use_count, counted("agent.mcp_tool_use"));
            prop_assert_eq!(parts.event_count, events.len() as u64 - counted("powerloom.session_created"));
        }
    }
}

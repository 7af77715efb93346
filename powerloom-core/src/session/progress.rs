//! Where the turn of a session is, read off its log: asked, waiting for an answer, or over (sem. 2.5, 3.4).
//!
//! It is a fold like the tally, so a pump that takes over knows what the one before it knew.

use crate::clock::Timestamp;
use crate::session::event::NewEvent;
use crate::session::status::SessionStatus;
use crate::session::tally::is_mcp_error;
use serde_json::Value;

/// How a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct End {
    /// A settled state.
    pub status: SessionStatus,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// When the runtime says it ended.
    pub at: Timestamp,
}

/// Tool calls that wait for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Waiting {
    /// The events of the calls that have no answer yet.
    pub event_ids: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

/// Where the turn is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// The runtime has taken a prompt.
    pub prompted: bool,
    /// It waits for answers to tool calls.
    pub waiting: Option<Waiting>,
    /// It is over.
    pub end: Option<End>,
    /// The last error nothing has recovered from.
    error: Option<String>,
}

impl Progress {
    /// Takes in one event more.
    ///
    /// What the stop reasons come to: `end_turn` completes the turn; `requires_action` waits;
    /// `retries_exhausted`, `refusal` and `budget_reached` fail, for what was asked was not done; so does a
    /// reason this version does not know.
    pub fn take(&mut self, event: &NewEvent) {
        match event.kind.as_str() {
            "user.message" => *self = Self { prompted: true, ..Self::default() },
            "session.status_running" => *self = Self { prompted: self.prompted, ..Self::default() },
            "user.tool_confirmation" | "user.custom_tool_result" | "user.tool_result" => self.answered(event),
            "session.error" => self.failed(&event.payload),
            "session.status_idle" if self.prompted => self.idle(event),
            "session.status_terminated" => {
                let status =
                    if self.error.is_some() { SessionStatus::Failed } else { SessionStatus::Terminated };
                self.ends(status, self.error.clone(), event.at);
            }
            "session.deleted" => self.ends(SessionStatus::Failed, Some(DELETED.to_owned()), event.at),
            _ => {}
        }
    }

    /// How a session ends that the runtime calls terminated without saying so in an event.
    #[must_use]
    pub fn terminated(&self, at: Timestamp) -> End {
        let status = if self.error.is_some() { SessionStatus::Failed } else { SessionStatus::Terminated };
        End { status, error: self.error.clone(), at }
    }

    fn idle(&mut self, event: &NewEvent) {
        let reason = event.payload.get("stop_reason");
        let word =
            reason.and_then(|reason| reason.get("type").unwrap_or(reason).as_str()).unwrap_or_default();
        let last_error = || self.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let failure = match word {
            "end_turn" => return self.ends(SessionStatus::IdleEndTurn, None, event.at),
            "requires_action" => {
                let ids = reason.and_then(|reason| reason.get("event_ids")).and_then(Value::as_array);
                let ids = ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
                self.waiting = Some(Waiting { event_ids: ids, since: event.at });
                return;
            }
            "retries_exhausted" => format!("the runtime gave up after several tries{}", last_error()),
            "refusal" => {
                let details =
                    event.payload.get("stop_details").and_then(|details| details.get("explanation"));
                let why = details.and_then(Value::as_str).map(|why| format!(": {why}")).unwrap_or_default();
                format!("the model refused{why}")
            }
            "budget_reached" => "the budget of the session is used up".to_owned(),
            other => format!("the turn stopped for a reason this version does not know: `{other}`"),
        };
        self.ends(SessionStatus::Failed, Some(failure), event.at);
    }

    fn answered(&mut self, event: &NewEvent) {
        let id = ["tool_use_id", "custom_tool_use_id", "mcp_tool_use_id"]
            .iter()
            .find_map(|field| event.payload.get(field).and_then(Value::as_str));
        let Some(waiting) = &mut self.waiting else { return };
        waiting.event_ids.retain(|waits| Some(waits.as_str()) != id);
        if waiting.event_ids.is_empty() {
            self.waiting = None;
        }
    }

    /// Keeps an error the runtime does not try to get over. A session goes on without an MCP server it cannot reach,
    /// so such an error counts only if the runtime says that it is the end.
    fn failed(&mut self, payload: &Value) {
        let error = payload.get("error");
        let retry = error.and_then(|error| error.get("retry_status"));
        let retry = retry.and_then(|retry| retry.get("type").unwrap_or(retry).as_str()).unwrap_or_default();
        let ignored = match retry {
            "terminal" => false,
            "retrying" => true,
            _ => is_mcp_error(payload),
        };
        if !ignored {
            let text = |field| error.and_then(|error| error.get(field)).and_then(Value::as_str);
            let message = text("message").filter(|message| !message.is_empty()).or_else(|| text("type"));
            self.error = Some(message.unwrap_or("the runtime reported an error").to_owned());
        }
    }

    fn ends(&mut self, status: SessionStatus, error: Option<String>, at: Timestamp) {
        self.waiting = None;
        self.end = Some(End { status, error, at });
    }
}

/// Why a session failed that somebody deleted on the runtime.
pub const DELETED: &str = "the session was deleted on the runtime";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(events: &[(&str, Value)]) -> Progress {
        let mut progress = Progress::default();
        for (kind, payload) in events {
            progress.take(&NewEvent {
                event_id: None,
                kind: (*kind).to_owned(),
                payload: payload.clone(),
                at: Timestamp::default(),
            });
        }
        progress
    }

    fn ended(events: &[(&str, Value)]) -> Option<(SessionStatus, Option<String>)> {
        after(events).end.map(|end| (end.status, end.error))
    }

    fn idle(reason: &str) -> (&'static str, Value) {
        ("session.status_idle", json!({ "stop_reason": { "type": reason } }))
    }

    fn error(retry: &str) -> (&'static str, Value) {
        let error = json!({"type": "unknown_error", "message": "boom", "retry_status": {"type": retry}});
        ("session.error", json!({ "error": error }))
    }

    const ASKED: (&str, Value) = ("user.message", Value::Null);
    const RUNS: (&str, Value) = ("session.status_running", Value::Null);
    const OVER: (&str, Value) = ("session.status_terminated", Value::Null);

    /// Rows P81, P89, P90, P92.
    #[test]
    fn a_turn_ends_as_the_runtime_says() {
        use SessionStatus::{Failed, IdleEndTurn, Terminated};
        assert_eq!(ended(&[ASKED, idle("end_turn")]), Some((IdleEndTurn, None)));
        assert_eq!(ended(&[ASKED, OVER]), Some((Terminated, None)));
        assert_eq!(ended(&[ASKED, error("terminal"), OVER]), Some((Failed, Some("boom".into()))));
        for reason in ["retries_exhausted", "refusal", "budget_reached", "from_the_future"] {
            assert_eq!(ended(&[ASKED, idle(reason)]).map(|(status, _)| status), Some(Failed), "{reason}");
        }
        assert_eq!(ended(&[("session.deleted", Value::Null)]), Some((Failed, Some(DELETED.into()))));
    }

    #[test]
    fn a_session_that_was_not_asked_anything_has_not_finished() {
        assert_eq!(ended(&[idle("end_turn")]), None);
        assert_eq!(ended(&[idle("end_turn"), ASKED, RUNS]), None);
    }

    #[test]
    fn an_error_the_runtime_got_over_does_not_fail_the_session() {
        assert_eq!(ended(&[ASKED, error("retrying"), OVER]).unwrap().0, SessionStatus::Terminated);
        assert_eq!(ended(&[ASKED, error("exhausted"), RUNS, OVER]).unwrap().0, SessionStatus::Terminated);
        let mcp = json!({"error": {"type": "mcp_connection_failed_error", "message": "no"}});
        assert_eq!(ended(&[ASKED, ("session.error", mcp), OVER]).unwrap().0, SessionStatus::Terminated);
    }

    /// Sem. 2.5: `requires_action` is not an end.
    #[test]
    fn a_call_waits_until_each_event_is_answered() {
        let wait = json!({"stop_reason": {"type": "requires_action", "event_ids": ["a", "b"]}});
        let answer = |id: &str| ("user.tool_confirmation", json!({ "tool_use_id": id }));
        let waits = ("session.status_idle", wait);
        let open = after(&[ASKED, waits.clone(), answer("a")]);
        assert_eq!((open.waiting.unwrap().event_ids, open.end), (vec!["b".to_owned()], None));
        assert_eq!(after(&[ASKED, waits.clone(), answer("a"), answer("b")]).waiting, None);
        assert_eq!(after(&[ASKED, waits, RUNS]).waiting, None);
    }
}

//! An event as a reader gets it: `{"seq", "type", "payload"}` (row P76).

use powerloom_core::session::event::{EventSeq, SessionEvent};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a reader of a session gets for each event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionFrame)]
pub(crate) struct Frame<'a> {
    /// Its place in the session's log: present it as `after` to go on behind it.
    seq: EventSeq,
    /// Its type, such as `agent.message`; those that begin with `powerloom.` are ours.
    #[serde(rename = "type")]
    kind: &'a str,
    /// Its content.
    payload: &'a Value,
}

/// Writes an event down, in one line.
pub(crate) fn written(event: &SessionEvent) -> String {
    let frame = Frame { seq: event.seq, kind: &event.event.kind, payload: &event.event.payload };
    // A value of JSON can always be written as JSON.
    serde_json::to_string(&frame).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use powerloom_core::clock::Timestamp;
    use powerloom_core::entropy::SystemEntropy;
    use powerloom_core::id::SessionId;
    use powerloom_core::session::event::NewEvent;
    use serde_json::json;

    /// Row P76. Numbers are written as text (sem. 2.14), and nothing breaks the line.
    #[test]
    fn a_frame_has_a_number_a_type_and_a_payload() {
        let at = Timestamp::default();
        let payload = json!({ "content": [{ "type": "text", "text": "two\nlines\r\u{2028}" }] });
        let event = NewEvent { event_id: Some("sevt_1".into()), kind: "agent.message".into(), payload, at };
        let session_id = SessionId::generate(at, &SystemEntropy);
        let text = written(&SessionEvent { session_id, seq: EventSeq::new(7), event });
        assert_eq!(
            text,
            "{\"seq\":\"7\",\"type\":\"agent.message\",\"payload\":{\"content\":[{\"text\":\"two\\nlines\\r\u{2028}\",\"type\":\"text\"}]}}"
        );
    }
}

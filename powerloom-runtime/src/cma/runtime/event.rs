//! Events of the service in the words of the port.

use crate::cma::event::Event;
use powerloom_core::runtime::RuntimeEvent;
use serde_json::Value;

/// The event as the port tells it; `None` for one without an id, which the service never keeps: a preview.
///
/// Only what a client sent can wait to be processed; everything else has happened when it is told.
pub(crate) fn told(event: Event) -> Option<RuntimeEvent> {
    let (id, kind) = (event.id()?.to_owned(), event.kind().to_owned());
    let from_client = kind.starts_with("user.") || kind.starts_with("system.");
    let mut body = event.into_json();
    let mut processed = !from_client;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("id");
        fields.remove("type");
        // It stays in the body: the log keeps it as the moment at which it happened.
        processed |= fields.get("processed_at").is_some_and(|at| *at != Value::Null);
    }
    Some(RuntimeEvent { id, kind, body, processed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: Value) -> Option<RuntimeEvent> {
        told(serde_json::from_value(event).unwrap())
    }

    #[test]
    fn an_event_is_split_into_what_every_event_has_and_the_rest() {
        let at = "2026-11-20T10:00:00Z";
        let event = read(json!({"id": "sevt_1", "type": "agent.message", "processed_at": at, "content": []}))
            .unwrap();
        assert_eq!(
            (event.id.as_str(), event.kind.as_str(), event.processed),
            ("sevt_1", "agent.message", true)
        );
        assert_eq!(event.body, json!({"processed_at": at, "content": []}));
    }

    #[test]
    fn only_what_a_client_sent_can_wait() {
        let processed = |event: Value| read(event).unwrap().processed;
        assert!(!processed(json!({"id": "sevt_1", "type": "user.message", "processed_at": null})));
        assert!(!processed(json!({"id": "sevt_1", "type": "user.interrupt"})));
        assert!(processed(
            json!({"id": "sevt_1", "type": "user.message", "processed_at": "2026-11-20T10:00:00Z"})
        ));
        assert!(processed(json!({"id": "sevt_1", "type": "agent.from_the_future"})));
    }

    #[test]
    fn a_preview_is_not_told() {
        assert_eq!(read(json!({"type": "event_delta", "event_id": "sevt_1"})), None);
    }
}

//! What a session's row on the audit chain commits to: every event of its log, in order (sem. 2.9).

use crate::canonical_json;
use crate::canonical_json::MAX_INTEGER;
use crate::digest::Digest;
use crate::session::event::{EventSeq, SessionEvent};
use serde_json::Value;

/// Folds the events of one session, oldest first, into one digest. [The audit module](crate::audit) has the bytes.
///
/// It holds 32 bytes however long the log is, and is the same whether it was folded while the session ran or later,
/// from what the log says.
///
/// ```
/// use powerloom_core::{digest::Digest, id::SessionId, session::event::*, session::events_digest::EventsDigest};
/// let mut digest = EventsDigest::default();
/// assert_eq!(digest.value(), Some(Digest::ZERO));
/// digest.take(&SessionEvent {
///     session_id: "00000000-0000-4000-8000-000000000001".parse::<SessionId>()?,
///     seq: EventSeq::new(1),
///     event: NewEvent {
///         event_id: None,
///         kind: "agent.message".to_owned(),
///         payload: serde_json::json!({"text": "hello"}),
///         at: "2025-01-01T00:00:01Z".parse()?,
///     },
/// });
/// let event = br#"{"at":"2025-01-01T00:00:01.000000Z","event_id":null,"payload":{"text":"hello"},"seq":"1","session_id":"00000000-0000-4000-8000-000000000001","type":"agent.message"}"#;
/// let by_hand = Digest::of_parts(&[b"powerloom/session-events/v1\n", Digest::ZERO.as_bytes(), event]);
/// assert_eq!(digest.value(), Some(by_hand));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsDigest {
    value: Option<Digest>,
    last: EventSeq,
}

impl Default for EventsDigest {
    fn default() -> Self {
        Self { value: Some(Digest::ZERO), last: EventSeq::START }
    }
}

impl EventsDigest {
    /// Takes in the next event.
    pub fn take(&mut self, event: &SessionEvent) {
        self.last = event.seq;
        self.value = self.value.and_then(|before| {
            let bytes = canonical(event)?;
            Some(Digest::of_parts(&[b"powerloom/session-events/v1\n", before.as_bytes(), &bytes]))
        });
    }

    /// The digest of all events so far; `None` once one had no canonical form, which only nesting beyond
    /// [`MAX_DEPTH`](crate::canonical_json::MAX_DEPTH) brings about.
    #[must_use]
    pub const fn value(&self) -> Option<Digest> {
        self.value
    }

    /// The place of the last event that was taken in.
    #[must_use]
    pub const fn last(&self) -> EventSeq {
        self.last
    }
}

/// The canonical JSON of an event. Nobody bounds the numbers a runtime sends, so an integer which has no canonical form
/// stands as the text of its digits.
fn canonical(event: &SessionEvent) -> Option<Vec<u8>> {
    let mut tree = serde_json::to_value(event).ok()?;
    let mut out = Vec::with_capacity(256);
    if canonical_json::write(&tree, &mut out).is_err() {
        widen(&mut tree);
        out.clear();
        canonical_json::write(&tree, &mut out).ok()?;
    }
    Some(out)
}

fn widen(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(widen),
        Value::Object(members) => members.values_mut().for_each(widen),
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|magnitude| magnitude > MAX_INTEGER) {
                *value = Value::String(number.to_string());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::SessionId;
    use crate::session::event::NewEvent;
    use serde_json::json;

    fn event(seq: u64, payload: Value) -> SessionEvent {
        let id = SessionId::from_uuid(uuid::Uuid::from_u128(7));
        let event = NewEvent { event_id: None, kind: "x".to_owned(), payload, at: Timestamp::from_micros(1) };
        SessionEvent { session_id: id, seq: EventSeq::new(seq), event }
    }

    fn digest(events: &[SessionEvent]) -> Option<Digest> {
        let mut digest = EventsDigest::default();
        events.iter().for_each(|event| digest.take(event));
        digest.value()
    }

    #[test]
    fn order_place_and_content_of_every_event_count() {
        let (a, b) = (event(1, json!({"n": 1})), event(2, json!({"n": 2})));
        let whole = digest(&[a.clone(), b.clone()]).unwrap();
        for other in [
            vec![b.clone(), a.clone()],
            vec![a.clone()],
            vec![a.clone(), event(3, json!({"n": 2}))],
            vec![a, event(2, json!({"n": 2.5}))],
        ] {
            assert_ne!(digest(&other), Some(whole));
        }
    }

    #[test]
    fn a_number_no_reader_keeps_exactly_is_taken_by_its_digits() {
        let one = |n: Value| digest(&[event(1, json!({ "n": [n] }))]).unwrap();
        assert_eq!(one(json!(u64::MAX)), one(json!("18446744073709551615")));
        assert_eq!(one(json!(i64::MIN)), one(json!("-9223372036854775808")));
        assert_ne!(one(json!(u64::MAX)), one(json!(u64::MAX - 1)));
    }

    #[test]
    fn what_has_no_canonical_form_leaves_no_digest_to_believe() {
        let mut deep = json!(1);
        (0..200).for_each(|_| deep = json!([deep]));
        assert_eq!(digest(&[event(1, deep), event(2, json!(1))]), None);
    }
}

//! Headers of server-sent events.

use crate::input::headers::one;
use axum::http::{HeaderMap, HeaderName, header};
use powerloom_core::invalid::Invalid;
use powerloom_core::session::event::EventSeq;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether the client asks for a stream of server-sent events.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/event-stream")
    })
}

/// The number behind which a stream is resumed, if it is.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<EventSeq>, Invalid> {
    let Some(text) = one(headers, LAST_EVENT_ID.as_str())? else { return Ok(None) };
    let number = text.parse().map_err(|_| Invalid::new(LAST_EVENT_ID.as_str(), text, "the `id` of an event"));
    number.map(|number| Some(EventSeq::new(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_stream_is_wanted_where_it_is_named() {
        for (accept, wanted) in [
            ("text/event-stream", true),
            ("application/json, Text/Event-Stream;q=0.9", true),
            ("application/json", false),
            ("*/*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_events(&headers), wanted, "{accept}");
        }
        assert!(!wants_events(&HeaderMap::new()));
    }

    #[test]
    fn only_a_number_resumes() {
        let read =
            |value| last_event_id(&HeaderMap::from_iter([(LAST_EVENT_ID, HeaderValue::from_static(value))]));
        assert_eq!(read("7").unwrap(), Some(EventSeq::new(7)));
        for other in ["", "x", "-1", "1.5", "18446744073709551616"] {
            assert_eq!(read(other).unwrap_err().field, "last-event-id", "{other}");
        }
    }
}

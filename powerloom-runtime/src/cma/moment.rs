//! Times as the service is sent them.

use jiff::tz::Offset;
use powerloom_core::clock::Timestamp;
use serde::Serializer;

/// RFC 3339 with an offset, as the official clients write it: `2026-11-01T00:00:00+00:00`.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros())
        .map_or_else(|_| moment.to_string(), |moment| moment.display_with_offset(Offset::UTC).to_string())
}

/// Writes a time into a request, where there is one.
pub(crate) fn send_some<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.serialize_str(&rfc3339(*moment)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_sent_with_an_offset_and_no_needless_fraction() {
        assert_eq!(rfc3339("2026-11-01T00:00:00Z".parse().unwrap()), "2026-11-01T00:00:00+00:00");
        assert_eq!(rfc3339("2026-11-01T01:00:00.5+01:00".parse().unwrap()), "2026-11-01T00:00:00.5+00:00");
    }
}

//! How long an answer asks its caller to wait.

use powerloom_core::clock::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Longest wait that is believed: one day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads `retry-after`: seconds, or an HTTP date, which is measured against the answer's own `date`, so that a wrong
/// local clock does no harm, else against `now`. A wait that is zero, past or unreadable is none.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER.as_str())?;
    let wait = if value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        http_date(value)?.since(text(DATE.as_str()).and_then(http_date).unwrap_or(now))
    };
    (!value.is_empty() && !wait.is_zero()).then(|| wait.min(LONGEST))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_micros(moment.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expect: Option<u64>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after(&headers, now), expect.map(Duration::from_secs), "{headers:?}");
    }

    #[test]
    fn both_forms_of_a_wait_are_read_and_what_makes_no_sense_is_none() {
        check(&[], None);
        check(&[("retry-after", "7")], Some(7));
        check(&[("retry-after", "99999999999999999999999")], Some(86_400));
        check(&[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")], Some(30));
        check(
            &[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT"), ("date", "Fri, 20 Nov 2026 10:00:20 GMT")],
            Some(10),
        );
        for value in ["0", "-3", "", "1.5", "soon", "Fri, 20 Nov 2026 09:00:00 GMT"] {
            check(&[("retry-after", value)], None);
        }
    }
}

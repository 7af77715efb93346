//! How long an answer asks its caller to wait.

use powerloom_core::clock::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Longest wait that is believed: one day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads `retry-after-ms` (milliseconds, may have a fraction), else `retry-after` (seconds, or an HTTP date).
///
/// A date is measured against the answer's own `date`, so that a wrong local clock does no harm, else against `now`.
/// A wait that is zero, negative or unreadable is none; a wait above one day is one day.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wait = seconds(text("retry-after-ms"), 1_000.0).or_else(|| {
        let value = text(RETRY_AFTER.as_str());
        seconds(value, 1.0).or_else(|| {
            let until = http_date(value?)?;
            Some(until.since(text(DATE.as_str()).and_then(http_date).unwrap_or(now)))
        })
    })?;
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

fn seconds(text: Option<&str>, per_second: f64) -> Option<Duration> {
    let seconds = text?.parse::<f64>().ok()? / per_second;
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())).ok().filter(|wait| !wait.is_zero())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_micros(moment.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expect: Option<Duration>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after(&headers, now), expect, "{headers:?}");
    }

    #[test]
    fn every_form_of_a_wait_is_read() {
        let s = Duration::from_secs;
        check(&[], None);
        check(&[("retry-after", "7")], Some(s(7)));
        check(&[("retry-after-ms", "1500.5"), ("retry-after", "7")], Some(Duration::from_micros(1_500_500)));
        check(&[("retry-after-ms", "soon"), ("retry-after", "7")], Some(s(7)));
        check(&[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")], Some(s(30)));
        check(
            &[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT"), ("date", "Fri, 20 Nov 2026 10:00:20 GMT")],
            Some(s(10)),
        );
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_none_and_a_huge_one_is_a_day() {
        for value in ["0", "-3", "", "NaN", "tomorrow", "Fri, 20 Nov 2026 09:00:00 GMT"] {
            check(&[("retry-after", value)], None);
        }
        for value in ["99999999999999999999", "inf", "Fri, 20 Nov 2099 10:00:30 GMT"] {
            check(&[("retry-after", value)], Some(LONGEST));
        }
    }
}

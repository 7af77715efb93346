//! Times, as people read them: how long ago.

use jiff::{Timestamp, Unit};

/// How long ago a moment was: `12s`, `5m`, `3h`, `8d`; a moment to come has `in` before it. Empty for what is no time.
pub(crate) fn age(text: &str, now: Timestamp) -> String {
    let Ok(then) = text.parse::<Timestamp>() else { return String::new() };
    let seconds = now.duration_since(then).as_secs();
    let (before, seconds) =
        if seconds < 0 { ("in ", seconds.unsigned_abs()) } else { ("", seconds.unsigned_abs()) };
    let shown = match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    };
    format!("{before}{shown}")
}

/// A moment to the second, in UTC; what is no time stays as it is.
pub(crate) fn moment(text: &str) -> String {
    let then = text.parse::<Timestamp>().ok();
    let whole = then.and_then(|then| then.round(Unit::Second).ok());
    whole.map_or_else(|| text.to_owned(), |whole| whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_short() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (then, shown) in [
            ("2026-11-20T11:59:30Z", "30s"),
            ("2026-11-20T11:30:00Z", "30m"),
            ("2026-11-20T02:00:00.123Z", "9h"),
            ("2026-11-10T12:00:00Z", "10d"),
            ("2026-11-20T12:15:00Z", "in 15m"),
            ("never", ""),
        ] {
            assert_eq!(age(then, now), shown, "{then}");
        }
        assert_eq!(moment("2026-11-20T02:00:00.123456Z"), "2026-11-20T02:00:00Z");
    }
}

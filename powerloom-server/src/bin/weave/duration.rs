//! How long, as people write it: `90s`, `15m`, `12h`, `90d`.

use std::time::Duration;

/// Reads a number and its unit.
///
/// # Errors
/// What is expected, for anything else, for nothing at all, and for more than can be counted.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let refused = || {
        format!(
            "`{}` is no duration: expected `90s`, `15m`, `12h` or `90d`",
            crate::output::plain::line(text)
        )
    };
    let unit = text.chars().next_back().ok_or_else(refused)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(refused()),
    };
    let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<u64>().ok()).ok_or_else(refused)?;
    let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(refused)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("90d", 7_776_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for other in [
            "",
            "90",
            "d",
            "h",
            "-1d",
            "+1d",
            "0h",
            "1w",
            "1 h",
            "ä",
            "5€",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(duration(other).is_err(), "{other}");
        }
    }
}

//! Processor time, which other work on the machine hardly moves.

use std::time::Duration;

/// User and system time of this process so far, in steps of ten milliseconds; zero where there is no `/proc`.
#[must_use]
pub fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Of the fields after the name, utime and stime are the 12th and 13th.
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

//! Measures a thing next to its limit, in turn, so that a busy machine slows both.

use std::time::Duration;

/// What is measured: does its set-up, then returns the time that a number of operations took.
pub type Run<'a> = &'a mut dyn FnMut() -> Duration;

/// Whether a test runner only asks what there is to run: there is nothing, these are no tests.
#[must_use]
pub fn is_listing() -> bool {
    std::env::args().any(|argument| argument == "--list")
}

/// Runs `limit` and `ours` in turn, each doing `operations` operations, and prints the medians and the median of
/// the ratios: 1 is the limit, 0.5 is half its speed. Returns that ratio.
///
/// With `--test` among the arguments only one round is run, to see that it works.
pub fn compare(question: &str, operations: u32, limit: Run<'_>, ours: Run<'_>) -> f64 {
    let rounds = if std::env::args().any(|argument| argument == "--test") { 1 } else { 15 };
    let mut times: Vec<(f64, f64)> = Vec::new();
    for _ in 0..=rounds {
        times.push((limit().as_secs_f64(), ours().as_secs_f64()));
    }
    // The first round warms up.
    times.remove(0);
    let per_operation =
        |pick: fn(&(f64, f64)) -> f64| median(times.iter().map(pick)) / f64::from(operations) * 1e9;
    let ratio = median(times.iter().map(|(limit, ours)| limit / ours));
    println!(
        "{question}: limit {:.0} ns, ours {:.0} ns, {:.0}/s, {ratio:.2} of the limit",
        per_operation(|pair| pair.0),
        per_operation(|pair| pair.1),
        1e9 / per_operation(|pair| pair.1),
    );
    ratio
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

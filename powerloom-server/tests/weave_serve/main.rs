//! `weave serve` as a process: what whoever runs it sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

mod collector;
mod dev;
mod operator;
mod process;
mod redaction;

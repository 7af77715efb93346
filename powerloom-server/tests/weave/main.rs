//! The program `weave`, run as people run it: what it prints, where, and with which exit code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

mod apply;
mod approvals;
mod audit;
mod authz;
mod bench;
mod completions;
mod contexts;
mod doctor;
mod forms;
mod get;
mod house;
mod lost;
mod redirects;
mod scissors;
mod sessions;
mod skills;
mod story;
mod stub;
mod tokens;
mod usage;

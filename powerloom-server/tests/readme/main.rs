//! What the papers say, held to: the README's commands are run as they stand, and the page for operators names every setting.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "tests stop at the first surprise"
)]

mod operations;
mod papers;
mod router;
mod shell;
mod story;

//! Manifests from text to what became of them, over records kept in memory and a door of a few lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise"
)]

mod applying;
mod bad;
mod examples;
mod governed;
mod house;
mod moving;
mod planning;
mod reading;
mod round;
mod saved;
mod schema;
mod sets;
mod terms;
mod through;
mod world;

//! The reconciler over a real store and a fake runtime, in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod custom;
mod drift;
mod failures;
mod fault_store;
mod faults;
mod order;
mod removal;
mod workers;
mod world;

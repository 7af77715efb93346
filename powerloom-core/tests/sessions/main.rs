//! Sessions from invocation to settling, on the reference store and a scripted runtime; time is paused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod access;
mod cancel;
mod counts;
mod crash;
mod fault;
mod faulty_store;
mod invoke;
mod pump;
mod scripted;
mod settle;
mod stage;
mod stream;
mod ticket;
mod tools;

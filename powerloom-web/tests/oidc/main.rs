//! The keys of identity providers, from real servers on the loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod issuer;
mod keeping;
mod outside;
mod stage;
mod untrue;

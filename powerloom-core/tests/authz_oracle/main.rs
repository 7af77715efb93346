//! Authorization against the vectors of the rules, against an oracle that is obviously right, and against its laws.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod delegated;
mod explain;
mod guards;
mod laws;
mod naive;
mod needs;
mod oracle;
mod vectors;
mod world;

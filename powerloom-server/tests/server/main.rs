//! The server over real sockets: its bounds, its end, its certificates, and two of them on one store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

mod bounds;
mod checkpoints;
mod ends;
mod http2;
mod stage;
mod takeover;
mod tls;

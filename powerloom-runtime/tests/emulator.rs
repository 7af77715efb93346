//! The emulator over HTTP, rule by rule.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise"
)]

#[path = "support/api.rs"]
mod api;
#[path = "emulator/faults.rs"]
mod faults;
#[path = "emulator/headers.rs"]
mod headers;
#[path = "emulator/mcp.rs"]
mod mcp;
#[path = "support/mcp_server.rs"]
mod mcp_server;
#[path = "emulator/objects.rs"]
mod objects;
#[path = "emulator/program.rs"]
mod program;
#[path = "emulator/restart.rs"]
mod restart;
#[path = "emulator/sessions.rs"]
mod sessions;
#[path = "emulator/skills.rs"]
mod skills;

//! Claude Managed Agents as a runtime, against the emulator: every guarantee of the port.
#![cfg(all(feature = "cma", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise"
)]

#[path = "cma_runtime/agents.rs"]
mod agents;
#[path = "cma_runtime/credentials.rs"]
mod credentials;
#[path = "cma_runtime/failures.rs"]
mod failures;
#[path = "cma_runtime/life.rs"]
mod life;
#[path = "support/mcp_server.rs"]
mod mcp_server;
#[path = "cma_runtime/places.rs"]
mod places;
#[path = "cma_runtime/sessions.rs"]
mod sessions;
#[path = "cma_runtime/skills.rs"]
mod skills;
#[path = "cma_runtime/world.rs"]
mod world;

//! The face over real sockets: what a client sees, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

mod agents;
mod approvals;
mod attachments;
mod audit;
mod authz;
mod bad_input;
mod contract;
mod credentials;
mod document;
mod every_route;
mod forbidden;
mod groups;
mod isolation;
mod manifests;
mod mcp;
mod ous;
mod pages;
mod resources;
mod samples;
mod schema;
mod sessions;
mod skills;
mod sync;
mod terms;
mod tokens;
mod world;

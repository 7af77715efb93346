#![doc = include_str!("../README.md")]

mod app;
mod authenticate;
pub mod checkpoints;
pub mod config;
mod failure;
mod guesses;
mod input;
mod layers;
mod metrics;
mod openapi;
mod page;
mod patience;
mod rate_limit;
mod readiness;
mod resource;
pub mod router;
mod routes;
#[cfg(feature = "serve")]
pub mod server;
mod stream;
mod trace_context;
mod unread;
mod upload;
mod vary;

pub use checkpoints::Checkpoints;
pub use config::{Bounds, Config};
pub use router::{openapi_document, router};
#[cfg(feature = "serve")]
pub use server::{RunningServer, Server, ServerBounds};

//! Sessions over REST, WebSocket and server-sent events (rows P69–P95).

mod authority;
pub(crate) mod client;
mod cuts;
mod frames;
mod handshake;
mod invoke;
mod life;
mod pages;
mod secrecy;
mod slow;
mod sse;
pub(crate) mod stage;
mod stream;
mod ticket;
mod viewers;
pub(crate) mod wire;

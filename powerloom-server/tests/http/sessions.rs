//! Sessions over REST, WebSocket and server-sent events (rows P69–P95).

mod client;
mod cuts;
mod invoke;
mod life;
mod pages;
mod slow;
mod sse;
mod stage;
mod stream;
mod ticket;
mod viewers;

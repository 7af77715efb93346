//! Sessions as they happen (rows P76–P85): over a WebSocket, or as server-sent events.
//!
//! Both are the cursor of the core with a socket behind it: [`frame`] writes an event down, [`shelf`] does so once for all who
//! read it, [`reader`] is the cursor, [`handshake`] judges who asks, [`authority`] asks whether they still may, [`websocket`] and
//! [`sse`] send, [`end`] says goodbye.

pub(crate) mod authority;
mod end;
pub(crate) mod frame;
pub(crate) mod handshake;
mod reader;
pub(crate) mod shelf;
pub(crate) mod sse;
pub(crate) mod websocket;

//! One run of an agent: its record, its state machine, its durable event log, its pump, and the streams that read it.

pub(crate) mod book;
pub mod connection;
pub mod degradation;
pub mod delegation;
pub mod event;
pub mod events_digest;
pub mod frame;
pub mod handle;
pub mod hub;
pub mod invoke;
pub mod progress;
pub(crate) mod pump;
pub mod read;
pub mod record;
pub mod session_loop;
pub mod status;
pub mod stream;
pub mod tally;
pub mod ticket;
pub mod tool_answers;
pub mod tool_key;
pub(crate) mod visibility;

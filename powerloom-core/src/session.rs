//! One run of an agent: its record, its state machine, its durable event log, and the streams that read it.

pub mod event;
pub mod hub;
pub mod record;
pub mod status;
pub mod ticket;

//! Declared resources over REST: one set of handlers for every kind, so that a new kind is a line in a table.
//!
//! A resource is flat: what every record has, then the fields of its spec (row P28). [`wire`] says where the names differ from
//! the record's own, [`view`] writes, [`given`] reads, [`schema`] describes, [`collection`] routes.

pub(crate) mod answer;
pub(crate) mod collection;
pub(crate) mod given;
pub(crate) mod schema;
pub(crate) mod view;
pub(crate) mod wire;

//! Every rule of a commit, once for all backends: pure functions over tables in memory.
//!
//! The store in memory *is* these tables. A SQL backend loads the rows that a batch of calls can touch
//! into a working set of the same tables, applies the calls one after the other, and writes the changed rows back in
//! one transaction. So no backend has rules of its own.

mod apply;
mod bookkeeping;
mod judge;
mod set;
mod table;

pub(crate) use bookkeeping::{due_at, free_at, is_in_sync};
pub(crate) use set::{RefKey, Tables};

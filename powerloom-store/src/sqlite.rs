//! The embedded SQLite backend: one file, one writer, group commit.
//!
//! # How it writes
//! All changes go through one task that owns the writing connection. It takes what callers have queued, loads the
//! rows those calls can touch into a working set ([`crate::tables`]), applies the calls one after the other, writes
//! the changed rows back, and commits once: two round trips and one `fsync` for a batch of any size. A refused call
//! leaves no trace in the working set, so it does not disturb the others. If SQLite itself refuses a batch,
//! it is rolled back and each call is done again in a transaction of its own.
//!
//! # Several handles on one file
//! Any number of processes may open the same file. Each batch begins with `BEGIN IMMEDIATE` and reads what it needs,
//! the audit heads among it, inside that transaction, so there is one chain and no lost update. A second writer waits
//! for the first up to the busy timeout, then answers that the store is unavailable. The file must lie on a local
//! disk: WAL does not work over network file systems.
//!
//! # What it promises about loss
//! WAL with `synchronous=FULL`: a commit that was answered survives a crash of the process and of the machine.
//! `ANALYZE` is never run: with its statistics this build of SQLite plans anew at every bind.

mod audit;
mod batch;
mod config;
mod error;
mod flush;
mod job;
mod load;
mod needs;
mod open;
mod records;
mod row;
mod schema;
mod sessions;
mod store;
mod sync;
mod writer;

pub use config::SqliteConfig;
pub use store::SqliteStore;

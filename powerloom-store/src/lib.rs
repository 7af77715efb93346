//! Where Powerloom keeps its state: in memory or in one SQLite file, opened by URL.
//!
//! | backend | URL | durable | several processes |
//! |---|---|---|---|
//! | [`MemoryStore`] | `memory:` | no | no |
//! | `SqliteStore` (feature `sqlite`, on by default) | `sqlite://path` | yes, each answered commit | yes, on one machine |
//!
//! Both keep the guarantees of [`powerloom_core::store`] and pass the suite of its `conformance` feature. The rules of
//! a commit stand in one place for both: a backend only loads rows and writes them.

pub mod anchor;
mod connect;
mod memory;
mod open_error;
mod page;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tables;

pub use connect::open;
pub use memory::MemoryStore;
pub use open_error::OpenError;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteConfig, SqliteStore};

//! The store in memory: one lock round plain tables, gone when the process ends.
//!
//! It is the reference every other backend is compared with. It keeps every guarantee but durability.

mod audit;
mod commits;
mod records;
mod sessions;
mod state;
mod sync;

pub use state::MemoryStore;

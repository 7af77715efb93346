//! Sessions from invocation to settling, on the reference store and a scripted runtime; time is paused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod access;
mod cancel;
mod counts;
mod crash;
mod exchange;
mod fault;
mod faulty_store;
mod handle;
mod handle_crash;
mod invoke;
mod pump;
mod scripted;
mod settle;
mod stage;
mod stream;
mod ticket;
mod tools;

/// A fresh store.
pub(crate) mod backend {
    use powerloom_core::store::Store;
    use std::any::Any;
    use std::sync::Arc;

    pub(crate) async fn fresh() -> (Arc<dyn Store>, Box<dyn Any + Send>) {
        (powerloom_store::open("memory:").await.unwrap(), Box::new(()))
    }
}

//! The tests of sessions that need no paused time once more, on SQLite.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise; part of the stage is for the others"
)]

#[path = "../sessions/exchange.rs"]
mod exchange;
#[path = "../sessions/fault.rs"]
mod fault;
#[path = "../sessions/faulty_store.rs"]
mod faulty_store;
#[path = "../sessions/handle.rs"]
mod handle;
#[path = "../sessions/scripted.rs"]
mod scripted;
#[path = "../sessions/stage.rs"]
mod stage;

/// A fresh database, with the folder it lives in.
pub(crate) mod backend {
    use powerloom_core::store::Store;
    use std::any::Any;
    use std::sync::Arc;

    pub(crate) async fn fresh() -> (Arc<dyn Store>, Box<dyn Any + Send>) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("loom.db").display());
        (powerloom_store::open(&url).await.unwrap(), Box::new(folder))
    }
}

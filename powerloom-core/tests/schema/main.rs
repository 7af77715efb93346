//! What serde writes is what the schemas say: real values of a real control plane against the components of an OpenAPI
//! document.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise; part of the worlds is for others"
)]

mod actions;
mod answers;
mod approvals;
mod audit;
mod bounds;
#[path = "../sessions/fault.rs"]
mod fault;
#[path = "../sessions/faulty_store.rs"]
mod faulty_store;
mod held;
mod manifests;
mod records;
#[path = "../sessions/scripted.rs"]
mod scripted;
mod sessions;
#[path = "../sessions/stage.rs"]
mod stage;
#[path = "../door/world.rs"]
mod world;

/// A fresh store in memory.
pub(crate) mod backend {
    use powerloom_core::store::Store;
    use std::any::Any;
    use std::sync::Arc;

    pub(crate) async fn fresh() -> (Arc<dyn Store>, Box<dyn Any + Send>) {
        (powerloom_store::open("memory:").await.unwrap(), Box::new(()))
    }
}

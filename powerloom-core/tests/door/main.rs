//! The one door, driven through [`ControlPlane`](powerloom_core::control_plane::ControlPlane) on the reference store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod access_tokens;
mod agents;
mod answers_as_of;
mod answers_stale;
mod answers_what_if;
mod answers_why;
mod api_tokens;
mod approvals;
mod archiving;
mod audit;
mod belonging;
mod bindings;
mod credentials;
mod delegated_tokens;
mod errors;
mod evidence;
mod exchange;
mod external;
#[allow(dead_code, reason = "part of it is for others")]
#[path = "../sessions/fault.rs"]
mod fault;
#[path = "../sessions/faulty_store.rs"]
mod faulty_store;
mod gates;
mod gifts;
mod heedless_store;
mod idempotency;
mod input;
mod isolation;
mod kinds;
mod labels;
mod ous;
mod pages;
mod policies;
mod races;
mod skills;
mod vectors;
mod world;

/// A fresh store in memory.
pub(crate) mod backend {
    use powerloom_core::store::Store;
    use std::any::Any;
    use std::sync::Arc;

    pub(crate) async fn fresh() -> (Arc<dyn Store>, Box<dyn Any + Send>) {
        (powerloom_store::open("memory:").await.unwrap(), Box::new(()))
    }

    /// One store for two replicas.
    pub(crate) async fn pair() -> (Arc<dyn Store>, Arc<dyn Store>, Box<dyn Any + Send>) {
        let (store, folder) = fresh().await;
        (store.clone(), store, folder)
    }
}

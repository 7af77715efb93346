//! The same tests of the door once more, on SQLite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

#[path = "../door/access_tokens.rs"]
mod access_tokens;
#[path = "../door/agents.rs"]
mod agents;
#[path = "../door/answers_as_of.rs"]
mod answers_as_of;
#[path = "../door/answers_stale.rs"]
mod answers_stale;
#[path = "../door/answers_what_if.rs"]
mod answers_what_if;
#[path = "../door/answers_why.rs"]
mod answers_why;
#[path = "../door/api_tokens.rs"]
mod api_tokens;
#[path = "../door/approvals.rs"]
mod approvals;
#[path = "../door/archiving.rs"]
mod archiving;
#[path = "../door/audit.rs"]
mod audit;
#[path = "../door/belonging.rs"]
mod belonging;
#[path = "../door/bindings.rs"]
mod bindings;
#[path = "../door/credentials.rs"]
mod credentials;
#[path = "../door/delegated_tokens.rs"]
mod delegated_tokens;
#[path = "../door/evidence.rs"]
mod evidence;
#[path = "../door/exchange.rs"]
mod exchange;
#[path = "../door/external.rs"]
mod external;
#[allow(dead_code, reason = "part of it is for others")]
#[path = "../sessions/fault.rs"]
mod fault;
#[path = "../sessions/faulty_store.rs"]
mod faulty_store;
#[path = "../door/gates.rs"]
mod gates;
#[path = "../door/gifts.rs"]
mod gifts;
#[path = "../door/heedless_store.rs"]
mod heedless_store;
#[path = "../door/idempotency.rs"]
mod idempotency;
#[path = "../door/input.rs"]
mod input;
#[path = "../door/isolation.rs"]
mod isolation;
#[path = "../door/kinds.rs"]
mod kinds;
#[path = "../door/labels.rs"]
mod labels;
#[path = "../door/ous.rs"]
mod ous;
#[path = "../door/policies.rs"]
mod policies;
#[path = "../door/races.rs"]
mod races;
#[path = "../door/skills.rs"]
mod skills;
#[path = "../door/vectors.rs"]
mod vectors;
#[path = "../door/world.rs"]
mod world;

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

    /// One database, opened by two replicas, each with connections of its own.
    pub(crate) async fn pair() -> (Arc<dyn Store>, Arc<dyn Store>, Box<dyn Any + Send>) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("loom.db").display());
        let open = async || powerloom_store::open(&url).await.unwrap();
        (open().await, open().await, Box::new(folder))
    }
}

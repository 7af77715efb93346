//! The contract of the store, kept by both backends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::store::Store;
use std::sync::Arc;
use tempfile::TempDir;

async fn in_memory() -> (Arc<dyn Store>, ()) {
    (powerloom_store::open("memory:").await.unwrap(), ())
}

#[cfg(feature = "sqlite")]
async fn in_a_file() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    (powerloom_store::open(&url).await.unwrap(), folder)
}

powerloom_core::store_conformance!(memory, in_memory());

#[cfg(feature = "sqlite")]
powerloom_core::store_conformance!(sqlite, in_a_file());

//! How far is a durable, audited change from what the disk allows, and what does group commit bring?
//!
//! `cargo bench -p powerloom-benches --bench store`
//!
//! Absolute figures move by a factor of thirty between two hours of one disk; what counts are the ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::conformance::world::{AGENT, at, draft, org, put, record};
use powerloom_core::id::OrgId;
use powerloom_core::store::{Commit, Precondition, Store};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const OPERATIONS: u32 = 640;
const CALLERS: u32 = 64;

/// One record made, with its precondition and its audit entry: what the door commits for a `create`.
fn mutation(org: OrgId) -> Commit {
    let mut row = record(org, AGENT, "code-reviewer");
    row.unique_key = row.meta.id.to_string();
    Commit {
        expect: vec![Precondition::RecordVersion { key: row.key(), version: 0 }, Precondition::AuthzEpoch(0)],
        write: vec![put(&row)],
        audit: vec![draft("agent.create", &row.meta.id.to_string())],
        ..Commit::new(org, at(0))
    }
}

/// As many bytes as a mutation makes the store keep: the record, the audit row, its payload.
fn same_bytes(org: OrgId) -> Vec<u8> {
    let commit = mutation(org);
    let row = record(org, AGENT, "code-reviewer");
    let payload = commit.audit[0].draft.change.to_payload().unwrap().len();
    vec![b'x'; serde_json::to_string(&row).unwrap().len() + payload + 450]
}

/// Bare appends, each made durable.
fn bare(folder: &Path, bytes: &[u8]) -> Duration {
    let mut file = std::fs::File::create(folder.join("bare")).unwrap();
    let began = Instant::now();
    for _ in 0..OPERATIONS {
        file.write_all(bytes).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed()
}

/// The same number of mutations, dealt out to callers of whom each waits for its own answer.
async fn commits(store: &Arc<dyn Store>, org: OrgId, callers: u32) -> Duration {
    let began = Instant::now();
    let callers = (0..callers).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for _ in 0..OPERATIONS / callers {
                store.commit(mutation(org)).await.unwrap();
            }
        })
    });
    for caller in futures::future::join_all(callers).await {
        caller.unwrap();
    }
    began.elapsed()
}

fn main() {
    if is_listing() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let store = runtime.block_on(powerloom_store::open(&url)).unwrap();
    let org = runtime.block_on(org(&*store, "acme"));
    let bytes = same_bytes(org);
    let one = &mut || runtime.block_on(commits(&store, org, 1));
    let question = "one caller against write + fdatasync (gate 0.50)";
    compare(question, OPERATIONS, &mut || bare(folder.path(), &bytes), one);
    let many = &mut || runtime.block_on(commits(&store, org, CALLERS));
    compare("64 callers against one (gate 10)", OPERATIONS, one, many);
}

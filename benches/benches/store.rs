//! How far is a durable, audited change from what the disk allows, and what does group commit bring?
//!
//! `cargo bench -p powerloom-benches --bench store`
//!
//! Absolute figures move by a factor of thirty between two hours of one disk. What counts are the ratios, taken within
//! each round: one caller against a bare write + fdatasync of the same bytes (gate: at least 0.5), and 64 callers,
//! each waiting for its own answer, against one (gate: at least 10).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_core::conformance::world::{AGENT, at, draft, org, put, record};
use powerloom_core::id::OrgId;
use powerloom_core::store::{Commit, Precondition, Store};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 7;
const ALONE: usize = 300;
const CALLERS: usize = 64;
const EACH: usize = 60;

/// One record made, with its precondition and its audit entry: what the door commits for a `create`.
fn mutation(org: OrgId, name: &str) -> Commit {
    let row = record(org, AGENT, name);
    Commit {
        expect: vec![
            Precondition::RecordVersion { key: row.key(), version: 0 },
            Precondition::AuthzEpoch(0),
        ],
        write: vec![put(&row)],
        audit: vec![draft("agent.create", &row.meta.id.to_string())],
        ..Commit::new(org, at(0))
    }
}

/// As many bytes as a mutation makes the store keep: the record, the audit row, its payload.
fn same_bytes(org: OrgId) -> Vec<u8> {
    let commit = mutation(org, "name-0-0");
    let row = record(org, AGENT, "name-0-0");
    let payload = commit.audit[0].draft.change.to_payload().unwrap().len();
    vec![b'x'; serde_json::to_string(&row).unwrap().len() + payload + 450]
}

/// Bare appends, each made durable, per second.
fn bare(folder: &Path, bytes: &[u8]) -> f64 {
    let mut file = std::fs::File::create(folder.join("bare")).unwrap();
    let began = Instant::now();
    for _ in 0..ALONE {
        file.write_all(bytes).unwrap();
        file.sync_data().unwrap();
    }
    ALONE as f64 / began.elapsed().as_secs_f64()
}

async fn alone(store: &dyn Store, org: OrgId, round: usize) -> f64 {
    let began = Instant::now();
    for n in 0..ALONE {
        store.commit(mutation(org, &format!("alone-{round}-{n}"))).await.unwrap();
    }
    ALONE as f64 / began.elapsed().as_secs_f64()
}

async fn together(store: &Arc<dyn Store>, org: OrgId, round: usize) -> f64 {
    let began = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..EACH {
                store.commit(mutation(org, &format!("{round}-{caller}-{n}"))).await.unwrap();
            }
        })
    });
    for caller in futures::future::join_all(callers).await {
        caller.unwrap();
    }
    (CALLERS * EACH) as f64 / began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let store = powerloom_store::open(&url).await.unwrap();
    let org = org(&*store, "acme").await;
    let bytes = same_bytes(org);
    let (mut one, mut many) = (Vec::new(), Vec::new());
    println!("a mutation keeps {} bytes; all figures per second", bytes.len());
    for round in 0..ROUNDS {
        let bare = bare(folder.path(), &bytes);
        let alone = alone(&*store, org, round).await;
        let together = together(&store, org, round).await;
        println!("bare write + fdatasync {bare:>8.0}   one caller {alone:>8.0}   {CALLERS} callers {together:>8.0}");
        one.push(alone / bare);
        many.push(together / alone);
    }
    println!("one caller : bare     {:.2}  (gate 0.50)", median(one));
    println!("{CALLERS} callers : one      {:.1}  (gate 10)", median(many));
}

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

use powerloom_benches::cpu::cpu;
use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::clock::{Clock as _, SystemClock};
use powerloom_core::conformance::world::{AGENT, at, draft, org, put, record};
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::store::{Commit, Precondition, Store};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use uuid::Uuid;

const OPERATIONS: u32 = 640;
const CALLERS: u32 = 64;

/// One record made, with its precondition and its audit entry: what the door commits for a `create`. As there, ids
/// are of the present moment and many records share an OU.
fn mutation(org: OrgId) -> Commit {
    let mut row = record(org, AGENT, "code-reviewer");
    row.meta.id = ResourceId::generate(SystemClock.now(), &SystemEntropy);
    row.meta.ou = ResourceId::from_uuid(Uuid::from_u128(1));
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
struct Callers {
    runtime: Runtime,
    store: Arc<dyn Store>,
    org: OrgId,
}

impl Callers {
    fn commit(&self, callers: u32) -> Duration {
        let began = Instant::now();
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let (store, org) = (Arc::clone(&self.store), self.org);
                self.runtime.spawn(async move {
                    for _ in 0..OPERATIONS / callers {
                        store.commit(mutation(org)).await.unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            self.runtime.block_on(caller).unwrap();
        }
        began.elapsed()
    }
}

/// Adds up the processor time that runs of [`OPERATIONS`] take.
#[derive(Default)]
struct Used {
    time: Duration,
    runs: u32,
}

impl Used {
    fn by(&mut self, run: impl FnOnce() -> Duration) -> Duration {
        let before = cpu();
        let elapsed = run();
        self.time += cpu() - before;
        self.runs += 1;
        elapsed
    }

    fn micros_each(&self) -> f64 {
        self.time.as_secs_f64() * 1e6 / f64::from(self.runs * OPERATIONS)
    }
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
    let callers = Callers { runtime, store, org };
    let (mut one, mut many) = (Used::default(), Used::default());
    compare(
        "one caller against write + fdatasync (gate 0.50)",
        OPERATIONS,
        &mut || bare(folder.path(), &bytes),
        &mut || callers.commit(1),
    );
    compare(
        "64 callers against one (gate 10)",
        OPERATIONS,
        &mut || one.by(|| callers.commit(1)),
        &mut || many.by(|| callers.commit(CALLERS)),
    );
    println!(
        "processor time per commit: one caller {:.0} us, 64 callers {:.0} us",
        one.micros_each(),
        many.micros_each()
    );
}

//! Several processes on one file, and processes that die.
#![cfg(all(feature = "sqlite", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use futures::future::join_all;
use powerloom_core::conformance::world::{AGENT, chain, org, put_audited, record};
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::store::Store;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "POWERLOOM_CRASH_FILE";
const ROWS: &str = "POWERLOOM_CRASH_ROWS";
const WRITERS: usize = 4;

async fn open(path: &Path) -> Arc<dyn Store> {
    powerloom_store::open(&format!("sqlite://{}?busy_timeout_ms=30000", path.display())).await.unwrap()
}

/// Not a test of its own: what the child processes of the others do. It commits records from several writers, and
/// says of each that it was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(path), Ok(rows)) = (std::env::var(FILE), std::env::var(ROWS)) else { return };
    let rows: usize = rows.parse().unwrap();
    let store = open(Path::new(&path)).await;
    let orgs = store.orgs().await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let (store, orgs) = (Arc::clone(&store), orgs.clone());
        tokio::spawn(async move {
            for n in 0..rows {
                let org = &orgs[(writer + n) % orgs.len()];
                let mut row: RecordRow = record(org.id, AGENT, "x");
                row.meta.id = powerloom_core::id::ResourceId::from_uuid(uuid::Uuid::now_v7());
                row.unique_key = row.meta.id.to_string();
                let seq = put_audited(&*store, &row).await.audit_head.unwrap().seq;
                let mut out = std::io::stdout().lock();
                writeln!(out, "\nacknowledged {} {seq} {}", org.slug, row.meta.id).unwrap();
                out.flush().unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
}

fn spawn(path: &Path, rows: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FILE, path)
        .env(ROWS, rows.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn acknowledged(child: &mut Child) -> Vec<(String, u64, String)> {
    let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n').map_while(Result::ok);
    let texts = lines.filter_map(|line| String::from_utf8(line).ok());
    texts
        .filter_map(|line| {
            let mut words = line.strip_prefix("acknowledged ")?.split(' ');
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.to_owned()))
        })
        // A process that is killed may leave half a line.
        .filter(|(_, _, id)| id.len() == 36)
        .collect()
}

/// Invariant 5 and reliability 2: no acknowledged commit is lost by `kill -9`, no change is without its audit entry,
/// and the chain verifies, twenty times in a row on the same file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loom.db");
    let org = org(&*open(&path).await, "acme").await;
    let mut total = 0;
    for round in 0..20u64 {
        let mut child = spawn(&path, usize::MAX);
        // Somewhere between the first commit of a fast machine and the hundredth of a slow one.
        std::thread::sleep(Duration::from_millis(30 + round * 37 % 110));
        child.kill().unwrap();
        let acknowledged = acknowledged(&mut child);
        child.wait().unwrap();
        let store = open(&path).await;
        let entries = chain(&*store, org).await;
        for (_, seq, id) in &acknowledged {
            let entry = &entries[usize::try_from(*seq).unwrap() - 1];
            assert_eq!(&entry.row.resource_id, id, "round {round}");
            let key = ResourceKey { kind: AGENT, id: id.parse().unwrap() };
            assert!(store.record(org, &key).await.unwrap().is_some(), "round {round}: {id} is gone");
        }
        for entry in &entries[total.min(entries.len())..] {
            let key = ResourceKey { kind: AGENT, id: entry.row.resource_id.parse().unwrap() };
            assert!(store.record(org, &key).await.unwrap().is_some(), "an entry without its change");
        }
        total = entries.len();
    }
    assert!(total > 20, "the children committed only {total} times: nothing was tested");
}

/// A2: two processes, four writers each, three organizations: one gapless chain per organization.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_make_one_chain_per_organization() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loom.db");
    let store = open(&path).await;
    for slug in ["a", "b", "c"] {
        org(&*store, slug).await;
    }
    let rows = 60;
    let mut children = [spawn(&path, rows), spawn(&path, rows)];
    let mut seen = Vec::new();
    for child in &mut children {
        seen.extend(acknowledged(child));
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(seen.len(), 2 * WRITERS * rows);
    let mut total = 0;
    for row in store.orgs().await.unwrap() {
        let entries = chain(&*store, row.id).await;
        for (_, seq, id) in seen.iter().filter(|(slug, ..)| *slug == row.slug) {
            assert_eq!(&entries[usize::try_from(*seq).unwrap() - 1].row.resource_id, id);
        }
        total += entries.len();
    }
    assert_eq!(total, seen.len());
}

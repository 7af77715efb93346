//! `kill -9`, two hundred times, at random moments: nothing acknowledged is missing, nothing exists twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use futures::TryStreamExt;
use powerloom_core::audit::Verifier;
use powerloom_core::entropy::{Entropy, SystemEntropy};
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::record::RecordRow;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{RecordCursor, RecordQuery, SessionQuery, Store};
use powerloom_runtime::cma::{CmaClient, ListEvents};
use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How often the process is killed.
const KILLS: u64 = 200;

/// What the killed processes have acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    created: BTreeSet<(String, ResourceId)>,
    updated: BTreeMap<ResourceId, u64>,
    sessions: BTreeSet<SessionId>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_and_nothing_exists_twice_after_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::builder().start().await.unwrap();
    let mut acknowledged = Acknowledged::default();
    for seed in 0..KILLS {
        let mut child = start(folder.path(), &emulator, seed, false);
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(100 + random(250))).await;
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.code().is_none(), "run {seed} ended by itself: {status}");
        for line in reader.join().unwrap() {
            acknowledged.take(&line);
        }
        let store = open(folder.path()).await;
        let org = store.org_by_slug("acme").await.unwrap();
        if let Some(org) = org {
            verify(store.as_ref(), org.id).await;
            acknowledged.check(store.as_ref(), org.id).await;
        }
    }
    let settled = start(folder.path(), &emulator, KILLS, true).wait_with_output().unwrap();
    assert!(settled.status.success(), "{}", String::from_utf8_lossy(&settled.stderr));
    let store = open(folder.path()).await;
    let org = store.org_by_slug("acme").await.unwrap().expect("some run got so far").id;
    verify(store.as_ref(), org).await;
    acknowledged.check(store.as_ref(), org).await;
    let rows = records(store.as_ref(), org).await;
    let remote = emulator.state();
    let (objects, sessions) = (
        each_object_exists_once(&remote, &rows),
        each_session_is_whole(store.as_ref(), org, &emulator).await,
    );
    println!(
        "{KILLS} kills: {} created, {} updated, {} sessions acknowledged; {objects} remote objects, {sessions} logs",
        acknowledged.created.len(),
        acknowledged.updated.len(),
        acknowledged.sessions.len(),
    );
    assert!(
        acknowledged.created.len() > 100 && acknowledged.sessions.len() > 20,
        "the runs did too little to tell"
    );
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % below
}

fn start(folder: &Path, emulator: &RunningEmulator, seed: u64, settle: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_survival"));
    command.arg("--database").arg(folder.join("loom.db")).arg("--keys").arg(folder.join("master.key"));
    command.args(["--runtime", &emulator.url(), "--seed", &seed.to_string()]);
    if settle {
        command.arg("--settle").stderr(Stdio::piped());
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

async fn open(folder: &Path) -> Arc<dyn Store> {
    powerloom_store::open(&format!("sqlite://{}", folder.join("loom.db").display())).await.unwrap()
}

async fn verify(store: &dyn Store, org: OrgId) {
    let mut verifier = Verifier::new(org, None, Some(store.audit_head(org).await.unwrap()));
    let mut after = 0;
    loop {
        let rows = store.audit_rows(org, after, 1000).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = last.row.seq;
        rows.iter().for_each(|row| verifier.push(row).expect("the chain is whole"));
    }
    verifier.finish().expect("the chain is whole");
}

impl Acknowledged {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["ack", "create", kind, id, _] => {
                self.created.insert((kind.to_string(), id.parse().unwrap()));
            }
            ["ack", "update", id, version, _] => {
                let newest = self.updated.entry(id.parse().unwrap()).or_default();
                *newest = version.parse::<u64>().unwrap().max(*newest);
            }
            ["ack", "session", id, _] => {
                self.sessions.insert(id.parse().unwrap());
            }
            // The last line may have been cut by the kill: what was not said whole was not said.
            _ => {}
        }
    }

    async fn check(&self, store: &dyn Store, org: OrgId) {
        let rows: BTreeMap<ResourceId, RecordRow> =
            records(store, org).await.into_iter().map(|row| (row.meta.id, row)).collect();
        for (kind, id) in &self.created {
            assert!(rows.get(id).is_some_and(|row| row.kind.as_str() == kind), "{kind} {id} is missing");
        }
        for (id, version) in &self.updated {
            assert!(
                rows.get(id).is_some_and(|row| row.meta.version >= *version),
                "version {version} of {id} is missing"
            );
        }
        for id in &self.sessions {
            assert!(store.session(org, *id).await.unwrap().is_some(), "session {id} is missing");
        }
    }
}

async fn records(store: &dyn Store, org: OrgId) -> Vec<RecordRow> {
    let mut query = RecordQuery::default();
    let mut rows: Vec<RecordRow> = Vec::new();
    loop {
        let page = store.list_records(org, &query).await.unwrap();
        let Some(last) = page.last() else { return rows };
        query.after =
            Some(RecordCursor { kind: last.kind.clone(), name: last.meta.name.clone(), id: last.meta.id });
        rows.extend(page);
    }
}

/// No tag is on two remote objects, and everything that should be there is.
fn each_object_exists_once(remote: &Value, rows: &[RecordRow]) -> usize {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for table in ["agents", "environments", "vaults", "credentials", "sessions"] {
        for object in remote[table].as_object().unwrap().values() {
            let tag =
                ["powerloom_id", "powerloom_session"].iter().find_map(|key| object["metadata"][key].as_str());
            *seen.entry(tag.expect("everything there is ours").to_owned()).or_default() += 1;
        }
    }
    for (tag, count) in &seen {
        assert_eq!(*count, 1, "{tag} exists {count} times");
    }
    let tagged = ["Agent", "Environment", "Vault", "Credential"];
    for row in rows.iter().filter(|row| tagged.contains(&row.kind.as_str()) && row.is_live()) {
        assert!(seen.contains_key(&row.key().to_string()), "{} is not on the runtime", row.key());
    }
    for (kind, table) in [("SkillVersion", "skill_versions")] {
        let declared = rows.iter().filter(|row| row.kind.as_str() == kind).count();
        assert_eq!(remote[table].as_object().unwrap().len(), declared, "each {kind} exists once");
    }
    seen.len()
}

/// Every log has no gap, and the runtime's events in the runtime's order, each once, with one prompt.
async fn each_session_is_whole(store: &dyn Store, org: OrgId, emulator: &RunningEmulator) -> usize {
    let mut query = SessionQuery::default();
    let (mut count, mut remotes) = (0, BTreeSet::new());
    loop {
        let page = store.sessions(org, &query).await.unwrap();
        let Some(last) = page.last() else { return count };
        query.after = Some(last.id);
        for session in page {
            assert!(session.status.is_settled(), "{} is {}", session.id, session.status);
            let log = store.events(org, session.id, EventSeq::START, 1000).await.unwrap();
            let numbers: Vec<u64> = log.iter().map(|event| event.seq.number()).collect();
            assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>(), "gaps in {}", session.id);
            let Some(remote_id) = &session.remote_id else { continue };
            assert!(remotes.insert(remote_id.clone()), "two sessions are {remote_id}");
            let ours: Vec<&str> = log.iter().filter_map(|event| event.event.event_id.as_deref()).collect();
            if session.status == SessionStatus::IdleEndTurn {
                let theirs = history(emulator, remote_id).await;
                assert_eq!(ours, theirs.iter().map(String::as_str).collect::<Vec<_>>(), "{}", session.id);
                assert_eq!(log.iter().filter(|event| event.event.kind == "user.message").count(), 1);
                count += 1;
            }
        }
    }
}

/// The ids of the events the runtime has of a session, oldest first.
async fn history(emulator: &RunningEmulator, session: &str) -> Vec<String> {
    let client =
        CmaClient::builder().base_url(emulator.url()).api_key("test").without_proxy().build().unwrap();
    let events: Vec<_> = client.events().all(session, ListEvents::default()).try_collect().await.unwrap();
    events.iter().map(|event| event.id().unwrap().to_owned()).collect()
}

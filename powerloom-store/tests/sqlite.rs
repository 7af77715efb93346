//! What only a file can do: be damaged, be full, be shared.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use futures::future::join_all;
use powerloom_core::conformance::world::{
    self, AGENT, at, chain, draft, org, put, put_audited, record, write,
};
use powerloom_core::digest::Digest;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::OrgId;
use powerloom_core::record::RecordRow;
use powerloom_core::store::{Commit, Commits as _, IdempotencyRow, Store, StoreError, Write};
use powerloom_store::{OpenError, SqliteConfig, SqliteStore};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("loom.db")
    }

    async fn open(&self, options: &str) -> Result<Arc<dyn Store>, OpenError> {
        powerloom_store::open(&format!("sqlite://{}{options}", self.path().display())).await
    }

    async fn store(&self) -> Arc<dyn Store> {
        self.open("").await.unwrap()
    }

    /// A connection without any of our settings, as somebody with a shell would have it.
    async fn raw(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", self.path().display())).await.unwrap()
    }
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|_| ())
}

fn audited(row: &RecordRow, verb: &str) -> Commit {
    Commit { write: vec![put(row)], audit: vec![draft(verb, "a")], ..Commit::new(row.meta.org, at(0)) }
}

/// A6: nobody changes, deletes or replaces an audit row, with recursive triggers or without.
#[tokio::test]
async fn audit_rows_cannot_be_changed_deleted_or_replaced() {
    let file = File::new();
    let store = file.store().await;
    let org = org(&*store, "acme").await;
    for name in ["a", "b", "c"] {
        put_audited(&*store, &record(org, AGENT, name)).await;
    }
    let mut touching = draft("v", "a");
    touching.draft.change.ous = vec![world::resource()];
    store.commit(Commit { audit: vec![touching], ..Commit::new(org, at(0)) }).await.unwrap();
    let before = chain(&*store, org).await;
    let mut raw = file.raw().await;
    let columns = "org, seq, v, ts, actor, verb, resource_kind, resource_id, decision, session, approval, \
                   change_hash, prev_hash, hash, row";
    for recursive in ["ON", "OFF"] {
        run(&mut raw, &format!("PRAGMA recursive_triggers = {recursive}")).await.unwrap();
        for attack in [
            "UPDATE audit_rows SET actor = 'user:mallory' WHERE seq = 2".to_owned(),
            "DELETE FROM audit_rows WHERE seq = 3".to_owned(),
            "DELETE FROM audit_rows".to_owned(),
            format!("REPLACE INTO audit_rows ({columns}) SELECT {columns} FROM audit_rows WHERE seq = 2"),
            format!("INSERT INTO audit_rows ({columns}) SELECT {columns} FROM audit_rows WHERE seq = 2"),
            "UPDATE audit_ous SET ou = 'elsewhere'".to_owned(),
            "DELETE FROM audit_ous".to_owned(),
            "UPDATE audit_payloads SET payload = '{}' WHERE seq = 1".to_owned(),
            "REPLACE INTO audit_payloads SELECT org, seq, '{}', NULL FROM audit_rows WHERE seq = 1"
                .to_owned(),
        ] {
            let refused = run(&mut raw, &attack).await.unwrap_err().to_string();
            assert!(refused.contains("audit"), "{attack}: {refused}");
        }
    }
    assert_eq!(chain(&*store, org).await, before);
}

/// A7: on a full disk changes are refused and reads go on; with room again, so do changes.
#[tokio::test]
async fn a_full_disk_refuses_changes_and_serves_reads() {
    let file = File::new();
    let store = file.open("?max_bytes=1048576").await.unwrap();
    let org = org(&*store, "acme").await;
    let mut kept = 0;
    let refused = loop {
        let mut row = record(org, AGENT, &format!("n{kept}"));
        row.spec = serde_json::json!("x".repeat(50_000));
        match store.commit(audited(&row, "agent.create")).await {
            Ok(_) => kept += 1,
            Err(error) => break (error, row),
        }
        assert!(kept < 100, "a file of one mebibyte cannot hold this");
    };
    assert!(matches!(refused.0, StoreError::Unavailable { maybe_applied: false, .. }), "{:?}", refused.0);
    assert_eq!(store.record(org, &refused.1.key()).await.unwrap(), None);
    assert_eq!(chain(&*store, org).await.len(), kept);

    let wider = file.store().await;
    wider.commit(audited(&refused.1, "agent.create")).await.unwrap();
    assert_eq!(chain(&*store, org).await.len(), kept + 1);
}

/// A7, S4: a change whose audit entry cannot be written does not happen, and its neighbours in the batch do.
#[tokio::test]
async fn a_failing_audit_append_refuses_its_own_change_only() {
    let file = File::new();
    let store = file.store().await;
    let org = org(&*store, "acme").await;
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON audit_rows WHEN NEW.verb = 'boom' \
                 BEGIN SELECT RAISE (ABORT, 'the disk is on fire'); END";
    run(&mut file.raw().await, fault).await.unwrap();
    let rows: Vec<RecordRow> = (0..20).map(|n| record(org, AGENT, &n.to_string())).collect();
    let verb = |n: usize| if n % 5 == 3 { "boom" } else { "agent.create" };
    let answers = join_all(rows.iter().enumerate().map(|(n, row)| store.commit(audited(row, verb(n))))).await;
    for (n, (row, answer)) in rows.iter().zip(&answers).enumerate() {
        assert_eq!(answer.is_ok(), verb(n) != "boom", "{n}: {answer:?}");
        assert_eq!(store.record(org, &row.key()).await.unwrap().is_some(), answer.is_ok());
    }
    assert_eq!(chain(&*store, org).await.len(), 16);
}

/// A commit that inserts into every table there is.
fn everywhere(org: OrgId) -> Commit {
    let mut row = record(org, AGENT, "a");
    row.spec = serde_json::json!("x".repeat(20_000));
    row.refs = vec![record(org, AGENT, "b").key()];
    let session = world::session(org, world::session_id(0));
    let bytes = vec![b'x'; 20_000];
    let answer = IdempotencyRow {
        key: "k".to_owned(),
        fingerprint: Digest::of(b"k"),
        outcome: serde_json::json!("x".repeat(10_000)),
        expires_at: at(60),
    };
    let write = vec![
        put(&row),
        Write::BumpAuthzEpoch,
        Write::Desire { key: row.key(), desired: Digest::of(b"a") },
        Write::PutSession(Box::new(session.clone())),
        Write::AppendEvents { session: session.id, events: vec![world::event(Some("e"))] },
        Write::PutTicket(world::ticket(org, session.id, "t")),
        Write::HoldStream { session: session.id, holder: "h".to_owned(), until: at(60) },
        Write::PutSecret { owner: row.meta.id, sealed: world::sealed(1) },
        Write::PutBlob { digest: Digest::of(&bytes), bytes: bytes.into() },
        Write::PutIdempotency(answer),
    ];
    let mut audit = draft("agent.create", "a");
    audit.draft.change = audit.draft.change.touching(&[row.meta.ou]);
    Commit { write, audit: vec![audit], ..Commit::new(org, at(0)) }
}

async fn tables(raw: &mut SqliteConnection) -> Vec<String> {
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    sqlx::query_scalar(names).fetch_all(raw).await.unwrap()
}

/// Everything in the file that a commit of [`everywhere`] changes: how many rows each table has, and the epoch.
async fn contents(raw: &mut SqliteConnection) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    for table in tables(raw).await {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count = sqlx::query_scalar(count).fetch_one(&mut *raw).await.unwrap();
        found.push((table, count));
    }
    let epoch = "SELECT sum(body ->> 'authz_epoch') FROM orgs";
    found.push(("epoch".to_owned(), sqlx::query_scalar(epoch).fetch_one(raw).await.unwrap()));
    found
}

/// S4: whichever table cannot be written, the commit is refused, nothing of it stays, and it succeeds once it can.
#[tokio::test]
async fn whichever_statement_fails_nothing_of_the_commit_is_written() {
    let file = File::new();
    let store = file.store().await;
    let org = org(&*store, "acme").await;
    let mut raw = file.raw().await;
    let before = contents(&mut raw).await;
    for table in tables(&mut raw).await {
        let fault = format!(
            "CREATE TRIGGER fault BEFORE INSERT ON {table} BEGIN SELECT RAISE (ABORT, 'the disk is on fire'); END"
        );
        run(&mut raw, &fault).await.unwrap();
        assert!(store.commit(everywhere(org)).await.is_err(), "{table} is not written");
        assert_eq!(contents(&mut raw).await, before, "{table}");
        run(&mut raw, "DROP TRIGGER fault").await.unwrap();
    }
    store.commit(everywhere(org)).await.unwrap();
    let after = contents(&mut raw).await;
    for ((table, before), (_, after)) in before.iter().zip(&after).filter(|((table, _), _)| table != "orgs") {
        assert!(after > before, "{table} is not written");
    }
}

/// S4: whichever page is the one that does not fit any more, nothing of the commit is written.
#[tokio::test]
async fn whichever_page_does_not_fit_nothing_of_the_commit_is_written() {
    let file = File::new();
    let org = org(&*file.store().await, "acme").await;
    let mut raw = file.raw().await;
    let mut config = SqliteConfig::new(file.path());
    let before = contents(&mut raw).await;
    let pages: u32 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut raw).await.unwrap();
    let mut refused = 0;
    loop {
        config.max_bytes = Some(u64::from(pages + refused) * 4096);
        let store = SqliteStore::open(&config).await.unwrap();
        match store.commit(everywhere(org)).await {
            Ok(_) => break,
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable { maybe_applied: false, .. }), "{error:?}")
            }
        }
        assert_eq!(contents(&mut raw).await, before, "{refused} pages");
        refused += 1;
        assert!(refused < 100, "a commit of 50 kilobytes does not need so many pages");
    }
    assert!(refused > 10, "only {refused} pages were refused: nothing was tested");
    assert_ne!(contents(&mut raw).await, before);
}

/// The last handle goes while calls are queued: they are all done, and what they did is in the file.
#[tokio::test]
async fn what_is_queued_is_done_when_the_last_handle_goes() {
    let file = File::new();
    let store = file.store().await;
    let org = org(&*store, "acme").await;
    let calls: Vec<_> = (0..300)
        .map(|n| {
            let store = Arc::clone(&store);
            async move { store.commit(audited(&record(org, AGENT, &n.to_string()), "agent.create")).await }
        })
        .collect();
    drop(store);
    for answer in join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(chain(&*file.store().await, org).await.len(), 300);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_so_and_left_alone() {
    let file = File::new();
    std::fs::write(file.path(), "dear diary").unwrap();
    assert!(matches!(file.open("").await.unwrap_err(), OpenError::NotADatabase { .. }));
    assert_eq!(std::fs::read(file.path()).unwrap(), b"dear diary");

    let other = File::new();
    run(&mut other.raw().await, "CREATE TABLE diary (text TEXT)").await.unwrap();
    assert!(matches!(other.open("").await.unwrap_err(), OpenError::Foreign { application_id: 0, .. }));
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_a_panic() {
    let file = File::new();
    let store = file.store().await;
    let org = org(&*store, "acme").await;
    for n in 0..200 {
        put_audited(&*store, &record(org, AGENT, &n.to_string())).await;
    }
    drop(store);
    run(&mut file.raw().await, "PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    let whole = std::fs::read(file.path()).unwrap();
    for page in [1, 3, 20, whole.len() / 4096 - 2] {
        let damaged = File::new();
        let mut bytes = whole.clone();
        bytes[page * 4096..page * 4096 + 2000].fill(0xa5);
        std::fs::write(damaged.path(), bytes).unwrap();
        let error = damaged.open("").await.unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "page {page}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    let cut = File::new();
    std::fs::write(cut.path(), &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(cut.open("").await.unwrap_err(), OpenError::Corrupt { .. }));
}

/// S7: a file of the first schema is brought to the newest, and what was in it stays.
#[tokio::test]
async fn a_file_of_the_first_schema_is_migrated() {
    let file = File::new();
    let org = org(&*file.store().await, "acme").await;
    put_audited(&*file.store().await, &record(org, AGENT, "a")).await;
    let mut raw = file.raw().await;
    run(&mut raw, "DROP TABLE audit_ous; DROP INDEX audit_by_approval; PRAGMA user_version = 1")
        .await
        .unwrap();
    let store = file.store().await;
    assert_eq!(chain(&*store, org).await.len(), 1);
    let mut touching = draft("v", "a");
    touching.draft.change.ous = vec![world::resource()];
    store.commit(Commit { audit: vec![touching], ..Commit::new(org, at(0)) }).await.unwrap();
    assert_eq!(chain(&*store, org).await.len(), 2);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let file = File::new();
    drop(file.store().await);
    run(&mut file.raw().await, "PRAGMA user_version = 99").await.unwrap();
    let error = file.open("").await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_folder_and_a_path_that_cannot_be_written_are_told_apart() {
    let file = File::new();
    let inside = |path: &Path| format!("sqlite://{}", path.display());
    let error = powerloom_store::open(&inside(&file.folder.path().join("no/loom.db"))).await.unwrap_err();
    assert!(matches!(&error, OpenError::MissingFolder { folder } if folder.ends_with("no")), "{error:?}");
    // A folder cannot be written as a file, whoever one is.
    let error = powerloom_store::open(&inside(file.folder.path())).await.unwrap_err();
    assert!(matches!(error, OpenError::Unwritable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_held_by_another_process_is_waited_for_and_then_named_locked() {
    let file = File::new();
    let store = file.open("?busy_timeout_ms=40").await.unwrap();
    let org = org(&*store, "acme").await;
    let mut raw = file.raw().await;
    run(&mut raw, "BEGIN IMMEDIATE").await.unwrap();
    let row = record(org, AGENT, "a");
    let refused = store.commit(audited(&row, "agent.create")).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable { maybe_applied: false, .. }), "{refused:?}");
    assert_eq!(store.orgs().await.unwrap().len(), 1, "reads go on");
    run(&mut raw, "ROLLBACK").await.unwrap();
    store.commit(audited(&row, "agent.create")).await.unwrap();

    let held = File::new();
    run(&mut held.raw().await, "PRAGMA user_version = 0").await.unwrap();
    let mut raw = held.raw().await;
    run(&mut raw, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").await.unwrap();
    let error = held.open("?busy_timeout_ms=40").await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
}

/// Several handles on one file make one chain, because each reads the head inside its own write transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_on_one_file_make_one_chain() {
    let file = File::new();
    let stores = [file.store().await, file.store().await];
    let org = org(&*stores[0], "acme").await;
    let writers = (0..8usize).map(|writer| {
        let store = Arc::clone(&stores[writer % 2]);
        tokio::spawn(async move {
            for n in 0..25 {
                put_audited(&*store, &record(org, AGENT, &format!("{writer}-{n}"))).await;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(chain(&*stores[0], org).await.len(), 200);
    assert_eq!(chain(&*stores[1], org).await, chain(&*stores[0], org).await);
}

/// What is opened again is what was left, and two openings of a new file at once both succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_can_be_made_by_two_at_once_and_opened_again() {
    let file = File::new();
    let stores = join_all((0..4).map(|_| file.store())).await;
    let org: OrgId = org(&*stores[0], "acme").await;
    let row = record(org, AGENT, "a");
    write(&*stores[1], org, vec![put(&row)]).await;
    drop(stores);
    assert_eq!(file.store().await.record(org, &row.key()).await.unwrap(), Some(row));
    assert!(world::chain(&*file.store().await, org).await.is_empty());
}

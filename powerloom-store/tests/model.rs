//! One random history, sent to memory and to SQLite: every answer is the same.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use bytes::Bytes;
use powerloom_core::audit::AuditQuery;
use powerloom_core::clock::Timestamp;
use powerloom_core::conformance::world;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, RemoteRef, SyncOutcome};
use powerloom_core::record::{RecordRow, ResourceKey, Stage};
use powerloom_core::session::delegation::{Delegation, SessionVault};
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{
    AuditWrite, ClaimRequest, Commit, IdempotencyRow, Order, Pause, Precondition, RecordCursor, RecordQuery,
    SessionQuery, Settlement, Store, StoreError, Write,
};
use proptest::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;

fn org(n: u8) -> OrgId {
    OrgId::from_uuid(uuid::Uuid::from_u128(u128::from(n) + 1))
}

fn id(n: u8) -> ResourceId {
    ResourceId::from_uuid(uuid::Uuid::from_u128(u128::from(n) + 100))
}

fn sid(n: u8) -> SessionId {
    SessionId::from_uuid(uuid::Uuid::from_u128(u128::from(n) + 200))
}

fn key(n: u8) -> ResourceKey {
    ResourceKey { kind: if n.is_multiple_of(2) { world::AGENT } else { world::SKILL }, id: id(n) }
}

fn digest(n: u8) -> Digest {
    Digest::of(&[n])
}

fn answer(n: u8, at: Timestamp) -> IdempotencyRow {
    let expires_at = at + std::time::Duration::from_secs(u64::from(n) * 40);
    IdempotencyRow {
        key: format!("k{}", n % 2),
        fingerprint: digest(n),
        outcome: serde_json::json!(n),
        expires_at,
    }
}

fn record(of: u8, n: u8, name: u8, version: u64, stage: Stage, refs: &[u8]) -> RecordRow {
    let mut row = world::record(org(of), key(n).kind, &format!("n{name}"));
    row.meta.id = id(n);
    row.meta.ou = id(name % 3);
    row.meta.version = version;
    row.meta.stage = stage;
    row.refs = refs.iter().map(|n| key(*n)).collect();
    row
}

fn session(of: u8, n: u8, version: u64, status: SessionStatus) -> SessionRecord {
    let mut row = world::session(org(of), sid(n));
    row.agent_id = id(n % 2);
    row.version = version;
    row.status = status;
    // Some have something on the runtime that must go, and are claimed even when they have settled.
    let vault = version.is_multiple_of(2).then_some(SessionVault { id: None, unsure: true });
    row.delegation = Some(Delegation { servers: Vec::new(), handle: None, vault });
    row
}

#[derive(Debug, Clone)]
enum Step {
    Commit { of: u8, expect: Vec<Precondition>, write: Vec<Write>, audit: Vec<AuditWrite> },
    Claim { limit: usize, lease: u64, without_skills: bool },
    Settle(Vec<(u8, u8, u64, SyncOutcome)>),
    Renew(u8, u8, u64),
    Observe(u8, u8, u64, Observation),
    Pause(u8, Option<u64>),
    ClaimSessions { limit: usize, lease: u64 },
    LeaseSession { of: u8, n: u8, fence: u64, until: Option<u64> },
    Reopen,
}

fn conditions() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        (0..5u8, 0..3u64).prop_map(|(n, version)| Precondition::RecordVersion { key: key(n), version }),
        (0..5u8).prop_map(|n| Precondition::Live(key(n))),
        (0..5u8, prop::collection::vec(0..5u8, 0..2)).prop_map(|(n, by)| Precondition::ReferredBy {
            target: key(n),
            by: by.into_iter().map(key).collect(),
        }),
        (0..5u8).prop_map(|n| Precondition::EmptyOu(id(n))),
        (0..3u64).prop_map(Precondition::AuthzEpoch),
        (0..2u8).prop_map(|n| Precondition::IdempotencyFree(format!("k{n}"))),
        (0..3u8, 0..3u64).prop_map(|(n, version)| Precondition::SessionVersion { id: sid(n), version }),
        (0..3u8, 0..3u64).prop_map(|(n, fence)| Precondition::SessionFence { id: sid(n), fence }),
        (0..3u8, 0..3u8).prop_map(|(n, s)| Precondition::Ticket { digest: digest(n), session: sid(s) }),
        (0..3u8, 0..2u8)
            .prop_map(|(n, h)| Precondition::StreamFree { session: sid(n), holder: format!("h{h}") }),
    ]
}

fn stages() -> impl Strategy<Value = Stage> {
    prop_oneof![4 => Just(Stage::Live), 1 => Just(Stage::Archiving), 2 => Just(Stage::Archived)]
}

fn writes(of: u8) -> impl Strategy<Value = Write> {
    let event = |n: u8| world::event((n < 4).then(|| format!("e{n}")).as_deref());
    // Now and then a row of the other organization, which must be refused.
    let whose = prop_oneof![20 => Just(of), 1 => Just(1 - of.min(1))];
    prop_oneof![
        6 => (whose.clone(), 0..5u8, 0..4u8, 1..3u64, stages(), prop::collection::vec(0..5u8, 0..3)).prop_map(
            |(of, n, name, version, stage, refs)| Write::PutRecord(Box::new(record(of, n, name, version, stage, &refs)))
        ),
        1 => Just(Write::BumpAuthzEpoch),
        3 => (0..5u8, 0..3u8).prop_map(|(n, d)| Write::Desire { key: key(n), desired: digest(d) }),
        1 => (0..5u8).prop_map(|n| Write::Remove(key(n))),
        1 => (0..5u8).prop_map(|n| Write::ResetSync(key(n))),
        3 => (whose.clone(), 0..3u8, 1..3u64, prop::sample::select(SessionStatus::ALL.to_vec())).prop_map(
            |(of, n, version, status)| Write::PutSession(Box::new(session(of, n, version, status)))
        ),
        3 => (0..3u8, prop::collection::vec(0..6u8, 0..4)).prop_map(move |(n, ids)| Write::AppendEvents {
            session: sid(n),
            events: ids.into_iter().map(event).collect(),
        }),
        1 => (whose, 0..3u8, 0..3u8).prop_map(|(of, n, s)| {
            let mut row = world::ticket(org(of), sid(s), "x");
            row.digest = digest(n);
            Write::PutTicket(row)
        }),
        1 => (0..3u8).prop_map(|n| Write::TakeTicket(digest(n))),
        1 => (0..3u8, 0..2u8, 0..200u64).prop_map(|(n, h, until)| Write::HoldStream {
            session: sid(n),
            holder: format!("h{h}"),
            until: world::at(until),
        }),
        1 => (0..3u8, 0..2u8).prop_map(|(n, h)| Write::ReleaseStream { session: sid(n), holder: format!("h{h}") }),
        1 => (0..3u8, any::<u8>()).prop_map(|(n, b)| Write::PutSecret { owner: id(n), sealed: world::sealed(b) }),
        1 => (0..3u8).prop_map(|n| Write::DeleteSecret(id(n))),
        1 => (0..3u8).prop_map(|n| Write::PutBlob { digest: digest(n), bytes: Bytes::from(vec![n; 3]) }),
        1 => (0..4u8, 0..100u64).prop_map(|(n, at)| Write::PutIdempotency(answer(n, world::at(at)))),
        1 => (0..8u64).prop_map(Write::EraseAuditPayload),
    ]
}

fn commits() -> impl Strategy<Value = Step> {
    (0..2u8).prop_flat_map(|of| {
        let expect = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(conditions(), 1..3)];
        let audit = prop::collection::vec((0..3u8, any::<bool>(), prop::collection::vec(0..3u8, 0..3)), 0..3);
        (expect, prop::collection::vec(writes(of), 0..4), audit).prop_map(move |(expect, write, audit)| {
            let audit = audit.into_iter().map(|(n, salted, ous)| {
                let mut draft = world::draft("v", &format!("r{n}"));
                let ous: Vec<_> = ous.into_iter().map(id).collect();
                draft.draft.change = draft.draft.change.touching(&ous);
                AuditWrite { salt: draft.salt.filter(|_| salted), ..draft }
            });
            Step::Commit { of, expect, write, audit: audit.collect() }
        })
    })
}

fn outcomes() -> impl Strategy<Value = SyncOutcome> {
    let remote = RemoteRef { id: "r".to_owned(), version: Some(3), parent: None };
    prop_oneof![
        3 => (0..3u8).prop_map(move |d| SyncOutcome::Pushed { pushed: digest(d), remote: remote.clone() }),
        1 => Just(SyncOutcome::Removed),
        1 => Just(SyncOutcome::NotReady { on: "x".to_owned() }),
        2 => any::<bool>().prop_map(|unsure| SyncOutcome::Transient { error: "e".to_owned(), retry_after: None, unsure }),
        1 => Just(SyncOutcome::Permanent { error: "e".to_owned() }),
        1 => Just(SyncOutcome::Released),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let remote = RemoteRef { id: "r".to_owned(), version: None, parent: None };
    let seen = prop_oneof![
        Just(Observation::Gone),
        (0..3u8).prop_map(move |d| Observation::Present { actual: digest(d), remote: remote.clone() }),
    ];
    prop_oneof![
        12 => commits(),
        3 => (0..4usize, 0..60u64, any::<bool>())
            .prop_map(|(limit, lease, without_skills)| Step::Claim { limit, lease, without_skills }),
        3 => prop::collection::vec((0..2u8, 0..5u8, 0..4u64, outcomes()), 0..4).prop_map(Step::Settle),
        1 => (0..2u8, 0..5u8, 0..4u64).prop_map(|(of, n, fence)| Step::Renew(of, n, fence)),
        2 => (0..2u8, 0..5u8, 0..6u64, seen).prop_map(|(of, n, version, seen)| Step::Observe(of, n, version, seen)),
        1 => (0..3u8, prop::option::of(0..300u64)).prop_map(|(of, until)| Step::Pause(of, until)),
        2 => (0..3usize, 0..60u64).prop_map(|(limit, lease)| Step::ClaimSessions { limit, lease }),
        1 => (0..2u8, 0..3u8, 0..3u64, prop::option::of(0..300u64))
            .prop_map(|(of, n, fence, until)| Step::LeaseSession { of, n, fence, until }),
        1 => Just(Step::Reopen),
    ]
}

/// An answer in a form that can be compared.
fn said<T: Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(StoreError::Refused(refused)) => format!("refused: {refused:?}"),
        Err(other) => panic!("{other:?}"),
    }
}

async fn act(store: &dyn Store, step: &Step, now: u64) -> String {
    let moment = world::at(now);
    match step.clone() {
        Step::Commit { of, expect, write, audit } => {
            said(store.commit(Commit { expect, write, audit, ..Commit::new(org(of), moment) }).await)
        }
        Step::Claim { limit, lease, without_skills } => {
            let except = if without_skills { vec![world::SKILL] } else { Vec::new() };
            let request =
                ClaimRequest { until: world::at(now + lease), except, ..world::claim("w", now, limit) };
            said(store.claim(&request).await)
        }
        Step::Settle(results) => {
            let results = results.into_iter().map(|(of, n, fence, outcome)| Settlement {
                org: org(of),
                key: key(n),
                fence,
                outcome,
            });
            said(store.settle(results.collect(), moment, &Backoff::default()).await)
        }
        Step::Renew(of, n, fence) => {
            said(store.renew(&[(org(of), key(n), fence)], world::at(now + 50)).await)
        }
        Step::Observe(of, n, version, seen) => {
            said(store.observe(org(of), &key(n), version, seen, moment).await)
        }
        Step::Pause(of, until) => {
            let pause = until.map(|until| Pause { reason: "r".to_owned(), until: world::at(until) });
            said(store.pause(org(of), pause).await)
        }
        Step::ClaimSessions { limit, lease } => {
            let request = ClaimRequest { until: world::at(now + lease), ..world::claim("w", now, limit) };
            said(store.claim_sessions(&request).await)
        }
        Step::LeaseSession { of, n, fence, until: Some(until) } => {
            said(store.renew_session(org(of), sid(n), fence, world::at(until)).await)
        }
        Step::LeaseSession { of, n, fence, until: None } => {
            said(store.release_session(org(of), sid(n), fence).await)
        }
        Step::Reopen => String::new(),
    }
}

/// Everything that can be read.
async fn dump(store: &dyn Store, now: u64) -> Vec<String> {
    let mut all = vec![
        said(store.orgs().await),
        said(store.org_by_slug("s0").await),
        said(store.sweep(None, 100).await),
        said(store.sweep(Some(&(org(0), key(2))), 2).await),
        said(store.next_due(world::at(now)).await),
    ];
    for n in 0..3 {
        all.push(said(store.ticket(&digest(n)).await));
    }
    for of in (0..3).map(org) {
        world::chain(store, of).await;
        let middle = RecordCursor { kind: world::AGENT, name: "n1".to_owned(), id: id(2) };
        for query in [
            RecordQuery { archived: true, ..RecordQuery::default() },
            RecordQuery { kind: Some(world::SKILL), limit: 2, ..RecordQuery::default() },
            RecordQuery { ou: Some(id(1)), after: Some(middle.clone()), ..RecordQuery::default() },
            RecordQuery { after: Some(middle), order: Order::Descending, ..RecordQuery::default() },
        ] {
            all.push(said(store.list_records(of, &query).await));
        }
        for n in 0..5 {
            all.push(said(store.record(of, &key(n)).await));
            all.push(said(store.referrers(of, &key(n)).await));
            all.push(said(store.sync_state(of, &key(n)).await));
            all.push(said(store.record_by_unique_key(of, &key(n).kind, &format!("n{n}")).await));
            all.push(said(store.secret(of, id(n)).await));
            all.push(said(store.blob(of, &digest(n)).await));
            all.push(said(store.session(of, sid(n)).await));
            all.push(said(store.events(of, sid(n), EventSeq::new(1), 4).await));
            all.push(said(store.idempotency(of, &format!("k{n}"), world::at(now)).await));
        }
        for query in
            [SessionQuery::default(), SessionQuery { active: true, agent: Some(id(0)), ..Default::default() }]
        {
            all.push(said(store.sessions(of, &query).await));
        }
        all.push(said(store.secrets(of, Some(id(0)), 2).await));
        all.push(said(store.audit_rows(of, 1, 3).await));
        let query = AuditQuery { resource_id: Some("r1".to_owned()), limit: 2, ..AuditQuery::default() };
        all.push(said(store.audit_query(of, &query).await));
        let query = AuditQuery { ous: Some([id(0), id(2)].into()), to_seq: Some(9), ..AuditQuery::default() };
        all.push(said(store.audit_query(of, &query).await));
    }
    all
}

async fn compare(history: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let memory = powerloom_store::open("memory:").await.unwrap();
    let mut sqlite: Arc<dyn Store> = powerloom_store::open(&url).await.unwrap();
    for n in 0..2 {
        for store in [&memory, &sqlite] {
            let mut row = world::org_row(org(n), &format!("s{n}"));
            row.root_ou = id(0);
            let commit = Commit { write: vec![Write::CreateOrg(row)], ..Commit::new(org(n), world::at(0)) };
            store.commit(commit).await.unwrap();
        }
    }
    for (n, step) in history.iter().enumerate() {
        let now = n as u64 * 7;
        if matches!(step, Step::Reopen) {
            sqlite = powerloom_store::open(&url).await.unwrap();
            assert_eq!(dump(&*memory, now).await, dump(&*sqlite, now).await);
        }
        let (expected, found) = (act(&*memory, step, now).await, act(&*sqlite, step, now).await);
        assert_eq!(expected, found, "step {n}: {step:?}");
    }
    let now = history.len() as u64 * 7;
    assert_eq!(dump(&*memory, now).await, dump(&*sqlite, now).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, and however often the file is opened anew.
    #[test]
    fn memory_and_sqlite_give_the_same_answers(history in prop::collection::vec(steps(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(compare(history));
    }
}

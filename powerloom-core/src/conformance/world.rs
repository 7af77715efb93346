//! What the cases are made of: organizations, records, sessions, drafts.

use crate::audit::{AuditDecision, AuditDraft, AuditEntry, AuditHead, Change, Verifier};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::entropy::SeededEntropy;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::reconcile::state::RemoteRef;
use crate::record::{KindName, Metadata, RecordRow, ResourceKey, Stage};
use crate::secret::SealedSecret;
use crate::session::event::{EventSeq, NewEvent};
use crate::session::record::{InvokeMode, SessionRecord, SessionSnapshot};
use crate::session::status::SessionStatus;
use crate::session::ticket::TicketRow;
use crate::store::{
    AuditWrite, ClaimRequest, Commit, Committed, OrgRow, Precondition, Refused, Store, StoreError, Write,
};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So many seconds after the first moment of 2025.
#[must_use]
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000) + Duration::from_secs(seconds)
}

fn fresh() -> SeededEntropy {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    SeededEntropy::new(NEXT.fetch_add(1, Ordering::Relaxed) << 20)
}

/// A new resource id.
#[must_use]
pub fn resource() -> ResourceId {
    ResourceId::generate(at(0), &fresh())
}

/// A new session id, born so many seconds into 2025.
#[must_use]
pub fn session_id(seconds: u64) -> SessionId {
    SessionId::generate(at(seconds), &fresh())
}

/// A kind.
pub const AGENT: KindName = KindName::known("Agent");
/// Another kind.
pub const SKILL: KindName = KindName::known("Skill");

/// A new organization of that slug, without records.
pub async fn org(store: &dyn Store, slug: &str) -> OrgId {
    let org = OrgId::generate(at(0), &fresh());
    let mut commit = Commit::new(org, at(0));
    commit.write.push(Write::CreateOrg(org_row(org, slug)));
    store.commit(commit).await.unwrap();
    org
}

/// The row of an organization.
#[must_use]
pub fn org_row(id: OrgId, slug: &str) -> OrgRow {
    OrgRow { id, slug: slug.to_owned(), root_ou: resource(), created_at: at(0), authz_epoch: 0, paused: None }
}

/// A live record with its name as unique key.
#[must_use]
pub fn record(org: OrgId, kind: KindName, name: &str) -> RecordRow {
    let meta = Metadata {
        id: resource(),
        org,
        ou: resource(),
        name: name.to_owned(),
        version: 1,
        generation: 1,
        stage: Stage::Live,
        created_at: at(0),
        updated_at: at(0),
        labels: Default::default(),
        managed: Default::default(),
    };
    let spec = json!({"text": "ä \u{0} \"x\" 😀", "number": 1.5, "large": u64::MAX});
    RecordRow { kind, meta, spec, status: json!(null), unique_key: name.to_owned(), refs: Vec::new() }
}

/// The write that puts a record.
#[must_use]
pub fn put(row: &RecordRow) -> Write {
    Write::PutRecord(Box::new(row.clone()))
}

/// The same record in another stage and one version on.
#[must_use]
pub fn staged(row: &RecordRow, stage: Stage) -> RecordRow {
    let mut row = row.clone();
    row.meta.stage = stage;
    row.meta.version += 1;
    row
}

/// An audit draft about `id`, salted.
#[must_use]
pub fn draft(verb: &str, id: &str) -> AuditWrite {
    let draft = AuditDraft {
        ts: at(0),
        actor: "user:ada@acme.com".to_owned(),
        verb: verb.to_owned(),
        resource_kind: "Agent".to_owned(),
        resource_id: id.to_owned(),
        decision: AuditDecision::Allow,
        delegated_from_session: None,
        approval_request_id: None,
        change: Change { after: json!({"name": "ä \u{0} \"", "n": 1.25}), ..Change::default() },
    };
    AuditWrite { draft, salt: Some([7; 16]) }
}

/// A pending session.
#[must_use]
pub fn session(org: OrgId, id: SessionId) -> SessionRecord {
    let remote = || RemoteRef { id: "remote".to_owned(), version: Some(1), parent: None };
    SessionRecord {
        id,
        org,
        agent_id: resource(),
        ou: resource(),
        started_by: "user:x".to_owned(),
        on_behalf_of: "user:x".to_owned(),
        parent: None,
        depth: 1,
        title: None,
        prompt: "hello \u{0} \"you\"".to_owned(),
        mode: InvokeMode::Sync,
        delegation: None,
        snapshot: SessionSnapshot {
            agent_name: "a".to_owned(),
            agent: remote(),
            environment: remote(),
            skills: Vec::new(),
            mcp_servers: Vec::new(),
            vault_ids: Vec::new(),
        },
        status: SessionStatus::Pending,
        error: None,
        remote_id: None,
        unsure: false,
        created_at: at(0),
        running_at: None,
        settled_at: None,
        timeout_ms: 600_000,
        cancel_requested: false,
        last_seq: EventSeq::START,
        event_count: 0,
        mcp_tool_use_count: 0,
        mcp_error_count: 0,
        degradation_flagged: false,
        degradation_reason: None,
        usage: None,
        cost: None,
        lease: None,
        fence: 0,
        version: 1,
    }
}

/// An event; `None` for one of our own frames.
#[must_use]
pub fn event(id: Option<&str>) -> NewEvent {
    NewEvent {
        event_id: id.map(str::to_owned),
        kind: "agent.message".to_owned(),
        payload: json!({"text": id, "odd": "\u{0}\"\\"}),
        at: at(1),
    }
}

/// A ticket for a session, good for 60 seconds from the first moment on.
#[must_use]
pub fn ticket(org: OrgId, session: SessionId, text: &str) -> TicketRow {
    let digest = Digest::of(text.as_bytes());
    TicketRow { digest, org, session, holder: "user:x".to_owned(), expires_at: at(60) }
}

/// A sealed secret; it opens with no key.
#[must_use]
pub fn sealed(byte: u8) -> SealedSecret {
    let head = [1, 2, b'm', b'k', 0, 0];
    SealedSecret::from_bytes(&[head.as_slice(), &[byte; 32 + 12 + 16]].concat()).unwrap()
}

/// A claim by `owner` at a moment, for a minute.
#[must_use]
pub fn claim(owner: &str, seconds: u64, limit: usize) -> ClaimRequest {
    ClaimRequest {
        owner: owner.to_owned(),
        now: at(seconds),
        until: at(seconds + 60),
        limit,
        except: Vec::new(),
    }
}

/// Commits `write` at the first moment.
pub async fn write(store: &dyn Store, org: OrgId, write: Vec<Write>) -> Committed {
    store.commit(Commit { write, ..Commit::new(org, at(0)) }).await.unwrap()
}

/// Commits one record with its audit entry.
pub async fn put_audited(store: &dyn Store, row: &RecordRow) -> Committed {
    let audit = vec![draft("agent.create", &row.meta.id.to_string())];
    store.commit(Commit { write: vec![put(row)], audit, ..Commit::new(row.meta.org, at(0)) }).await.unwrap()
}

/// Declares resources to be pushed; each has its own hash.
pub async fn desire(store: &dyn Store, org: OrgId, count: usize) -> Vec<ResourceKey> {
    let keys: Vec<ResourceKey> = (0..count).map(|_| ResourceKey { kind: AGENT, id: resource() }).collect();
    let desired = |key: &ResourceKey| Digest::of(key.to_string().as_bytes());
    let writes = keys.iter().map(|key| Write::Desire { key: key.clone(), desired: desired(key) }).collect();
    write(store, org, writes).await;
    keys
}

/// Whether a commit that does nothing but expect is taken.
pub async fn holds(store: &dyn Store, org: OrgId, moment: Timestamp, condition: Precondition) -> bool {
    let commit = Commit { expect: vec![condition.clone()], ..Commit::new(org, moment) };
    match store.commit(commit).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(refused(error), Refused::Precondition(Box::new(condition)));
            false
        }
    }
}

/// The refusal inside an error.
#[must_use]
pub fn refused(error: StoreError) -> Refused {
    match error {
        StoreError::Refused(refused) => refused,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The whole chain of an organization, verified.
pub async fn chain(store: &dyn Store, org: OrgId) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut verifier = Verifier::new(org, None, None);
    loop {
        let page = store.audit_rows(org, entries.last().map_or(0, |entry| entry.row.seq), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|entry| verifier.push(entry).unwrap());
        entries.extend(page);
    }
    let head = store.audit_head(org).await.unwrap();
    assert_eq!(verifier.finish().unwrap().head, head);
    assert_eq!(head.seq, entries.len() as u64);
    assert!(entries.is_empty() == (head == AuditHead::GENESIS));
    entries
}

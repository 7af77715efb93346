//! Organizations know nothing of each other (R5).

use crate::audit::{AuditHead, AuditQuery};
use crate::conformance::world::{
    AGENT, SKILL, at, chain, claim, desire, draft, event, holds, org, org_row, put, record, refused, sealed,
    session, session_id, ticket, write,
};
use crate::digest::Digest;
use crate::id::OrgId;
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, SyncOutcome};
use crate::record::RecordRow;
use crate::session::event::EventSeq;
use crate::session::record::SessionRecord;
use crate::store::{
    Commit, IdempotencyRow, Precondition, RecordQuery, Refused, SessionQuery, Settlement, Store, Write,
};
use bytes::Bytes;
use serde_json::json;

/// An organization with something in every table.
async fn full(store: &dyn Store, slug: &str) -> (OrgId, RecordRow, SessionRecord) {
    let org = org(store, slug).await;
    let mut row = record(org, AGENT, "a");
    row.refs = vec![record(org, SKILL, "s").key()];
    let session = session(org, session_id(0));
    let answer = IdempotencyRow {
        key: "k".to_owned(),
        fingerprint: Digest::of(b"f"),
        outcome: json!(slug),
        expires_at: at(1000),
    };
    let mut commit = Commit::new(org, at(0));
    commit.write = vec![
        put(&row),
        Write::Desire { key: row.key(), desired: Digest::of(b"d") },
        Write::PutSecret { owner: row.meta.id, sealed: sealed(1) },
        Write::PutBlob { digest: Digest::of(b"b"), bytes: Bytes::from_static(b"b") },
        Write::PutIdempotency(answer),
        Write::PutSession(Box::new(session.clone())),
        Write::AppendEvents { session: session.id, events: vec![event(Some("e"))] },
        Write::PutTicket(ticket(org, session.id, slug)),
        Write::HoldStream { session: session.id, holder: "h".to_owned(), until: at(500) },
        Write::BumpAuthzEpoch,
    ];
    commit.audit = vec![draft("agent.create", "a")];
    store.commit(commit).await.unwrap();
    (org, row, session)
}

/// R5: every read method, asked with the wrong organization, answers as if nothing were there.
pub async fn another_organization_reads_nothing(store: &dyn Store) {
    let (_, row, session) = full(store, "acme").await;
    let other = org(store, "other").await;
    let (key, id) = (row.key(), session.id);
    assert_eq!(store.record(other, &key).await.unwrap(), None);
    assert!(store.records(other, std::slice::from_ref(&key)).await.unwrap().is_empty());
    assert_eq!(store.record_by_unique_key(other, &AGENT, "a").await.unwrap(), None);
    assert!(store.list_records(other, &RecordQuery::default()).await.unwrap().is_empty());
    let of_ou = RecordQuery { ou: Some(row.meta.ou), ..RecordQuery::default() };
    assert!(store.list_records(other, &of_ou).await.unwrap().is_empty());
    assert!(store.referrers(other, &row.refs[0]).await.unwrap().is_empty());
    assert_eq!(store.secret(other, row.meta.id).await.unwrap(), None);
    assert!(store.secrets(other, None, 10).await.unwrap().is_empty());
    assert_eq!(store.blob(other, &Digest::of(b"b")).await.unwrap(), None);
    assert_eq!(store.idempotency(other, "k", at(0)).await.unwrap(), None);
    assert_eq!(store.audit_head(other).await.unwrap(), AuditHead::GENESIS);
    assert!(store.audit_rows(other, 0, 10).await.unwrap().is_empty());
    assert!(store.audit_query(other, &AuditQuery::default()).await.unwrap().is_empty());
    assert_eq!(store.sync_state(other, &key).await.unwrap(), None);
    assert!(store.sync_states(other, &[key]).await.unwrap().is_empty());
    assert_eq!(store.session(other, id).await.unwrap(), None);
    assert!(store.sessions(other, &SessionQuery::default()).await.unwrap().is_empty());
    assert!(store.events(other, id, EventSeq::START, 10).await.unwrap().is_empty());
    assert_eq!(store.org(OrgId::from_uuid(id.as_uuid())).await.unwrap(), None);
}

/// Commits 9: nothing of another organization is written, and its rows satisfy no precondition.
pub async fn another_organization_writes_nothing(store: &dyn Store) {
    let (acme, row, session) = full(store, "acme").await;
    let other = org(store, "other").await;
    let claimed = store.claim(&claim("w", 0, 1)).await.unwrap().remove(0);
    store.claim_sessions(&claim("w", 0, 1)).await.unwrap();
    let before =
        (store.record(acme, &row.key()).await.unwrap(), store.session(acme, session.id).await.unwrap());
    let ticket = ticket(acme, session.id, "acme");

    for condition in [
        Precondition::Live(row.key()),
        Precondition::RecordVersion { key: row.key(), version: 1 },
        Precondition::ReferredBy { target: row.refs[0].clone(), by: vec![row.key()] },
        Precondition::AuthzEpoch(1),
        Precondition::SessionVersion { id: session.id, version: 1 },
        Precondition::SessionFence { id: session.id, fence: 1 },
        Precondition::Ticket { digest: ticket.digest, session: session.id },
    ] {
        assert!(holds(store, acme, at(1), condition.clone()).await, "{condition:?}");
        assert!(!holds(store, other, at(1), condition.clone()).await, "{condition:?}");
    }
    for condition in [
        Precondition::EmptyOu(row.meta.ou),
        Precondition::IdempotencyFree("k".to_owned()),
        Precondition::StreamFree { session: session.id, holder: "x".to_owned() },
    ] {
        assert!(!holds(store, acme, at(1), condition.clone()).await, "{condition:?}");
        assert!(holds(store, other, at(1), condition.clone()).await, "{condition:?}");
    }
    for foreign in [put(&row), Write::PutSession(Box::new(session.clone())), Write::PutTicket(ticket.clone())]
    {
        let commit = Commit { write: vec![foreign], ..Commit::new(other, at(1)) };
        assert_eq!(refused(store.commit(commit).await.unwrap_err()), Refused::NoSuchOrg(acme));
    }
    let commit = Commit { write: vec![Write::CreateOrg(org_row(acme, "x"))], ..Commit::new(other, at(1)) };
    assert_eq!(refused(store.commit(commit).await.unwrap_err()), Refused::NoSuchOrg(acme));
    let events = Write::AppendEvents { session: session.id, events: vec![event(None)] };
    let commit = Commit { write: vec![events], ..Commit::new(other, at(1)) };
    assert_eq!(refused(store.commit(commit).await.unwrap_err()), Refused::NoSuchSession(session.id));

    let harmless = vec![
        Write::TakeTicket(ticket.digest),
        Write::Remove(row.key()),
        Write::ResetSync(row.key()),
        Write::DeleteSecret(row.meta.id),
        Write::EraseAuditPayload(1),
        Write::ReleaseStream { session: session.id, holder: "h".to_owned() },
    ];
    write(store, other, harmless).await;
    let settlement =
        Settlement { org: other, key: row.key(), fence: claimed.fence, outcome: SyncOutcome::Released };
    assert_eq!(store.settle(vec![settlement], at(1), &Backoff::default()).await.unwrap(), [false]);
    assert_eq!(store.renew(&[(other, row.key(), claimed.fence)], at(500)).await.unwrap(), [false]);
    assert!(!store.observe(other, &row.key(), claimed.version, Observation::Gone, at(900)).await.unwrap());
    assert!(!store.renew_session(other, session.id, 1, at(500)).await.unwrap());
    assert!(!store.release_session(other, session.id, 1).await.unwrap());

    assert_eq!(store.sync_state(acme, &row.key()).await.unwrap(), Some(claimed));
    assert_eq!(store.ticket(&ticket.digest).await.unwrap(), Some(ticket));
    assert_eq!(store.secret(acme, row.meta.id).await.unwrap(), Some(sealed(1)));
    assert!(!chain(store, acme).await[0].is_erased());
    let stream = Precondition::StreamFree { session: session.id, holder: "x".to_owned() };
    assert!(!holds(store, acme, at(1), stream).await);
    let after =
        (store.record(acme, &row.key()).await.unwrap(), store.session(acme, session.id).await.unwrap());
    assert_eq!(after, before);
}

/// AuditLog 3, Commits 5: numbers, names and epochs of one organization do not depend on another's.
pub async fn chains_and_logs_are_apart(store: &dyn Store) {
    let (acme, other) = (org(store, "acme").await, org(store, "other").await);
    let shared = session_id(0);
    for n in 1..=3u64 {
        for org in [acme, other] {
            let mut commit = Commit { audit: vec![draft("v", "r")], ..Commit::new(org, at(0)) };
            commit.write = vec![
                Write::PutSession(Box::new(session(org, shared))),
                Write::AppendEvents { session: shared, events: vec![event(Some(&n.to_string()))] },
                put(&record(org, AGENT, &n.to_string())),
            ];
            let committed = store.commit(commit).await.unwrap();
            assert_eq!(committed.audit_head.unwrap().seq, n);
            assert_eq!(committed.events[0].seq, EventSeq::new(n));
        }
    }
    desire(store, acme, 1).await;
    assert_eq!(chain(store, acme).await.len(), 3);
    assert_eq!(chain(store, other).await.len(), 3);
}

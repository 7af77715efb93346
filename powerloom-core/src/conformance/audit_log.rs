//! The audit chain.

use crate::audit::{AuditDecision, AuditEntry, AuditQuery, SALT_LEN};
use crate::conformance::world::{AGENT, at, chain, draft, org, put, record, refused, resource, write};
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::store::{AuditWrite, Commit, Refused, Store, Write};
use serde_json::json;

/// Commits 4, AuditLog 1: numbers from 1 without a gap, each hash over the one before, drafts in their order.
pub async fn audit_entries_make_one_chain(store: &dyn Store) {
    let org = org(store, "acme").await;
    assert!(chain(store, org).await.is_empty());
    for round in 0..5 {
        let audit = vec![draft("one", &round.to_string()), draft("two", &round.to_string())];
        let committed = store.commit(Commit { audit, ..Commit::new(org, at(round)) }).await.unwrap();
        assert_eq!(committed.audit_head.unwrap().seq, 2 * round + 2);
    }
    let entries = chain(store, org).await;
    assert_eq!(entries.len(), 10);
    assert_eq!((entries[8].row.verb.as_str(), entries[9].row.verb.as_str()), ("one", "two"));
    assert_eq!(store.audit_rows(org, 3, 2).await.unwrap(), entries[3..5]);
    assert_eq!(write(store, org, vec![]).await.audit_head, None);
}

/// AuditLog 2: what was hashed is what comes back, salted or not.
pub async fn audit_bytes_come_back_verbatim(store: &dyn Store) {
    let org = org(store, "acme").await;
    let salts: [Option<[u8; SALT_LEN]>; 2] = [None, Some([200; SALT_LEN])];
    let audit: Vec<AuditWrite> = salts
        .iter()
        .map(|salt| {
            let mut write = AuditWrite { salt: *salt, ..draft("agent.create", "ä\u{0}\"\\ 😀") };
            write.draft.decision = AuditDecision::Deny;
            write.draft.delegated_from_session = Some("s".to_owned());
            write.draft.approval_request_id = Some("r".to_owned());
            write.draft.change.detail = Some(json!({"why": "\u{1f} \u{7f}"}));
            write
        })
        .collect();
    store.commit(Commit { audit: audit.clone(), ..Commit::new(org, at(0)) }).await.unwrap();
    for ((entry, sent), salt) in chain(store, org).await.into_iter().zip(audit).zip(salts) {
        assert_eq!(entry.row_bytes, entry.row.to_canonical());
        assert_eq!(entry.payload, Some(sent.draft.change.to_payload().unwrap()));
        assert_eq!((entry.salt, entry.row.resource_id), (salt, sent.draft.resource_id));
        assert_eq!(entry.row.approval_request_id.as_deref(), Some("r"));
    }
}

/// Reliability A8: erasure deletes payload and salt, and the chain stays whole.
pub async fn an_erased_payload_keeps_the_chain(store: &dyn Store) {
    let org = org(store, "acme").await;
    let audit = vec![draft("a", "1"), draft("b", "2"), draft("c", "3")];
    store.commit(Commit { audit, ..Commit::new(org, at(0)) }).await.unwrap();
    let erase = |seq| Write::EraseAuditPayload(seq);
    let mut commit =
        Commit { write: vec![erase(2), erase(2), erase(4), erase(9)], ..Commit::new(org, at(0)) };
    commit.audit = vec![draft("erase", "2")];
    store.commit(commit).await.unwrap();
    let erased: Vec<bool> = chain(store, org).await.iter().map(AuditEntry::is_erased).collect();
    assert_eq!(erased, [false, true, false, false], "what was not there yet is not erased");
    assert!(store.audit_rows(org, 1, 1).await.unwrap()[0].salt.is_none());
}

/// Sem. 2.9: if the entry cannot be written, the change does not happen.
pub async fn a_change_that_cannot_be_hashed_is_refused_with_all_it_came_with(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = record(org, AGENT, "a");
    let mut odd = draft("agent.create", "a");
    odd.draft.change.after = json!(u64::MAX);
    let mut commit = Commit { write: vec![put(&row)], ..Commit::new(org, at(0)) };
    commit.audit = vec![draft("fine", "a"), odd];
    let error = store.commit(commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(refused(error), Refused::Audit(_)));
    assert_eq!(store.record(org, &row.key()).await.unwrap(), None);
    assert!(chain(store, org).await.is_empty());
}

/// Sem. 2.9: entries are found by the OUs they touch, also once their payload is erased, and in no other organization.
pub async fn audit_queries_find_what_touches_an_ou(store: &dyn Store) {
    let (org, other) = (org(store, "acme").await, org(store, "globex").await);
    let (a, b, c) = (resource(), resource(), resource());
    let mut audit: Vec<AuditWrite> = (1..=4u64).map(|n| draft("v", &n.to_string())).collect();
    for (write, ous) in audit.iter_mut().zip([vec![a], vec![b, a], vec![c], vec![]]) {
        write.draft.change = write.draft.change.clone().touching(&ous);
    }
    store.commit(Commit { audit, ..Commit::new(org, at(0)) }).await.unwrap();
    let mut foreign = draft("v", "5");
    foreign.draft.change.ous = vec![a];
    store.commit(Commit { audit: vec![foreign], ..Commit::new(other, at(0)) }).await.unwrap();
    store
        .commit(Commit { write: vec![Write::EraseAuditPayload(2)], ..Commit::new(org, at(0)) })
        .await
        .unwrap();
    let found = async |query: AuditQuery| -> Vec<u64> {
        store.audit_query(org, &query).await.unwrap().iter().map(|entry| entry.row.seq).collect()
    };
    let about =
        |ous: &[ResourceId]| AuditQuery { ous: Some(ous.iter().copied().collect()), ..AuditQuery::default() };
    assert_eq!(found(about(&[a])).await, [2, 1]);
    assert_eq!(found(about(&[b])).await, [2]);
    assert_eq!(found(about(&[c, a])).await, [3, 2, 1], "each once");
    assert_eq!(found(about(&[])).await, Vec::<u64>::new(), "no OU is not every OU");
    assert_eq!(found(AuditQuery { to_seq: Some(1), ..about(&[a, b]) }).await, [1]);
    assert_eq!(found(AuditQuery { from_seq: Some(2), limit: 1, ..about(&[a, b, c]) }).await, [3]);
    chain(store, org).await;
}

/// Every filter of a query must hold; the newest entry comes first.
pub async fn audit_queries_filter_and_show_the_newest_first(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut audit: Vec<AuditWrite> = (1..=6u64).map(|n| draft("v", &n.to_string())).collect();
    for (n, write) in (1..).zip(&mut audit) {
        write.draft.ts = at(n);
    }
    audit[0].draft.approval_request_id = Some("r".to_owned());
    audit[1].draft.actor = "user:x".to_owned();
    audit[2].draft.verb = "w".to_owned();
    audit[3].draft.resource_kind = "Skill".to_owned();
    audit[4].draft.delegated_from_session = Some("s".to_owned());
    audit[5].draft.decision = AuditDecision::Deny;
    store.commit(Commit { audit, ..Commit::new(org, at(0)) }).await.unwrap();
    let all = AuditQuery::default();
    let cases: Vec<(AuditQuery, Vec<u64>)> = vec![
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (AuditQuery { limit: 2, ..all.clone() }, vec![6, 5]),
        (AuditQuery { actor: Some("user:x".to_owned()), ..all.clone() }, vec![2]),
        (AuditQuery { verb: Some("w".to_owned()), ..all.clone() }, vec![3]),
        (AuditQuery { resource_kind: Some("Skill".to_owned()), ..all.clone() }, vec![4]),
        (AuditQuery { resource_id: Some("1".to_owned()), ..all.clone() }, vec![1]),
        (AuditQuery { session: Some("s".to_owned()), ..all.clone() }, vec![5]),
        (AuditQuery { approval: Some("r".to_owned()), ..all.clone() }, vec![1]),
        (AuditQuery { decision: Some(AuditDecision::Deny), ..all.clone() }, vec![6]),
        (AuditQuery { from_seq: Some(3), to_seq: Some(4), ..all.clone() }, vec![4, 3]),
        (AuditQuery { from: Some(at(2)), to: Some(at(4)), ..all.clone() }, vec![3, 2]),
        (AuditQuery { verb: Some("w".to_owned()), actor: Some("user:x".to_owned()), ..all }, vec![]),
    ];
    for (query, wanted) in cases {
        let found = store.audit_query(org, &query).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.row.seq).collect::<Vec<_>>(), wanted, "{query:?}");
    }
}

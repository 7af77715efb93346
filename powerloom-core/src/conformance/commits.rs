//! Commits: atomic, conditional, unique.

use crate::conformance::world::{
    AGENT, SKILL, at, claim, desire, draft, holds, org, org_row, put, put_audited, record, refused, resource,
    sealed, session, session_id, staged, write,
};
use crate::digest::Digest;
use crate::id::OrgId;
use crate::record::{ResourceKey, Stage};
use crate::store::{Commit, Pause, Precondition, Refused, Store, Write};
use bytes::Bytes;

/// Commits 1: everything in a commit becomes visible together.
pub async fn a_commit_happens_as_a_whole(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = record(org, AGENT, "a");
    let blob = Bytes::from_static(b"\0\x01bytes");
    let mut commit = Commit::new(org, at(5));
    commit.write = vec![
        put(&row),
        Write::Desire { key: row.key(), desired: Digest::of(b"d") },
        Write::PutSecret { owner: row.meta.id, sealed: sealed(1) },
        Write::PutBlob { digest: Digest::of(&blob), bytes: blob.clone() },
        Write::BumpAuthzEpoch,
    ];
    commit.audit = vec![draft("agent.create", "a")];
    let committed = store.commit(commit).await.unwrap();
    assert_eq!(committed.authz_epoch, 1);
    assert_eq!(committed.audit_head.unwrap(), store.audit_head(org).await.unwrap());
    assert_eq!(store.record(org, &row.key()).await.unwrap(), Some(row.clone()));
    assert_eq!(store.sync_state(org, &row.key()).await.unwrap().unwrap().next_attempt_at, at(5));
    assert_eq!(store.secret(org, row.meta.id).await.unwrap(), Some(sealed(1)));
    assert_eq!(store.blob(org, &Digest::of(&blob)).await.unwrap(), Some(blob));
}

/// Commits 1 and 2: a commit that is refused at its very last write has written nothing.
pub async fn a_refused_commit_leaves_no_trace(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (taken, row) = (record(org, AGENT, "taken"), record(org, AGENT, "new"));
    write(store, org, vec![put(&taken)]).await;
    let mut commit = Commit::new(org, at(0));
    commit.write = vec![
        put(&row),
        Write::BumpAuthzEpoch,
        Write::Desire { key: row.key(), desired: Digest::of(b"d") },
        Write::PutSecret { owner: row.meta.id, sealed: sealed(1) },
        put(&record(org, AGENT, "taken")),
    ];
    commit.audit = vec![draft("agent.create", "a")];
    let refusal = refused(store.commit(commit).await.unwrap_err());
    assert_eq!(refusal, Refused::NameTaken { kind: AGENT, unique_key: "taken".to_owned() });
    assert_eq!(store.record(org, &row.key()).await.unwrap(), None);
    assert_eq!(store.record_by_unique_key(org, &AGENT, "new").await.unwrap(), None);
    assert_eq!(store.sync_state(org, &row.key()).await.unwrap(), None);
    assert_eq!(store.secret(org, row.meta.id).await.unwrap(), None);
    assert_eq!(store.org(org).await.unwrap().unwrap().authz_epoch, 0);
    assert_eq!(store.audit_head(org).await.unwrap().seq, 0);
}

/// Commits 2.
pub async fn the_first_condition_that_does_not_hold_is_named(store: &dyn Store) {
    let org = org(store, "acme").await;
    let first = Precondition::AuthzEpoch(7);
    let mut commit = Commit::new(org, at(0));
    commit.expect = vec![Precondition::AuthzEpoch(0), first.clone(), Precondition::AuthzEpoch(8)];
    let refusal = refused(store.commit(commit).await.unwrap_err());
    assert_eq!(refusal, Refused::Precondition(Box::new(first)));
}

/// Commits 2; S2: a stale version is refused, and 0 means that there is no record.
pub async fn a_record_has_the_version_that_was_read(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = record(org, AGENT, "a");
    let version = |version| Precondition::RecordVersion { key: row.key(), version };
    assert!(holds(store, org, at(0), version(0)).await);
    assert!(!holds(store, org, at(0), version(1)).await);
    write(store, org, vec![put(&row)]).await;
    assert!(holds(store, org, at(0), version(1)).await);
    assert!(!holds(store, org, at(0), version(0)).await);
    write(store, org, vec![put(&staged(&row, Stage::Archived))]).await;
    assert!(holds(store, org, at(0), version(2)).await);
    assert!(!holds(store, org, at(0), version(1)).await);
}

/// Commits 2.
pub async fn a_record_is_live_or_not(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = record(org, AGENT, "a");
    let live = || Precondition::Live(row.key());
    assert!(!holds(store, org, at(0), live()).await);
    for (stage, is) in [(Stage::Live, true), (Stage::Archiving, false), (Stage::Archived, false)] {
        write(store, org, vec![put(&staged(&row, stage))]).await;
        assert_eq!(holds(store, org, at(0), live()).await, is, "{stage:?}");
    }
}

/// Commits 2: referrers are those that are not archived; their order does not matter.
pub async fn referrers_are_exactly_these(store: &dyn Store) {
    let org = org(store, "acme").await;
    let target = record(org, SKILL, "s");
    let (mut one, mut two) = (record(org, AGENT, "one"), record(org, AGENT, "two"));
    let by = |by: Vec<ResourceKey>| Precondition::ReferredBy { target: target.key(), by };
    write(store, org, vec![put(&target), put(&one)]).await;
    assert!(holds(store, org, at(0), by(vec![])).await);
    one.refs = vec![target.key()];
    two.refs = vec![target.key(), target.key()];
    write(store, org, vec![put(&one), put(&two)]).await;
    assert!(holds(store, org, at(0), by(vec![two.key(), one.key()])).await);
    assert!(!holds(store, org, at(0), by(vec![one.key()])).await);
    assert!(!holds(store, org, at(0), by(vec![])).await);
    write(store, org, vec![put(&staged(&one, Stage::Archived))]).await;
    assert!(holds(store, org, at(0), by(vec![two.key()])).await);
    two.refs = Vec::new();
    write(store, org, vec![put(&two)]).await;
    assert!(holds(store, org, at(0), by(vec![])).await);
}

/// Commits 2: the OU itself, which may govern itself, does not count.
pub async fn an_ou_is_empty_or_not(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut ou = record(org, AGENT, "ou");
    ou.meta.ou = ou.meta.id;
    let mut member = record(org, AGENT, "member");
    member.meta.ou = ou.meta.id;
    let empty = || Precondition::EmptyOu(ou.meta.id);
    write(store, org, vec![put(&ou)]).await;
    assert!(holds(store, org, at(0), empty()).await);
    write(store, org, vec![put(&member)]).await;
    assert!(!holds(store, org, at(0), empty()).await);
    write(store, org, vec![put(&staged(&member, Stage::Archiving))]).await;
    assert!(!holds(store, org, at(0), empty()).await);
    write(store, org, vec![put(&staged(&member, Stage::Archived))]).await;
    assert!(holds(store, org, at(0), empty()).await);
    member.meta.ou = resource();
    write(store, org, vec![put(&member)]).await;
    assert!(holds(store, org, at(0), empty()).await);
}

/// Commits 2.
pub async fn the_authorization_epoch_is_raised_and_compared(store: &dyn Store) {
    let org = org(store, "acme").await;
    assert!(holds(store, org, at(0), Precondition::AuthzEpoch(0)).await);
    assert_eq!(write(store, org, vec![Write::BumpAuthzEpoch]).await.authz_epoch, 1);
    assert!(!holds(store, org, at(0), Precondition::AuthzEpoch(0)).await);
    assert!(holds(store, org, at(0), Precondition::AuthzEpoch(1)).await);
    assert_eq!(store.org(org).await.unwrap().unwrap().authz_epoch, 1);
}

/// Commits 2.
pub async fn a_session_has_the_version_that_was_read(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = session(org, session_id(0));
    let version = |version| Precondition::SessionVersion { id: row.id, version };
    assert!(holds(store, org, at(0), version(0)).await);
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    assert!(!holds(store, org, at(0), version(0)).await);
    assert!(holds(store, org, at(0), version(1)).await);
}

/// Commits 3: a name is free again once its record is archived, and not before.
pub async fn a_name_is_held_until_its_record_is_archived(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (first, second) = (record(org, AGENT, "n"), record(org, AGENT, "n"));
    put_audited(store, &first).await;
    write(store, org, vec![put(&record(org, SKILL, "n"))]).await;
    for stage in [Stage::Live, Stage::Archiving] {
        write(store, org, vec![put(&staged(&first, stage))]).await;
        let commit = Commit { write: vec![put(&second)], ..Commit::new(org, at(0)) };
        let refusal = refused(store.commit(commit).await.unwrap_err());
        assert_eq!(refusal, Refused::NameTaken { kind: AGENT, unique_key: "n".to_owned() });
    }
    write(store, org, vec![put(&staged(&first, Stage::Archived))]).await;
    assert_eq!(store.record_by_unique_key(org, &AGENT, "n").await.unwrap(), None);
    write(store, org, vec![put(&second)]).await;
    assert_eq!(store.record_by_unique_key(org, &AGENT, "n").await.unwrap(), Some(second));
    let commit = Commit { write: vec![put(&first)], ..Commit::new(org, at(0)) };
    assert!(matches!(refused(store.commit(commit).await.unwrap_err()), Refused::NameTaken { .. }));
}

/// Commits 3: writes happen in their order, so a name may change hands in one commit.
pub async fn names_move_within_one_commit(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (mut one, mut two) = (record(org, AGENT, "one"), record(org, AGENT, "two"));
    write(store, org, vec![put(&one), put(&two)]).await;
    one.unique_key = "free".to_owned();
    two.unique_key = "one".to_owned();
    let mut renamed = one.clone();
    renamed.unique_key = "two".to_owned();
    write(store, org, vec![put(&one), put(&two), put(&renamed)]).await;
    assert_eq!(store.record_by_unique_key(org, &AGENT, "one").await.unwrap(), Some(two.clone()));
    assert_eq!(store.record_by_unique_key(org, &AGENT, "two").await.unwrap(), Some(renamed.clone()));
    assert_eq!(store.record_by_unique_key(org, &AGENT, "free").await.unwrap(), None);
    // In the other order it is refused.
    let commit =
        Commit { write: vec![put(&record(org, AGENT, "two")), put(&one)], ..Commit::new(org, at(0)) };
    assert!(matches!(refused(store.commit(commit).await.unwrap_err()), Refused::NameTaken { .. }));
}

/// Neither the id nor the slug of an organization can be taken twice.
pub async fn an_organization_is_made_once(store: &dyn Store) {
    let first = org(store, "acme").await;
    for (id, slug) in [(first, "other"), (OrgId::from_uuid(resource().as_uuid()), "acme")] {
        let commit = Commit { write: vec![Write::CreateOrg(org_row(id, slug))], ..Commit::new(id, at(0)) };
        let refusal = refused(store.commit(commit).await.unwrap_err());
        assert_eq!(refusal, Refused::Exists { slug: slug.to_owned() });
    }
    assert_eq!(store.orgs().await.unwrap().len(), 1);
}

/// Commits 2.
pub async fn nothing_is_committed_to_an_organization_that_does_not_exist(store: &dyn Store) {
    let missing = OrgId::from_uuid(resource().as_uuid());
    let commit = Commit { audit: vec![draft("x", "y")], ..Commit::new(missing, at(0)) };
    assert_eq!(refused(store.commit(commit).await.unwrap_err()), Refused::NoSuchOrg(missing));
    assert_eq!(refused(store.pause(missing, None).await.unwrap_err()), Refused::NoSuchOrg(missing));
}

/// The sync writes do what the methods of `SyncState` do, and a reset ends the organization's pause.
pub async fn sync_states_follow_the_writes(store: &dyn Store) {
    let org = org(store, "acme").await;
    let key = desire(store, org, 1).await.remove(0);
    let state = store.sync_state(org, &key).await.unwrap().unwrap();
    assert!(state.is_due(at(0)) && state.version == 1);
    write(store, org, vec![Write::Desire { key: key.clone(), desired: Digest::of(b"other") }]).await;
    assert_eq!(store.sync_state(org, &key).await.unwrap().unwrap().version, 2);
    write(store, org, vec![Write::Remove(key.clone())]).await;
    assert!(store.sync_state(org, &key).await.unwrap().unwrap().removing);

    let unknown = ResourceKey { kind: AGENT, id: resource() };
    let pause = Pause { reason: "key refused".to_owned(), until: at(1000) };
    store.pause(org, Some(pause.clone())).await.unwrap();
    assert_eq!(store.org(org).await.unwrap().unwrap().paused, Some(pause));
    write(store, org, vec![Write::Remove(unknown.clone()), Write::ResetSync(unknown.clone())]).await;
    assert_eq!(store.sync_state(org, &unknown).await.unwrap(), None);
    assert_eq!(store.org(org).await.unwrap().unwrap().paused, None);
}

/// A secret is replaced and destroyed; a blob is kept as it was first written.
pub async fn secrets_and_blobs_are_kept_until_replaced(store: &dyn Store) {
    let org = org(store, "acme").await;
    let owner = resource();
    write(store, org, vec![Write::PutSecret { owner, sealed: sealed(1) }]).await;
    write(store, org, vec![Write::PutSecret { owner, sealed: sealed(2) }]).await;
    assert_eq!(store.secret(org, owner).await.unwrap(), Some(sealed(2)));
    write(store, org, vec![Write::DeleteSecret(owner), Write::DeleteSecret(resource())]).await;
    assert_eq!(store.secret(org, owner).await.unwrap(), None);
    let put = || Write::PutBlob { digest: Digest::of(b""), bytes: Bytes::new() };
    write(store, org, vec![put()]).await;
    write(store, org, vec![put()]).await;
    assert_eq!(store.blob(org, &Digest::of(b"")).await.unwrap(), Some(Bytes::new()));
    assert_eq!(store.blob(org, &Digest::of(b"x")).await.unwrap(), None);
}

/// Lease, fence and last number of a session are the store's own: a stale copy cannot undo a claim.
pub async fn a_put_session_cannot_undo_a_claim(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut row = session(org, session_id(0));
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    let claimed = store.claim_sessions(&claim("w", 1, 1)).await.unwrap().remove(0);
    row.version = 2;
    row.cancel_requested = true;
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    let kept = store.session(org, row.id).await.unwrap().unwrap();
    assert_eq!((&kept.lease, kept.fence, kept.version), (&claimed.lease, 1, 2));
    assert!(kept.cancel_requested);
}

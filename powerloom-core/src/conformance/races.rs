//! Many callers at once, in one process.

use crate::conformance::world::{
    AGENT, at, chain, claim, desire, draft, event, org, put, record, refused, session, session_id, ticket,
    write,
};
use crate::record::RecordRow;
use crate::session::event::EventSeq;
use crate::store::{Commit, Precondition, Refused, Store, Write};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::task::Poll;

fn audited(row: &RecordRow) -> Commit {
    let audit = vec![draft("agent.create", &row.meta.id.to_string())];
    Commit { write: vec![put(row)], audit, ..Commit::new(row.meta.org, at(0)) }
}

/// Commits 4; A2: sixteen writers, two organizations, one gapless chain each.
pub async fn concurrent_commits_make_one_chain(store: &dyn Store) {
    let orgs = [org(store, "a").await, org(store, "b").await];
    let writers = (0..16).map(async |writer: usize| {
        for n in 0..20 {
            let row = record(orgs[(writer + n) % 2], AGENT, &format!("{writer}-{n}"));
            store.commit(audited(&row)).await.unwrap();
        }
    });
    join_all(writers).await;
    for org in orgs {
        let entries = chain(store, org).await;
        let distinct: BTreeSet<_> = entries.iter().map(|entry| &entry.row.resource_id).collect();
        assert_eq!((entries.len(), distinct.len()), (160, 160));
    }
}

/// S2: of many updates that read the same version, one wins.
pub async fn one_of_many_updates_with_one_version_wins(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = record(org, AGENT, "a");
    write(store, org, vec![put(&row)]).await;
    let updates = (0..16).map(|n| {
        let mut row = row.clone();
        row.meta.version = 2;
        row.meta.name = n.to_string();
        let expect = vec![Precondition::RecordVersion { key: row.key(), version: 1 }];
        store.commit(Commit { expect, ..audited(&row) })
    });
    let results = join_all(updates).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let winner = results.iter().position(Result::is_ok).unwrap();
    assert_eq!(store.record(org, &row.key()).await.unwrap().unwrap().meta.name, winner.to_string());
    assert_eq!(chain(store, org).await.len(), 1);
}

/// Vectors 4.7: of many racers, one gets the ticket.
pub async fn one_of_many_takers_gets_the_ticket(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = ticket(org, session_id(0), "tk_x");
    write(store, org, vec![Write::PutTicket(row.clone())]).await;
    let takers = (0..32).map(|_| {
        let mut commit = Commit::new(org, at(1));
        commit.expect = vec![Precondition::Ticket { digest: row.digest, session: row.session }];
        commit.write = vec![Write::TakeTicket(row.digest)];
        store.commit(commit)
    });
    assert_eq!(join_all(takers).await.iter().filter(|result| result.is_ok()).count(), 1);
}

/// Commits 3, under contention.
pub async fn one_of_many_gets_the_name(store: &dyn Store) {
    let org = org(store, "acme").await;
    let results = join_all((0..16).map(|_| store.commit(audited(&record(org, AGENT, "wanted"))))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(refused(error), Refused::NameTaken { kind: AGENT, unique_key: "wanted".to_owned() });
    }
    assert_eq!(chain(store, org).await.len(), 1);
}

/// SyncQueue 1, SessionQueue 1: claimers at the same time share nothing and leave nothing out.
pub async fn concurrent_claims_share_no_row(store: &dyn Store) {
    let org = org(store, "acme").await;
    desire(store, org, 40).await;
    for n in 0..40 {
        write(store, org, vec![Write::PutSession(Box::new(session(org, session_id(n))))]).await;
    }
    let names: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let requests: Vec<_> = names.iter().map(|name| claim(name, 100, 10)).collect();
    let rows = join_all(requests.iter().map(|request| store.claim(request))).await;
    let sessions = join_all(requests.iter().map(|request| store.claim_sessions(request))).await;
    let rows: Vec<_> = rows.into_iter().flat_map(Result::unwrap).collect();
    let sessions: Vec<_> = sessions.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!((rows.len(), sessions.len()), (40, 40));
    assert_eq!(rows.iter().map(|state| &state.key).collect::<BTreeSet<_>>().len(), 40);
    assert_eq!(sessions.iter().map(|session| session.id).collect::<BTreeSet<_>>().len(), 40);
    assert!(rows.iter().all(|state| state.fence == 1) && sessions.iter().all(|session| session.fence == 1));
}

/// Commits 5, under contention: two pumps that deliver the same history leave each event once.
pub async fn concurrent_events_leave_no_gap(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = session(org, session_id(0));
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    let pumps = (0..4).map(async |_| {
        for n in 0..20u64 {
            let events = vec![event(Some(&n.to_string()))];
            write(store, org, vec![Write::AppendEvents { session: row.id, events }]).await;
        }
    });
    join_all(pumps).await;
    let log = store.events(org, row.id, EventSeq::START, 100).await.unwrap();
    assert_eq!(log.iter().map(|event| event.seq.number()).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(log.iter().map(|event| &event.event.event_id).collect::<BTreeSet<_>>().len(), 20);
}

/// Commits 7: what is refused does not touch what it was sent with.
pub async fn a_refused_commit_does_not_touch_its_neighbours(store: &dyn Store) {
    let org = org(store, "acme").await;
    let commits = (0..30).map(|n| {
        let row = record(org, AGENT, &n.to_string());
        let wanted = u64::from(n % 3 == 0);
        let expect = vec![Precondition::RecordVersion { key: row.key(), version: wanted }];
        store.commit(Commit { expect, ..audited(&row) })
    });
    let results = join_all(commits).await;
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.is_ok(), n % 3 != 0, "{n}: {result:?}");
    }
    assert_eq!(chain(store, org).await.len(), 20);
}

/// Commits 8: a future dropped after any number of polls leaves its commit done or not done.
pub async fn a_dropped_commit_is_done_or_not_done(store: &dyn Store) {
    let org = org(store, "acme").await;
    let rows: Vec<RecordRow> = (0..60).map(|n| record(org, AGENT, &n.to_string())).collect();
    for (n, row) in rows.iter().enumerate() {
        let mut polls = n % 4;
        let mut commit = store.commit(audited(row));
        // Polled that often, then dropped, unless it is done before.
        let outcome = std::future::poll_fn(|context| {
            if polls == 0 {
                return Poll::Ready(None);
            }
            polls -= 1;
            context.waker().wake_by_ref();
            commit.as_mut().poll(context).map(Some)
        });
        drop(outcome.await);
        drop(commit);
        tokio::task::yield_now().await;
    }
    // Behind everything that may still be queued.
    let last = record(org, AGENT, "last");
    store.commit(audited(&last)).await.unwrap();
    let audited: BTreeSet<String> =
        chain(store, org).await.into_iter().map(|entry| entry.row.resource_id).collect();
    for row in rows.iter().chain([&last]) {
        let kept = store.record(org, &row.key()).await.unwrap().is_some();
        assert_eq!(kept, audited.contains(&row.meta.id.to_string()));
        let named = store.record_by_unique_key(org, &AGENT, &row.unique_key).await.unwrap().is_some();
        assert_eq!(named, kept);
    }
}

//! Sessions and their logs.

use crate::conformance::world::{at, event, org, refused, resource, session, session_id, write};
use crate::id::{OrgId, SessionId};
use crate::session::event::{EventSeq, NewEvent};
use crate::session::status::SessionStatus;
use crate::store::{Commit, Refused, SessionQuery, Store, Write};

async fn new_session(store: &dyn Store, org: OrgId) -> SessionId {
    let row = session(org, session_id(0));
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    row.id
}

fn append(session: SessionId, events: Vec<NewEvent>) -> Write {
    Write::AppendEvents { session, events }
}

/// Commits 5, EventLog 1 and 2: numbers from 1 without a gap; what was read once reads the same again.
pub async fn events_are_numbered_without_gaps(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = session(org, session_id(0));
    // The same commit may put the session before.
    let first =
        vec![Write::PutSession(Box::new(row.clone())), append(row.id, vec![event(None), event(Some("e1"))])];
    let committed = write(store, org, first).await;
    assert_eq!(committed.events.iter().map(|event| event.seq.number()).collect::<Vec<_>>(), [1, 2]);
    let seen = store.events(org, row.id, EventSeq::START, 10).await.unwrap();
    assert_eq!(seen, committed.events);
    write(store, org, vec![append(row.id, vec![event(None)]), append(row.id, vec![event(None)])]).await;
    let all = store.events(org, row.id, EventSeq::START, 10).await.unwrap();
    assert_eq!(all.iter().map(|event| event.seq.number()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(all[..2], seen);
    assert_eq!(store.session(org, row.id).await.unwrap().unwrap().last_seq, EventSeq::new(4));
    // A record written back with another number does not move the log.
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    assert_eq!(store.session(org, row.id).await.unwrap().unwrap().last_seq, EventSeq::new(4));
}

/// Commits 5: an id is kept once per session, within a commit and across commits.
pub async fn an_event_id_is_kept_once(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (one, two) = (new_session(store, org).await, new_session(store, org).await);
    let doubled = vec![event(Some("a")), event(Some("a")), event(None), event(None), event(Some("b"))];
    let committed = write(store, org, vec![append(one, doubled)]).await;
    assert_eq!(committed.events.len(), 4);
    let committed = write(store, org, vec![append(one, vec![event(Some("b")), event(Some("c"))])]).await;
    assert_eq!(committed.events.len(), 1);
    assert_eq!(committed.events[0].seq, EventSeq::new(5));
    assert_eq!(write(store, org, vec![append(two, vec![event(Some("a"))])]).await.events.len(), 1);
    assert!(write(store, org, vec![append(one, vec![event(Some("a"))])]).await.events.is_empty());
}

/// Events belong to a session.
pub async fn events_for_no_session_are_refused(store: &dyn Store) {
    let org = org(store, "acme").await;
    let missing = session_id(0);
    let commit = Commit { write: vec![append(missing, vec![event(None)])], ..Commit::new(org, at(0)) };
    assert_eq!(refused(store.commit(commit).await.unwrap_err()), Refused::NoSuchSession(missing));
    assert!(store.events(org, missing, EventSeq::START, 10).await.unwrap().is_empty());
}

/// EventLog 1: a page begins right after the cursor.
pub async fn events_are_read_from_a_cursor(store: &dyn Store) {
    let org = org(store, "acme").await;
    let id = new_session(store, org).await;
    write(store, org, vec![append(id, (0..25).map(|_| event(None)).collect())]).await;
    let mut after = EventSeq::START;
    let mut seen = Vec::new();
    loop {
        let page = store.events(org, id, after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        seen.extend(page.iter().map(|event| event.seq.number()));
    }
    assert_eq!(seen, (1..=25).collect::<Vec<u64>>());
    assert!(store.events(org, id, EventSeq::new(u64::MAX - 1), 10).await.unwrap().is_empty());
}

/// Newest first, page by page, filtered by agent and by whether they have settled.
pub async fn sessions_are_listed_newest_first(store: &dyn Store) {
    let org = org(store, "acme").await;
    let agent = resource();
    let mut ids = Vec::new();
    for n in 0..6u64 {
        let mut row = session(org, session_id(n));
        row.agent_id = if n < 4 { agent } else { row.agent_id };
        row.status = if n % 2 == 0 { SessionStatus::Running } else { SessionStatus::Failed };
        write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
        ids.push(row.id);
    }
    let list = async |query: SessionQuery| {
        let found = store.sessions(org, &query).await.unwrap();
        found.iter().map(|row| ids.iter().position(|id| *id == row.id).unwrap()).collect::<Vec<_>>()
    };
    let all = SessionQuery::default();
    assert_eq!(list(all.clone()).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(list(SessionQuery { limit: 2, after: Some(ids[4]), ..all.clone() }).await, [3, 2]);
    assert_eq!(list(SessionQuery { agent: Some(agent), ..all.clone() }).await, [3, 2, 1, 0]);
    assert_eq!(list(SessionQuery { active: true, ..all.clone() }).await, [4, 2, 0]);
    assert_eq!(list(SessionQuery { active: true, agent: Some(agent), ..all }).await, [2, 0]);
}

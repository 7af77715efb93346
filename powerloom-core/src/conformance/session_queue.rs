//! The bookkeeping of the session pumps.

use crate::conformance::world::{claim, org, session, session_id, write};
use crate::id::{OrgId, SessionId};
use crate::session::delegation::{Delegation, SessionVault};
use crate::session::status::SessionStatus;
use crate::store::{SessionQuery, Store, Write};

async fn put(store: &dyn Store, org: OrgId, seconds: u64, status: SessionStatus) -> SessionId {
    let mut row = session(org, session_id(seconds));
    row.status = status;
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    row.id
}

/// SessionQueue 1: one pump per session, its fence raised before it is returned.
pub async fn a_session_is_claimed_by_one(store: &dyn Store) {
    let org = org(store, "acme").await;
    let id = put(store, org, 0, SessionStatus::Running).await;
    let claimed = store.claim_sessions(&claim("a", 0, 10)).await.unwrap();
    assert_eq!(claimed.iter().map(|row| (row.id, row.fence)).collect::<Vec<_>>(), [(id, 1)]);
    assert_eq!(store.session(org, id).await.unwrap().as_ref(), Some(&claimed[0]));
    assert!(store.claim_sessions(&claim("b", 59, 10)).await.unwrap().is_empty());
    assert_eq!(store.claim_sessions(&claim("b", 60, 10)).await.unwrap()[0].fence, 2);
}

/// SessionQueue 2.
pub async fn a_settled_session_is_never_claimed(store: &dyn Store) {
    let org = org(store, "acme").await;
    for status in SessionStatus::ALL {
        put(store, org, 0, status).await;
    }
    let claimed = store.claim_sessions(&claim("a", 1000, 100)).await.unwrap();
    assert_eq!(claimed.len(), SessionStatus::ALL.iter().filter(|status| !status.is_settled()).count());
    assert!(claimed.iter().all(|row| !row.status.is_settled()));
}

/// SessionQueue 2: what is left on the runtime is found again, although the session is active no more.
pub async fn a_settled_session_is_claimed_while_something_of_it_must_go(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut row = session(org, session_id(0));
    row.status = SessionStatus::Cancelled;
    let vault = Some(SessionVault { id: Some("vlt_1".to_owned()), unsure: false });
    row.delegation = Some(Delegation { servers: Vec::new(), handle: None, vault });
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    let active = SessionQuery { active: true, ..SessionQuery::default() };
    assert!(store.sessions(org, &active).await.unwrap().is_empty());
    let claimed = store.claim_sessions(&claim("a", 0, 10)).await.unwrap();
    assert_eq!(claimed.iter().map(|row| (row.id, row.fence)).collect::<Vec<_>>(), [(row.id, 1)]);
    assert!(store.claim_sessions(&claim("b", 59, 10)).await.unwrap().is_empty());

    row.delegation = Some(Delegation { servers: Vec::new(), handle: None, vault: None });
    write(store, org, vec![Write::PutSession(Box::new(row))]).await;
    assert!(store.claim_sessions(&claim("b", 1000, 10)).await.unwrap().is_empty());
}

/// A lease is prolonged and given back by its fence only.
pub async fn a_session_claim_is_prolonged_and_given_back(store: &dyn Store) {
    let org = org(store, "acme").await;
    let id = put(store, org, 0, SessionStatus::Running).await;
    assert!(!store.renew_session(org, id, 0, claim("a", 0, 1).until).await.unwrap(), "nobody has claimed it");
    store.claim_sessions(&claim("a", 0, 1)).await.unwrap();
    assert!(store.renew_session(org, id, 1, claim("a", 40, 1).until).await.unwrap());
    assert!(store.claim_sessions(&claim("b", 99, 1)).await.unwrap().is_empty());
    assert!(!store.release_session(org, id, 7).await.unwrap());
    assert!(store.release_session(org, id, 1).await.unwrap());
    assert!(!store.release_session(org, id, 1).await.unwrap());
    assert!(!store.renew_session(org, id, 1, claim("a", 50, 1).until).await.unwrap());
    assert_eq!(store.claim_sessions(&claim("b", 41, 1)).await.unwrap()[0].fence, 2);
    assert!(!store.release_session(org, id, 1).await.unwrap());
}

/// Of all organizations, the oldest first.
pub async fn the_oldest_session_is_claimed_first(store: &dyn Store) {
    let (a, b) = (org(store, "a").await, org(store, "b").await);
    let young = put(store, a, 30, SessionStatus::Pending).await;
    let old = put(store, b, 10, SessionStatus::Pending).await;
    let middle = put(store, a, 20, SessionStatus::Pending).await;
    let mut order = Vec::new();
    for _ in 0..3 {
        order.extend(store.claim_sessions(&claim("w", 100, 1)).await.unwrap().iter().map(|row| row.id));
    }
    assert_eq!(order, [old, middle, young]);
}

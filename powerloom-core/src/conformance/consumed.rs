//! What can be used once, or by one at a time: tickets, streams, idempotency keys, fences.

use crate::conformance::world::{at, claim, holds, org, session, session_id, ticket, write};
use crate::digest::Digest;
use crate::store::{Commit, IdempotencyRow, Precondition, Store, Write};
use serde_json::json;

/// Vectors 4.7: good up to 59.999 s, refused at 60.000 s, refused for another session and not burnt by it.
pub async fn a_ticket_is_good_for_its_session_until_it_expires(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (mine, other) = (session_id(0), session_id(0));
    let row = ticket(org, mine, "tk_x");
    write(store, org, vec![Write::PutTicket(row.clone())]).await;
    let good = |session, digest| Precondition::Ticket { digest, session };
    assert!(!holds(store, org, at(1), good(other, row.digest)).await);
    assert!(!holds(store, org, at(1), good(mine, Digest::of(b"unknown"))).await);
    assert!(holds(store, org, at(59), good(mine, row.digest)).await);
    assert!(!holds(store, org, at(60), good(mine, row.digest)).await);
    assert_eq!(store.ticket(&row.digest).await.unwrap(), Some(row));
    assert_eq!(store.ticket(&Digest::of(b"unknown")).await.unwrap(), None);
}

/// Vectors 4.7: used is gone.
pub async fn a_taken_ticket_is_gone(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = ticket(org, session_id(0), "tk_x");
    write(store, org, vec![Write::PutTicket(row.clone())]).await;
    let good = || Precondition::Ticket { digest: row.digest, session: row.session };
    let mut commit = Commit::new(org, at(1));
    commit.expect = vec![good()];
    commit.write = vec![Write::TakeTicket(row.digest)];
    store.commit(commit).await.unwrap();
    assert!(!holds(store, org, at(1), good()).await);
    assert_eq!(store.ticket(&row.digest).await.unwrap(), None);
}

/// Sem. 2.7: a live stream holds a lease; the second one is refused, the first undisturbed.
pub async fn a_stream_has_one_holder(store: &dyn Store) {
    let org = org(store, "acme").await;
    let session = session_id(0);
    let free = |holder: &str| Precondition::StreamFree { session, holder: holder.to_owned() };
    let hold =
        |holder: &str, until| Write::HoldStream { session, holder: holder.to_owned(), until: at(until) };
    let release = |holder: &str| Write::ReleaseStream { session, holder: holder.to_owned() };
    assert!(holds(store, org, at(0), free("a")).await);
    write(store, org, vec![hold("a", 30)]).await;
    assert!(holds(store, org, at(1), free("a")).await);
    assert!(!holds(store, org, at(29), free("b")).await);
    assert!(holds(store, org, at(30), free("b")).await);
    write(store, org, vec![release("b")]).await;
    assert!(!holds(store, org, at(29), free("b")).await);
    write(store, org, vec![hold("a", 60), release("a")]).await;
    assert!(holds(store, org, at(1), free("b")).await);
}

/// Sem. 2.14: the first answer stays until it expires; then the key is free.
pub async fn an_idempotent_answer_is_kept_until_it_expires(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = |answer: &str, expires| IdempotencyRow {
        key: "user:x/create/1".to_owned(),
        fingerprint: Digest::of(answer.as_bytes()),
        outcome: json!({"answer": answer}),
        expires_at: at(expires),
    };
    let free = || Precondition::IdempotencyFree("user:x/create/1".to_owned());
    let first = row("first", 100);
    assert!(holds(store, org, at(0), free()).await);
    write(store, org, vec![Write::PutIdempotency(first.clone())]).await;
    write(store, org, vec![Write::PutIdempotency(row("early", 100))]).await;
    assert!(!holds(store, org, at(99), free()).await);
    assert_eq!(store.idempotency(org, &first.key, at(99)).await.unwrap(), Some(first.clone()));
    assert_eq!(store.idempotency(org, &first.key, at(100)).await.unwrap(), None);
    assert!(holds(store, org, at(100), free()).await);
    let second = row("second", 300);
    let commit = Commit { write: vec![Write::PutIdempotency(second.clone())], ..Commit::new(org, at(100)) };
    store.commit(commit).await.unwrap();
    assert_eq!(store.idempotency(org, &first.key, at(100)).await.unwrap(), Some(second));
    assert_eq!(store.idempotency(org, "another", at(0)).await.unwrap(), None);
}

/// Reliability S3: the fence is compared at the write.
pub async fn a_fence_must_be_the_current_one(store: &dyn Store) {
    let org = org(store, "acme").await;
    let row = session(org, session_id(0));
    let fence = |fence| Precondition::SessionFence { id: row.id, fence };
    write(store, org, vec![Write::PutSession(Box::new(row.clone()))]).await;
    assert!(!holds(store, org, at(0), fence(0)).await, "nobody has claimed it");
    store.claim_sessions(&claim("a", 0, 1)).await.unwrap();
    assert!(holds(store, org, at(1), fence(1)).await);
    store.claim_sessions(&claim("b", 60, 1)).await.unwrap();
    assert!(!holds(store, org, at(61), fence(1)).await);
    assert!(holds(store, org, at(61), fence(2)).await);
    assert!(store.release_session(org, row.id, 2).await.unwrap());
    assert!(!holds(store, org, at(61), fence(2)).await);
}

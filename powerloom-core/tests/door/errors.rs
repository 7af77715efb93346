//! The codes a program acts on: stable, and each its own.

use powerloom_core::error::{Conflict, Error};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::SessionId;
use powerloom_core::invalid::Invalid;
use powerloom_core::record::ResourceKey;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{Precondition, Refused, StoreError};
use std::collections::BTreeSet;
use uuid::Uuid;

fn conflicts() -> Vec<(Conflict, &'static str)> {
    let (name, session) = (|| "x".to_owned(), SessionId::from_uuid(Uuid::from_u128(1)));
    let transition = SessionStatus::Failed.transition(SessionStatus::Running, false).unwrap_err();
    vec![
        (Conflict::NameTaken { kind: name(), name: name() }, "name_taken"),
        (Conflict::Archived { what: name(), name: name() }, "archived"),
        (Conflict::AgentArchived { agent: name() }, "agent_archived"),
        (Conflict::AgentPowerless { agent: name() }, "agent_powerless"),
        (Conflict::InUse { target: name(), by: vec![name()] }, "in_use"),
        (Conflict::Immutable { field: name() }, "immutable"),
        (Conflict::LastOrgAdmin, "last_org_admin"),
        (Conflict::Cycle { path: vec![name()] }, "cycle"),
        (Conflict::AgentNotSynced { agent: name(), status: name() }, "agent_not_synced"),
        (Conflict::EnvironmentNotSynced { status: name() }, "environment_not_synced"),
        (Conflict::SessionLimit { reason: name() }, "session_limit"),
        (Conflict::SessionSettled { session, status: name() }, "session_settled"),
        (Conflict::StreamHeld { session }, "stream_held"),
        (Conflict::IdempotencyMismatch, "idempotency_mismatch"),
        (Conflict::Transition(transition), "illegal_transition"),
        (Conflict::Busy, "busy"),
    ]
}

/// Faces match on these words: one that changes breaks programs.
#[test]
fn every_conflict_has_a_code_of_its_own_and_the_status_409() {
    let kinds = ErrorKind::ALL.iter().map(|kind| kind.code());
    let mut codes: BTreeSet<&str> = kinds.chain(["ticket_refused"]).collect();
    for (conflict, code) in conflicts() {
        let error = Error::from(conflict);
        assert_eq!((error.code(), error.kind()), (code, ErrorKind::Conflict), "{error}");
        assert!(codes.insert(code), "{code} is another error's already");
        let envelope = error.envelope();
        assert_eq!(envelope["error"]["code"], code);
        assert_eq!(envelope["error"]["message"], error.to_string());
    }
}

/// Sem. 2.14.
#[test]
fn the_other_errors_answer_with_the_code_of_their_kind() {
    let key: ResourceKey = ResourceKey {
        kind: crate::world::kind("Agent"),
        id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
    };
    let store = |refused| Error::Store(StoreError::Refused(refused));
    let unavailable = StoreError::Unavailable { message: "x".into(), maybe_applied: false, source: None };
    for (error, code, status) in [
        (Error::from(Invalid::hidden("x", "y")), "invalid", 400),
        (Error::TicketRefused, "ticket_refused", 401),
        (Error::NotFound { what: "agent".into(), reference: "x".into() }, "not_found", 404),
        (Error::VersionMismatch { key: key.clone(), expected: 1, found: 2 }, "version_mismatch", 412),
        (store(Refused::Exists { slug: "acme".into() }), "conflict", 409),
        (store(Refused::Audit(Invalid::hidden("x", "y"))), "invalid", 400),
        (
            store(Refused::Precondition(Box::new(Precondition::RecordVersion { key, version: 1 }))),
            "version_mismatch",
            412,
        ),
        (Error::Store(unavailable), "unavailable", 503),
        (Error::AuthzData { message: "x".into() }, "corrupt", 500),
        (Error::Internal { message: "x".into() }, "internal", 500),
    ] {
        assert_eq!((error.code(), error.kind().status()), (code, status), "{error}");
    }
}

/// Row M36: what is declared and not yet pushed has no id on the runtime, and the sync state says so.
#[tokio::test]
async fn what_was_not_pushed_yet_has_no_remote_id_and_says_that_it_waits() {
    let w = crate::world::world().await;
    let agent = w.agent(w.root(), "new").await;
    let (state, status) = w.cp.sync_state(&w.admin, &agent.key()).await.unwrap();
    assert_eq!((state.remote, status.word()), (None, "pending"));
}

/// Rows M35 and M37: an error names what was not found, and faces send its text as it is.
#[tokio::test]
async fn an_error_is_sent_on_as_it_is() {
    let w = crate::world::world().await;
    let who = "user:nobody@acme.com".parse().unwrap();
    let permission = powerloom_core::permission::Permission::AGENT_READ;
    let error = w.cp.explain(&w.admin, &who, permission, w.root()).await.unwrap_err();
    assert_eq!(error.code(), "not_found");
    assert!(error.to_string().contains("nobody@acme.com"), "{error}");
    let envelope = error.envelope();
    assert_eq!(envelope["error"]["code"], "not_found");
    assert_eq!(envelope["error"]["message"], error.to_string());
}

use crate::scripted::idle;
use crate::stage::world;
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::door::mutation::Action;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::record::ResourceKey;
use powerloom_core::session::event::EventSeq;
use powerloom_core::store::SessionQuery;

/// Row P9: the starter sees its own; others need the permission.
#[tokio::test(start_paused = true)]
async fn the_starter_sees_its_session_and_others_need_a_permission() {
    let world = world(vec![idle("end_turn")]).await;
    let operator = world.user("operator@acme.com", Some("AgentOperator")).await;
    let viewer = world.user("viewer@acme.com", Some("AgentViewer")).await;
    let stranger = world.user("stranger@acme.com", None).await;
    let id = world.cp.invoke(&operator, world.asks()).await.unwrap().started().unwrap().session_id;

    let kind =
        |outcome: Result<_, powerloom_core::error::Error>| outcome.map(drop).map_err(|error| error.kind());
    for (caller, reads, streams, lists) in [
        (&operator, true, true, 1),
        (&world.admin, true, true, 1),
        (&viewer, true, false, 0),
        (&stranger, false, false, 0),
    ] {
        let answer = |yes: bool| if yes { Ok(()) } else { Err(ErrorKind::Denied) };
        assert_eq!(kind(world.cp.session(caller, id).await.map(drop)), answer(reads));
        assert_eq!(
            kind(world.cp.session_events(caller, id, EventSeq::START, 500).await.map(drop)),
            answer(reads)
        );
        assert_eq!(kind(world.cp.follow(caller, id, EventSeq::START).await.map(drop)), answer(streams));
        assert_eq!(kind(world.cp.stream_ticket(caller, id).await.map(drop)), answer(streams));
        assert_eq!(world.cp.sessions(caller, &SessionQuery::default()).await.unwrap().len(), lists);
    }
    // An operator may stream, but a ticket is for the starter, or for who may list all.
    let other = world.user("other@acme.com", Some("AgentOperator")).await;
    assert_eq!(world.cp.stream_ticket(&other, id).await.unwrap_err().kind(), ErrorKind::Denied);
    world.cp.follow(&other, id, EventSeq::START).await.unwrap();
}

/// A token that is narrower than its principal has only what it says.
#[tokio::test(start_paused = true)]
async fn a_narrowed_caller_is_not_the_starter() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let narrow = world.admin.clone().delegated(id, PermissionSet::of(&[Permission::AGENT_READ]));
    assert_eq!(world.cp.session(&narrow, id).await.unwrap_err().kind(), ErrorKind::Denied);
    assert!(world.cp.sessions(&narrow, &SessionQuery::default()).await.unwrap().is_empty());
}

/// Invariant 1.
#[tokio::test(start_paused = true)]
async fn a_session_of_another_organization_does_not_exist() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let other =
        world.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    let caller: Caller = other.admin_caller();
    let missing = |kind: Option<ErrorKind>| assert_eq!(kind, Some(ErrorKind::NotFound));
    missing(world.cp.session(&caller, id).await.err().map(|error| error.kind()));
    missing(world.cp.follow(&caller, id, EventSeq::START).await.err().map(|error| error.kind()));
    missing(world.cp.stream_ticket(&caller, id).await.err().map(|error| error.kind()));
    missing(world.cp.cancel(&caller, id).await.err().map(|error| error.kind()));
    assert!(world.cp.sessions(&caller, &SessionQuery::default()).await.unwrap().is_empty());
}

/// Sem. 2.7: at most 500 events a page.
#[tokio::test(start_paused = true)]
async fn a_page_of_events_has_a_bound() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    for limit in [0, 501] {
        let error = world.cp.session_events(&world.admin, id, EventSeq::START, limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// Sem. 2.7: what acts for a user out of a session invokes out of that session: chains have an end, and do not bite their
/// tail. Row M27: by a delegated token it does not invoke at all, whatever ceiling it claims.
#[tokio::test(start_paused = true)]
async fn a_delegated_token_does_not_break_the_chain_of_sessions() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let ceiling = PermissionSet::of(&[Permission::AGENT_INVOKE]);
    let mut narrow = world.admin.clone().by(TokenKind::Api).narrowed(ceiling);
    narrow.delegated_from_session = Some(id);
    let itself = world.cp.invoke(&narrow, world.asks()).await.unwrap_err();
    assert_eq!(itself.code(), "session_limit");
    let delegated = world.admin.clone().delegated(id, ceiling);
    assert_eq!(world.cp.invoke(&delegated, world.asks()).await.unwrap_err().kind(), ErrorKind::Denied);
}

/// A disabled user may do nothing, not even stop what they started.
#[tokio::test(start_paused = true)]
async fn a_disabled_starter_stops_nothing() {
    let world = world(vec![]).await;
    let operator = world.user("operator@acme.com", Some("AgentOperator")).await;
    let id = world.cp.invoke(&operator, world.asks()).await.unwrap().started().unwrap().session_id;
    let target = ResourceKey { kind: "User".parse().unwrap(), id: operator.principal.id().unwrap() };
    let patch = serde_json::json!({ "disabled": true }).as_object().cloned().unwrap();
    world.cp.submit(&world.admin, Action::Update { target, expect: None, patch }).await.unwrap();
    assert_eq!(world.cp.cancel(&operator, id).await.unwrap_err().kind(), ErrorKind::Denied);
    world.cp.cancel(&world.admin, id).await.unwrap();
}

/// A stream outlives the question that opened it: asked again, the answer is what is so now, and an unused ticket of somebody
/// who may no longer stream opens nothing.
#[tokio::test(start_paused = true)]
async fn a_stream_is_judged_anew_when_its_reader_is_disabled() {
    let world = world(vec![]).await;
    let operator = world.user("operator@acme.com", Some("AgentOperator")).await;
    let id = world.cp.invoke(&operator, world.asks()).await.unwrap().started().unwrap().session_id;
    let ticket = async || world.cp.stream_ticket(&operator, id).await.unwrap().0;
    let (one, unused) = (ticket().await, ticket().await);
    let connection = world.cp.open_stream(id, one.reveal(), EventSeq::START).await.unwrap();
    assert_eq!(connection.holder().principal, operator.principal);
    world.cp.may_hold_stream(connection.holder(), id).await.unwrap();
    world.cp.may_follow(&operator, id).await.unwrap();

    let target = ResourceKey { kind: "User".parse().unwrap(), id: operator.principal.id().unwrap() };
    let patch = serde_json::json!({ "disabled": true }).as_object().cloned().unwrap();
    world.cp.submit(&world.admin, Action::Update { target, expect: None, patch }).await.unwrap();
    let held = world.cp.may_hold_stream(connection.holder(), id).await.unwrap_err();
    assert_eq!(held.kind(), ErrorKind::Denied);
    assert_eq!(world.cp.may_follow(&operator, id).await.unwrap_err().kind(), ErrorKind::Denied);
    connection.close().await.unwrap();
    let refused = world.cp.open_stream(id, unused.reveal(), EventSeq::START).await.unwrap_err();
    assert_eq!(refused.code(), powerloom_core::error::Error::TicketRefused.code());
    world.cp.may_hold_stream(&world.admin, id).await.unwrap();
}

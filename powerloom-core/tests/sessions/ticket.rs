//! Rows P75, P83–P85; vectors 4.7.

use crate::scripted::{idle, rest, say};
use crate::stage::{World, world};
use powerloom_core::error::Error;
use powerloom_core::id::SessionId;
use powerloom_core::session::connection::SessionConnection;
use powerloom_core::session::event::EventSeq;
use std::time::Duration;

async fn open(world: &World, id: SessionId, ticket: &str) -> Result<SessionConnection, Error> {
    world.cp.open_stream(id, ticket, EventSeq::START).await
}

async fn ticket(world: &World, id: SessionId) -> String {
    world.cp.stream_ticket(&world.admin, id).await.unwrap().0.reveal().to_owned()
}

fn refused(outcome: Result<SessionConnection, Error>) -> String {
    let error = outcome.expect_err("the ticket was taken");
    assert!(matches!(error, Error::TicketRefused), "{error:?}");
    error.envelope().to_string()
}

/// Row P84; vector 4.7.
#[tokio::test(start_paused = true)]
async fn a_ticket_is_good_for_less_than_a_minute() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let (one, two) = (ticket(&world, id).await, ticket(&world, id).await);
    tokio::time::advance(Duration::from_millis(59_999)).await;
    open(&world, id, &one).await.unwrap().close().await.unwrap();
    tokio::time::advance(Duration::from_millis(1)).await;
    refused(open(&world, id, &two).await);
}

/// Row P83; vector 4.7.
#[tokio::test(start_paused = true)]
async fn of_two_racers_with_one_ticket_one_wins() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let ticket = ticket(&world, id).await;
    let (one, two) = tokio::join!(open(&world, id, &ticket), open(&world, id, &ticket));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

/// Vector 4.7: a probe does not burn it.
#[tokio::test(start_paused = true)]
async fn a_ticket_tried_on_another_session_stays_good() {
    let world = world(vec![]).await;
    let (a, b) = (world.invoke().await.session_id, world.invoke().await.session_id);
    let ticket = ticket(&world, a).await;
    refused(open(&world, b, &ticket).await);
    open(&world, a, &ticket).await.unwrap();
}

/// Vector 4.7: nothing tells why.
#[tokio::test(start_paused = true)]
async fn used_expired_foreign_and_unknown_tickets_read_the_same() {
    let world = world(vec![]).await;
    let (id, other) = (world.invoke().await.session_id, world.invoke().await.session_id);
    let (used, expired) = (ticket(&world, id).await, ticket(&world, id).await);
    open(&world, id, &used).await.unwrap().close().await.unwrap();
    let mut answers =
        vec![refused(open(&world, id, &used).await), refused(open(&world, id, "tk_nothing").await)];
    answers.push(refused(open(&world, other, &expired).await));
    tokio::time::advance(Duration::from_secs(60)).await;
    answers.push(refused(open(&world, id, &expired).await));
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// A number the log has not reached would make its reader wait for ever; asking for it costs no ticket.
#[tokio::test(start_paused = true)]
async fn a_stream_from_beyond_the_log_is_refused_and_the_ticket_kept() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let ticket = ticket(&world, id).await;
    let error = world.cp.open_stream(id, &ticket, EventSeq::new(1)).await.unwrap_err();
    assert_eq!(error.envelope()["error"]["detail"]["field"], "after");
    let error = world.cp.follow(&world.admin, id, EventSeq::new(1)).await.unwrap_err();
    assert_eq!(error.code(), "invalid");
    open(&world, id, &ticket).await.unwrap();
}

/// Row P85; vector 4.7: the second client is refused, the first undisturbed, and no ticket is lost by it.
#[tokio::test(start_paused = true)]
async fn a_second_client_is_refused_and_keeps_its_ticket() {
    let world = world(vec![rest(120.0), say("late"), idle("end_turn")]).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut first = open(&world, id, &ticket(&world, id).await).await.unwrap();
    assert_eq!(first.next().await.unwrap().unwrap().seq.number(), 1);
    // Longer than the lease: it is renewed.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let second = ticket(&world, id).await;
    let error = open(&world, id, &second).await.unwrap_err();
    assert_eq!(error.code(), "stream_held");
    let after = first.after();
    let mut seen = 1;
    while let Some(event) = first.next().await {
        seen = event.unwrap().seq.number();
    }
    assert!(after.number() == 1 && seen == world.record(id).await.last_seq.number());
    first.close().await.unwrap();
    open(&world, id, &second).await.unwrap();
}

/// Vector 4.7: reconnecting behind a number, with a new ticket.
#[tokio::test(start_paused = true)]
async fn a_dropped_connection_is_free_at_once_and_goes_on_where_it_was() {
    let world = world(vec![say("one"), rest(5.0), say("two"), idle("end_turn")]).await;
    let _stop = world.start();
    let id = world.invoke().await.session_id;
    let mut first = open(&world, id, &ticket(&world, id).await).await.unwrap();
    for _ in 0..2 {
        first.next().await.unwrap().unwrap();
    }
    let after = first.after();
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut second = world.cp.open_stream(id, &ticket(&world, id).await, after).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = second.next().await {
        seen.push(event.unwrap().seq.number());
    }
    assert_eq!(seen, (3..=world.record(id).await.last_seq.number()).collect::<Vec<_>>());
}

/// A process that died holding a stream keeps others out for 30 seconds at most.
#[tokio::test(start_paused = true)]
async fn the_stream_of_a_dead_process_is_free_after_the_lease() {
    let world = world(vec![]).await;
    let id = world.invoke().await.session_id;
    let ticket_one = ticket(&world, id).await;
    let store = world.cp.store();
    let mut commit = powerloom_core::store::Commit::new(world.org.id, world.cp.clock().now());
    commit.write.push(powerloom_core::store::Write::HoldStream {
        session: id,
        holder: "dead".to_owned(),
        until: world.cp.clock().now() + Duration::from_secs(30),
    });
    store.commit(commit).await.unwrap();
    tokio::time::advance(Duration::from_millis(29_999)).await;
    assert_eq!(open(&world, id, &ticket_one).await.unwrap_err().code(), "stream_held");
    tokio::time::advance(Duration::from_millis(1)).await;
    open(&world, id, &ticket_one).await.unwrap();
}

//! What is sent, what is tried again, and what a receiver makes of it.

use crate::server::{Answer, Recorded, Server};
use crate::{NEXT_SECRET, SECRET};
use powerloom_core::clock::{ManualClock, Timestamp};
use powerloom_core::error_kind::ErrorKind;
use powerloom_web::FetchError;
use powerloom_web::webhook::{
    ID_HEADER, MAX_BODY, SIGNATURE_HEADER, SignedHeaders, TIMESTAMP_HEADER, VerifyError, Webhook,
    WebhookBuilder, WebhookError, WebhookVerifier,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A sender that does not wait long.
fn hurried(url: &str, clock: &Arc<ManualClock>) -> WebhookBuilder {
    Webhook::builder(format!("{url}/hooks/T0?team=1"))
        .secret(SECRET.parse().unwrap())
        .waits(Duration::from_millis(5), Duration::from_millis(20))
        .clock(clock.clone())
}

fn verify(clock: &Arc<ManualClock>, secret: &str, came: &Recorded) -> Result<(), VerifyError> {
    let verifier = WebhookVerifier::new(vec![secret.parse().unwrap()], clock.clone()).unwrap();
    let headers = SignedHeaders {
        id: came.header(ID_HEADER),
        timestamp: came.header(TIMESTAMP_HEADER),
        signature: came.header(SIGNATURE_HEADER),
    };
    verifier.verify(&headers, &came.body)
}

fn undelivered(result: Result<impl std::fmt::Debug, WebhookError>) -> (u32, FetchError) {
    match result {
        Err(WebhookError::Undelivered { attempts, source, .. }) => (attempts, source),
        other => panic!("it was not undelivered: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_arrives_as_signed_json_and_only_its_secret_proves_it() {
    let (clock, server) =
        (Arc::new(ManualClock::new(start())), Server::start([Answer::Body("ok".into())]).await);
    let webhook = hurried(&server.url, &clock).build().unwrap();
    let delivered = webhook.send("msg_1", &json!({ "type": "test" })).await.unwrap();
    assert_eq!(delivered.attempts, 1);

    let came = server.came().remove(0);
    assert_eq!((came.method.as_str(), came.uri.to_string().as_str()), ("POST", "/hooks/T0?team=1"));
    assert_eq!(came.header("content-type"), "application/json");
    assert_eq!(came.header(ID_HEADER), "msg_1");
    assert_eq!(came.header(TIMESTAMP_HEADER), "1767225600");
    assert_eq!(serde_json::from_slice::<Value>(&came.body).unwrap(), json!({ "type": "test" }));

    assert_eq!(verify(&clock, SECRET, &came), Ok(()));
    assert_eq!(verify(&clock, NEXT_SECRET, &came), Err(VerifyError::Unsigned));
    let mut changed = came.clone();
    changed.body = "{\"type\":\"tesT\"}".into();
    assert_eq!(verify(&clock, SECRET, &changed), Err(VerifyError::Unsigned));
    clock.advance(Duration::from_secs(301));
    assert_eq!(verify(&clock, SECRET, &came), Err(VerifyError::Untimely), "played again later");
}

#[tokio::test]
async fn while_a_secret_is_changed_both_ends_may_know_either() {
    let (clock, server) = (Arc::new(ManualClock::new(start())), Server::start([Answer::Status(204)]).await);
    let webhook = hurried(&server.url, &clock).secret(NEXT_SECRET.parse().unwrap()).build().unwrap();
    webhook.send("msg_1", &json!({})).await.unwrap();
    let came = server.came().remove(0);
    assert_eq!(came.header(SIGNATURE_HEADER).split(' ').count(), 2);
    assert_eq!(verify(&clock, SECRET, &came), Ok(()));
    assert_eq!(verify(&clock, NEXT_SECRET, &came), Ok(()));
}

#[tokio::test]
async fn a_receiver_in_trouble_gets_the_same_id_again_with_a_signature_of_its_own() {
    let clock = Arc::new(ManualClock::new(start()));
    let server = Server::start([Answer::Status(500), Answer::Status(503), Answer::Body("ok".into())]).await;
    let webhook = hurried(&server.url, &clock).build().unwrap();
    assert_eq!(webhook.send("msg_1", &json!({ "n": 1 })).await.unwrap().attempts, 3);
    let came = server.came();
    assert_eq!(came.len(), 3);
    for try_ in &came {
        assert_eq!((try_.header(ID_HEADER), &try_.body), ("msg_1", &came[0].body));
        assert_eq!(verify(&clock, SECRET, try_), Ok(()));
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept() {
    let clock = Arc::new(ManualClock::new(start()));
    let busy = Answer::With(429, "retry-after", "1".into());
    let server = Server::start([busy, Answer::Status(200)]).await;
    let webhook = hurried(&server.url, &clock).build().unwrap();
    let began = Instant::now();
    assert_eq!(webhook.send("msg_1", &json!({})).await.unwrap().attempts, 2);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_wait_beyond_the_time_there_is_ends_it_at_once() {
    let clock = Arc::new(ManualClock::new(start()));
    let server = Server::start([Answer::With(429, "retry-after", "3600".into())]).await;
    let webhook = hurried(&server.url, &clock).build().unwrap();
    let error = webhook.send("msg_1", &json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let (attempts, source) = undelivered(Err::<(), _>(error));
    assert_eq!(attempts, 1);
    assert!(matches!(source, FetchError::Status { status: 429, .. }), "{source:?}");
}

#[tokio::test]
async fn silence_is_not_waited_for_beyond_either_limit() {
    let (clock, server) = (Arc::new(ManualClock::new(start())), Server::start([Answer::Never]).await);
    let slow = hurried(&server.url, &clock).attempt_timeout(Duration::from_millis(50));
    let (attempts, source) =
        undelivered(slow.clone().attempts(3).build().unwrap().send("m", &json!({})).await);
    assert_eq!((attempts, server.came().len()), (3, 3));
    assert!(matches!(source, FetchError::Timeout { .. }), "{source:?}");

    let brief = slow.attempts(20).total_time(Duration::from_millis(120)).build().unwrap();
    let (attempts, _) = undelivered(brief.send("m", &json!({})).await);
    assert!(attempts <= 3, "{attempts}");
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_told() {
    let clock = Arc::new(ManualClock::new(start()));
    let url = Server::start([Answer::Never]).await.url.clone();
    let webhook = hurried(&url, &clock).attempts(2).build().unwrap();
    let error = webhook.send("msg_1", &json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("T0") && !shown.contains("MfKQ"), "{shown}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_refusal_not_tried_again() {
    let clock = Arc::new(ManualClock::new(start()));
    let elsewhere = Server::start([Answer::Status(200)]).await;
    for status in [301, 302, 307, 308] {
        let server = Server::start([Answer::With(status, "location", elsewhere.url.clone())]).await;
        let webhook = hurried(&server.url, &clock).build().unwrap();
        let (attempts, source) = undelivered(webhook.send("msg_1", &json!({})).await);
        assert!(matches!(source, FetchError::Redirect { status: s } if s == status), "{source:?}");
        assert_eq!(attempts, 1);
    }
    assert!(elsewhere.came().is_empty(), "the message reached another place");
    for status in [400, 401, 404, 410] {
        let server = Server::start([Answer::Status(status)]).await;
        let webhook = hurried(&server.url, &clock).build().unwrap();
        let error = webhook.send("msg_1", &json!({})).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(undelivered(Err::<(), _>(error)).0, 1);
    }
}

#[tokio::test]
async fn a_receiver_that_talks_too_much_has_taken_the_message_all_the_same() {
    let clock = Arc::new(ManualClock::new(start()));
    let server = Server::start([Answer::Body("x".repeat(1024 * 1024))]).await;
    let webhook = hurried(&server.url, &clock).build().unwrap();
    assert_eq!(webhook.send("msg_1", &json!({})).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn what_cannot_be_a_message_is_not_sent() {
    let (clock, server) = (Arc::new(ManualClock::new(start())), Server::start([Answer::Status(200)]).await);
    let webhook = hurried(&server.url, &clock).build().unwrap();
    for id in ["", "a.b", "a b", "ä", "a\r\nx: y", &"x".repeat(257)] {
        let error = webhook.send(id, &json!({})).await.unwrap_err();
        assert!(matches!(&error, WebhookError::Invalid(invalid) if invalid.field == "id"), "{error:?}");
    }
    let error = webhook.send("msg_1", &"x".repeat(MAX_BODY)).await.unwrap_err();
    assert!(matches!(&error, WebhookError::Invalid(invalid) if invalid.field == "payload"), "{error:?}");
    assert!(server.came().is_empty());
}

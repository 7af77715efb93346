//! Approvals, told to a webhook.

use crate::SECRET;
use crate::server::{Answer, Server};
use powerloom_core::approval::notifier::{
    ApprovalEvent, ApprovalNotice, ApprovalNotifier, Notices, NotifyError,
};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::record::KindName;
use powerloom_web::webhook::{ID_HEADER, Webhook, WebhookNotifier};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn notice(event: ApprovalEvent) -> ApprovalNotice {
    ApprovalNotice {
        id: ApprovalNotice::stable_id("req_1", event, 1),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        org: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
        request_id: "req_1".to_owned(),
        event,
        verb: "agent:update".to_owned(),
        resource_kind: KindName::known("Agent"),
        resource_id: Some("00000000-0000-7000-8000-000000000003".parse().unwrap()),
        ou: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
        requester: "user:ada@acme.com".to_owned(),
        summary: "update an agent".to_owned(),
        payload_hash: Digest::of(b"change"),
        expires_at: Some(Timestamp::from_micros(1_767_830_400_000_000)),
        approvers: vec!["user:grace@acme.com".to_owned()],
    }
}

fn notifier(server: &Server) -> WebhookNotifier {
    let webhook = Webhook::builder(server.url.clone())
        .secret(SECRET.parse().unwrap())
        .waits(Duration::from_millis(5), Duration::from_millis(20));
    WebhookNotifier::new(webhook.build().unwrap())
}

#[tokio::test]
async fn a_notice_is_told_under_its_own_id_in_the_standard_envelope() {
    let server = Server::start([Answer::Status(500), Answer::Status(200)]).await;
    let told = notice(ApprovalEvent::BrokenGlass);
    notifier(&server).notify(&told).await.unwrap();
    let came = server.came();
    assert_eq!(came.len(), 2);
    for came in came {
        assert_eq!(came.header(ID_HEADER), "req_1-broken_glass-1");
        let body: Value = serde_json::from_slice(&came.body).unwrap();
        assert_eq!(body["type"], json!("approval.broken_glass"));
        assert_eq!(body["timestamp"], json!("2026-01-01T00:00:00.000000Z"));
        assert_eq!(serde_json::from_value::<ApprovalNotice>(body["data"].clone()).unwrap(), told);
    }
}

#[tokio::test]
async fn a_notice_nobody_takes_is_told_apart_from_one_that_is_refused() {
    let (down, refusing) =
        (Server::start([Answer::Status(503)]).await, Server::start([Answer::Status(404)]).await);
    let error = notifier(&down).notify(&notice(ApprovalEvent::Requested)).await.unwrap_err();
    assert!(matches!(error, NotifyError::Unreachable { .. }), "{error:?}");
    let error = notifier(&refusing).notify(&notice(ApprovalEvent::Requested)).await.unwrap_err();
    assert!(matches!(error, NotifyError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_nobody_up() {
    let server = Server::start([Answer::Never]).await;
    let notices = Notices::to(Arc::new(notifier(&server)));
    let began = std::time::Instant::now();
    notices.send(notice(ApprovalEvent::Requested));
    assert!(began.elapsed() < Duration::from_secs(1));
    tokio::time::timeout(Duration::from_secs(10), async {
        while server.came().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

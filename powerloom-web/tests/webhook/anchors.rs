//! Checkpoints, kept by a receiver of webhooks.

use crate::SECRET;
use crate::server::{Answer, Server};
use powerloom_core::anchor::{Anchor, AnchorAccess, AnchorError};
use powerloom_core::audit::AuditHead;
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::note::{NoteSignature, SignedNote};
use powerloom_core::digest::Digest;
use powerloom_web::webhook::{ID_HEADER, Webhook, WebhookAnchor};
use serde_json::{Value, json};
use std::time::Duration;

fn origin() -> Origin {
    "powerloom/audit/00000000-0000-7000-8000-000000000001".parse().unwrap()
}

fn note(size: u64) -> SignedNote {
    let checkpoint = Checkpoint {
        origin: origin(),
        head: AuditHead { seq: size, hash: Digest::of(b"head") },
        root: Digest::of(b"root"),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(NoteSignature { name: "loom".to_owned(), key_id: [1, 2, 3, 4], signature: vec![5; 64] });
    note
}

fn anchor(server: &Server) -> WebhookAnchor {
    let webhook = Webhook::builder(server.url.clone())
        .secret(SECRET.parse().unwrap())
        .attempts(2)
        .waits(Duration::from_millis(5), Duration::from_millis(20));
    WebhookAnchor::new(webhook.build().unwrap())
}

#[tokio::test]
async fn a_note_is_posted_byte_for_byte_and_twice_under_the_same_id() {
    let server = Server::start([Answer::Status(200)]).await;
    let anchor = anchor(&server);
    assert_eq!(
        (anchor.name(), anchor.access()),
        (&*format!("webhook:{}", server.url), AnchorAccess::WriteOnly)
    );
    for _ in 0..2 {
        anchor.publish(&origin(), &note(7)).await.unwrap();
    }
    anchor.publish(&origin(), &note(8)).await.unwrap();
    let came = server.came();
    let body: Value = serde_json::from_slice(&came[0].body).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "audit.checkpoint",
            "timestamp": "2026-01-01T00:00:00.000000Z",
            "data": { "origin": origin().as_str(), "size": "7", "note": note(7).to_string() },
        })
    );
    assert_eq!(came[0].header(ID_HEADER), came[1].header(ID_HEADER));
    assert_ne!(came[0].header(ID_HEADER), came[2].header(ID_HEADER));
    assert!(matches!(anchor.latest(&origin()).await, Err(AnchorError::WriteOnly)));
    let other = "powerloom/audit/other".parse().unwrap();
    assert!(matches!(anchor.publish(&other, &note(7)).await, Err(AnchorError::Refused { .. })));
    assert_eq!(server.came().len(), 3);
}

#[tokio::test]
async fn what_is_kept_is_read_back_and_what_is_of_another_log_or_no_note_is_not_believed() {
    let written = Server::start([Answer::Status(200)]).await;
    let read = |answer: Answer| async move {
        let kept = Server::start([answer]).await;
        let anchor = anchor(&Server::start([Answer::Status(200)]).await).read_from(&kept.url).unwrap();
        let found = anchor.latest(&origin()).await;
        (found, kept.came().remove(0).uri.to_string())
    };
    let (found, asked) = read(Answer::Body(note(7).to_string())).await;
    assert_eq!(found.unwrap().unwrap(), note(7));
    assert!(asked.starts_with("/?origin=powerloom%2Faudit%2F0000"), "{asked}");
    assert!(read(Answer::Status(404)).await.0.unwrap().is_none());
    for bad in [
        note(7).to_string().replace("powerloom/audit/0", "powerloom/audit/1"),
        "hello".to_owned(),
        String::new(),
        "x".repeat(100 * 1024),
    ] {
        let (found, _) = read(Answer::Body(bad)).await;
        assert!(matches!(found, Err(AnchorError::Corrupt { .. })), "{found:?}");
    }
    for bad in [Answer::Status(500), Answer::With(302, "location", written.url.clone())] {
        assert!(matches!(read(bad).await.0, Err(AnchorError::Unavailable { .. })));
    }
    assert!(anchor(&written).read_from("http://anchors.example.com").is_err());
}

#[tokio::test]
async fn a_receiver_that_has_a_later_one_says_so_and_one_in_trouble_is_told_apart() {
    let later = Server::start([Answer::Status(409)]).await;
    let kept = Server::start([Answer::Body(note(9).to_string())]).await;
    let readable = anchor(&later).read_from(&kept.url).unwrap();
    assert_eq!(readable.access(), AnchorAccess::ReadWrite);
    let error = readable.publish(&origin(), &note(7)).await.unwrap_err();
    assert!(matches!(error, AnchorError::Behind { kept: 9, offered: 7 }), "{error:?}");
    let error = anchor(&later).publish(&origin(), &note(7)).await.unwrap_err();
    assert!(matches!(error, AnchorError::Refused { .. }), "{error:?}");
    let down = Server::start([Answer::Status(503)]).await;
    let error = anchor(&down).publish(&origin(), &note(7)).await.unwrap_err();
    assert!(matches!(error, AnchorError::Unavailable { .. }), "{error:?}");
    let refusing = Server::start([Answer::Status(403)]).await;
    let error = anchor(&refusing).publish(&origin(), &note(7)).await.unwrap_err();
    assert!(matches!(&error, AnchorError::Refused { message } if message.contains("403")), "{error:?}");
}

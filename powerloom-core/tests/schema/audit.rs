//! The trail, its proofs, and what verifying it found.

use crate::held::held;
use crate::world::{World, world};
use powerloom_core::audit::export::ExportReader;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::{AuditHead, AuditQuery};
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::Action;
use powerloom_core::evidence::ExportScope;
use powerloom_core::id::SessionId;
use powerloom_core::permission::PermissionSet;
use serde_json::Value;
use uuid::Uuid;

async fn export(w: &World, scope: ExportScope) -> Vec<u8> {
    let mut export = w.cp.export_audit(&w.admin, scope).await.unwrap();
    let mut file = Vec::new();
    while let Some(lines) = export.next().await.unwrap() {
        file.extend_from_slice(&lines);
    }
    file
}

/// A page with a denial, a delegated call, an update and an erased entry.
#[tokio::test]
async fn a_page_of_the_trail_is_as_its_schema_says() {
    let w = world().await;
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    let row = w.agent(w.root(), "clerk").await;
    w.archive(&nobody, &row.key()).await.unwrap_err();
    w.update(&w.admin, &row, serde_json::json!({ "description": "Counts." })).await.unwrap();
    let session = SessionId::from_uuid(Uuid::from_u128(7));
    let delegated = w.admin.clone().delegated(session, PermissionSet::ALL);
    w.update(&delegated, &w.row(&row.key()).await, serde_json::json!({ "description": "Reads." }))
        .await
        .unwrap();
    held(&w.cp.submit(&w.admin, Action::EraseAuditPayload { seq: 2 }).await.unwrap());
    let page = w.cp.audit(&w.admin, &AuditQuery::default()).await.unwrap();
    let page: Vec<Value> = page.iter().map(held).collect();
    assert!(page.iter().any(|entry| entry["change"].is_null() && entry["salt"].is_null()), "one was erased");
    assert!(page.iter().any(|entry| entry["row"]["decision"] == "deny"));
    assert!(page.iter().any(|entry| entry["row"]["delegated_from_session"].is_string()));
}

#[tokio::test]
async fn proofs_and_reports_are_as_their_schemas_say() {
    let w = world().await;
    for name in ["a", "b", "c"] {
        w.ou(w.root(), name).await;
    }
    let head = held(&w.cp.audit_tree(&w.admin).await.unwrap());
    assert_eq!(head["size"], 4);
    held(&w.cp.prove_inclusion(&w.admin, 2, 4).await.unwrap());
    held(&w.cp.prove_consistency(&w.admin, 2, 4).await.unwrap());
    let verified = w.cp.verify_audit(&w.admin, None).await.unwrap().unwrap();
    held(&verified);
    held(&verified.head);
    let elsewhere = AuditHead { seq: 4, hash: Digest::ZERO };
    held(&w.cp.verify_audit(&w.admin, Some(elsewhere)).await.unwrap().unwrap_err());

    let file = export(&w, ExportScope::default()).await;
    held(ExportReader::new(file.as_slice()).unwrap().header());
    held(&verify_export(file.as_slice(), &Given::default()).unwrap());
    let later = export(&w, ExportScope::default().from(3)).await;
    let report = held(&verify_export(later.as_slice(), &Given::default()).unwrap());
    assert!(report["root"].is_null());
    let cut: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').take(3).collect();
    let report = held(&verify_export(cut.concat().as_slice(), &Given::default()).unwrap());
    assert_eq!(report["findings"][0]["code"], "cut");
}

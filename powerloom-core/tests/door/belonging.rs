//! What belongs to one resource: listing it, and changing it only if it does.

use crate::world::{code, denied, kind, world};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::store::{RecordCursor, RecordQuery};
use serde_json::json;

#[tokio::test]
async fn what_belongs_to_one_resource_is_listed_without_what_belongs_to_others() {
    let w = world().await;
    let group = w.create("Group", w.root(), "reviewers", json!({})).await.meta.id;
    let other = w.create("Group", w.root(), "others", json!({})).await.meta.id;
    for (number, group) in [group, other, group, other, group].into_iter().enumerate() {
        let (user, _) = w.user(w.root(), &format!("user-{number}@acme.com")).await;
        w.derive("GroupMembership", json!({ "group": group, "member": format!("user:{user}") })).await;
    }
    let mut query = RecordQuery { kind: Some(kind("GroupMembership")), limit: 2, ..RecordQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = w.cp.list_belonging(&w.admin, group, &query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after =
            Some(RecordCursor { kind: last.kind.clone(), name: last.meta.name.clone(), id: last.meta.id });
        seen.extend(page);
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|row| row.spec["group"] == json!(group)));
    let agents = RecordQuery { kind: Some(kind("Agent")), ..RecordQuery::default() };
    assert_eq!(w.cp.list_belonging(&w.admin, group, &agents).await.unwrap_err().code(), "invalid");
}

/// Whoever may not change it learns nothing of what it belongs to, and their attempt is on the chain.
#[tokio::test]
async fn a_change_of_what_belongs_elsewhere_is_not_found_by_whoever_may_make_it() {
    let w = world().await;
    let group = w.create("Group", w.root(), "reviewers", json!({})).await.meta.id;
    let other = w.create("Group", w.root(), "others", json!({})).await.meta.id;
    let seat = w.derive("GroupMembership", json!({ "group": group, "member": "service:ci" })).await;
    let within = |owner| SubmitOptions::default().belonging_to(owner).idempotency_key("leave");
    let leave = || Action::Archive { target: seat.key(), expect: None };
    let (_, remover) = w.holder(w.root(), "remover", &["group:manage_members"]).await;
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    for owner in [group, other] {
        let before = w.trail().await.len();
        denied(w.cp.submit_with(&nobody, leave(), &within(owner)).await);
        assert_eq!(w.trail().await.len(), before + 1);
    }
    assert_eq!(code(w.cp.submit_with(&remover, leave(), &within(other)).await), "not_found");
    assert!(w.row(&seat.key()).await.is_live());
    w.cp.submit_with(&remover, leave(), &within(group)).await.unwrap();
    assert!(!w.row(&seat.key()).await.is_live());
    w.cp.submit_with(&remover, leave(), &within(group)).await.unwrap();
    // The same key with another condition is another request.
    assert_eq!(code(w.cp.submit_with(&remover, leave(), &within(other)).await), "idempotency_mismatch");
}

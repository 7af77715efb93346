//! Listing what belongs to one resource.

use crate::world::{kind, world};
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

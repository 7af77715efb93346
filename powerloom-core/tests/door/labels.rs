//! What a record says beside its spec: its labels, and what a set of manifests manages of it.

use crate::world::{World, code, denied, kind, world};
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Result;
use powerloom_core::labels::Labels;
use powerloom_core::record::RecordRow;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn labels(pairs: &[(&str, &str)]) -> Option<Labels> {
    Some(pairs.iter().fold(Labels::default(), |labels, (key, value)| labels.with(*key, *value).unwrap()))
}

fn names(names: &[&str]) -> Option<BTreeSet<String>> {
    Some(names.iter().map(ToString::to_string).collect())
}

fn update(row: &RecordRow, patch: Value) -> Mutation {
    let patch = patch.as_object().cloned().unwrap();
    Action::Update { target: row.key(), expect: None, patch }.into()
}

async fn owned(w: &World) -> RecordRow {
    let action = Action::Create {
        kind: kind("Skill"),
        ou: Some(w.root()),
        name: Some("lint".into()),
        spec: json!({ "description": "Finds faults." }).as_object().cloned().unwrap(),
    };
    let create =
        Mutation { labels: labels(&[("owner", "one")]), managed: names(&["description"]), ..action.into() };
    applied(w.cp.submit(&w.admin, create).await)
}

fn applied(result: Result<Outcome>) -> RecordRow {
    result.unwrap().record().unwrap().clone()
}

/// Written and audited in one commit with the change, and kept when somebody else writes.
#[tokio::test]
async fn labels_and_managed_fields_are_kept_through_the_door() {
    let w = world().await;
    let row = owned(&w).await;
    assert_eq!(row.meta.labels.owner(), Some("one"));
    assert_eq!(Value::Object(row.meta.managed.clone()), json!({ "description": "Finds faults." }));
    assert_eq!(w.row(&row.key()).await, row);

    let theirs = applied(w.update(&w.admin, &row, json!({ "description": "Theirs." })).await);
    assert_eq!(theirs.meta.managed, row.meta.managed, "what another writes is not what the set applied");
    assert_eq!((theirs.meta.version, theirs.meta.generation), (2, 2));

    let renewed = Mutation {
        managed: names(&["description", "display_name"]),
        ..update(&row, json!({ "description": "Theirs." }))
    };
    let renewed = applied(w.cp.submit(&w.admin, renewed).await);
    assert_eq!(
        Value::Object(renewed.meta.managed.clone()),
        json!({ "description": "Theirs.", "display_name": null })
    );
    assert_eq!((renewed.meta.version, renewed.meta.generation), (3, 2), "the spec is the same");

    let entries = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let told: Vec<Value> = entries
        .iter()
        .filter(|entry| entry.row.verb.starts_with("skill."))
        .map(|entry| serde_json::from_slice(entry.payload.as_deref().unwrap()).unwrap())
        .collect();
    assert_eq!(told[0]["after"]["labels"], json!({ "owner": "one" }));
    assert_eq!(told[0]["after"]["managed"], json!(["description"]));
    assert_eq!(told[2]["before"], json!({ "managed": ["description"] }));
    assert_eq!(told[2]["after"], json!({ "managed": ["description", "display_name"] }));
    w.verify().await;
}

/// A field that is kept back keeps the value that was applied last: the difference stays to be seen.
#[tokio::test]
async fn a_managed_field_that_is_not_written_keeps_what_was_applied() {
    let w = world().await;
    let row = owned(&w).await;
    w.update(&w.admin, &row, json!({ "description": "Theirs." })).await.unwrap();
    let other = Mutation {
        managed: names(&["description", "display_name"]),
        ..update(&row, json!({ "display_name": "Lint" }))
    };
    let row = applied(w.cp.submit(&w.admin, other).await);
    assert_eq!(
        Value::Object(row.meta.managed.clone()),
        json!({ "description": "Finds faults.", "display_name": "Lint" })
    );
}

#[tokio::test]
async fn another_owner_begins_with_nothing_applied_and_nobody_manages_nothing() {
    let w = world().await;
    let row = owned(&w).await;
    let taken = Mutation { labels: labels(&[("owner", "two")]), ..update(&row, json!({})) };
    let taken = applied(w.cp.submit(&w.admin, taken).await);
    assert_eq!((taken.meta.labels.owner(), taken.meta.managed.len()), (Some("two"), 0));
    let unowned =
        Mutation { labels: labels(&[]), managed: names(&["description"]), ..update(&row, json!({})) };
    assert_eq!(code(w.cp.submit(&w.admin, unowned).await), "invalid");
    let unknown = Mutation { managed: names(&["hunter"]), ..update(&row, json!({})) };
    assert_eq!(code(w.cp.submit(&w.admin, unknown).await), "invalid");
    let same = Mutation { labels: labels(&[("owner", "two")]), ..update(&row, json!({})) };
    assert!(matches!(w.cp.submit(&w.admin, same).await.unwrap(), Outcome::Unchanged { .. }));
}

#[tokio::test]
async fn labels_need_the_permission_to_update_and_belong_to_nothing_else() {
    let w = world().await;
    let row = owned(&w).await;
    let (_, reader) = w.holder(w.root(), "reader", &["skill:read"]).await;
    let relabel = Mutation { labels: labels(&[("owner", "mine")]), ..update(&row, json!({})) };
    assert!(denied(w.cp.submit(&reader, relabel.clone()).await).contains("`skill:update`"));
    let archive = Mutation { action: Action::Archive { target: row.key(), expect: None }, ..relabel };
    assert_eq!(code(w.cp.submit(&w.admin, archive).await), "invalid");
    assert!(w.row(&row.key()).await.is_live());
}

/// What only exists for a labelled record is not labelled: a registration is its deployment's, a vault its agent's.
#[tokio::test]
async fn what_comes_with_a_labelled_record_has_no_labels() {
    let w = world().await;
    let agent = w.agent(w.root(), "a").await;
    let declare = |of: &str, spec: Value, named: bool| Mutation {
        labels: labels(&[("owner", "one")]),
        ..Action::Create {
            kind: kind(of),
            ou: named.then(|| w.root()),
            name: named.then(|| "pg".to_owned()),
            spec: spec.as_object().cloned().unwrap(),
        }
        .into()
    };
    w.cp.submit(&w.admin, declare("MCPDeployment", json!({ "template_kind": "echo" }), true)).await.unwrap();
    let key = format!("{}/pg", w.root());
    let server = w.cp.store().record_by_unique_key(w.org.id, &kind("MCPServerRegistration"), &key).await;
    let server = server.unwrap().unwrap();
    let spec = json!({ "agent": agent.meta.id, "mcp_server": server.meta.id });
    w.cp.submit(&w.admin, declare("Credential", spec, false)).await.unwrap();
    let rows = w.cp.store().list_records(w.org.id, &Default::default()).await.unwrap();
    let labelled: Vec<&str> =
        rows.iter().filter(|row| !row.meta.labels.is_empty()).map(|row| row.kind.as_str()).collect();
    assert_eq!(labelled, ["Credential", "MCPDeployment"]);
}

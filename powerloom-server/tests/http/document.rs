//! The OpenAPI document hangs together.

use crate::world::World;
use serde_json::Value;
use std::collections::BTreeSet;

/// Operations that only ask, though they are `POST`.
const QUESTIONS: &str = "/authz/";

/// A plan has terms of its own: one glass is not broken for many changes at once.
const PLANS: &str = "/manifests/";

/// Operations that change nothing the door keeps: further questions, a ticket, and what is signed and kept elsewhere.
const NO_CHANGES: [&str; 4] =
    ["/audit/checkpoints", "/audit/verify", "/manifests/plan", "/sessions/{id}/ticket"];

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.insert(reference.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    all
}

#[tokio::test]
async fn every_reference_and_every_link_leads_somewhere_and_no_operation_has_anothers_name() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.expect(200).body;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
        assert!(names.insert(name.to_owned()), "{name} is the name of two");
    }
    for (_, path, operation) in operations(&document) {
        for response in operation["responses"].as_object().unwrap().values() {
            for link in response["links"].as_object().into_iter().flat_map(|links| links.values()) {
                let to = link["operationId"].as_str().unwrap();
                assert!(names.contains(to), "{path} links to {to}");
            }
        }
    }
}

/// Idempotency keys and the other terms hold on every change.
#[tokio::test]
async fn every_change_says_under_which_terms_it_is_made() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.expect(200).body;
    for (method, path, operation) in operations(&document) {
        if method == "get"
            || path.starts_with(QUESTIONS)
            || NO_CHANGES.contains(&path.as_str())
            || path.starts_with(PLANS)
        {
            continue;
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for header in
            ["idempotency-key", "powerloom-justification", "powerloom-break-glass", "powerloom-under-plan"]
        {
            let described = parameters.iter().any(|it| it["name"] == header && it["in"] == "header");
            assert!(described, "{method} {path} says nothing of {header}");
        }
    }
}

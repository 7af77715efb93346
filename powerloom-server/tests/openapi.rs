//! What is generated and checked in for others: the OpenAPI document, and the JSON Schema of manifests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use powerloom_core::control_plane::ControlPlane;
use serde_json::Value;
use std::path::PathBuf;

/// Set by `cargo xtask openapi`: what differs is written anew.
const WRITE: &str = "POWERLOOM_WRITE_DOCUMENTS";

/// How many differences are shown.
const SHOWN: usize = 20;

async fn loom() -> ControlPlane {
    ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build()
}

/// Fails unless the file of this name holds `document`.
#[track_caller]
fn check(name: &str, document: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os(WRITE).is_some() {
        let text = format!("{}\n", serde_json::to_string_pretty(document).unwrap());
        return std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kept: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    differences(&kept, document, "", &mut found);
    let some: Vec<&String> = found.iter().take(SHOWN).collect();
    let more = found.len().saturating_sub(SHOWN);
    assert!(
        found.is_empty(),
        "powerloom-server/{name} is not what is served any more: {some:#?} and {more} more.\n\
         If that is meant, `cargo xtask openapi` writes it anew; say in CHANGELOG.md what changes for clients."
    );
}

/// Where two documents differ, as JSON pointers.
fn differences(kept: &Value, served: &Value, at: &str, found: &mut Vec<String>) {
    match (kept, served) {
        (Value::Object(kept), Value::Object(served)) => {
            for (key, value) in kept {
                match served.get(key) {
                    Some(other) => differences(value, other, &format!("{at}/{key}"), found),
                    None => found.push(format!("{at}/{key} is gone")),
                }
            }
            let new = served.keys().filter(|key| !kept.contains_key(*key));
            found.extend(new.map(|key| format!("{at}/{key} is new")));
        }
        (Value::Array(kept), Value::Array(served)) if kept.len() == served.len() => {
            for (index, (value, other)) in kept.iter().zip(served).enumerate() {
                differences(value, other, &format!("{at}/{index}"), found);
            }
        }
        (kept, served) if kept == served => {}
        _ => found.push(format!("{at} is another one")),
    }
}

#[tokio::test]
async fn the_openapi_document_is_the_one_that_is_checked_in() {
    check("openapi.json", &powerloom_server::openapi_document(&loom().await));
}

#[tokio::test]
async fn the_schema_of_manifests_is_the_one_that_is_checked_in() {
    check("manifest.schema.json", &powerloom_core::manifest::schema(loom().await.catalogue()));
}

#[test]
fn every_kind_of_difference_is_seen() {
    let kept = serde_json::json!({ "a": 1, "b": [1, 2], "c": { "d": null }, "e": [1] });
    let served = serde_json::json!({ "b": [1, 3], "c": { "d": null, "f": 0 }, "e": [1, 2] });
    let mut found = Vec::new();
    differences(&kept, &served, "", &mut found);
    assert_eq!(found, ["/a is gone", "/b/1 is another one", "/c/f is new", "/e is another one"]);
}

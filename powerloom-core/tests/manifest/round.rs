//! There and back: a whole organization as manifests, and manifests in any order (row Y; rows P20–P29).

use crate::house::House;
use crate::planning::{BASE, EVERY_KIND};
use powerloom_core::manifest::{SetOptions, Through, Verb};
use powerloom_core::record::RecordRow;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn exported(house: &House) -> String {
    let documents = Through::new(&house.cp, &house.admin).export().await.unwrap();
    documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// The live records that documents declare, as they are known by kind and name, with their labels.
async fn declared(house: &House) -> BTreeSet<String> {
    let manifest = |row: &RecordRow| house.cp.catalogue().kind(&row.kind).unwrap().manifest();
    let rows = house.rows().await;
    let of = |row: &RecordRow| format!("{} {}", row.kind, json!(row.meta.labels));
    rows.iter().filter(|row| row.is_live() && manifest(row)).map(of).collect()
}

/// What is exported applies to an empty organization and makes the same there, in any organization of that slug.
#[tokio::test]
async fn a_whole_organization_can_be_made_again_from_its_export() {
    let house = House::new().await;
    house
        .done(&house.plan_set(&format!("{BASE}---{EVERY_KIND}"), &SetOptions::new("all").unwrap()).await)
        .await;
    let text = exported(&house).await;
    for kind in house.cp.catalogue().kinds().filter(|kind| kind.manifest()) {
        assert!(text.contains(&format!("\"kind\":\"{}\"", kind.name())), "no {} is exported", kind.name());
    }
    assert!(text.contains(r#""labels":{"owner":"all"}"#));
    let again = house.plan(&text).await;
    assert!(again.is_noop(), "{again}");

    let empty = House::new().await;
    let plan = empty.plan(&text).await;
    assert!(plan.count(Verb::Create) > 10, "{plan}");
    empty.declare(&text).await;
    assert_eq!(exported(&empty).await, text);
    assert_eq!(declared(&empty).await, declared(&house).await);
}

/// Somebody who may read part of the organization exports that part.
#[tokio::test]
async fn an_export_holds_what_its_caller_may_read() {
    let house = House::new().await;
    house.declare(&format!("{BASE}---{EVERY_KIND}")).await;
    let reader = house.holder("reader", "'skill:read', 'agent:read'").await;
    let documents = Through::new(&house.cp, &reader).export().await.unwrap();
    let kinds: BTreeSet<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["Agent", "Skill", "SkillAccessGrant"]));
    let text: String = documents.iter().map(Value::to_string).collect();
    assert!(text.contains("/acme/lint") && !text.contains("admin@acme.com"), "{text}");
}

/// Row Y: the order of the documents makes no difference, at the real door with its forecasts as well.
#[tokio::test]
async fn documents_in_any_order_are_one_plan() {
    let house = House::new().await;
    let whole = format!("{BASE}---{EVERY_KIND}");
    let mut documents: Vec<&str> = whole.split("---").collect();
    let options = SetOptions::new("all").unwrap();
    let plan = house.plan_set(&whole, &options).await;
    for seed in 1..6_u64 {
        documents.sort_by_key(|text| {
            text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        let shuffled = house.plan_set(&documents.join("\n---\n"), &options).await;
        assert_eq!(shuffled, plan);
        assert_eq!(shuffled.digest().unwrap(), plan.digest().unwrap());
    }
}

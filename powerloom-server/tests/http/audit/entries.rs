//! Entries: what they say, which are found, and what is left of an erased one.

use crate::audit::{check, grow, grow_one, kept, ou, seqs, uuid_of};
use crate::world::World;
use powerloom_core::audit::AuditEntry;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::permission::{Permission, PermissionSet};
use reqwest::Method;
use serde_json::{Value, json};

/// Row M40: what was done, to what, by whom, with what before and after.
#[tokio::test]
async fn an_entry_says_who_did_what_and_what_changed() {
    let world = World::start().await;
    let eng = ou(&world, world.acme.root_ou, "eng").await;
    let listed = world.get("/audit?limit=1").await.expect(200);
    let entry = &listed.body["items"][0];
    assert_eq!(entry["seq"], 2);
    let row = kept(&world, world.acme.id).await.pop().unwrap();
    for (field, wanted) in [
        ("v", json!(1)),
        ("org_id", json!(world.acme.id)),
        ("ts", json!(row.row.ts)),
        ("actor", json!("user:admin@acme.com")),
        ("verb", json!("ou.create")),
        ("resource_kind", json!("OU")),
        ("resource_id", json!(eng)),
        ("decision", json!("allow")),
        ("delegated_from_session", Value::Null),
        ("approval_request_id", Value::Null),
        ("ous", json!([world.acme.root_ou, eng])),
        ("erased", json!(false)),
        ("change_hash", json!(row.row.change_hash)),
        ("prev_hash", json!(row.prev_hash)),
        ("row_hash", json!(row.hash)),
        ("payload", row.change().unwrap()),
    ] {
        if field == "ous" {
            assert!(entry["ous"].as_array().unwrap().contains(&json!(world.acme.root_ou)), "{entry}");
        } else {
            assert_eq!(entry[field], wanted, "{field}");
        }
    }
    assert_eq!(world.get("/audit/2").await.expect(200).body, *entry);
    let missing = world.get("/audit/99").await.expect(404);
    assert_eq!(missing.body["error"]["detail"], json!({ "what": "audit entry", "reference": "99" }));
}

/// Rows M40–M43: each filter by its name, alone and together with another.
#[tokio::test]
async fn every_filter_that_is_there_must_hold() {
    let world = World::start().await;
    let eng = ou(&world, world.acme.root_ou, "eng").await;
    let core = ou(&world, eng, "core").await;
    let skill = json!({ "ou_id": core, "name": "lint" });
    world.post("/skills", skill).await.expect(201);
    let (_, eve) = world.person("eve@acme.com", &[]).await;
    let denied = json!({ "ou_id": eng, "name": "no" });
    world.as_of(&eve, Method::POST, "/ous", Some(denied)).await.expect(403);
    let session = SessionId::from_uuid(uuid_of(world.acme.id));
    let delegated =
        world.acme.admin_caller().delegated(session, PermissionSet::of(&[Permission::AGENT_CREATE]));
    let spec = json!({ "model": "m", "agent_kind": "user", "owner": format!("user:{}", world.acme.admin) });
    let spec = spec.as_object().unwrap().clone();
    let create = Action::create("Agent".parse().unwrap(), core, &"made".parse().unwrap(), spec);
    world.loom.submit(&delegated, create).await.unwrap();
    let policy = json!({
        "ou_id": core, "name": "ask", "match": { "resource_kinds": ["Skill"] }, "approvers": ["role:OrgAdmin"],
    });
    world.post("/approval-policies", policy).await.expect(201);
    let held = world.post("/skills", json!({ "ou_id": core, "name": "held" })).await.expect(202);
    let request = held.body["request_id"].as_str().unwrap();

    let entries = kept(&world, world.acme.id).await;
    let newest = entries.len() as u64;
    let all: Vec<u64> = (1..=newest).rev().collect();
    let those = |of: &dyn Fn(&AuditEntry) -> bool| -> Vec<u64> {
        entries.iter().rev().filter(|entry| of(entry)).map(|entry| entry.row.seq).collect()
    };
    let at = |seq: u64| entries[usize::try_from(seq).unwrap() - 1].row.ts;
    let touching = |ous: Vec<ResourceId>| {
        let texts: Vec<Value> = ous.iter().map(|ou| json!(ou)).collect();
        those(&move |entry| {
            let of = entry.change().unwrap()["ous"].as_array().cloned().unwrap_or_default();
            of.iter().any(|ou| texts.contains(ou))
        })
    };
    for (query, wanted) in [
        ("".to_owned(), all.clone()),
        ("actor=user:eve@acme.com".to_owned(), those(&|entry| entry.row.actor == "user:eve@acme.com")),
        ("verb=ou.create".to_owned(), those(&|entry| entry.row.verb == "ou.create")),
        ("resource_kind=Skill".to_owned(), those(&|entry| entry.row.resource_kind == "Skill")),
        (format!("resource_id={eng}"), those(&|entry| entry.row.resource_id == eng.to_string())),
        (format!("session={session}"), those(&|entry| entry.row.delegated_from_session.is_some())),
        (format!("approval={request}"), those(&|entry| entry.row.approval_request_id.is_some())),
        ("decision=deny".to_owned(), those(&|entry| entry.row.actor == "user:eve@acme.com")),
        (format!("ou_id={core}"), touching(vec![core])),
        (format!("ou_id={eng}"), touching(vec![eng, core])),
        (format!("ou_id={eng}&depth=0"), touching(vec![eng])),
        ("from_seq=3&to_seq=4".to_owned(), vec![4, 3]),
        (
            format!("from={}&to={}", at(3), at(newest)),
            those(&|entry| at(3) <= entry.row.ts && entry.row.ts < at(newest)),
        ),
        (
            "verb=ou.create&decision=deny".to_owned(),
            those(&|entry| entry.row.verb == "ou.create" && entry.row.actor.contains("eve")),
        ),
        ("limit=2".to_owned(), all[..2].to_vec()),
        ("verb=nothing".to_owned(), vec![]),
    ] {
        let found = world.get(&format!("/audit?{query}")).await.expect(200);
        assert_eq!(seqs(&found), wanted, "{query}");
        assert!(
            query.is_empty() || query == "verb=nothing" || (!wanted.is_empty() && wanted.len() < all.len()),
            "{query} tells nothing"
        );
    }
}

/// Sem. 2.14: by an opaque cursor, the newest first, nothing twice, and nothing that came meanwhile.
#[tokio::test]
async fn pages_go_back_through_all_of_the_trail() {
    let world = World::start().await;
    grow(&world, 10).await;
    let (mut found, mut path) = (Vec::new(), "/audit?limit=4".to_owned());
    loop {
        let page = world.get(&path).await.expect(200);
        found.extend(seqs(&page));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/audit?limit=4&cursor={cursor}");
        grow_one(&world, found.len()).await;
    }
    assert_eq!(found, (1..=11).rev().collect::<Vec<u64>>());
    let page = world.get("/audit?from_seq=5&to_seq=8&limit=2").await.expect(200);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let last = world.get(&format!("/audit?from_seq=5&to_seq=8&limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((seqs(&page), seqs(&last), &last.body["next_cursor"]), (vec![8, 7], vec![6, 5], &Value::Null));
}

/// A8: what is erased is gone, the trail says who erased it, and the chain holds.
#[tokio::test]
async fn an_erased_payload_is_gone_and_the_chain_holds() {
    let world = World::start().await;
    ou(&world, world.acme.root_ou, "secret-plans").await;
    assert!(world.get("/audit/2").await.expect(200).text.contains("secret-plans"));
    let gone = world.post("/audit/2/erase", json!({})).await.expect(204);
    assert_eq!(gone.text, "");
    let entry = world.get("/audit/2").await.expect(200);
    assert_eq!((&entry.body["erased"], &entry.body["payload"]), (&json!(true), &Value::Null));
    assert!(entry.body.get("ous").is_none() && !entry.text.contains("secret-plans"), "{}", entry.text);
    let erasure = world.get("/audit/3").await.expect(200).body;
    assert_eq!((&erasure["verb"], &erasure["resource_id"]), (&json!("audit_entry.erase"), &json!("2")));
    world.post("/audit/2/erase", json!({})).await.expect(204);
    assert_eq!(seqs(&world.get("/audit").await), [3, 2, 1], "a second time changes nothing");
    let verified = world.post("/audit/verify", json!({})).await.expect(200).body;
    assert_eq!((&verified["ok"], &verified["verified"]["erased"]), (&json!(true), &json!(1)));
    let export = world.get("/audit/export").await.expect(200);
    assert_eq!(check(&export.text, None).erased, 1);
    assert_eq!(world.post("/audit/99/erase", json!({})).await.expect(404).code(), "not_found");
}

//! Whether the chain holds, the chain as a file, proofs and checkpoints.

use crate::audit::{check, grow, grow_one, kept};
use crate::world::World;
use powerloom_core::audit::merkle::TreeHead;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::proof::{ConsistencyProof, InclusionProof};
use powerloom_core::audit::signer::Ed25519Signer;
use powerloom_core::audit::trust::{Trust, TrustedKey};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::digest::Digest;
use powerloom_server::Checkpoints;
use powerloom_store::anchor::{AppendFileAnchor, FileAnchor};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::sync::Arc;

/// A1, A5: the whole chain is read, and a head kept elsewhere shows a cut tail.
#[tokio::test]
async fn the_chain_is_verified_against_a_head_that_was_kept() {
    let world = World::start().await;
    grow(&world, 3).await;
    let verified = world.post("/audit/verify", json!({})).await.expect(200).body;
    assert_eq!((&verified["ok"], &verified["finding"]), (&json!(true), &Value::Null));
    assert_eq!(verified["verified"]["count"], 4);
    let head = verified["verified"]["head"].clone();
    grow_one(&world, 1).await;
    let grown = world.post("/audit/verify", json!({ "trusted": head })).await.expect(200).body;
    assert_eq!((&grown["ok"], &grown["verified"]["count"]), (&json!(true), &json!(5)));

    let ahead = json!({ "trusted": { "seq": 9, "hash": head["hash"] } });
    let other = json!({ "trusted": { "seq": 2, "hash": head["hash"] } });
    for trusted in [ahead, other] {
        let broken = world.post("/audit/verify", trusted).await.expect(200).body;
        assert_eq!((&broken["ok"], &broken["verified"]), (&json!(false), &Value::Null));
        assert_eq!(broken["finding"]["code"], "head_mismatch", "{broken}");
        assert!(broken["finding"]["message"].as_str().unwrap().contains("trusted head"), "{broken}");
    }
}

/// A6: whoever writes the store past the program is found out, by the server and by whoever holds an export.
#[tokio::test]
async fn a_flipped_byte_in_the_store_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loom.db");
    let store = powerloom_store::open(&format!("sqlite://{}", file.display())).await.unwrap();
    let world = World::over(ControlPlane::builder(store).build(), |config| config).await;
    grow(&world, 5).await;
    let export = world.get("/audit/export").await.expect(200).text;
    assert!(check(&export, None).is_verified());

    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let org = world.acme.id;
    for (sql, code) in [
        (
            format!(
                "UPDATE audit_payloads SET payload = replace(payload, 'ou-2', 'ou-9') WHERE org = '{org}' AND seq = 4"
            ),
            "payload_mismatch",
        ),
        (
            format!("UPDATE audit_rows SET actor = 'user:eve@acme.com' WHERE org = '{org}' AND seq = 3"),
            "column_mismatch",
        ),
        (
            format!(
                "UPDATE audit_rows SET row = replace(row, 'ou.create', 'ou.delete') WHERE org = '{org}' AND seq = 2"
            ),
            "bad_row_hash",
        ),
    ] {
        let sql = format!(
            "DROP TRIGGER IF EXISTS audit_payloads_update; DROP TRIGGER IF EXISTS audit_rows_update; {sql}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut raw).await.unwrap();
        let broken = world.post("/audit/verify", json!({})).await.expect(200).body;
        assert_eq!((&broken["ok"], &broken["finding"]["code"]), (&json!(false), &json!(code)), "{broken}");
        let export = world.get("/audit/export").await.expect(200).text;
        assert!(!check(&export, None).is_verified(), "{code}");
    }
    assert_eq!(
        world.get("/audit/tree").await.expect(500).code(),
        "corrupt",
        "nothing is proven of a broken chain"
    );
}

/// Row M43: the whole trail as a file, a part of it, and what a changed copy is worth.
#[tokio::test]
async fn a_big_export_streams_and_verifies() {
    let world = World::start().await;
    grow(&world, 1200).await;
    let export = world.get("/audit/export").await.expect(200);
    assert_eq!(export.header("content-type"), "application/jsonl");
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"acme-audit-1-1201.jsonl\"");
    assert_eq!(export.header("content-length"), "", "nobody knew the length beforehand");
    let report = check(&export.text, None);
    assert!(report.is_verified() && report.entries == 1201, "{report}");

    let part = world.get("/audit/export?from=300&to=310").await.expect(200);
    assert_eq!(part.text.lines().count(), 12, "a header and eleven entries");
    assert_eq!(part.header("content-disposition"), "attachment; filename=\"acme-audit-300-310.jsonl\"");

    let mut bytes = export.text.into_bytes();
    let at = bytes.len() / 2;
    let place = bytes[at..].iter().position(u8::is_ascii_digit).unwrap() + at;
    bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
    let changed = String::from_utf8(bytes).unwrap();
    let found = verify_export(changed.as_bytes(), &Given::default());
    assert!(found.is_err() || !found.unwrap().is_verified(), "a flipped byte is found");
}

/// A reader that goes away costs nothing: the server answers, and the next one gets it all.
#[tokio::test]
async fn an_export_that_is_dropped_half_way_leaves_the_server_fine() {
    let world = World::start().await;
    grow(&world, 1200).await;
    for _ in 0..20 {
        let request = world.request(Method::GET, "/audit/export").bearer_auth(&world.admin);
        let mut response = request.send().await.unwrap();
        assert!(!response.chunk().await.unwrap().unwrap().is_empty());
    }
    world.get("/healthz").await.expect(200);
    let export = world.get("/audit/export").await.expect(200);
    assert_eq!(check(&export.text, None).entries, 1201);
    // And a copy that was cut off says so itself.
    let half: String = export.text.lines().take(600).map(|line| format!("{line}\n")).collect();
    let codes: Vec<_> = check(&half, None).findings.iter().map(|finding| finding.code()).collect();
    assert_eq!(codes, ["cut"]);
}

/// RFC 9162: proofs that need nothing but the roots.
#[tokio::test]
async fn proofs_hold_against_the_tree() {
    let world = World::start().await;
    grow(&world, 9).await;
    let tree = async || {
        let tree = world.get("/audit/tree").await.expect(200).body;
        let root: Digest = tree["root"].as_str().unwrap().parse().unwrap();
        TreeHead { size: tree["size"].as_u64().unwrap(), root }
    };
    let before = tree().await;
    grow_one(&world, 1).await;
    let after = tree().await;
    assert_eq!((before.size, after.size), (10, 11));
    let entries = kept(&world, world.acme.id).await;
    for seq in [1, 4, 11] {
        let proof = world.get(&format!("/audit/proofs/inclusion?seq={seq}&size=11")).await.expect(200);
        let proof: InclusionProof = serde_json::from_str(&proof.text).unwrap();
        let hash = &entries[usize::try_from(seq).unwrap() - 1].hash;
        proof.verify(hash, &after).unwrap();
        assert!(proof.verify(&Digest::of(b"another entry"), &after).is_err());
    }
    let proof = world.get("/audit/proofs/consistency?from=10&to=11").await.expect(200);
    let proof: ConsistencyProof = serde_json::from_str(&proof.text).unwrap();
    proof.verify(&before, &after).unwrap();
    assert!(proof.verify(&after, &before).is_err());
}

/// Sem. 2.9: what is signed is kept elsewhere, and an export with it is verified by whoever has the key.
#[tokio::test]
async fn a_checkpoint_is_made_anchored_and_goes_with_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let signer = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32]).unwrap());
    let anchor = Arc::new(FileAnchor::new(folder.path().join("newest")));
    let checkpoints = Checkpoints::new(signer, anchor).unwrap();
    let checkpoints = checkpoints.anchor(Arc::new(AppendFileAnchor::new(folder.path().join("all"))));
    let key = checkpoints.key();
    let world = World::with(|config| config.checkpoints(checkpoints)).await;
    let none = world.get("/audit/checkpoints").await.expect(200).body;
    assert_eq!((&none["key"], &none["items"][0]["checkpoint"]), (&json!(key.to_string()), &Value::Null));

    let made = world
        .send(world.request(Method::POST, "/audit/checkpoints").bearer_auth(&world.admin))
        .await
        .expect(200)
        .body;
    assert_eq!((made["published"].as_array().unwrap().len(), &made["failures"]), (2, &json!([])));
    assert_eq!(
        (&made["checkpoint"]["size"], &made["checkpoint"]["origin"]),
        (&json!(1), &json!(format!("powerloom/audit/{}", world.acme.id)))
    );
    let same = world.post("/audit/checkpoints", json!({})).await.expect(200).body;
    assert_eq!(
        (&same["checkpoint"], &same["published"]),
        (&made["checkpoint"], &json!([])),
        "it covers everything already"
    );
    let listed = world.get("/audit/checkpoints").await.expect(200).body;
    for item in listed["items"].as_array().unwrap() {
        assert_eq!((&item["checkpoint"], &item["error"]), (&made["checkpoint"], &Value::Null), "{item}");
    }

    grow(&world, 3).await;
    let export = world.get("/audit/export?checkpoint=true").await.expect(200);
    let origin = made["checkpoint"]["origin"].as_str().unwrap().parse().unwrap();
    let report = check(&export.text, Some(Trust::new(origin).key(TrustedKey::new(key))));
    assert!(report.is_verified(), "{report}");
    assert_eq!((report.checkpoints, report.newest_checkpoint, report.entries), (1, Some(1), 4));

    // The other organization has a log of its own.
    let other = world.token(world.other.id, world.other.admin).await;
    let theirs = world.as_of(&other, Method::GET, "/audit/checkpoints", None).await.expect(200).body;
    assert_eq!(theirs["items"][0]["checkpoint"], Value::Null);

    // What is in an anchor and is no checkpoint of ours is not believed, and not written over.
    let path = FileAnchor::new(folder.path().join("newest"))
        .path_of(&made["checkpoint"]["origin"].as_str().unwrap().parse().unwrap());
    std::fs::write(&path, "no note at all").unwrap();
    let listed = world.get("/audit/checkpoints").await.expect(200).body;
    assert_eq!(listed["items"][0]["checkpoint"], Value::Null);
    assert!(listed["items"][0]["error"].as_str().unwrap().contains("cannot be read"), "{listed}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "no note at all");
}

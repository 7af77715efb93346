//! How long does a proof over a million entries take, and how close is verifying an export to hashing its bytes?
//!
//! `cargo bench --package powerloom-benches --bench evidence`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::audit::export::{EXPORT_FORMAT, EXPORT_VERSION, ExportHeader, write_entry};
use powerloom_core::audit::merkle::MerkleTree;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::{AuditDecision, AuditDraft, AuditHead, Change, seal};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::hint::black_box;
use std::time::Instant;

const ENTRIES: u32 = 20_000;
const MILLION: u64 = 1_000_000;
const ORG: &str = "00000000-0000-4000-8000-000000000001";

fn draft(n: u32, ou: ResourceId) -> AuditDraft {
    AuditDraft {
        ts: Timestamp::from_micros(1_735_689_601_000_000 + i64::from(n)),
        actor: "user:admin@acme.com".into(),
        verb: "agent.update".into(),
        resource_kind: "Agent".into(),
        resource_id: "0198c0de-0000-7000-8000-000000000001".into(),
        decision: AuditDecision::Allow,
        delegated_from_session: Some("0198c0de-0000-7000-8000-00000000000a".into()),
        approval_request_id: None,
        change: Change {
            before: json!({"model": "claude-sonnet-4-6", "version": n}),
            after: json!({"model": "claude-sonnet-4-6", "name": "code-reviewer", "version": n + 1,
                "system": "You review changes and say what is wrong with them, in short words."}),
            ous: vec![ou],
            ..Change::default()
        },
    }
}

fn export() -> Vec<u8> {
    let org: OrgId = ORG.parse().unwrap();
    let ou: ResourceId = "0198c0de-0000-7000-8000-0000000000aa".parse().unwrap();
    let (mut head, mut lines) = (AuditHead::GENESIS, Vec::new());
    for n in 0..ENTRIES {
        let entry = seal(draft(n, ou), org, &head, Some([7; 16])).unwrap();
        write_entry(&entry, &mut lines).unwrap();
        head = entry.head();
    }
    let header = ExportHeader {
        checkpoint: None,
        exported_at: Timestamp::from_micros(1),
        format: EXPORT_FORMAT.to_owned(),
        from: 1,
        head,
        org_id: org,
        slug: "acme".to_owned(),
        to: head.seq,
        v: EXPORT_VERSION,
    };
    [header.to_line().unwrap(), lines].concat()
}

/// What has to be hashed of every entry.
fn pieces() -> Vec<(Vec<u8>, Vec<u8>)> {
    let org: OrgId = ORG.parse().unwrap();
    let ou: ResourceId = "0198c0de-0000-7000-8000-0000000000aa".parse().unwrap();
    let mut head = AuditHead::GENESIS;
    let entries = (0..ENTRIES).map(|n| {
        let entry = seal(draft(n, ou), org, &head, Some([7; 16])).unwrap();
        head = entry.head();
        (entry.row_bytes, entry.payload.unwrap())
    });
    entries.collect()
}

fn proofs() {
    let start = Instant::now();
    let mut tree = MerkleTree::default();
    for n in 0..MILLION {
        tree.push(&Digest::of(&n.to_be_bytes()));
    }
    println!("tree of {MILLION} entries, made in {:.2} s, 64 MB", start.elapsed().as_secs_f64());
    let head = tree.head();
    // The limit: as many hashes as the way up has nodes.
    let way = |operations: u32| {
        let start = Instant::now();
        for _ in 0..operations {
            for _ in 0..20 {
                black_box(Digest::of_parts(&[&[1], head.root.as_bytes(), head.root.as_bytes()]));
            }
        }
        start.elapsed()
    };
    let place = |n: u32| 1 + u64::from(n) * 7_919 % MILLION;
    compare(
        "inclusion proof in a million (gate 1 ms), next to 20 hashes",
        10_000,
        &mut || way(10_000),
        &mut || {
            let start = Instant::now();
            for n in 0..10_000 {
                let proof = tree.prove_inclusion(place(n), MILLION).unwrap();
                assert!(proof.hashes.len() <= 20);
                black_box(proof);
            }
            start.elapsed()
        },
    );
    compare(
        "consistency proof in a million (gate 1 ms), next to 20 hashes",
        10_000,
        &mut || way(10_000),
        &mut || {
            let start = Instant::now();
            for n in 0..10_000 {
                black_box(tree.prove_consistency(place(n), MILLION).unwrap());
            }
            start.elapsed()
        },
    );
    compare("verifying an inclusion proof, next to 20 hashes", 1_000, &mut || way(1_000), &mut || {
        let proofs: Vec<_> = (0..1_000).map(|n| tree.prove_inclusion(place(n), MILLION).unwrap()).collect();
        let start = Instant::now();
        for proof in &proofs {
            proof.verify(&Digest::of(&(proof.seq - 1).to_be_bytes()), &head).unwrap();
        }
        start.elapsed()
    });
}

fn main() {
    if is_listing() {
        return;
    }
    proofs();
    let file = export();
    println!("a line of {} bytes", file.len() / ENTRIES as usize);
    let pieces = pieces();
    compare(
        "verify an export, against the same hashes by hand",
        ENTRIES,
        &mut || {
            let start = Instant::now();
            let mut before = [0; 32];
            for (row, payload) in &pieces {
                let hash: [u8; 32] = Sha256::new()
                    .chain_update(b"powerloom/audit/v1\n")
                    .chain_update(before)
                    .chain_update(row)
                    .finalize()
                    .into();
                let salted = Sha256::new()
                    .chain_update(b"powerloom/audit/change/v1\n")
                    .chain_update([7; 16])
                    .chain_update(payload);
                black_box(salted.finalize());
                // A leaf, and one node for each leaf but the first.
                let leaf = Sha256::new().chain_update([0]).chain_update(hash).finalize();
                black_box(Sha256::new().chain_update([1]).chain_update(leaf).chain_update(leaf).finalize());
                before = hash;
            }
            start.elapsed()
        },
        &mut || {
            let start = Instant::now();
            let report = verify_export(file.as_slice(), &Given::default()).unwrap();
            let took = start.elapsed();
            assert!(report.is_verified());
            took
        },
    );
    compare(
        "verify an export, against hashing its bytes (gate 0.5, or a million a second)",
        ENTRIES,
        &mut || {
            let start = Instant::now();
            black_box(Sha256::digest(&file));
            start.elapsed()
        },
        &mut || {
            let start = Instant::now();
            let report = verify_export(file.as_slice(), &Given::default()).unwrap();
            let took = start.elapsed();
            assert!(report.is_verified() && report.entries == u64::from(ENTRIES));
            took
        },
    );
}

//! How close are appending to the audit chain and verifying it to what SHA-256 allows?
//!
//! `cargo bench --package powerloom-benches --bench audit`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::audit::{AuditDecision, AuditDraft, AuditEntry, AuditHead, Change, Verifier, seal};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::OrgId;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::Instant;

const ENTRIES: u32 = 20_000;
const ORG: &str = "00000000-0000-4000-8000-000000000001";
const MODEL: &str = "claude-sonnet-4-6";
const SYSTEM: &str = "You review changes and say what is wrong with them, in short words.";

fn draft(n: u32) -> AuditDraft {
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
            before: json!({"model": MODEL, "version": n}),
            after: json!({"model": MODEL, "name": "code-reviewer", "system": SYSTEM, "version": n + 1}),
            ..Change::default()
        },
    }
}

/// The same fields, typed: what a program would have that knows the shape of its one kind of change.
struct Plain {
    draft: AuditDraft,
    version: u32,
}

/// The limit: the same bytes by plain pushes, the same two hashes, everything kept; no generic value to walk, no
/// escaping, no checks. Both free the change of the draft they are given.
fn append_plain(plain: Plain, seq: u32, previous: &[u8; 32]) -> ([u8; 32], Vec<u8>, Vec<u8>, AuditDraft) {
    let mut payload = Vec::with_capacity(256);
    let mut digits = [0; 20];
    let Plain { mut draft, version } = plain;
    drop(std::mem::take(&mut draft.change));
    for piece in [
        "{\"after\":{\"model\":\"",
        MODEL,
        "\",\"name\":\"code-reviewer\",\"system\":\"",
        SYSTEM,
        "\",\"version\":",
    ] {
        payload.extend_from_slice(piece.as_bytes());
    }
    payload.extend_from_slice(decimal(version + 1, &mut digits));
    for piece in ["},\"before\":{\"model\":\"", MODEL, "\",\"version\":"] {
        payload.extend_from_slice(piece.as_bytes());
    }
    payload.extend_from_slice(decimal(version, &mut digits));
    payload.extend_from_slice(b"}}");
    let mut hex = [0; 64];
    let change: [u8; 32] = Sha256::digest(&payload).into();
    for (pair, byte) in hex.chunks_exact_mut(2).zip(change) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    let mut row = Vec::with_capacity(512);
    for piece in [
        b"{\"actor\":\"".as_slice(),
        draft.actor.as_bytes(),
        b"\",\"approval_request_id\":null,\"change_hash\":\"",
        &hex,
    ] {
        row.extend_from_slice(piece);
    }
    row.extend_from_slice(b"\",\"decision\":\"allow\",\"delegated_from_session\":\"");
    row.extend_from_slice(draft.delegated_from_session.as_deref().unwrap_or_default().as_bytes());
    for piece in [
        "\",\"org_id\":\"",
        ORG,
        "\",\"resource_id\":\"",
        &draft.resource_id,
        "\",\"resource_kind\":\"",
        &draft.resource_kind,
    ] {
        row.extend_from_slice(piece.as_bytes());
    }
    row.extend_from_slice(b"\",\"seq\":");
    row.extend_from_slice(decimal(seq, &mut digits));
    row.extend_from_slice(b",\"ts\":\"2025-01-01T00:00:01.0");
    row.extend_from_slice(decimal(10_000 + version % 90_000, &mut digits));
    row.extend_from_slice(b"Z\",\"v\":1,\"verb\":\"");
    row.extend_from_slice(draft.verb.as_bytes());
    row.extend_from_slice(b"\"}");
    (row_hash(previous, &row), row, payload, draft)
}

fn decimal(mut value: u32, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

fn row_hash(previous: &[u8; 32], row: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"powerloom/audit/v1\n");
    hasher.update(previous);
    hasher.update(row);
    hasher.finalize().into()
}

fn chain() -> Vec<AuditEntry> {
    let org: OrgId = ORG.parse().unwrap();
    let mut head = AuditHead::GENESIS;
    (0..ENTRIES)
        .map(|n| {
            let entry = seal(draft(n), org, &head, None).unwrap();
            head = entry.head();
            entry
        })
        .collect()
}

fn main() {
    if is_listing() {
        return;
    }
    let org: OrgId = ORG.parse().unwrap();
    let sample = seal(draft(10_000), org, &AuditHead::GENESIS, None).unwrap();
    let (_, row, payload, _) = append_plain(Plain { draft: draft(10_000), version: 10_000 }, 1, &[0; 32]);
    assert_eq!(
        (row.len(), &payload),
        (sample.row_bytes.len(), sample.payload.as_ref().unwrap()),
        "the same work"
    );
    println!("row {} bytes, payload {} bytes", row.len(), payload.len());

    compare(
        "append in memory, bytes kept (gate 0.6)",
        ENTRIES,
        &mut || {
            let drafts: Vec<_> =
                (0..ENTRIES).map(|version| Plain { draft: draft(version), version }).collect();
            let mut kept = Vec::with_capacity(drafts.len());
            let mut previous = [0; 32];
            let start = Instant::now();
            for (seq, plain) in (1..).zip(drafts) {
                let entry = append_plain(plain, seq, &previous);
                previous = entry.0;
                kept.push(entry);
            }
            let took = start.elapsed();
            black_box(kept);
            took
        },
        &mut || {
            let drafts: Vec<_> = (0..ENTRIES).map(draft).collect();
            let mut kept = Vec::with_capacity(drafts.len());
            let mut head = AuditHead::GENESIS;
            let start = Instant::now();
            for draft in drafts {
                let entry = seal(draft, org, &head, None).unwrap();
                head = entry.head();
                kept.push(entry);
            }
            let took = start.elapsed();
            black_box(kept);
            took
        },
    );

    let entries = chain();
    compare(
        "verify, against rehashing the same bytes (gate 0.8)",
        ENTRIES,
        &mut || {
            let start = Instant::now();
            let mut previous = [0; 32];
            for entry in &entries {
                assert!(*entry.prev_hash.as_bytes() == previous);
                previous = row_hash(&previous, &entry.row_bytes);
                assert!(*entry.hash.as_bytes() == previous);
                let change: [u8; 32] = Sha256::digest(entry.payload.as_ref().unwrap()).into();
                assert!(*entry.row.change_hash.as_bytes() == change);
            }
            start.elapsed()
        },
        &mut || {
            let start = Instant::now();
            let mut verifier = Verifier::new(org, None, None);
            for entry in &entries {
                verifier.push(entry).unwrap();
            }
            assert_eq!(verifier.finish().unwrap().count, u64::from(ENTRIES));
            start.elapsed()
        },
    );
}

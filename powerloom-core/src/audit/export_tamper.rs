//! Every way to tamper with an export, and what its strict reader and the offline verifier say of it.

use crate::audit::chain::{AuditHead, seal};
use crate::audit::draft::{AuditDecision, AuditDraft, Change};
use crate::audit::entry::AuditEntry;
use crate::audit::export::{
    EXPORT_FORMAT, EXPORT_VERSION, ExportError, ExportHeader, ExportReader, LineFault, write_entry,
};
use crate::audit::offline::{Given, verify_export};
use crate::clock::Timestamp;
use crate::id::{OrgId, ResourceId};
use serde_json::json;
use std::io::{BufReader, Read as _};

fn org() -> OrgId {
    "00000000-0000-4000-8000-000000000001".parse().unwrap()
}

fn chain() -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for n in 1..=4u8 {
        let head = entries.last().map_or(AuditHead::GENESIS, AuditEntry::head);
        let draft = AuditDraft {
            ts: Timestamp::from_micros(1_735_689_600_000_000 + i64::from(n)),
            actor: "user:admin@acme.com".into(),
            verb: "agent.update".into(),
            resource_kind: "Agent".into(),
            resource_id: "\"row\":ä\u{1}\\".into(),
            decision: AuditDecision::Allow,
            delegated_from_session: (n > 2).then(|| "s1".into()),
            approval_request_id: None,
            // Looks like the end of a line, within one.
            change: Change {
                after: json!({"a": {"prev_hash": "0".repeat(64), "row": {"x": 1.5}, "salt": null}, "n": n}),
                ous: vec![ResourceId::from_uuid(uuid::Uuid::from_u128(u128::from(n)))],
                ..Change::default()
            },
        };
        entries.push(seal(draft, org(), &head, (n % 2 == 0).then_some([n; 16])).unwrap());
    }
    entries[2].erase();
    entries
}

fn lines() -> Vec<Vec<u8>> {
    let entries = chain();
    let header = ExportHeader {
        checkpoint: None,
        exported_at: Timestamp::from_micros(1),
        format: EXPORT_FORMAT.to_owned(),
        from: 1,
        head: entries[3].head(),
        org_id: org(),
        slug: "acme".to_owned(),
        to: 4,
        v: EXPORT_VERSION,
    };
    let mut lines = vec![header.to_line().unwrap()];
    for entry in &entries {
        let mut line = Vec::new();
        write_entry(entry, &mut line).unwrap();
        lines.push(line);
    }
    lines
}

fn is_refused(file: &[u8]) -> bool {
    verify_export(file, &Given::default()).map_or(true, |report| !report.is_verified())
}

#[test]
fn what_is_written_reads_back_and_verifies() {
    let file = lines().concat();
    let mut reader = ExportReader::new(file.as_slice()).unwrap();
    let mut read = Vec::new();
    while let Some(entry) = reader.entry().unwrap() {
        read.push(entry);
    }
    assert_eq!(read, chain());
    let report = verify_export(file.as_slice(), &Given::default()).unwrap();
    assert!(report.is_verified(), "{report}");
    assert_eq!((report.entries, report.erased, report.anchored), (4, 1, None));
    for line in &lines() {
        let line = line.strip_suffix(b"\n").unwrap();
        let tree: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&tree).unwrap(), line, "a line is canonical as a whole");
    }
}

/// A1: whatever byte of an entry's line is changed, taken out or put in, it is seen.
#[test]
fn changing_any_byte_of_an_entry_is_seen() {
    let lines = lines();
    let head = lines[0].len();
    let file = lines.concat();
    for at in head..file.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut other = file.clone();
            other[at] ^= flip;
            assert!(is_refused(&other), "byte {at} ^ {flip}");
        }
        let mut other = file.clone();
        other.remove(at);
        assert!(is_refused(&other), "byte {at} taken out");
        other.insert(at, file[at]);
        assert_eq!(other, file);
        other.insert(at, b' ');
        assert!(is_refused(&other), "a space at {at}");
        assert!(is_refused(&file[..at]), "cut at {at}");
    }
}

/// The strict reader names the line and what is wrong with it.
#[test]
fn what_is_not_written_as_an_export_is_refused_with_its_line() {
    let fault = |file: Vec<u8>| match verify_export(file.as_slice(), &Given::default()) {
        Err(ExportError::Line { line, fault }) => (line, fault),
        other => panic!("{other:?}"),
    };
    let edited = |place: usize, from: &str, to: &str| {
        let mut lines = lines();
        let text = String::from_utf8(lines[place].clone()).unwrap();
        assert!(text.contains(from), "{text}");
        lines[place] = text.replacen(from, to, 1).into_bytes();
        lines.concat()
    };
    assert_eq!(fault(Vec::new()), (1, LineFault::Empty));
    assert_eq!(fault(b"\n".to_vec()), (1, LineFault::Header));
    assert_eq!(fault(edited(0, "\"from\":1", "\"from\":0")), (1, LineFault::Header));
    assert_eq!(fault(edited(0, "\"from\":1", "\"from\": 1")), (1, LineFault::Header));
    assert_eq!(fault(edited(0, "\"from\":1", "\"from\":1,\"from\":1")), (1, LineFault::Header));
    assert_eq!(fault(edited(0, "\"from\":1", "\"extra\":1,\"from\":1")), (1, LineFault::Header));
    assert!(matches!(fault(edited(0, "\"v\":1", "\"v\":2")), (1, LineFault::Version { version: 2, .. })));
    assert_eq!(
        fault(edited(2, "update\"},\"salt\":", "update\"},\"salt\":null,\"salt\":")),
        (3, LineFault::Form)
    );
    assert_eq!(fault(edited(2, "{\"change\":", "{\"extra\":1,\"change\":")), (3, LineFault::Form));
    assert_eq!(fault(edited(2, "\"seq\":2", "\"seq\":2,\"seq\":2")), (3, LineFault::Row));
    assert_eq!(fault(edited(2, "\"v\":1", "\"v\":01")), (3, LineFault::Row));
    assert_eq!(fault(edited(2, "\"n\":2", "\"n\":2,\"n\":2")), (3, LineFault::Change));
    assert_eq!(fault(edited(2, "\"n\":2", "\"n\":2.0")), (3, LineFault::Change));
    assert_eq!(
        fault(edited(3, "\"salt\":null", &format!("\"salt\":\"{}\"", "0".repeat(32)))),
        (4, LineFault::Change)
    );
    let mut unfinished = lines().concat();
    unfinished.pop();
    assert_eq!(fault(unfinished), (5, LineFault::Unfinished));
    let header = lines().remove(0);
    let endless = BufReader::new(header.as_slice().chain(std::io::repeat(b'x')));
    let refused = verify_export(endless, &Given::default()).unwrap_err();
    assert!(matches!(refused, ExportError::Line { line: 2, fault: LineFault::TooLong }), "{refused}");
}

/// What was tampered with in the store is exported as it is, unless it is no line at all.
#[test]
fn kept_bytes_that_are_no_line_are_not_exported() {
    let mut entry = chain().remove(1);
    entry.row_bytes.push(b'\n');
    let mut out = Vec::new();
    assert!(write_entry(&entry, &mut out).is_err() && out.is_empty());
    let mut entry = chain().remove(1);
    entry.payload = Some(b"{\"a\":1,\"a\":1}".to_vec());
    assert!(write_entry(&entry, &mut out).is_err() && out.is_empty());
}

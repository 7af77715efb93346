//! Every way to tamper with a kept chain, and what the verifier says of it.

use crate::audit::chain::{AuditHead, seal};
use crate::audit::draft::{AuditDecision, AuditDraft, Change};
use crate::audit::entry::AuditEntry;
use crate::audit::row::AuditRow;
use crate::audit::verify::{Break, Verified, Verifier};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use proptest::prelude::*;
use serde_json::{Value, json};

fn org(last: u128) -> OrgId {
    OrgId::from_uuid(uuid::Uuid::from_u128(0x4000_8000_0000_0000_0000 | last))
}

fn draft(second: i64, verb: &str, session: Option<&str>, change: [Value; 2]) -> AuditDraft {
    let [before, after] = change;
    AuditDraft {
        ts: Timestamp::from_micros((1_735_689_600 + second) * 1_000_000),
        actor: "user:admin@acme.com".into(),
        verb: verb.into(),
        resource_kind: "Agent".into(),
        resource_id: "a1".into(),
        decision: AuditDecision::Allow,
        delegated_from_session: session.map(Into::into),
        approval_request_id: None,
        change: Change { before, after, ..Change::default() },
    }
}

fn chain_of(org: OrgId, salt: Option<[u8; 16]>, length: i64) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for n in 1..=length {
        let head = entries.last().map_or(AuditHead::GENESIS, AuditEntry::head);
        let change = match n {
            1 => draft(1, "agent.create", None, [json!(null), json!({"name": "code-reviewer"})]),
            2 => draft(
                2,
                "agent.attach_skill",
                Some("s1"),
                [json!({"skills": []}), json!({"skills": ["python-lint"]})],
            ),
            n => draft(n, "agent.update", None, [json!({"n": n - 1}), json!({"n": n})]),
        };
        entries.push(seal(change, org, &head, salt).unwrap());
    }
    entries
}

fn chain() -> Vec<AuditEntry> {
    chain_of(org(1), None, 3)
}

fn verify(entries: &[AuditEntry], trusted: Option<AuditHead>) -> Result<Verified, Break> {
    let mut verifier = Verifier::new(org(1), None, trusted);
    for entry in entries {
        // `finish` repeats the break.
        let _ = verifier.push(entry);
    }
    verifier.finish()
}

/// Vector 4.3, rows M40 and M41: the published chain, byte for byte.
#[test]
fn the_published_chain_comes_out_as_published() {
    let entries = chain();
    for (entry, change_hash, hash) in [
        (
            &entries[0],
            "0cfe4352ada0069ff23b011f8f1cfcd3c03ed20123c1a996352390e1b765d69b",
            "1abdb4c6b246ab9207515eb89e15e5a4624ffffd296fdff5cec826457a168108",
        ),
        (
            &entries[1],
            "10917b9f4249acaab39233e4038a4de20fd490713181998f77cd73de69b7f85a",
            "4a5be9b8d6e43d602e6dfd3ab4f95b65ee6d44990d8f03abc3aae5ed5cb5398a",
        ),
    ] {
        assert_eq!(entry.row.change_hash.to_string(), change_hash);
        assert_eq!(entry.hash.to_string(), hash);
    }
    assert_eq!(entries[0].row.org_id.to_string(), "00000000-0000-4000-8000-000000000001");
    assert_eq!(
        verify(&entries, Some(entries[2].head())).unwrap(),
        Verified { count: 3, erased: 0, head: entries[2].head() }
    );
}

#[test]
fn a_verification_can_begin_after_a_head() {
    let entries = chain();
    let mut verifier = Verifier::new(org(1), Some(entries[0].head()), Some(entries[1].head()));
    verifier.push(&entries[1]).unwrap();
    verifier.push(&entries[2]).unwrap();
    assert_eq!(verifier.finish().unwrap().count, 2);
}

/// Reliability A1: a deleted row.
#[test]
fn a_deleted_row_is_a_gap() {
    let mut entries = chain();
    entries.remove(1);
    assert_eq!(verify(&entries, None).unwrap_err(), Break::Gap { expected: 2, found: 3 });
    entries.remove(0);
    assert_eq!(verify(&entries, None).unwrap_err(), Break::Gap { expected: 1, found: 3 });
}

/// Reliability A1: two rows that changed places under their `seq` column.
#[test]
fn swapped_rows_are_a_bad_link() {
    let mut entries = chain();
    entries.swap(1, 2);
    entries[1].row.seq = 2;
    entries[2].row.seq = 3;
    assert_eq!(verify(&entries, None).unwrap_err(), Break::BadLink { seq: 2 });
}

/// Reliability A1: an inserted row, once as a copy and once made for its place.
#[test]
fn an_inserted_row_is_out_of_order_or_breaks_the_next_link() {
    let mut entries = chain();
    entries.insert(2, entries[1].clone());
    assert_eq!(verify(&entries, None).unwrap_err(), Break::Reorder { expected: 3, found: 2 });

    let mut entries = chain();
    let forged = draft(9, "agent.delete", None, [json!(1), json!(null)]);
    entries.insert(1, seal(forged, org(1), &entries[0].head(), None).unwrap());
    entries[2].row.seq = 3;
    assert_eq!(verify(&entries, None).unwrap_err(), Break::BadLink { seq: 3 });
}

/// Reliability A1: an edited row, with and without its column.
#[test]
fn an_edited_row_is_a_bad_row_hash_and_an_edited_column_is_seen() {
    let mut entries = chain();
    entries[1].row.actor = "user:mallory".into();
    assert_eq!(verify(&entries, None).unwrap_err(), Break::ColumnMismatch { seq: 2 });
    entries[1].row_bytes = entries[1].row.to_canonical();
    assert_eq!(verify(&entries, None).unwrap_err(), Break::BadRowHash { seq: 2 });
    entries[1].hash = AuditEntry::row_hash(&entries[1].prev_hash, &entries[1].row_bytes);
    assert_eq!(verify(&entries, None).unwrap_err(), Break::BadLink { seq: 3 });
}

#[test]
fn an_edited_payload_or_salt_is_a_payload_mismatch() {
    for salt in [None, Some([9; 16])] {
        let mut entries = chain_of(org(1), salt, 3);
        assert_eq!(verify(&entries, None).unwrap().count, 3);
        entries[1].payload.as_mut().unwrap()[10] ^= 1;
        assert_eq!(verify(&entries, None).unwrap_err(), Break::PayloadMismatch { seq: 2 });

        let mut entries = chain_of(org(1), salt, 3);
        entries[1].salt = if salt.is_some() { None } else { Some([9; 16]) };
        assert_eq!(verify(&entries, None).unwrap_err(), Break::PayloadMismatch { seq: 2 });
    }
}

/// Reliability A1: a cut tail is seen only with a trusted head, which is why heads are kept elsewhere.
#[test]
fn a_cut_tail_is_seen_only_with_a_trusted_head() {
    let mut entries = chain();
    let trusted = entries.pop().unwrap().head();
    assert_eq!(verify(&entries, Some(trusted)).unwrap_err(), Break::HeadMismatch { trusted: 3, found: 2 });
    assert_eq!(verify(&entries, None).unwrap().count, 2);
    assert_eq!(verify(&[], Some(trusted)).unwrap_err(), Break::HeadMismatch { trusted: 3, found: 0 });
}

/// Reliability A1: a suffix written anew is a valid chain of its own; only a trusted head tells.
#[test]
fn a_recomputed_suffix_is_seen_only_with_a_trusted_head() {
    let entries = chain();
    let forged =
        seal(draft(2, "agent.create", None, [json!(null), json!(1)]), org(1), &entries[0].head(), None)
            .unwrap();
    let third =
        seal(draft(3, "agent.update", None, [json!(1), json!(2)]), org(1), &forged.head(), None).unwrap();
    let rewritten = [entries[0].clone(), forged, third];
    assert!(verify(&rewritten, None).is_ok());
    assert_eq!(
        verify(&rewritten, Some(entries[1].head())).unwrap_err(),
        Break::HeadMismatch { trusted: 2, found: 2 }
    );
}

/// Reliability A1: a row of another tenant, with and without its column rewritten.
#[test]
fn a_row_from_another_organization_is_the_wrong_organization() {
    let elsewhere = chain_of(org(2), None, 3);
    let mut entries = chain();
    entries[1] = elsewhere[1].clone();
    assert_eq!(verify(&entries, None).unwrap_err(), Break::WrongOrg { seq: 2, found: org(2) });
    entries[1].row.org_id = org(1);
    assert_eq!(verify(&entries, None).unwrap_err(), Break::WrongOrg { seq: 2, found: org(2) });
    assert_eq!(verify(&elsewhere, None).unwrap_err(), Break::WrongOrg { seq: 1, found: org(2) });
}

#[test]
fn an_unknown_version_is_not_guessed_at() {
    let mut entries = chain();
    entries[2].row.v = 2;
    assert_eq!(verify(&entries, None).unwrap_err(), Break::UnknownVersion { seq: 3, version: 2 });
    entries[2].row_bytes = entries[2].row.to_canonical();
    entries[2].hash = AuditEntry::row_hash(&entries[2].prev_hash, &entries[2].row_bytes);
    entries[2].row.v = 1;
    assert_eq!(verify(&entries, None).unwrap_err(), Break::UnknownVersion { seq: 3, version: 2 });
    assert!(AuditRow::from_canonical(&entries[2].row_bytes).is_err());
}

/// Reliability A8: erasure deletes payload and salt, and the chain stays whole.
#[test]
fn an_erased_payload_keeps_the_chain_and_is_counted() {
    let mut entries = chain_of(org(1), Some([7; 16]), 3);
    entries[1].erase();
    assert!(entries[1].payload.is_none() && entries[1].salt.is_none());
    let verified = verify(&entries, Some(entries[2].head())).unwrap();
    assert_eq!((verified.count, verified.erased), (3, 1));
    let export = serde_json::to_value(&entries[1]).unwrap();
    assert_eq!((&export["change"], &export["salt"]), (&json!(null), &json!(null)));
}

#[test]
fn a_salt_hides_what_an_erased_payload_was() {
    let (one, two) = (chain_of(org(1), Some([1; 16]), 1), chain_of(org(1), Some([2; 16]), 1));
    assert_ne!(one[0].row.change_hash, two[0].row.change_hash);
    assert_ne!(one[0].row.change_hash, Digest::of(one[0].payload.as_ref().unwrap()));
}

#[test]
fn a_broken_verification_stays_broken() {
    let entries = chain();
    let mut verifier = Verifier::new(org(1), None, None);
    let found = verifier.push(&entries[1]).unwrap_err();
    assert_eq!(verifier.push(&entries[0]).unwrap_err(), found);
    assert_eq!(verifier.finish().unwrap_err(), found);
}

/// An entry as an outsider gets it holds all that is hashed.
#[test]
fn an_exported_entry_can_be_verified_from_its_json_alone() {
    let entries = chain_of(org(1), Some([5; 16]), 2);
    let export = serde_json::to_value(&entries[1]).unwrap();
    let change = serde_json_canonicalizer::to_vec(&export["change"]).unwrap();
    let salt = hex::decode(export["salt"].as_str().unwrap()).unwrap();
    let change_hash = Digest::of_parts(&[b"powerloom/audit/change/v1\n", &salt, &change]);
    assert_eq!(export["row"]["change_hash"], change_hash.to_string());
    let row = serde_json_canonicalizer::to_vec(&export["row"]).unwrap();
    let previous = hex::decode(export["prev_hash"].as_str().unwrap()).unwrap();
    assert_eq!(export["hash"], Digest::of_parts(&[b"powerloom/audit/v1\n", &previous, &row]).to_string());
}

proptest! {
    /// Whatever byte is changed in whatever part of whatever entry, the verification fails.
    #[test]
    fn changing_any_byte_breaks_verify(
        which in 0..4usize,
        part in 0..5usize,
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
        salted in any::<bool>(),
    ) {
        let mut entries = chain_of(org(1), salted.then_some([3; 16]), 4);
        let entry = &mut entries[which];
        let flipped = |digest: &Digest| {
            let mut bytes = *digest.as_bytes();
            bytes[at.index(32)] ^= flip;
            Digest::from_bytes(bytes)
        };
        match (part, &mut entry.salt) {
            (0, _) => { let at = at.index(entry.row_bytes.len()); entry.row_bytes[at] ^= flip; }
            (1, _) => { let payload = entry.payload.as_mut().unwrap(); let at = at.index(payload.len()); payload[at] ^= flip; }
            (2, _) => entry.hash = flipped(&entry.hash),
            (3, _) => entry.prev_hash = flipped(&entry.prev_hash),
            (_, Some(salt)) => salt[at.index(16)] ^= flip,
            (_, None) => entry.row.change_hash = flipped(&entry.row.change_hash),
        }
        prop_assert!(verify(&entries, None).is_err());
    }
}

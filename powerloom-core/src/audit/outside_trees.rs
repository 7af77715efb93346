//! Our trees and proofs, and those of two implementations that are not ours (reliability A4).

use crate::audit::merkle::{MerkleTree, RootFold, TreeHead};
use crate::audit::proof::{ConsistencyProof, InclusionProof, ProofRefused};
use crate::digest::Digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof as TheirConsistency, InclusionProof as TheirInclusion, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

type Theirs = MemoryBackedTree<Sha256, [u8; 32]>;

fn entry(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn trees(size: u64) -> (MerkleTree, Theirs) {
    let (mut ours, mut theirs) = (MerkleTree::default(), Theirs::new());
    for n in 1..=size {
        ours.push(&entry(n));
        theirs.push(*entry(n).as_bytes());
    }
    (ours, theirs)
}

fn bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn root(head: &TreeHead) -> RootHash<Sha256> {
    RootHash::new((*head.root.as_bytes()).into(), head.size)
}

fn check_inclusion(ours: &MerkleTree, theirs: &Theirs, seq: u64) {
    let (size, tree) = (ours.size(), ours.head());
    let proof = ours.prove_inclusion(seq, size).unwrap();
    assert!(proof.hashes.len() <= 64 - (size - 1).leading_zeros() as usize);
    proof.verify(&entry(seq), &tree).unwrap();
    let place = usize::try_from(seq - 1).unwrap();
    assert_eq!(bytes(&proof.hashes), theirs.prove_inclusion(place).as_bytes(), "{seq} of {size}");
    let outside = TheirInclusion::<Sha256>::try_from_bytes(bytes(&proof.hashes)).unwrap();
    root(&tree).verify_inclusion(entry(seq).as_bytes(), seq - 1, &outside).unwrap();
    let goes: Vec<_> = proof.hashes.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect();
    let leaf = tlog_tiles::record_hash(entry(seq).as_bytes());
    tlog_tiles::check_record(&goes, size, tlog_tiles::Hash(*tree.root.as_bytes()), seq - 1, leaf).unwrap();
}

fn check_consistency(ours: &MerkleTree, theirs: &Theirs, from: u64) {
    let to = ours.size();
    let (before, after) = (ours.head_at(from).unwrap(), ours.head());
    let proof = ours.prove_consistency(from, to).unwrap();
    proof.verify(&before, &after).unwrap();
    if from == to {
        return;
    }
    let outside = theirs.prove_consistency(usize::try_from(to - from).unwrap());
    assert_eq!(bytes(&proof.hashes), outside.as_bytes(), "{from} of {to}");
    let outside = TheirConsistency::<Sha256>::try_from_bytes(bytes(&proof.hashes)).unwrap();
    root(&after).verify_consistency(&root(&before), &outside).unwrap();
    let goes: Vec<_> = proof.hashes.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect();
    let theirs = |head: &TreeHead| tlog_tiles::Hash(*head.root.as_bytes());
    tlog_tiles::check_tree(&goes, to, theirs(&after), from, theirs(&before)).unwrap();
}

/// A4: every size to 300, every entry of it, every earlier size; the same bytes as the others make, and both accept ours.
#[test]
fn roots_and_proofs_of_every_small_size_are_those_of_others() {
    let (mut ours, mut theirs) = (MerkleTree::default(), Theirs::new());
    let mut fold = RootFold::default();
    assert_eq!(ours.head(), TreeHead { size: 0, root: Digest::of(b"") });
    for size in 1..=300 {
        ours.push(&entry(size));
        theirs.push(*entry(size).as_bytes());
        fold.push(&entry(size));
        assert_eq!(bytes(&[ours.head().root]), theirs.root().as_bytes().to_vec());
        assert_eq!(fold.head(), ours.head());
        (1..=size).for_each(|seq| check_inclusion(&ours, &theirs, seq));
        let sampled = size > 130;
        (1..=size)
            .filter(|from| !sampled || from % 7 == size % 7)
            .for_each(|from| check_consistency(&ours, &theirs, from));
        assert!(
            ours.has(size, &entry(size))
                && !ours.has(size, &entry(size + 1))
                && !ours.has(size + 1, &entry(size))
        );
    }
}

/// A4: earlier sizes of a longer tree are what they were.
#[test]
fn a_longer_tree_still_proves_every_earlier_size() {
    let (long, _) = trees(300);
    for size in [1, 2, 3, 64, 65, 127, 128, 200, 299] {
        let (short, _) = trees(size);
        assert_eq!(long.head_at(size).unwrap(), short.head());
        for seq in 1..=size {
            assert_eq!(long.prove_inclusion(seq, size), short.prove_inclusion(seq, size));
        }
    }
    assert_eq!((long.head_at(301), long.prove_inclusion(301, 301)), (None, None));
    assert_eq!((long.prove_inclusion(0, 5), long.prove_inclusion(6, 5)), (None, None));
    assert_eq!((long.prove_consistency(6, 5), long.prove_consistency(5, 301)), (None, None));
}

/// A4: random big ones.
#[test]
fn big_trees_prove_what_others_prove() {
    for size in [4_095, 4_096, 4_097, 70_001] {
        let (ours, theirs) = trees(size);
        assert_eq!(bytes(&[ours.head().root]), theirs.root().as_bytes().to_vec());
        for n in 0..200 {
            let some = 1 + u64::from_be_bytes(*entry(n).as_bytes().first_chunk().unwrap()) % size;
            check_inclusion(&ours, &theirs, some);
            check_consistency(&ours, &theirs, some);
        }
    }
}

/// Everything a proof can be instead of what it was.
fn forged(hashes: &[Digest], stranger: Digest) -> Vec<Vec<Digest>> {
    let mut all = vec![[hashes, &[stranger]].concat(), [&[stranger], hashes].concat()];
    for at in 0..hashes.len() {
        for bit in 0..256 {
            let mut other = hashes.to_vec();
            let mut bytes = *other[at].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            other[at] = Digest::from_bytes(bytes);
            all.push(other);
        }
        let without =
            |gone| hashes.iter().enumerate().filter(|(n, _)| *n != gone).map(|(_, hash)| *hash).collect();
        all.push(without(at));
        all.push([&hashes[..at], &hashes[at..=at], &hashes[at..]].concat());
        if at > 0 && hashes[at] != hashes[at - 1] {
            let mut other = hashes.to_vec();
            other.swap(at - 1, at);
            all.push(other);
        }
    }
    all
}

/// A4: a proof with any bit flipped, a hash more, fewer or elsewhere, for another place, size or tree, is refused.
#[test]
fn wrong_inclusion_proofs_are_refused() {
    let (tree, _) = trees(40);
    for size in [1, 2, 3, 7, 8, 13, 33] {
        let head = tree.head_at(size).unwrap();
        for seq in 1..=size {
            let proof = tree.prove_inclusion(seq, size).unwrap();
            for hashes in forged(&proof.hashes, entry(99)) {
                let other = InclusionProof { hashes, ..proof.clone() };
                assert!(other.verify(&entry(seq), &head).is_err(), "{other:?}");
            }
            assert_eq!(proof.verify(&entry(seq + 1), &head), Err(ProofRefused::Root));
            for other in (0..=size + 1).filter(|other| *other != seq) {
                assert!(InclusionProof { seq: other, ..proof.clone() }.verify(&entry(seq), &head).is_err());
            }
            for other in (0..=40).filter(|other| *other != size) {
                assert_eq!(
                    InclusionProof { size: other, ..proof.clone() }.verify(&entry(seq), &head),
                    Err(ProofRefused::Places)
                );
                assert!(proof.verify(&entry(seq), &tree.head_at(other).unwrap()).is_err());
            }
        }
    }
}

/// A4: the same of consistency.
#[test]
fn wrong_consistency_proofs_are_refused() {
    let (tree, _) = trees(40);
    for (from, to) in [(1, 2), (1, 3), (2, 3), (3, 7), (4, 7), (6, 8), (7, 8), (8, 13), (13, 33), (32, 33)] {
        let (before, after) = (tree.head_at(from).unwrap(), tree.head_at(to).unwrap());
        let proof = tree.prove_consistency(from, to).unwrap();
        proof.verify(&before, &after).unwrap();
        for hashes in forged(&proof.hashes, entry(99)) {
            let other = ConsistencyProof { hashes, ..proof.clone() };
            assert!(other.verify(&before, &after).is_err(), "{other:?}");
        }
        let elsewhere = TreeHead { root: entry(99), ..before };
        assert!(proof.verify(&elsewhere, &after).is_err());
        assert!(proof.verify(&before, &TreeHead { root: entry(99), ..after }).is_err());
        for other in 0..=40 {
            let head = tree.head_at(other).unwrap();
            if other != from {
                assert!(ConsistencyProof { from: other, ..proof.clone() }.verify(&before, &after).is_err());
                assert!(ConsistencyProof { from: other, ..proof.clone() }.verify(&head, &after).is_err());
            }
            if other != to {
                assert!(ConsistencyProof { to: other, ..proof.clone() }.verify(&before, &after).is_err());
                assert!(ConsistencyProof { to: other, ..proof.clone() }.verify(&before, &head).is_err());
            }
        }
    }
    // That a tree begins with nothing, and with itself, takes no proof, and bears none.
    for (from, to) in [(0, 9), (0, 0), (5, 5)] {
        let (before, after) = (tree.head_at(from).unwrap(), tree.head_at(to).unwrap());
        let proof = tree.prove_consistency(from, to).unwrap();
        assert_eq!((proof.hashes.len(), proof.verify(&before, &after)), (0, Ok(())));
        assert!(proof.verify(&TreeHead { root: entry(99), ..before }, &after).is_err());
        let more = ConsistencyProof { hashes: vec![entry(1)], ..proof };
        assert_eq!(more.verify(&before, &after), Err(ProofRefused::Length));
    }
}

#[test]
fn a_proof_reads_back_from_its_json() {
    let (tree, _) = trees(13);
    let proof = tree.prove_inclusion(5, 13).unwrap();
    let json = serde_json::to_string(&proof).unwrap();
    assert!(json.starts_with(r#"{"seq":5,"size":13,"hashes":[""#), "{json}");
    assert_eq!(serde_json::from_str::<InclusionProof>(&json).unwrap(), proof);
    let proof = tree.prove_consistency(5, 13).unwrap();
    let json = serde_json::to_string(&proof).unwrap();
    assert_eq!(serde_json::from_str::<ConsistencyProof>(&json).unwrap(), proof);
    assert!(serde_json::from_str::<ConsistencyProof>(&json.replace("from", "form")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A log that was written anew from some entry on is not shown to go on from what it was.
    #[test]
    fn a_rewritten_log_has_no_consistency_proof(size in 2..200u64, from in 1..200u64, odd in 1..200u64) {
        let (from, odd) = (1 + from % size, 1 + odd % size);
        let mut forged = MerkleTree::default();
        for n in 1..=size {
            forged.push(&entry(if n == odd { 0 } else { n }));
        }
        let (honest, _) = trees(size);
        let before = honest.head_at(from).unwrap();
        let proof = forged.prove_consistency(from, size).unwrap();
        prop_assert_eq!(proof.verify(&before, &forged.head()).is_ok(), odd > from);
    }
}

//! Our notes and checkpoints, and those of an implementation that is not ours (reliability A5).

use crate::audit::chain::AuditHead;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::merkle::MerkleTree;
use crate::audit::note::{NoteKey, NoteSignature, SignedNote};
use crate::audit::signer::{CheckpointSigner, Ed25519Signer};
use crate::audit::trust::{Contradiction, NoteRefused, Trust, TrustedKey};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::entropy::SeededEntropy;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, VerifierList};

/// The example of Go's `sumdb/note`, which published this form first.
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SEED: &str = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const SIGNED: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn signer(name: &str, seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(name, &[seed; 32]).unwrap()
}

fn entry(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn log(size: u64) -> MerkleTree {
    let mut tree = MerkleTree::default();
    (1..=size).for_each(|n| tree.push(&entry(n)));
    tree
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: "acme.com/audit".parse().unwrap(),
        head: AuditHead { seq: size, hash: entry(size) },
        root: log(size).head().root,
        at: Timestamp::from_micros(1_735_689_600_000_000 + i64::try_from(size).unwrap()),
    }
}

async fn note(checkpoint: &Checkpoint, signers: &[&Ed25519Signer]) -> SignedNote {
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    for signer in signers {
        note.add(signer.sign(note.text()).await.unwrap());
    }
    note
}

fn trust(keys: &[TrustedKey]) -> Trust {
    keys.iter().cloned().fold(Trust::new("acme.com/audit".parse().unwrap()), Trust::key)
}

/// A5: the published example, made and read.
#[tokio::test]
async fn the_example_of_go_is_signed_and_verified_byte_for_byte() {
    let seed = BASE64_STANDARD.decode(format!("A{SEED}")).unwrap();
    let theirs = Ed25519Signer::from_seed("PeterNeumann", seed[1..].try_into().unwrap()).unwrap();
    assert_eq!(theirs.key().to_string(), VKEY);
    let mut made = SignedNote::new(TEXT).unwrap();
    made.add(theirs.sign(TEXT).await.unwrap());
    assert_eq!(made.to_string(), SIGNED);
    let read: SignedNote = SIGNED.parse().unwrap();
    assert_eq!(read, made);
    assert!(VKEY.parse::<NoteKey>().unwrap().verifies(read.text(), &read.signatures()[0]));
    assert!(matches!(trust(&[]).open(&read), Err(NoteRefused::Text(_))), "signed, and no checkpoint");
}

/// A5: others verify our checkpoints with the key in the form we write it, and read them as we meant them.
#[tokio::test]
async fn our_checkpoints_are_verified_and_read_by_others() {
    let (ours, second) = (signer("acme.com/audit", 1), signer("witness.example", 2));
    let made = checkpoint(42);
    let text = note(&made, &[&ours, &second]).await.to_string();
    let theirs = Note::from_bytes(text.as_bytes()).unwrap();
    let known =
        |key: &NoteKey| VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    let (verified, others) = theirs.verify(&known(&ours.key())).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 1));
    assert!(theirs.verify(&known(&signer("acme.com/audit", 3).key())).is_err());
    let read = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!((read.origin(), read.size(), read.hash().0), ("acme.com/audit", 42, *made.root.as_bytes()));
    assert_eq!(read.extension(), format!("head {}\nat {}\n", made.head.hash, made.at));
    assert_eq!(read.to_bytes(), made.to_string().as_bytes());
}

/// A5: and we theirs.
#[tokio::test]
async fn checkpoints_signed_by_others_are_verified_by_us() {
    let secret = BASE64_STANDARD.encode([[1].as_slice(), &[5; 32]].concat());
    let key = signer("acme.com/audit", 5).key();
    let theirs =
        StandardSigner::new(&format!("PRIVATE+KEY+acme.com/audit+{}+{secret}", hex::encode(key.id())))
            .unwrap();
    assert_eq!(theirs.key_id().to_be_bytes(), key.id());
    let mut made = Note::new(checkpoint(9).to_string().as_bytes(), &[]).unwrap();
    made.add_sigs(&[&theirs]).unwrap();
    let read: SignedNote = String::from_utf8(made.to_bytes()).unwrap().parse().unwrap();
    assert_eq!(trust(&[TrustedKey::new(key)]).open(&read).unwrap(), checkpoint(9));
}

/// A5: wrong origin, retired keys, strangers, forged signatures.
#[tokio::test]
async fn a_note_is_believed_by_its_origin_and_by_keys_in_their_time() {
    let (old, new, stranger) = (signer("acme", 1), signer("acme", 2), signer("mallory", 3));
    let retired = TrustedKey::new(old.key()).until_size(10);
    let keys = trust(&[retired, TrustedKey::new(new.key())]);
    let at = |size| checkpoint(size);
    assert_eq!(keys.open(&note(&at(10), &[&old]).await).unwrap(), at(10));
    let late = NoteRefused::Retired { name: "acme".to_owned() };
    assert_eq!(keys.open(&note(&at(11), &[&old]).await), Err(late.clone()));
    assert_eq!(keys.open(&note(&at(11), &[&stranger, &old]).await), Err(late.clone()));
    assert_eq!(keys.open(&note(&at(11), &[&stranger, &old, &new]).await).unwrap(), at(11));
    assert_eq!(keys.open(&note(&at(11), &[&stranger]).await), Err(NoteRefused::Untrusted));
    assert_eq!(keys.open(&note(&at(11), &[]).await), Err(NoteRefused::Untrusted));

    let by_time = trust(&[TrustedKey::new(old.key()).until(at(10).at)]);
    assert!(by_time.open(&note(&at(10), &[&old]).await).is_ok());
    assert_eq!(by_time.open(&note(&at(11), &[&old]).await), Err(late));

    let elsewhere = Checkpoint { origin: "acme.com/other".parse().unwrap(), ..at(10) };
    assert!(matches!(keys.open(&note(&elsewhere, &[&new]).await), Err(NoteRefused::Origin { .. })));

    // The name and id of a trusted key, over a signature that is not its: not left aside.
    let mut forged = note(&at(10), &[&new]).await;
    let NoteSignature { signature, .. } = stranger.sign(forged.text()).await.unwrap();
    forged.add(NoteSignature { name: "acme".to_owned(), key_id: old.key().id(), signature });
    assert_eq!(keys.open(&forged), Err(NoteRefused::Signature { name: "acme".to_owned() }));
}

/// A5: every byte of text and signature counts.
#[tokio::test]
async fn a_note_with_any_byte_changed_is_refused() {
    let signer = signer("acme", 1);
    let keys = trust(&[TrustedKey::new(signer.key())]);
    let whole = note(&checkpoint(7), &[&signer]).await.to_string();
    assert!(keys.open(&whole.parse().unwrap()).is_ok());
    for at in 0..whole.len() {
        for flip in [1, 2, 0x20, 0x80] {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let opened = text.parse::<SignedNote>().ok().and_then(|note| keys.open(&note).ok());
            assert_eq!(opened, None, "byte {at}: {text}");
        }
        let cut = whole.get(..at).and_then(|text| text.parse::<SignedNote>().ok());
        assert_eq!(cut.and_then(|note| keys.open(&note).ok()), None, "cut at {at}");
    }
}

/// A5: rollback and split view, and the proof that there is none.
#[test]
fn checkpoints_of_one_log_are_joined_or_contradict_each_other() {
    let (before, after, tree) = (checkpoint(20), checkpoint(50), log(50));
    let proof = tree.prove_consistency(20, 50).unwrap();
    assert_eq!(after.follows(&before, &proof), Ok(()));
    assert_eq!(before.follows(&after, &proof), Err(Contradiction::Rollback { known: 50, offered: 20 }));
    let again = Checkpoint { at: Timestamp::from_micros(5), ..after.clone() };
    let nothing = tree.prove_consistency(50, 50).unwrap();
    assert_eq!(again.follows(&after, &nothing), Ok(()), "only the time differs");
    for other in [
        Checkpoint { root: entry(0), ..after.clone() },
        Checkpoint { head: AuditHead { seq: 50, hash: entry(0) }, ..after.clone() },
    ] {
        assert_eq!(other.follows(&after, &nothing), Err(Contradiction::SplitView { size: 50 }));
    }
    let forked = Checkpoint { root: entry(0), ..after.clone() };
    assert!(matches!(forked.follows(&before, &proof), Err(Contradiction::NotJoined { .. })));
    let unrelated = tree.prove_consistency(21, 50).unwrap();
    assert!(matches!(after.follows(&before, &unrelated), Err(Contradiction::NotJoined { .. })));
    let elsewhere = Checkpoint { origin: "other".parse().unwrap(), ..after };
    assert_eq!(elsewhere.follows(&before, &proof), Err(Contradiction::Origin));
}

#[test]
fn odd_keys_and_names_are_refused() {
    let text = signer("acme", 1).key().to_string();
    assert_eq!(text.parse::<NoteKey>().unwrap(), signer("acme", 1).key());
    for odd in [
        text.replacen("acme", "acne", 1),
        text.replacen('+', "", 1),
        text.to_uppercase(),
        format!("{text}="),
        text.replacen("+A", "+B", 1),
        String::new(),
    ] {
        assert!(odd.parse::<NoteKey>().is_err(), "{odd}");
    }
    for name in ["", "a b", "a+b", "a\nb", &"x".repeat(256)] {
        assert!(NoteKey::new(name, [1; 32]).is_err(), "{name}");
    }
}

#[test]
fn a_generated_key_is_kept_by_its_seed_and_never_printed() {
    let entropy = SeededEntropy::new(7);
    let (made, seed) = Ed25519Signer::generate("acme", &entropy).unwrap();
    assert_eq!(Ed25519Signer::from_seed("acme", &seed).unwrap().key(), made.key());
    let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
    pkcs8.extend_from_slice(seed.as_ref());
    assert_eq!(Ed25519Signer::from_pkcs8("acme", &pkcs8).unwrap().key(), made.key());
    assert!(Ed25519Signer::from_pkcs8("acme", &pkcs8[1..]).is_err());
    let printed = format!("{made:?}");
    assert!(!printed.contains(&hex::encode(&seed[..4])) && printed.contains("acme"), "{printed}");
}

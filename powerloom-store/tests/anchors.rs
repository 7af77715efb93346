//! The anchors in files, and what the checkpointer makes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::anchor::{Anchor, AnchorError};
use powerloom_core::audit::AuditHead;
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::note::SignedNote;
use powerloom_core::audit::signer::{CheckpointSigner, Ed25519Signer};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_store::anchor::{AppendFileAnchor, FileAnchor};
use std::path::PathBuf;
use std::sync::Arc;

fn origin(name: &str) -> Origin {
    name.parse().unwrap()
}

async fn note(name: &str, size: u64) -> SignedNote {
    let checkpoint = Checkpoint {
        origin: origin(name),
        head: AuditHead { seq: size, hash: Digest::of(&size.to_be_bytes()) },
        root: Digest::of(b"root"),
        at: Timestamp::from_micros(1),
    };
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(Ed25519Signer::from_seed("acme", &[7; 32]).unwrap().sign(note.text()).await.unwrap());
    note
}

struct Both {
    folder: tempfile::TempDir,
}

impl Both {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn anchors(&self) -> [(Arc<dyn Anchor>, PathBuf); 2] {
        let (one, all) = (FileAnchor::new(self.folder.path()), AppendFileAnchor::new(self.folder.path()));
        let log = origin("acme.com/audit");
        let (of_one, of_all) = (one.path_of(&log), all.path_of(&log));
        [(Arc::new(one), of_one), (Arc::new(all), of_all)]
    }
}

/// Anchor 1 to 5.
#[tokio::test]
async fn anchors_keep_the_newest_whole_and_apart() {
    let both = Both::new();
    let log = origin("acme.com/audit");
    for (anchor, _) in both.anchors() {
        assert_eq!(anchor.latest(&log).await.unwrap(), None);
        for size in [3, 3, 9] {
            let made = note("acme.com/audit", size).await;
            anchor.publish(&log, &made).await.unwrap();
            assert_eq!(anchor.latest(&log).await.unwrap(), Some(made));
        }
        let behind = anchor.publish(&log, &note("acme.com/audit", 8).await).await.unwrap_err();
        assert!(matches!(behind, AnchorError::Behind { kept: 9, offered: 8 }), "{behind}");
        let foreign = anchor.publish(&log, &note("acme.com%audit", 99).await).await.unwrap_err();
        assert!(matches!(foreign, AnchorError::Refused { .. }), "{foreign}");
        let text = SignedNote::new("no checkpoint\n").unwrap();
        assert!(matches!(anchor.publish(&log, &text).await, Err(AnchorError::Refused { .. })));
        for other in ["acme.com%audit", "../audit", "acme.com/audit/2"] {
            assert_eq!(anchor.latest(&origin(other)).await.unwrap(), None);
            anchor.publish(&origin(other), &note(other, 1).await).await.unwrap();
        }
        assert_eq!(anchor.latest(&log).await.unwrap(), Some(note("acme.com/audit", 9).await));
    }
    // Nothing left the folder.
    assert!(!both.folder.path().join("../audit.checkpoint").exists());
}

/// Anchor 3: however many publish at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_publishers_leave_the_newest() {
    let both = Both::new();
    let log = origin("acme.com/audit");
    for (place, _) in both.anchors().iter().enumerate() {
        let tasks: Vec<_> = (1..=16)
            .map(|size| {
                let (anchor, log) = (both.anchors()[place].0.clone(), log.clone());
                tokio::spawn(async move { anchor.publish(&log, &note("acme.com/audit", size).await).await })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) | Err(AnchorError::Behind { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(
            both.anchors()[place].0.latest(&log).await.unwrap(),
            Some(note("acme.com/audit", 16).await)
        );
    }
}

/// Anchor 1 and 2: whatever a crash leaves, the last whole note is found, and the next one can be published.
#[tokio::test]
async fn what_a_crash_cut_off_hides_nothing() {
    let log = origin("acme.com/audit");
    let (first, second) = (note("acme.com/audit", 1).await, note("acme.com/audit", 2).await);
    let torn = format!("{second}\n");
    for cut in 1..torn.len() - 1 {
        if !torn.is_char_boundary(cut) {
            continue;
        }
        let both = Both::new();
        let [(one, beside), (all, file)] = both.anchors();
        one.publish(&log, &first).await.unwrap();
        all.publish(&log, &first).await.unwrap();
        std::fs::write(beside.with_extension("new"), &torn[..cut]).unwrap();
        let mut left = std::fs::read_to_string(&file).unwrap();
        left.push_str(&torn[..cut]);
        std::fs::write(&file, left).unwrap();
        for anchor in [one, all] {
            assert_eq!(anchor.latest(&log).await.unwrap(), Some(first.clone()), "{cut}");
            anchor.publish(&log, &second).await.unwrap();
            assert_eq!(anchor.latest(&log).await.unwrap(), Some(second.clone()), "{cut}");
        }
    }
}

/// What is there and is no note is neither believed nor written over.
#[tokio::test]
async fn a_damaged_file_is_named_and_kept() {
    let both = Both::new();
    let log = origin("acme.com/audit");
    let [(one, file), _] = both.anchors();
    for damage in [b"".as_slice(), b"x", b"\xff\xfe", &vec![b'x'; 100_000]] {
        std::fs::write(&file, damage).unwrap();
        assert!(matches!(one.latest(&log).await, Err(AnchorError::Corrupt { .. })));
        let published = one.publish(&log, &note("acme.com/audit", 5).await).await;
        assert!(matches!(published, Err(AnchorError::Corrupt { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), damage);
    }
}

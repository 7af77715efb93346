//! Exports, proofs and checkpoints of a trail that grows, is erased from, and is tampered with.

use crate::world::{World, world};
use async_trait::async_trait;
use powerloom_core::anchor::{Anchor, AnchorAccess, AnchorError};
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::export::ExportReader;
use powerloom_core::audit::note::SignedNote;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::report::{EvidenceReport, Range};
use powerloom_core::audit::signer::{CheckpointSigner as _, Ed25519Signer};
use powerloom_core::audit::trust::{Contradiction, Trust, TrustedKey};
use powerloom_core::checkpointer::{AnchorFailure, CheckpointError, Checkpointer, CheckpointerBuilder};
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::evidence::ExportScope;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps notes in memory; fails while it is told to.
#[derive(Debug)]
struct Shelf {
    name: &'static str,
    access: AnchorAccess,
    down: AtomicBool,
    notes: Mutex<BTreeMap<Origin, SignedNote>>,
    published: Mutex<u32>,
}

impl Shelf {
    fn new(name: &'static str) -> Arc<Self> {
        Self::of(name, AnchorAccess::ReadWrite)
    }

    fn of(name: &'static str, access: AnchorAccess) -> Arc<Self> {
        Arc::new(Self {
            name,
            access,
            down: AtomicBool::new(false),
            notes: Mutex::default(),
            published: Mutex::default(),
        })
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), AnchorError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(AnchorError::Unavailable { message: "it is down".to_owned(), source: None });
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        let notes = self.notes.lock().unwrap();
        notes.values().next().map_or(0, |note| note.text().parse::<Checkpoint>().unwrap().size())
    }
}

#[async_trait]
impl Anchor for Shelf {
    fn name(&self) -> &str {
        self.name
    }

    fn access(&self) -> AnchorAccess {
        self.access
    }

    async fn publish(&self, origin: &Origin, note: &SignedNote) -> Result<(), AnchorError> {
        self.check()?;
        *self.published.lock().unwrap() += 1;
        self.notes.lock().unwrap().insert(origin.clone(), note.clone());
        Ok(())
    }

    async fn latest(&self, origin: &Origin) -> Result<Option<SignedNote>, AnchorError> {
        self.check()?;
        match self.access {
            AnchorAccess::ReadWrite => Ok(self.notes.lock().unwrap().get(origin).cloned()),
            AnchorAccess::WriteOnly => Err(AnchorError::WriteOnly),
        }
    }
}

fn signer() -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32]).unwrap())
}

fn builder(w: &World) -> CheckpointerBuilder {
    Checkpointer::builder(&w.cp, w.org.id, signer()).origin("acme.com/audit".parse().unwrap())
}

fn trust() -> Trust {
    Trust::new("acme.com/audit".parse().unwrap()).key(TrustedKey::new(signer().key()))
}

async fn grow(w: &World, name: &str, entries: usize) {
    for n in 0..entries {
        w.ou(w.root(), &format!("{name}-{n}")).await;
    }
}

async fn export(w: &World, scope: ExportScope) -> Vec<u8> {
    let mut export = w.cp.export_audit(&w.admin, scope).await.unwrap();
    let mut file = Vec::new();
    while let Some(lines) = export.next().await.unwrap() {
        file.extend_from_slice(&lines);
    }
    file
}

async fn verified(w: &World, notes: Vec<SignedNote>) -> EvidenceReport {
    let mut given = Given::default();
    (given.trust, given.notes) = (Some(trust()), notes);
    verify_export(export(w, ExportScope::default()).await.as_slice(), &given).unwrap()
}

/// Rows P10, M40: what is exported is what is kept, byte for byte, a page at a time.
#[tokio::test]
async fn an_export_holds_exactly_what_is_kept() {
    let w = world().await;
    grow(&w, "a", 300).await;
    let kept = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    for (from, to) in [(1, 301), (1, 1), (256, 258), (301, 301), (302, 301)] {
        let file = export(&w, ExportScope::default().from(from).to(to)).await;
        let mut reader = ExportReader::new(file.as_slice()).unwrap();
        assert_eq!((reader.header().from, reader.header().to, reader.header().head.seq), (from, to, 301));
        let mut read = Vec::new();
        while let Some(entry) = reader.entry().unwrap() {
            read.push(entry);
        }
        assert_eq!(read, kept[usize::try_from(from - 1).unwrap()..usize::try_from(to).unwrap()]);
    }
    let pieces: Vec<_> = {
        use futures::TryStreamExt as _;
        let stream = w.cp.export_audit(&w.admin, ExportScope::default()).await.unwrap().into_stream();
        stream.try_collect().await.unwrap()
    };
    assert_eq!(pieces.len(), 3, "the header and two pages");
    for (from, to) in [(0, 5), (303, 400), (5, 3)] {
        let refused = w.cp.export_audit(&w.admin, ExportScope::default().from(from).to(to)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{from} to {to}");
    }
}

/// Rows M40 to M43: who may take the trail away, and who may ask for proofs.
#[tokio::test]
async fn exports_and_proofs_need_their_permission_at_the_root() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    let (_, exporter) = w.holder(w.root(), "exporter", &["audit:export"]).await;
    let (_, verifier) = w.holder(w.root(), "verifier", &["audit:verify"]).await;
    let (_, local) = w.user(eng, "local@acme.com").await;
    w.bind(&local.principal, "Auditor", eng).await;
    for (caller, exports, verifies) in
        [(&exporter, true, false), (&verifier, false, true), (&local, false, false)]
    {
        assert_eq!(w.cp.export_audit(caller, ExportScope::default()).await.is_ok(), exports);
        assert_eq!(w.cp.audit_tree(caller).await.is_ok(), verifies);
        assert_eq!(w.cp.prove_inclusion(caller, 1, 1).await.is_ok(), verifies);
        assert_eq!(w.cp.prove_consistency(caller, 1, 2).await.is_ok(), verifies);
    }
}

/// A8: what is erased is reported, and every proof and checkpoint made before and after still holds.
#[tokio::test]
async fn erasure_keeps_every_proof() {
    let w = world().await;
    grow(&w, "before", 6).await;
    let shelf = Shelf::new("shelf");
    let mut checkpointer = builder(&w).anchor(shelf.clone()).build().unwrap();
    let before = checkpointer.checkpoint_now().await.unwrap().unwrap();
    let entries = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let old = w.cp.prove_inclusion(&w.admin, 3, 7).await.unwrap();
    for seq in 2..=4 {
        w.cp.submit(&w.admin, Action::EraseAuditPayload { seq }).await.unwrap();
    }
    let after = checkpointer.checkpoint_now().await.unwrap().unwrap();

    old.verify(&entries[2].hash, &before.checkpoint.tree()).unwrap();
    let new = w.cp.prove_inclusion(&w.admin, 3, 10).await.unwrap();
    new.verify(&entries[2].hash, &after.checkpoint.tree()).unwrap();
    let joined = w.cp.prove_consistency(&w.admin, 7, 10).await.unwrap();
    assert_eq!(after.checkpoint.follows(&before.checkpoint, &joined), Ok(()));
    let report = verified(&w, vec![before.note, after.note]).await;
    assert!(report.is_verified(), "{report}");
    assert_eq!((report.entries, report.erased, report.anchored), (10, 3, Some(Range { first: 1, last: 10 })));
    assert!(report.to_string().contains("erased        3 without a payload"), "{report}");
}

/// Sem. 2.9: by number of entries, or by time if there is one at least.
#[tokio::test]
async fn a_checkpoint_is_due_by_entries_or_by_time() {
    let w = world().await;
    let shelf = Shelf::new("shelf");
    let every = Duration::from_secs(60);
    let mut checkpointer = builder(&w).anchor(shelf.clone()).rows(5).every(every).build().unwrap();
    assert_eq!(checkpointer.tick().await.unwrap().unwrap().checkpoint.size(), 1, "the first at once");
    assert!(checkpointer.tick().await.unwrap().is_none());
    grow(&w, "a", 4).await;
    assert!(checkpointer.tick().await.unwrap().is_none(), "four are not five");
    grow(&w, "b", 1).await;
    assert_eq!(checkpointer.tick().await.unwrap().unwrap().checkpoint.size(), 6);
    w.clock.advance(every);
    assert!(checkpointer.tick().await.unwrap().is_none(), "nothing new");
    grow(&w, "c", 1).await;
    assert_eq!(checkpointer.tick().await.unwrap().unwrap().checkpoint.size(), 7);
    assert_eq!((shelf.size(), *shelf.published.lock().unwrap()), (7, 3));
}

/// A stopped checkpointer goes on where it was, and signs nothing anew for what is anchored.
#[tokio::test]
async fn a_restarted_checkpointer_goes_on_from_what_is_anchored() {
    let w = world().await;
    let (shelf, late) = (Shelf::new("shelf"), Shelf::new("late"));
    let first = builder(&w).anchor(shelf.clone()).build().unwrap().checkpoint_now().await.unwrap().unwrap();
    let mut again = builder(&w).anchor(shelf.clone()).anchor(late.clone()).build().unwrap();
    let same = again.checkpoint_now().await.unwrap().unwrap();
    assert_eq!((same.note, same.published), (first.note.clone(), vec!["late".to_owned()]));
    grow(&w, "a", 3).await;
    let next = again.checkpoint_now().await.unwrap().unwrap();
    assert_eq!((next.published.len(), shelf.size(), late.size()), (2, 4, 4));
    let report = verified(&w, vec![first.note, next.note]).await;
    assert!(report.is_verified(), "{report}");
}

/// One anchor that fails is reported and tried again, and keeps the others from nothing.
#[tokio::test]
async fn a_failing_anchor_does_not_keep_the_others_from_theirs() {
    let w = world().await;
    let (up, down) = (Shelf::new("up"), Shelf::new("down"));
    let blind = Shelf::of("blind", AnchorAccess::WriteOnly);
    let mut checkpointer =
        builder(&w).anchor(down.clone()).anchor(up.clone()).anchor(blind.clone()).build().unwrap();
    down.set_down(true);
    let round = checkpointer.checkpoint_now().await.unwrap().unwrap();
    assert_eq!(round.published, ["up", "blind"]);
    assert!(matches!(&round.failures[..], [AnchorFailure::Anchor { anchor, .. }] if anchor == "down"));
    assert!(checkpointer.tick().await.unwrap().is_none(), "not tried again at once");
    down.set_down(false);
    w.clock.advance(Duration::from_secs(10));
    let round = checkpointer.tick().await.unwrap().unwrap();
    assert_eq!((round.published, round.failures.len()), (vec!["down".to_owned()], 0));
    assert_eq!((up.size(), down.size(), blind.size()), (1, 1, 1));
    up.set_down(true);
    down.set_down(true);
    grow(&w, "a", 1).await;
    let round = checkpointer.checkpoint_now().await.unwrap().unwrap();
    assert_eq!((round.published, round.failures.len()), (vec!["blind".to_owned()], 2));
    let unread = checkpointer.checkpoint_now().await.unwrap_err();
    assert!(matches!(&unread, CheckpointError::Unread { failures } if failures.len() == 2), "{unread}");
    assert_eq!(unread.kind(), ErrorKind::Unavailable);
}

/// Nothing is signed before it is known what was signed before.
#[tokio::test]
async fn nothing_is_signed_while_no_anchor_can_be_read() {
    let w = world().await;
    let (down, blind) = (Shelf::new("down"), Shelf::of("blind", AnchorAccess::WriteOnly));
    assert!(builder(&w).build().is_err());
    assert!(builder(&w).anchor(blind.clone()).build().is_err(), "it could not be read back");
    down.set_down(true);
    let mut checkpointer = builder(&w).anchor(down).anchor(blind.clone()).build().unwrap();
    assert!(matches!(checkpointer.checkpoint_now().await, Err(CheckpointError::Unread { .. })));
    assert_eq!(blind.size(), 0);
}

/// A5: a log that was put back, or is another one, is refused, and nothing is published.
#[tokio::test]
async fn rollback_and_fork_are_refused_loudly() {
    let (ours, other, longer) = (world().await, world().await, world().await);
    let shelf = Shelf::new("shelf");
    grow(&ours, "a", 5).await;
    builder(&ours).anchor(shelf.clone()).build().unwrap().checkpoint_now().await.unwrap();
    let rolled_back =
        builder(&other).anchor(shelf.clone()).build().unwrap().checkpoint_now().await.unwrap_err();
    let rollback = Contradiction::Rollback { known: 6, offered: 1 };
    assert!(
        matches!(&rolled_back, CheckpointError::Contradicted { anchor, contradiction } if anchor == "shelf" && *contradiction == rollback),
        "{rolled_back:?}"
    );
    grow(&longer, "b", 9).await;
    let mut forked = builder(&longer).anchor(shelf.clone()).build().unwrap();
    let error = forked.run(tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    let split = Contradiction::SplitView { size: 6 };
    assert!(
        matches!(&error, CheckpointError::Contradicted { contradiction, .. } if *contradiction == split),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!((shelf.size(), *shelf.published.lock().unwrap()), (6, 1));

    // Two readers who were shown two logs find out by their checkpoints.
    let elsewhere = Shelf::new("elsewhere");
    let theirs = builder(&longer).anchor(elsewhere).build().unwrap().checkpoint_now().await.unwrap().unwrap();
    let report = verified(&ours, vec![theirs.note]).await;
    assert_eq!(report.findings.iter().map(|finding| finding.code()).collect::<Vec<_>>(), ["truncated"]);
}

/// What somebody else put into an anchor is neither believed nor written over.
#[tokio::test]
async fn a_note_of_a_stranger_is_left_where_it_is() {
    let w = world().await;
    let (taken, free) = (Shelf::new("taken"), Shelf::new("free"));
    let stranger = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[8; 32]).unwrap());
    Checkpointer::builder(&w.cp, w.org.id, stranger.clone())
        .origin("acme.com/audit".parse().unwrap())
        .anchor(taken.clone())
        .build()
        .unwrap()
        .checkpoint_now()
        .await
        .unwrap();
    let mut alone = builder(&w).anchor(taken.clone()).build().unwrap();
    assert!(matches!(alone.checkpoint_now().await, Err(CheckpointError::Unread { .. })));
    let mut checkpointer = builder(&w).anchor(taken.clone()).anchor(free.clone()).build().unwrap();
    let round = checkpointer.checkpoint_now().await.unwrap().unwrap();
    assert!(matches!(&round.failures[..], [AnchorFailure::Note { .. }]));
    assert_eq!((*taken.published.lock().unwrap(), free.size()), (1, 1));
    // Said to be an earlier key of ours, it is believed in its time.
    let earlier = TrustedKey::new(stranger.key()).until_size(1);
    let mut heir = builder(&w).earlier_key(earlier).anchor(taken.clone()).build().unwrap();
    grow(&w, "a", 1).await;
    assert_eq!(heir.checkpoint_now().await.unwrap().unwrap().checkpoint.size(), 2);
    assert_eq!(taken.size(), 2);
}

/// Proofs follow the log as it grows, and out of it there are none.
#[tokio::test]
async fn proofs_follow_the_log() {
    let w = world().await;
    let empty = w.cp.audit_tree(&w.admin).await.unwrap();
    grow(&w, "a", 20).await;
    let tree = w.cp.audit_tree(&w.admin).await.unwrap();
    assert_eq!((empty.size, tree.size), (1, 21));
    w.cp.prove_consistency(&w.admin, 1, 21).await.unwrap().verify(&empty, &tree).unwrap();
    for entry in w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap() {
        w.cp.prove_inclusion(&w.admin, entry.row.seq, 21).await.unwrap().verify(&entry.hash, &tree).unwrap();
    }
    for (seq, size) in [(0, 5), (6, 5), (5, 22), (22, 22)] {
        assert!(matches!(w.cp.prove_inclusion(&w.admin, seq, size).await, Err(Error::Invalid(_))));
    }
    for (from, to) in [(6, 5), (5, 22)] {
        assert!(matches!(w.cp.prove_consistency(&w.admin, from, to).await, Err(Error::Invalid(_))));
    }
}

/// Sem. 2.9: who may have a checkpoint made, and who may look at what is kept.
#[tokio::test]
async fn a_caller_has_a_checkpoint_made_and_looks_at_what_is_kept() {
    let w = world().await;
    let other = w.cp.bootstrap(&"other".parse().unwrap(), &"admin@other.com".parse().unwrap()).await.unwrap();
    let foreign = other.admin_caller();
    let (_, exporter) = w.holder(w.root(), "exporter", &["audit:export"]).await;
    let (_, verifier) = w.holder(w.root(), "verifier", &["audit:verify"]).await;
    let (shelf, down) = (Shelf::new("shelf"), Shelf::new("down"));
    let blind = Shelf::of("blind", AnchorAccess::WriteOnly);
    let mut checkpointer =
        builder(&w).anchor(shelf.clone()).anchor(down.clone()).anchor(blind).build().unwrap();
    for stranger in [&verifier, &foreign] {
        let refused = checkpointer.checkpoint_as(stranger).await.unwrap_err();
        assert!(matches!(refused, CheckpointError::Refused(_)), "{refused}");
    }
    assert!(matches!(checkpointer.anchored(&exporter).await, Err(Error::Denied(_))));
    assert!(matches!(checkpointer.anchored(&foreign).await, Err(Error::NotFound { .. })));
    assert_eq!(shelf.size(), 0, "nothing was signed for any of them");

    down.set_down(true);
    let made = checkpointer.checkpoint_as(&exporter).await.unwrap().unwrap();
    assert_eq!(made.published, ["shelf", "blind"]);
    let kept = checkpointer.anchored(&verifier).await.unwrap();
    let [on_shelf, on_down, on_blind] = kept.as_slice() else { panic!("{kept:?}") };
    let (checkpoint, note) = on_shelf.newest.as_ref().unwrap().as_ref().unwrap();
    assert_eq!((checkpoint, note), (&made.checkpoint, &made.note));
    assert!(matches!(on_down.newest, Err(AnchorFailure::Anchor { .. })));
    assert_eq!((on_blind.access, on_blind.newest.as_ref().unwrap()), (AnchorAccess::WriteOnly, &None));
}

/// Rows M40 to M43: one entry, as its reader may see it.
#[tokio::test]
async fn one_entry_is_read_by_its_place() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    w.ou(eng, "core").await;
    let (_, local) = w.user(eng, "local@acme.com").await;
    w.bind(&local.principal, "Auditor", eng).await;
    assert_eq!(w.cp.audit_entry(&w.admin, 3, None).await.unwrap().row.seq, 3);
    assert!(matches!(w.cp.audit_entry(&local, 3, None).await, Err(Error::Denied(_))));
    assert_eq!(w.cp.audit_entry(&local, 3, Some(eng)).await.unwrap().row.verb, "ou.create");
    assert!(matches!(w.cp.audit_entry(&local, 1, Some(eng)).await, Err(Error::NotFound { .. })));
    for seq in [0, 99, u64::MAX] {
        assert!(matches!(w.cp.audit_entry(&w.admin, seq, None).await, Err(Error::NotFound { .. })), "{seq}");
    }
}

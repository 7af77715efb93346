//! Signing checkpoints of a growing log and bringing them to where its writers cannot reach (sem. 2.9).

mod asked;
mod failure;
mod options;

pub use asked::Anchored;
pub use failure::{AnchorFailure, CheckpointError};
pub use options::CheckpointerBuilder;

use crate::anchor::{Anchor, AnchorAccess};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::SignedNote;
use crate::audit::signer::CheckpointSigner;
use crate::audit::trust::{Contradiction, Trust};
use crate::clock::Timestamp;
use crate::error_kind::ErrorKind;
use crate::id::OrgId;
use crate::log_tree::LogTree;
use crate::plane::Plane;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Follows the chain of one organization, signs a checkpoint every so many entries or so much time, and publishes it to
/// every anchor.
///
/// # Guarantees
/// 1. It signs nothing before it has read back what at least one anchor keeps, and publishes to no anchor that can be read
///    before it has read that one.
/// 2. It signs only what verifies, entry by entry, and goes on from every checkpoint that was anchored: a log that was
///    rolled back or written anew is refused with [`CheckpointError::Contradicted`] or [`CheckpointError::Broken`].
/// 3. An anchor that fails is tried again and keeps the others from nothing.
///
/// It may be stopped and started at any moment, and several may work on one log.
///
/// # Examples
/// A checkpoint, an export, and a verification that needs neither the store nor this process:
/// ```
/// use powerloom_core::audit::checkpoint::Checkpoint;
/// use powerloom_core::audit::offline::{Given, verify_export};
/// use powerloom_core::audit::signer::{CheckpointSigner, Ed25519Signer};
/// use powerloom_core::audit::trust::{Trust, TrustedKey};
/// use powerloom_core::checkpointer::Checkpointer;
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::evidence::ExportScope;
/// use powerloom_store::anchor::FileAnchor;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let folder = tempfile::tempdir()?;
/// let (signer, _seed) = Ed25519Signer::generate("acme.com/audit", &SystemEntropy)?;
/// let key = signer.key();
/// let anchor = Arc::new(FileAnchor::new(folder.path()));
/// let mut checkpointer = Checkpointer::builder(&loom, acme.id, Arc::new(signer)).anchor(anchor).build()?;
/// let made = checkpointer.checkpoint_now().await?.expect("an organization begins with a row");
///
/// let scope = ExportScope::default().checkpoint(made.note);
/// let mut export = loom.export_audit(&acme.admin_caller(), scope).await?;
/// let mut file = Vec::new();
/// while let Some(piece) = export.next().await? {
///     file.extend_from_slice(&piece);
/// }
/// let mut given = Given::default();
/// given.trust = Some(Trust::new(Checkpoint::origin_of(acme.id)).key(TrustedKey::new(key)));
/// let report = verify_export(file.as_slice(), &given)?;
/// assert!(report.is_verified(), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Checkpointer {
    plane: Arc<Plane>,
    org: OrgId,
    signer: Arc<dyn CheckpointSigner>,
    trust: Trust,
    posts: Vec<Post>,
    rows: u64,
    every: Duration,
    retry: Duration,
    poll: Duration,
    log: LogTree,
    latest: Option<(Checkpoint, SignedNote)>,
    tried: Option<Timestamp>,
}

/// An anchor, and what is known of it.
#[derive(Debug)]
struct Post {
    anchor: Arc<dyn Anchor>,
    seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// What it keeps has not been read, or may have changed since.
    Unread,
    /// It keeps a checkpoint of so many entries, or none (0).
    Has(u64),
}

/// What came of one round.
#[derive(Debug)]
#[non_exhaustive]
pub struct Checkpointed {
    /// The newest checkpoint.
    pub checkpoint: Checkpoint,
    /// The same, signed.
    pub note: SignedNote,
    /// The anchors that got it in this round.
    pub published: Vec<String>,
    /// The anchors that did not, and why; they are tried again.
    pub failures: Vec<AnchorFailure>,
}

impl Checkpointer {
    /// Makes a checkpoint of the log as it is now, unless the newest one covers it, and publishes it to every anchor that
    /// lacks it. `None` while the log is empty.
    ///
    /// # Errors
    /// [`CheckpointError`]. One or the other anchor that fails is no error but in the answer.
    ///
    /// # Cancel safety
    /// Dropped, the checkpoint has reached some anchors; the next round brings it, or one of more entries, to the others.
    pub async fn checkpoint_now(&mut self) -> Result<Option<Checkpointed>, CheckpointError> {
        self.tried = Some(self.plane.now());
        // What is anchored first, then the log: whatever was anchored by then is in it, if it ever was.
        let (anchored, mut failures) = self.read_posts().await;
        self.log.follow(self.plane.store.as_ref()).await?;
        for (place, checkpoint, note) in anchored {
            self.judge(&checkpoint).map_err(|contradiction| self.contradicted(place, contradiction))?;
            self.settle(place, Seen::Has(checkpoint.size()));
            if self.latest.as_ref().is_none_or(|(latest, _)| latest.size() < checkpoint.size()) {
                self.latest = Some((checkpoint, note));
            }
        }
        let read = |post: &Post| post.anchor.access() == AnchorAccess::ReadWrite && post.seen != Seen::Unread;
        if !self.posts.iter().any(read) {
            return Err(CheckpointError::Unread { failures });
        }
        let Some((checkpoint, note)) = self.newest().await? else { return Ok(None) };
        let mut published = Vec::new();
        let origin = self.trust.origin().clone();
        for post in &mut self.posts {
            let Seen::Has(kept) = post.seen else { continue };
            if kept >= checkpoint.size() {
                continue;
            }
            let name = post.anchor.name().to_owned();
            match post.anchor.publish(&origin, &note).await {
                Ok(()) => {
                    post.seen = Seen::Has(checkpoint.size());
                    published.push(name);
                }
                Err(error) => {
                    if post.anchor.access() == AnchorAccess::ReadWrite {
                        // It may have arrived, or somebody else's did: look before trying again.
                        post.seen = Seen::Unread;
                    }
                    tracing::warn!(anchor = name, %error, "a checkpoint was not anchored: it is tried again");
                    failures.push(AnchorFailure::Anchor { anchor: name, error });
                }
            }
        }
        tracing::info!(org = %self.org, size = checkpoint.size(), anchors = published.len(), "a checkpoint was anchored");
        Ok(Some(Checkpointed { checkpoint, note, published, failures }))
    }

    /// Makes a checkpoint if one is due: enough entries since the newest one, or enough time and at least one entry, or an
    /// anchor that still lacks it.
    ///
    /// # Errors
    /// As [`checkpoint_now`](Self::checkpoint_now).
    ///
    /// # Cancel safety
    /// As [`checkpoint_now`](Self::checkpoint_now).
    pub async fn tick(&mut self) -> Result<Option<Checkpointed>, CheckpointError> {
        let head = self.plane.store.audit_head(self.org).await?;
        if self.is_due(head.seq, self.plane.now()) { self.checkpoint_now().await } else { Ok(None) }
    }

    /// Makes checkpoints until `stop`.
    ///
    /// # Errors
    /// It ends early only for what does not pass: a broken chain, or one that contradicts what is anchored. Somebody must
    /// look.
    ///
    /// # Cancel safety
    /// As [`checkpoint_now`](Self::checkpoint_now).
    pub async fn run(&mut self, stop: CancellationToken) -> Result<(), CheckpointError> {
        loop {
            match self.tick().await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(org = %self.org, %error, "no checkpoint is signed any more");
                    return Err(error);
                }
                Err(error) => tracing::warn!(org = %self.org, %error, "a checkpoint is tried again"),
                Ok(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.poll) => {}
            }
        }
    }

    fn is_due(&self, entries: u64, now: Timestamp) -> bool {
        let waited = |span| self.tried.is_none_or(|tried| now.since(tried) >= span);
        let behind = |post: &Post| match (post.seen, &self.latest) {
            (Seen::Unread, _) => true,
            (Seen::Has(kept), Some((latest, _))) => kept < latest.size(),
            (Seen::Has(_), None) => false,
        };
        let Some((latest, _)) = &self.latest else { return waited(self.retry) };
        let more = entries.saturating_sub(latest.size());
        // Fewer entries than were signed for: the round that follows says so.
        entries < latest.size()
            || more >= self.rows
            || (more > 0 && now.since(latest.at) >= self.every)
            || (self.posts.iter().any(behind) && waited(self.retry))
    }

    /// What the anchors keep that have not been read, each checkpoint with the place of its anchor.
    async fn read_posts(&mut self) -> (Vec<(usize, Checkpoint, SignedNote)>, Vec<AnchorFailure>) {
        let (mut anchored, mut failures) = (Vec::new(), Vec::new());
        let origin = self.trust.origin().clone();
        for (place, post) in self.posts.iter_mut().enumerate().filter(|(_, post)| post.seen == Seen::Unread) {
            let anchor = post.anchor.name().to_owned();
            match post.anchor.latest(&origin).await {
                Ok(None) => post.seen = Seen::Has(0),
                Ok(Some(note)) => match self.trust.open(&note) {
                    Ok(checkpoint) => anchored.push((place, checkpoint, note)),
                    // Not written over: whoever put it there may have to answer for it.
                    Err(error) => failures.push(AnchorFailure::Note { anchor, error }),
                },
                Err(error) => failures.push(AnchorFailure::Anchor { anchor, error }),
            }
        }
        for failure in &failures {
            tracing::warn!(%failure, "an anchor could not be read: it is tried again");
        }
        (anchored, failures)
    }

    /// Whether the log still begins with what a checkpoint was made of.
    fn judge(&self, checkpoint: &Checkpoint) -> Result<(), Contradiction> {
        let (size, found) = (checkpoint.size(), self.log.tree().size());
        if size > found {
            return Err(Contradiction::Rollback { known: size, offered: found });
        }
        let same = self.log.tree().head_at(size) == Some(checkpoint.tree())
            && (size == 0 || self.log.tree().has(size, &checkpoint.head.hash));
        if same { Ok(()) } else { Err(Contradiction::SplitView { size }) }
    }

    fn settle(&mut self, place: usize, seen: Seen) {
        if let Some(post) = self.posts.get_mut(place) {
            post.seen = seen;
        }
    }

    fn contradicted(&self, place: usize, contradiction: Contradiction) -> CheckpointError {
        let anchor = self.posts.get(place).map(|post| post.anchor.name().to_owned()).unwrap_or_default();
        CheckpointError::Contradicted { anchor, contradiction }
    }

    /// The newest checkpoint, signed now if the log has grown; `None` while it is empty.
    async fn newest(&mut self) -> Result<Option<(Checkpoint, SignedNote)>, CheckpointError> {
        let tree = self.log.tree().head();
        if let Some((latest, _)) = &self.latest {
            self.judge(latest).map_err(|contradiction| CheckpointError::Contradicted {
                anchor: "this program".to_owned(),
                contradiction,
            })?;
        }
        if tree.size == 0 || self.latest.as_ref().is_some_and(|(latest, _)| latest.size() == tree.size) {
            return Ok(self.latest.clone());
        }
        let earlier = self.latest.as_ref().map_or(Timestamp::default(), |(latest, _)| latest.at);
        let checkpoint = Checkpoint {
            origin: self.trust.origin().clone(),
            head: self.log.head(),
            root: tree.root,
            // A clock that was set back must not make the later checkpoint the earlier one.
            at: self.plane.now().max(earlier),
        };
        let mut note = SignedNote::new(checkpoint.to_string())?;
        note.add(self.signer.sign(note.text()).await?);
        // A signer that answers with another key, or that is retired, is found here and not by the readers.
        self.trust.open(&note)?;
        self.latest = Some((checkpoint, note));
        Ok(self.latest.clone())
    }
}

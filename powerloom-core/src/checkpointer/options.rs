//! Putting a checkpointer together.

use crate::anchor::{Anchor, AnchorAccess};
use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::signer::CheckpointSigner;
use crate::audit::trust::{Trust, TrustedKey};
use crate::checkpointer::{Checkpointer, Post, Seen};
use crate::control_plane::ControlPlane;
use crate::id::OrgId;
use crate::invalid::Invalid;
use crate::log_tree::LogTree;
use crate::plane::Plane;
use std::sync::Arc;
use std::time::Duration;

/// Puts a [`Checkpointer`] together.
#[derive(Debug)]
#[must_use]
pub struct CheckpointerBuilder {
    plane: Arc<Plane>,
    org: OrgId,
    signer: Arc<dyn CheckpointSigner>,
    origin: Origin,
    earlier: Vec<TrustedKey>,
    anchors: Vec<Arc<dyn Anchor>>,
    rows: u64,
    every: Duration,
    retry: Duration,
    poll: Duration,
}

impl Checkpointer {
    /// A checkpointer of one organization's chain.
    pub fn builder(
        control_plane: &ControlPlane,
        org: OrgId,
        signer: Arc<dyn CheckpointSigner>,
    ) -> CheckpointerBuilder {
        CheckpointerBuilder {
            plane: control_plane.plane.clone(),
            org,
            signer,
            origin: Checkpoint::origin_of(org),
            earlier: Vec::new(),
            anchors: Vec::new(),
            rows: 1000,
            every: Duration::from_secs(300),
            retry: Duration::from_secs(10),
            poll: Duration::from_secs(2),
        }
    }
}

impl CheckpointerBuilder {
    /// What the log is called; `powerloom/audit/<organization>` unless said otherwise.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Believes checkpoints that an earlier key has signed, in its time.
    pub fn earlier_key(mut self, key: TrustedKey) -> Self {
        self.earlier.push(key);
        self
    }

    /// Brings the checkpoints there as well.
    pub fn anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchors.push(anchor);
        self
    }

    /// After how many entries a checkpoint is due: 1000.
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows.max(1);
        self
    }

    /// After how much time a checkpoint is due if there is at least one entry: 5 min.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// After how much time what failed is tried again: 10 s.
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = retry;
        self
    }

    /// How often the loop looks whether a checkpoint is due: 2 s.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// [`Invalid`] without an anchor that can be read back: without one, what was signed before is not known.
    pub fn build(self) -> Result<Checkpointer, Invalid> {
        if !self.anchors.iter().any(|anchor| anchor.access() == AnchorAccess::ReadWrite) {
            return Err(Invalid::hidden("anchors", "at least one that can be read back"));
        }
        let own = Trust::new(self.origin).key(TrustedKey::new(self.signer.key()));
        let trust = self.earlier.into_iter().fold(own, Trust::key);
        let post = |anchor: Arc<dyn Anchor>| {
            let seen = match anchor.access() {
                AnchorAccess::ReadWrite => Seen::Unread,
                AnchorAccess::WriteOnly => Seen::Has(0),
            };
            Post { anchor, seen }
        };
        Ok(Checkpointer {
            plane: self.plane,
            org: self.org,
            signer: self.signer,
            trust,
            posts: self.anchors.into_iter().map(post).collect(),
            rows: self.rows,
            every: self.every,
            retry: self.retry,
            poll: self.poll,
            log: LogTree::new(self.org),
            latest: None,
            tried: None,
        })
    }
}

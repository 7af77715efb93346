//! Who signs checkpoints of the audit chains, and where these are kept.

use powerloom_core::anchor::{Anchor, AnchorAccess};
use powerloom_core::audit::note::NoteKey;
use powerloom_core::audit::signer::CheckpointSigner;
use powerloom_core::audit::trust::TrustedKey;
use powerloom_core::checkpointer::Checkpointer;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::id::OrgId;
use powerloom_core::invalid::Invalid;
use std::sync::Arc;

/// One signer and the anchors that keep what it signs, for the chains of all organizations: each chain is a log of its own
/// there, called `powerloom/audit/<organization>`.
///
/// # Examples
/// ```
/// use powerloom_core::audit::signer::Ed25519Signer;
/// use powerloom_server::Checkpoints;
/// use powerloom_store::anchor::FileAnchor;
/// use std::sync::Arc;
///
/// let signer = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32])?);
/// let checkpoints = Checkpoints::new(signer, Arc::new(FileAnchor::new("/mnt/elsewhere")))?;
/// assert!(checkpoints.key().to_string().starts_with("acme.com/audit+"));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone)]
pub struct Checkpoints {
    signer: Arc<dyn CheckpointSigner>,
    earlier: Vec<TrustedKey>,
    anchors: Vec<Arc<dyn Anchor>>,
}

impl Checkpoints {
    /// Checkpoints by this signer, kept by this anchor.
    ///
    /// # Errors
    /// [`Invalid`] for an anchor that cannot be read back: without one, what was signed before is not known.
    pub fn new(signer: Arc<dyn CheckpointSigner>, anchor: Arc<dyn Anchor>) -> Result<Self, Invalid> {
        if anchor.access() != AnchorAccess::ReadWrite {
            return Err(Invalid::new(
                "anchor",
                anchor.name(),
                "one that can be read back; others may follow it",
            ));
        }
        Ok(Self { signer, earlier: Vec::new(), anchors: vec![anchor] })
    }

    /// Brings them there as well.
    #[must_use]
    pub fn anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchors.push(anchor);
        self
    }

    /// Believes checkpoints that an earlier key has signed, in its time.
    #[must_use]
    pub fn earlier_key(mut self, key: TrustedKey) -> Self {
        self.earlier.push(key);
        self
    }

    /// What verifies the signatures.
    #[must_use]
    pub fn key(&self) -> NoteKey {
        self.signer.key()
    }

    /// The checkpointer of one organization's chain. It has read nothing yet: its first checkpoint reads the whole chain and
    /// what the anchors keep. Several of one organization may work at once.
    ///
    /// # Errors
    /// None: [`new`](Self::new) has seen to it that there is an anchor to be read.
    pub fn checkpointer(&self, loom: &ControlPlane, org: OrgId) -> Result<Checkpointer, Invalid> {
        let mut builder = Checkpointer::builder(loom, org, self.signer.clone());
        for key in &self.earlier {
            builder = builder.earlier_key(key.clone());
        }
        for anchor in &self.anchors {
            builder = builder.anchor(anchor.clone());
        }
        builder.build()
    }
}

//! What a caller may ask of a checkpointer, beside its own loop.

use crate::anchor::AnchorAccess;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::SignedNote;
use crate::checkpointer::{AnchorFailure, CheckpointError, Checkpointed, Checkpointer};
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::permission::Permission;

/// What one anchor keeps of the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Anchored {
    /// What the anchor is called.
    pub anchor: String,
    /// Whether it can be read back.
    pub access: AnchorAccess,
    /// The newest checkpoint it keeps, if it keeps one that is to be believed, or why that is not known. An anchor that cannot
    /// be read back has none to tell of.
    pub newest: std::result::Result<Option<(Checkpoint, SignedNote)>, AnchorFailure>,
}

impl Checkpointer {
    /// Makes a checkpoint now, as [`checkpoint_now`](Self::checkpoint_now) does, if the caller may.
    ///
    /// # Errors
    /// [`CheckpointError::Refused`] without `audit:export` at the root, or for a caller of another organization; else as
    /// [`checkpoint_now`](Self::checkpoint_now).
    ///
    /// # Cancel safety
    /// As [`checkpoint_now`](Self::checkpoint_now).
    pub async fn checkpoint_as(
        &mut self,
        caller: &Caller,
    ) -> std::result::Result<Option<Checkpointed>, CheckpointError> {
        self.permit(caller, Permission::AUDIT_EXPORT).await.map_err(Box::new)?;
        self.checkpoint_now().await
    }

    /// What every anchor keeps of the log, in the order they were given. Nothing is verified but the signatures: the log
    /// itself is not read.
    ///
    /// # Errors
    /// [`Error::Denied`] without `audit:verify` at the root; [`Error::NotFound`] for a caller of another organization. An
    /// anchor that fails is no error but in the answer.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn anchored(&self, caller: &Caller) -> Result<Vec<Anchored>> {
        self.permit(caller, Permission::AUDIT_VERIFY).await?;
        let mut kept = Vec::with_capacity(self.posts.len());
        for post in &self.posts {
            let (anchor, access) = (post.anchor.name().to_owned(), post.anchor.access());
            let latest = match access {
                AnchorAccess::ReadWrite => post.anchor.latest(self.trust.origin()).await,
                AnchorAccess::WriteOnly => Ok(None),
            };
            let newest = match latest {
                Ok(None) => Ok(None),
                Ok(Some(note)) => match self.trust.open(&note) {
                    Ok(checkpoint) => Ok(Some((checkpoint, note))),
                    Err(error) => Err(AnchorFailure::Note { anchor: anchor.clone(), error }),
                },
                Err(error) => Err(AnchorFailure::Anchor { anchor: anchor.clone(), error }),
            };
            kept.push(Anchored { anchor, access, newest });
        }
        Ok(kept)
    }

    async fn permit(&self, caller: &Caller, permission: Permission) -> Result<()> {
        if caller.org != self.org {
            return Err(Error::not_found("organization", self.org));
        }
        let root = self.plane.org(self.org).await?.root_ou;
        ControlPlane { plane: self.plane.clone() }.require(caller, permission, root).await
    }
}

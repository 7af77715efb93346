//! Proofs about the chain for whoever holds a checkpoint of it.

use crate::audit::merkle::TreeHead;
use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::Result;
use crate::invalid::Invalid;
use crate::log_tree::LogTree;
use crate::permission::Permission;
use tokio::sync::OwnedMutexGuard;

impl ControlPlane {
    /// The tree over all of the organization's audit entries.
    ///
    /// The first question of this kind reads the whole chain; later ones read what came since.
    ///
    /// # Errors
    /// [`Error::Denied`](crate::error::Error::Denied) without `audit:verify` at the root;
    /// [`Error::AuditBroken`](crate::error::Error::AuditBroken) if the chain does not verify, or is not the one it was.
    pub async fn audit_tree(&self, caller: &Caller) -> Result<TreeHead> {
        Ok(self.log_tree(caller).await?.tree().head())
    }

    /// Proves that the entry `seq` is in the tree over the first `size` entries.
    ///
    /// # Errors
    /// As [`audit_tree`](Self::audit_tree); [`Error::Invalid`](crate::error::Error::Invalid) if it is not, or if there are
    /// not so many entries.
    ///
    /// # Examples
    /// ```
    /// # use powerloom_core::control_plane::ControlPlane;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// # let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// # let admin = acme.admin_caller();
    /// let entry = cp.audit(&admin, &Default::default()).await?.remove(0);
    /// let tree = cp.audit_tree(&admin).await?;
    /// let proof = cp.prove_inclusion(&admin, entry.row.seq, tree.size).await?;
    /// proof.verify(&entry.hash, &tree)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn prove_inclusion(&self, caller: &Caller, seq: u64, size: u64) -> Result<InclusionProof> {
        let log = self.log_tree(caller).await?;
        let most = log.tree().size();
        log.tree().prove_inclusion(seq, size).ok_or_else(|| {
            let (field, value) = if size > most { ("size", size) } else { ("seq", seq) };
            Invalid::new(field, value, format!("1 to {}", size.min(most))).into()
        })
    }

    /// Proves that the tree over the first `to` entries begins with the one over the first `from`.
    ///
    /// # Errors
    /// As [`prove_inclusion`](Self::prove_inclusion).
    pub async fn prove_consistency(&self, caller: &Caller, from: u64, to: u64) -> Result<ConsistencyProof> {
        let log = self.log_tree(caller).await?;
        let most = log.tree().size();
        log.tree().prove_consistency(from, to).ok_or_else(|| {
            let (field, value) = if to > most { ("to", to) } else { ("from", from) };
            Invalid::new(field, value, format!("0 to {}", to.min(most))).into()
        })
    }

    async fn log_tree(&self, caller: &Caller) -> Result<OwnedMutexGuard<LogTree>> {
        let root = self.plane.org(caller.org).await?.root_ou;
        self.require(caller, Permission::AUDIT_VERIFY, root).await?;
        self.plane.log_trees.current(caller.org, self.plane.store.as_ref()).await
    }
}

//! The Merkle tree of one chain, kept up with the log it is over.

use crate::audit::merkle::MerkleTree;
use crate::audit::{AuditHead, Break, Verifier};
use crate::error::{Error, Result};
use crate::id::OrgId;
use crate::store::{AuditLog, MAX_PAGE, StoreError};
use std::sync::{Arc, Mutex, PoisonError};

/// How many organizations' trees are kept at once for proofs; the one that was asked longest ago goes first.
const KEPT: usize = 8;

/// The tree over the entries of one organization that were read so far. Every entry is verified before it is taken in.
#[derive(Debug)]
pub(crate) struct LogTree {
    org: OrgId,
    head: AuditHead,
    tree: MerkleTree,
}

/// Why a log could not be followed.
#[derive(Debug)]
pub(crate) enum Unfollowed {
    Store(StoreError),
    Broken(Break),
}

impl From<StoreError> for Unfollowed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Break> for Unfollowed {
    fn from(found: Break) -> Self {
        Self::Broken(found)
    }
}

impl From<Unfollowed> for Error {
    fn from(unfollowed: Unfollowed) -> Self {
        match unfollowed {
            Unfollowed::Store(error) => error.into(),
            Unfollowed::Broken(found) => found.into(),
        }
    }
}

impl LogTree {
    pub(crate) fn new(org: OrgId) -> Self {
        Self { org, head: AuditHead::GENESIS, tree: MerkleTree::default() }
    }

    pub(crate) const fn tree(&self) -> &MerkleTree {
        &self.tree
    }

    pub(crate) const fn head(&self) -> AuditHead {
        self.head
    }

    /// Takes in what was appended since, a page at a time. The newest entry of last time is read again: a log that was
    /// put back to an earlier state, or written anew, is a break.
    ///
    /// # Cancel safety
    /// Dropped, it has taken in the first of them.
    pub(crate) async fn follow(&mut self, log: &dyn AuditLog) -> std::result::Result<(), Unfollowed> {
        let known = self.head;
        if known.seq > 0 {
            let again = log.audit_rows(self.org, known.seq - 1, 1).await?;
            let found = again.first().map_or(AuditHead::GENESIS, |entry| entry.head());
            if found != known {
                return Err(Break::HeadMismatch { trusted: known.seq, found: found.seq }.into());
            }
        }
        let mut verifier = Verifier::new(self.org, Some(known), None);
        loop {
            let page = log.audit_rows(self.org, self.head.seq, MAX_PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in &page {
                verifier.push(entry)?;
                self.tree.push(&entry.hash);
                self.head = entry.head();
            }
        }
    }
}

type Shared = Arc<tokio::sync::Mutex<LogTree>>;

/// The trees somebody has asked proofs of lately.
#[derive(Debug, Default)]
pub(crate) struct LogTrees(Mutex<Vec<(OrgId, Shared)>>);

impl LogTrees {
    /// The tree of an organization, as far as it was read.
    pub(crate) fn of(&self, org: OrgId) -> Shared {
        // Nothing is left half done while the lock is held.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(of, _)| *of == org);
        let found = place.map(|place| kept.remove(place));
        let (_, tree) = found.unwrap_or_else(|| (org, Arc::new(tokio::sync::Mutex::new(LogTree::new(org)))));
        kept.insert(0, (org, tree.clone()));
        kept.truncate(KEPT);
        tree
    }

    /// The tree of an organization, up to the newest entry.
    pub(crate) async fn current(
        &self,
        org: OrgId,
        log: &dyn AuditLog,
    ) -> Result<tokio::sync::OwnedMutexGuard<LogTree>> {
        let mut tree = self.of(org).lock_owned().await;
        tree.follow(log).await?;
        Ok(tree)
    }
}

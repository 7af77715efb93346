//! Proofs about a Merkle tree, and their verification, which needs nothing but the roots (RFC 9162, 2.1.3 and 2.1.4).

use crate::audit::merkle::{TreeHead, empty_root, leaf, parent};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};

/// That one entry is in the tree over the first `size`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The place of the entry, from 1.
    pub seq: u64,
    /// How many entries the tree has.
    pub size: u64,
    /// The siblings on the way up, from the leaf's.
    pub hashes: Vec<Digest>,
}

/// That the tree over the first `to` entries begins with the tree over the first `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// How many entries the shorter tree has.
    pub from: u64,
    /// How many entries the longer tree has.
    pub to: u64,
    /// The nodes that make both roots.
    pub hashes: Vec<Digest>,
}

/// Why a proof proves nothing.
///
/// Closed on purpose: no proof is half believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// The places do not fit together: the entry is not in a tree of that size, or the longer tree is the shorter one.
    #[error("the proof is about places that cannot be")]
    Places,
    /// It has more or fewer hashes than such a proof has.
    #[error("the proof has the wrong length")]
    Length,
    /// Its hashes do not make the root.
    #[error("the proof does not make the root")]
    Root,
}

impl InclusionProof {
    /// Whether the entry with this hash is in `tree`, which is known from a checkpoint one believes.
    ///
    /// # Errors
    /// [`ProofRefused`] if that is not shown.
    pub fn verify(&self, entry_hash: &Digest, tree: &TreeHead) -> Result<(), ProofRefused> {
        if self.seq == 0 || self.seq > self.size || self.size != tree.size {
            return Err(ProofRefused::Places);
        }
        let (mut place, mut last) = (self.seq - 1, self.size - 1);
        let mut node = leaf(entry_hash);
        for sibling in &self.hashes {
            if last == 0 {
                return Err(ProofRefused::Length);
            }
            if place & 1 == 1 || place == last {
                node = parent(sibling, &node);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                node = parent(&node, sibling);
            }
            place >>= 1;
            last >>= 1;
        }
        match (last, node == tree.root) {
            (0, true) => Ok(()),
            (0, false) => Err(ProofRefused::Root),
            _ => Err(ProofRefused::Length),
        }
    }
}

impl ConsistencyProof {
    /// Whether `after` begins with `before`; both are known from checkpoints.
    ///
    /// # Errors
    /// [`ProofRefused`] if that is not shown.
    pub fn verify(&self, before: &TreeHead, after: &TreeHead) -> Result<(), ProofRefused> {
        if self.from > self.to || (self.from, self.to) != (before.size, after.size) {
            return Err(ProofRefused::Places);
        }
        if self.from == 0 || self.from == self.to {
            // Every tree begins with nothing, and each with itself: there is nothing to show but the roots.
            let same = if self.from == self.to { before == after } else { before.root == empty_root() };
            return match (self.hashes.is_empty(), same) {
                (false, _) => Err(ProofRefused::Length),
                (true, false) => Err(ProofRefused::Root),
                (true, true) => Ok(()),
            };
        }
        let (mut place, mut last) = (self.from - 1, self.to - 1);
        while place & 1 == 1 {
            place >>= 1;
            last >>= 1;
        }
        let mut hashes = self.hashes.iter();
        // A complete shorter tree is itself the first node, and is left out of the proof.
        let first = if self.from.is_power_of_two() { Some(&before.root) } else { hashes.next() };
        let first = first.ok_or(ProofRefused::Length)?;
        let (mut shorter, mut longer) = (*first, *first);
        for sibling in hashes {
            if last == 0 {
                return Err(ProofRefused::Length);
            }
            if place & 1 == 1 || place == last {
                shorter = parent(sibling, &shorter);
                longer = parent(sibling, &longer);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                longer = parent(&longer, sibling);
            }
            place >>= 1;
            last >>= 1;
        }
        match (last, shorter == before.root && longer == after.root) {
            (0, true) => Ok(()),
            (0, false) => Err(ProofRefused::Root),
            _ => Err(ProofRefused::Length),
        }
    }
}

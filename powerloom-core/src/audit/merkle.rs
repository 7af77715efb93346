//! A Merkle tree over the entries of a chain (RFC 9162, 2.1): short proofs that an entry is in it, and that a longer
//! tree only went on.

use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::digest::Digest;
use serde::Serialize;

/// A tree in short: a root means nothing without the number of entries it is over, which the proofs do not fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditTreeHead))]
#[expect(clippy::exhaustive_structs, reason = "plain data: a root and what it is over")]
pub struct TreeHead {
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

/// The tree over the first entries of one chain.
///
/// It holds every complete subtree: 64 bytes an entry, 64 MiB for a million. Appending costs one hash on average, and a
/// root or proof of any earlier size at most 2 log₂ n hashes.
///
/// ```
/// use powerloom_core::{audit::merkle::MerkleTree, digest::Digest};
/// let mut tree = MerkleTree::default();
/// let entries: Vec<Digest> = (0..100_u8).map(|n| Digest::of(&[n])).collect();
/// for hash in &entries {
///     tree.push(hash);
/// }
/// let (then, now) = (tree.head_at(60).ok_or("60 were there")?, tree.head());
/// let inclusion = tree.prove_inclusion(17, 100).ok_or("17 is in it")?;
/// assert!(inclusion.verify(&entries[16], &now).is_ok());
/// let consistency = tree.prove_consistency(60, 100).ok_or("60 comes before 100")?;
/// assert!(consistency.verify(&then, &now).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    /// `levels[k][i]` is the root of the complete subtree over the leaves `i·2ᵏ` to `(i+1)·2ᵏ`.
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// How many entries it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends the next entry by its hash.
    pub fn push(&mut self, entry_hash: &Digest) {
        let mut node = leaf(entry_hash);
        for level in &mut self.levels {
            level.push(node);
            match level.last_chunk::<2>() {
                Some([left, right]) if level.len().is_multiple_of(2) => node = parent(left, right),
                _ => return,
            }
        }
        self.levels.push(vec![node]);
    }

    /// The tree over the first `size` entries; `None` beyond what there is. The root of none is the hash of nothing.
    #[must_use]
    pub fn head_at(&self, size: u64) -> Option<TreeHead> {
        let root = (size <= self.size()).then(|| self.subtree(0, size))??;
        Some(TreeHead { size, root })
    }

    /// The tree over all entries.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let root = self.subtree(0, self.size()).unwrap_or_else(empty_root);
        TreeHead { size: self.size(), root }
    }

    /// Whether the entry at this place (from 1) has this hash.
    #[must_use]
    pub fn has(&self, seq: u64, entry_hash: &Digest) -> bool {
        let place = seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let kept = place.and_then(|place| self.levels.first()?.get(place));
        kept == Some(&leaf(entry_hash))
    }

    /// Proves that the entry `seq` (from 1) is in the tree over the first `size`; `None` if it is not.
    #[must_use]
    pub fn prove_inclusion(&self, seq: u64, size: u64) -> Option<InclusionProof> {
        if seq == 0 || seq > size || size > self.size() {
            return None;
        }
        let (mut start, mut width, mut hashes) = (0, size, Vec::with_capacity(64));
        let leaf = seq - 1;
        while width > 1 {
            let left = split(width);
            if leaf < start + left {
                hashes.push(self.subtree(start + left, width - left)?);
                width = left;
            } else {
                hashes.push(self.subtree(start, left)?);
                start += left;
                width -= left;
            }
        }
        hashes.reverse();
        Some(InclusionProof { seq, size, hashes })
    }

    /// Proves that the tree over the first `to` entries begins with the one over the first `from`; `None` if `from` is
    /// above `to`, or `to` beyond what there is.
    #[must_use]
    pub fn prove_consistency(&self, from: u64, to: u64) -> Option<ConsistencyProof> {
        if from > to || to > self.size() {
            return None;
        }
        let mut hashes = Vec::with_capacity(64);
        if from > 0 && from < to {
            let (mut start, mut width, mut whole) = (0, to, true);
            // SUBPROOF of RFC 9162, 2.1.4.1, from the outside in.
            while from != start + width {
                let left = split(width);
                if from <= start + left {
                    hashes.push(self.subtree(start + left, width - left)?);
                    width = left;
                } else {
                    hashes.push(self.subtree(start, left)?);
                    start += left;
                    width -= left;
                    whole = false;
                }
            }
            if !whole {
                hashes.push(self.subtree(start, width)?);
            }
            hashes.reverse();
        }
        Some(ConsistencyProof { from, to, hashes })
    }

    /// The root over `width` entries beginning at the leaf `start`, which the recursion of the RFC always reaches at a
    /// multiple of the largest power of two within.
    fn subtree(&self, mut start: u64, mut width: u64) -> Option<Digest> {
        if width == 0 {
            return Some(empty_root());
        }
        // The complete subtrees of the range, widest first; joined from the narrow end.
        let mut parts = [Digest::ZERO; 64];
        let mut count = 0;
        while width > 0 {
            let level = width.ilog2();
            let place = usize::try_from(start >> level).ok()?;
            *parts.get_mut(count)? = *self.levels.get(level as usize)?.get(place)?;
            count += 1;
            start += 1 << level;
            width -= 1 << level;
        }
        parts.get(..count)?.iter().copied().rev().reduce(|right, left| parent(&left, &right))
    }
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The root over no entries.
pub(super) fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The leaf of an entry.
pub(super) fn leaf(entry_hash: &Digest) -> Digest {
    Digest::of_parts(&[&[0], entry_hash.as_bytes()])
}

/// The node above two.
pub(super) fn parent(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root over entries that are read once and not kept: 64 hashes at most, whatever their number.
#[derive(Debug, Clone, Default)]
pub struct RootFold {
    /// The complete subtrees so far, widest first: one for each bit of `size`.
    peaks: Vec<Digest>,
    size: u64,
}

impl RootFold {
    /// How many entries were taken in.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes in the next entry by its hash.
    pub fn push(&mut self, entry_hash: &Digest) {
        let mut node = leaf(entry_hash);
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = parent(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The tree over all entries so far.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let root = self.peaks.iter().copied().rev().reduce(|right, left| parent(&left, &right));
        TreeHead { size: self.size, root: root.unwrap_or_else(empty_root) }
    }
}

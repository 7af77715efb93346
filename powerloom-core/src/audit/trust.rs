//! Which keys may sign the checkpoints of one log, and what two checkpoints of it must have to do with each other.

use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::note::{NoteKey, SignedNote};
use crate::audit::proof::{ConsistencyProof, ProofRefused};
use crate::clock::Timestamp;
use crate::invalid::Invalid;

/// A key that may sign, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedKey {
    /// The key.
    pub key: NoteKey,
    /// It may not sign for more entries than this. Whoever has stolen a retired key can write any time into a checkpoint,
    /// but only once grow a log to a size that others have seen grow otherwise: retire keys by size.
    pub last_size: Option<u64>,
    /// It may not sign for a later moment than this.
    pub last_at: Option<Timestamp>,
}

impl TrustedKey {
    /// A key that may sign without end.
    #[must_use]
    pub const fn new(key: NoteKey) -> Self {
        Self { key, last_size: None, last_at: None }
    }

    /// The same key, retired after a log of this size.
    #[must_use]
    pub const fn until_size(mut self, size: u64) -> Self {
        self.last_size = Some(size);
        self
    }

    /// The same key, retired after this moment.
    #[must_use]
    pub const fn until(mut self, at: Timestamp) -> Self {
        self.last_at = Some(at);
        self
    }

    fn may_sign(&self, checkpoint: &Checkpoint) -> bool {
        self.last_size.is_none_or(|size| checkpoint.size() <= size)
            && self.last_at.is_none_or(|at| checkpoint.at <= at)
    }
}

/// Why a note is no checkpoint to believe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteRefused {
    /// Its text is no checkpoint of this form.
    #[error("the note is no checkpoint")]
    Text(#[source] Invalid),
    /// It is about another log.
    #[error("the checkpoint is about `{found}`, not `{expected}`")]
    Origin {
        /// The log that is looked for.
        expected: Origin,
        /// The log it is about.
        found: Origin,
    },
    /// It names a trusted key that did not sign this text.
    #[error("the signature of `{name}` is not by its key")]
    Signature {
        /// The key.
        name: String,
    },
    /// It is signed only by keys that were retired before.
    #[error("the key `{name}` was retired before this checkpoint")]
    Retired {
        /// One of them.
        name: String,
    },
    /// None of its signatures is by a trusted key.
    #[error("the checkpoint bears no signature of a trusted key")]
    Untrusted,
}

/// Which log, and who may sign for it.
///
/// ```
/// # use powerloom_core::audit::{AuditHead, checkpoint::Checkpoint, note::*, signer::*, trust::*};
/// # use powerloom_core::{digest::Digest, id::OrgId};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let org: OrgId = "00000000-0000-4000-8000-000000000001".parse()?;
/// let signer = Ed25519Signer::from_seed("acme.com/audit", &[7; 32])?;
/// let checkpoint = Checkpoint {
///     origin: Checkpoint::origin_of(org),
///     head: AuditHead { seq: 2, hash: Digest::of(b"head") },
///     root: Digest::of(b"root"),
///     at: "2025-01-01T00:00:02Z".parse()?,
/// };
/// let mut note = SignedNote::new(checkpoint.to_string())?;
/// note.add(signer.sign(note.text()).await?);
///
/// let trust = Trust::new(Checkpoint::origin_of(org)).key(TrustedKey::new(signer.key()));
/// assert_eq!(trust.open(&note.to_string().parse()?)?, checkpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    origin: Origin,
    keys: Vec<TrustedKey>,
}

impl Trust {
    /// Trusts nobody yet.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self { origin, keys: Vec::new() }
    }

    /// Trusts one more key.
    #[must_use]
    pub fn key(mut self, key: TrustedKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The log this is about.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether a signature by this key counts at all.
    #[must_use]
    pub fn knows(&self, key: &NoteKey) -> bool {
        self.keys.iter().any(|trusted| trusted.key == *key)
    }

    /// Reads the checkpoint of a note that at least one trusted key has signed in its time. Signatures of keys that are
    /// not known here are left aside; one that names a trusted key and is not by it refuses the note.
    ///
    /// # Errors
    /// [`NoteRefused`].
    pub fn open(&self, note: &SignedNote) -> Result<Checkpoint, NoteRefused> {
        let checkpoint: Checkpoint = note.text().parse().map_err(NoteRefused::Text)?;
        if checkpoint.origin != self.origin {
            return Err(NoteRefused::Origin { expected: self.origin.clone(), found: checkpoint.origin });
        }
        let (mut trusted, mut retired) = (false, None);
        for signature in note.signatures() {
            for key in self.keys.iter().filter(|known| known.key.is_named_by(signature)) {
                let name = || key.key.name().to_owned();
                if !key.key.verifies(note.text(), signature) {
                    return Err(NoteRefused::Signature { name: name() });
                }
                if key.may_sign(&checkpoint) {
                    trusted = true;
                } else {
                    retired = Some(name());
                }
            }
        }
        match (trusted, retired) {
            (true, _) => Ok(checkpoint),
            (false, Some(name)) => Err(NoteRefused::Retired { name }),
            (false, None) => Err(NoteRefused::Untrusted),
        }
    }
}

/// How two checkpoints of one log contradict each other.
///
/// Closed on purpose: each is an accusation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// They are about different logs: there is nothing to compare.
    #[error("the checkpoints are about different logs")]
    Origin,
    /// The later one has fewer entries.
    #[error("rollback: the log had {known} entries and now has {offered}")]
    Rollback {
        /// How many it had.
        known: u64,
        /// How many it has now.
        offered: u64,
    },
    /// Both have the same number of entries, and not the same ones: two readers were shown two logs.
    #[error("split view: two logs of {size} entries differ")]
    SplitView {
        /// How many.
        size: u64,
    },
    /// Nothing shows that the longer one goes on from the shorter one.
    #[error("split view: {offered} entries are not shown to go on from the {known} that were known")]
    NotJoined {
        /// How many were known.
        known: u64,
        /// How many are offered.
        offered: u64,
        /// What is wrong with the proof.
        #[source]
        proof: ProofRefused,
    },
}

impl Checkpoint {
    /// Whether this checkpoint goes on from an earlier one, as `proof` shows. What somebody who keeps the newest
    /// checkpoint of a log asks of the next one before taking it in its place.
    ///
    /// # Errors
    /// [`Contradiction`] if it does not; a proof about other sizes proves nothing.
    pub fn follows(&self, earlier: &Self, proof: &ConsistencyProof) -> Result<(), Contradiction> {
        let (known, offered) = (earlier.size(), self.size());
        if self.origin != earlier.origin {
            return Err(Contradiction::Origin);
        }
        if offered < known {
            return Err(Contradiction::Rollback { known, offered });
        }
        if offered == known {
            let same = self.root == earlier.root && self.head == earlier.head;
            return if same { Ok(()) } else { Err(Contradiction::SplitView { size: known }) };
        }
        proof.verify(&earlier.tree(), &self.tree()).map_err(|proof| Contradiction::NotJoined {
            known,
            offered,
            proof,
        })
    }
}

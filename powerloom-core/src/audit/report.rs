//! What verifying an export found, for a program and for a person.

use crate::audit::chain::AuditHead;
use crate::audit::proof::ProofRefused;
use crate::audit::trust::NoteRefused;
use crate::audit::verify::Break;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use serde::{Serialize, Serializer};
use std::fmt;

/// Places from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditRange))]
#[expect(clippy::exhaustive_structs, reason = "plain data: two ends")]
pub struct Range {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Range {
    pub(super) fn of(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

/// How it is known that nothing was put in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditStart))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new way to begin must be judged wherever reports are")]
pub enum Start {
    /// There are no entries.
    Nothing,
    /// It begins with the first entry of the chain.
    First,
    /// It goes on from an entry that is trusted.
    TrustedHead,
    /// It begins later, and the checkpoint at its end vouches for all of it.
    Anchored,
    /// It begins later, and nothing shows that these are entries of the chain at all.
    Unproven,
}

/// Something that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The chain is broken.
    #[error(transparent)]
    Break(Break),
    /// It ends before the entry its own header names as the last.
    #[error("cut off: the header promises entries to {promised}, and they end at {found}")]
    Cut {
        /// The last place the header names.
        promised: u64,
        /// The last place there is.
        found: u64,
    },
    /// It begins elsewhere than its own header says.
    #[error("the header promises entries from {promised}, and they begin at {found}")]
    Beginning {
        /// The first place the header names.
        promised: u64,
        /// The first place there is.
        found: u64,
    },
    /// A trusted checkpoint covers more entries than there are, and no proof says that the rest was left out on purpose.
    #[error("truncated: a trusted checkpoint covers {checkpoint} entries, and they end at {found}")]
    Truncated {
        /// How many entries the newest checkpoint covers.
        checkpoint: u64,
        /// The last place there is.
        found: u64,
    },
    /// A trusted checkpoint of this size was made of other entries.
    #[error("fork: a trusted checkpoint of {size} entries was made of other entries than these")]
    Fork {
        /// Its size.
        size: u64,
    },
    /// It begins after the first entry, and nothing vouches for that.
    #[error(
        "unproven start: entry {from} follows nothing that is trusted, and no checkpoint covers what is here"
    )]
    UnprovenStart {
        /// Where it begins.
        from: u64,
    },
    /// It does not go on from the head that was given.
    #[error("wrong start: it goes on from another entry {found} than the trusted head {trusted}")]
    Start {
        /// The place of the trusted head.
        trusted: u64,
        /// The place of the entry it goes on from.
        found: u64,
    },
    /// The note in the header is none.
    #[error("the checkpoint in the header is no signed note")]
    HeaderNote,
    /// A note is not to be believed.
    #[error(transparent)]
    Note(NoteRefused),
    /// A proof does not hold.
    #[error("the proof about {seq} in {size} entries does not hold: {refused}")]
    Proof {
        /// The place it is about.
        seq: u64,
        /// The size of the tree.
        size: u64,
        /// Why.
        refused: ProofRefused,
    },
    /// A proof is about an entry that is not here, or a tree no trusted checkpoint has.
    #[error("the proof about {seq} in {size} entries says nothing about this export and these checkpoints")]
    IdleProof {
        /// The place it is about.
        seq: u64,
        /// The size of the tree.
        size: u64,
    },
}

impl Finding {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Break(found) => found.code(),
            Self::Cut { .. } => "cut",
            Self::Beginning { .. } => "beginning",
            Self::Truncated { .. } => "truncated",
            Self::Fork { .. } => "fork",
            Self::UnprovenStart { .. } => "unproven_start",
            Self::Start { .. } => "wrong_start",
            Self::HeaderNote => "header_note",
            Self::Note(_) => "note_refused",
            Self::Proof { .. } => "proof_refused",
            Self::IdleProof { .. } => "idle_proof",
        }
    }
}

/// Something that does not verify.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditFinding))]
pub(crate) struct Written {
    /// The stable code.
    pub(crate) code: &'static str,
    /// What it is, in a sentence.
    pub(crate) message: String,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { code: self.code(), message: self.to_string() }.serialize(serializer)
    }
}

/// What verifying an export found. Its [`Display`](fmt::Display) is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct EvidenceReport {
    /// Whose chain it is.
    pub org_id: OrgId,
    /// What the export says that organization is called; no hash covers it.
    pub slug: String,
    /// When the export says it was written; no hash covers it.
    pub exported_at: Timestamp,
    /// How many entries were verified.
    pub entries: u64,
    /// Of these, how many have no payload any more. Erasure is allowed and breaks nothing.
    pub erased: u64,
    /// Which entries were verified.
    #[cfg_attr(feature = "schema", schema(required))]
    pub range: Option<Range>,
    /// The last of them.
    pub head: AuditHead,
    /// The root over them, where they begin with the first.
    #[cfg_attr(feature = "schema", schema(required))]
    pub root: Option<Digest>,
    /// How it is known that nothing was put in front.
    pub start: Start,
    /// How many checkpoints were believed.
    pub checkpoints: usize,
    /// How many entries the newest of these covers.
    #[cfg_attr(feature = "schema", schema(required))]
    pub newest_checkpoint: Option<u64>,
    /// The entries a believed checkpoint vouches for.
    #[cfg_attr(feature = "schema", schema(required))]
    pub anchored: Option<Range>,
    /// The entries that are linked to these and for which nobody else vouches: whoever writes the store could have
    /// written them anew.
    #[cfg_attr(feature = "schema", schema(required))]
    pub unanchored: Option<Range>,
    /// What does not verify; empty if everything does.
    pub findings: Vec<Finding>,
}

impl EvidenceReport {
    /// Whether everything verifies. Entries no checkpoint covers yet are no failure: see
    /// [`unanchored`](Self::unanchored).
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for EvidenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.is_verified() { "VERIFIED" } else { "DOES NOT VERIFY" })?;
        writeln!(f, "organization  {} ({})", self.org_id, self.slug)?;
        match &self.range {
            Some(range) => writeln!(f, "entries       {range}: {} of them", self.entries)?,
            None => writeln!(f, "entries       none")?,
        }
        writeln!(f, "erased        {} without a payload, as is allowed", self.erased)?;
        writeln!(f, "last entry    {} {}", self.head.seq, self.head.hash)?;
        writeln!(
            f,
            "beginning     {}",
            match self.start {
                Start::Nothing => "nothing to begin with",
                Start::First => "the first entry of the chain",
                Start::TrustedHead => "goes on from a trusted entry",
                Start::Anchored => "a later entry, which a trusted checkpoint covers",
                Start::Unproven => "UNPROVEN: nothing shows that these entries are of the chain",
            }
        )?;
        match self.newest_checkpoint {
            Some(size) => {
                writeln!(f, "checkpoints   {} trusted, the newest of {size} entries", self.checkpoints)?
            }
            None => writeln!(
                f,
                "checkpoints   none trusted: whoever writes the store could have written all of it anew"
            )?,
        }
        match &self.anchored {
            Some(range) => writeln!(f, "anchored      {range}")?,
            None => writeln!(f, "anchored      none")?,
        }
        if let Some(range) = &self.unanchored {
            writeln!(f, "unanchored    {range}: no trusted checkpoint covers these")?;
        }
        for finding in &self.findings {
            writeln!(f, "FINDING       [{}] {finding}", finding.code())?;
        }
        Ok(())
    }
}

//! Verifying an export where there is no store: by nothing but the file, and what its reader kept or was told.

use crate::audit::chain::AuditHead;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::export::{ExportError, ExportHeader, ExportReader};
use crate::audit::merkle::{RootFold, TreeHead};
use crate::audit::note::SignedNote;
use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::audit::report::{EvidenceReport, Finding, Range, Start};
use crate::audit::trust::Trust;
use crate::audit::verify::Verifier;
use crate::digest::Digest;
use std::collections::BTreeMap;
use std::io::BufRead;

/// What a reader of an export believes, and what else was handed over with it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Given {
    /// Which log, and who may sign for it. Without it no checkpoint is believed, and nothing is anchored.
    pub trust: Option<Trust>,
    /// Checkpoints, kept since or fetched from an anchor; the header's own is looked at as well.
    pub notes: Vec<SignedNote>,
    /// The entry before the first, for an export that begins later; it is believed.
    pub start: Option<AuditHead>,
    /// Proofs that entries of the export are in the tree of one of the checkpoints.
    pub inclusions: Vec<InclusionProof>,
    /// Proofs that the tree of one of the checkpoints goes on from the end of the export, or from a place in it.
    pub consistencies: Vec<ConsistencyProof>,
}

/// Verifies an export: every hash and link, and what the checkpoints among [`Given`] say about it.
///
/// It stops at the first break of the chain, holds one line at a time, and never fails for what it finds: that is in the
/// report.
///
/// # Errors
/// [`ExportError`] for what is no export, with the line.
pub fn verify_export(input: impl BufRead, given: &Given) -> Result<EvidenceReport, ExportError> {
    let mut reader = ExportReader::new(input)?;
    let header = reader.header().clone();
    let mut findings = Vec::new();
    let checkpoints = open_notes(&header, given, &mut findings);

    let mut walk = Walk::new(&header, given, &checkpoints);
    while let Some(line) = reader.next()? {
        let link = line.link();
        if let Err(found) = walk.take(&link) {
            findings.push(Finding::Break(found));
            break;
        }
    }
    Ok(walk.report(&header, given, &checkpoints, findings))
}

/// The checkpoints that are to be believed, by size.
fn open_notes(header: &ExportHeader, given: &Given, findings: &mut Vec<Finding>) -> Vec<Checkpoint> {
    let Some(trust) = &given.trust else { return Vec::new() };
    let mut checkpoints = Vec::new();
    let own = header.checkpoint.as_ref().map(|text| text.parse::<SignedNote>());
    if let Some(Err(_)) = own {
        findings.push(Finding::HeaderNote);
    }
    for note in own.and_then(Result::ok).iter().chain(&given.notes) {
        match trust.open(note) {
            Ok(checkpoint) => checkpoints.push(checkpoint),
            Err(refused) => findings.push(Finding::Note(refused)),
        }
    }
    checkpoints.sort_by_key(Checkpoint::size);
    checkpoints
}

/// What is remembered of the entries that went by.
struct Walk {
    verifier: Verifier,
    /// What the first entry says comes before it.
    before: Option<AuditHead>,
    /// The tree, where the export begins with the first entry.
    fold: Option<RootFold>,
    /// The hashes of the entries somebody asks about, and the trees that end there.
    wanted: BTreeMap<u64, Option<(Digest, Option<TreeHead>)>>,
}

impl Walk {
    fn new(header: &ExportHeader, given: &Given, checkpoints: &[Checkpoint]) -> Self {
        let sizes = checkpoints.iter().map(Checkpoint::size);
        let proven = given.inclusions.iter().map(|proof| proof.seq);
        let joined = given.consistencies.iter().map(|proof| proof.from);
        Self {
            verifier: Verifier::new(header.org_id, None, None),
            before: None,
            fold: (header.from == 1).then(RootFold::default),
            wanted: sizes.chain(proven).chain(joined).map(|seq| (seq, None)).collect(),
        }
    }

    fn take(&mut self, link: &crate::audit::verify::Link<'_>) -> Result<(), crate::audit::verify::Break> {
        if self.before.is_none() {
            // Whatever the first entry says it follows is taken over here, and judged in the report.
            let first = AuditHead { seq: link.seq.saturating_sub(1), hash: link.prev_hash };
            let first = if link.seq == 1 { AuditHead::GENESIS } else { first };
            self.verifier = Verifier::new(self.verifier.org(), Some(first), None);
            self.before = Some(first);
        }
        self.verifier.push_link(link, |_| true)?;
        if let Some(fold) = &mut self.fold {
            fold.push(&link.hash);
        }
        if let Some(kept) = self.wanted.get_mut(&link.seq) {
            *kept = Some((link.hash, self.fold.as_ref().map(RootFold::head)));
        }
        Ok(())
    }

    fn report(
        self,
        header: &ExportHeader,
        given: &Given,
        checkpoints: &[Checkpoint],
        mut findings: Vec<Finding>,
    ) -> EvidenceReport {
        let broken = findings.iter().any(|finding| matches!(finding, Finding::Break(_)));
        let verified = self.verifier.so_far();
        let before = self.before.unwrap_or(AuditHead { seq: header.from - 1, hash: Digest::ZERO });
        let (first, last) = (before.seq + 1, before.seq + verified.count);
        if before.seq + 1 != header.from && self.before.is_some() {
            findings.push(Finding::Beginning { promised: header.from, found: first });
        }
        if !broken && last != header.to {
            findings.push(Finding::Cut { promised: header.to, found: last });
        }
        let anchored = self.anchored(given, checkpoints, &mut findings, (first, last));
        let known_before = |head: &AuditHead| checkpoints.iter().any(|known| known.head == *head);
        let start = match (before.seq, &given.start) {
            _ if verified.count == 0 => Start::Nothing,
            (0, _) => Start::First,
            (_, Some(start)) if *start == before => Start::TrustedHead,
            (_, Some(start)) => {
                findings.push(Finding::Start { trusted: start.seq, found: before.seq });
                Start::Unproven
            }
            _ if known_before(&before) => Start::TrustedHead,
            _ if anchored.is_some() => Start::Anchored,
            _ => {
                findings.push(Finding::UnprovenStart { from: first });
                Start::Unproven
            }
        };
        if let Some(newest) = checkpoints.last().filter(|newest| newest.size() > last && !broken)
            && anchored != Some(last)
        {
            findings.push(Finding::Truncated { checkpoint: newest.size(), found: last });
        }
        let end = anchored.unwrap_or(first.saturating_sub(1));
        EvidenceReport {
            org_id: header.org_id,
            slug: header.slug.clone(),
            exported_at: header.exported_at,
            entries: verified.count,
            erased: verified.erased,
            range: Range::of(first, last),
            head: verified.head,
            root: self.fold.as_ref().map(|fold| fold.head().root),
            start,
            checkpoints: checkpoints.len(),
            newest_checkpoint: checkpoints.last().map(Checkpoint::size),
            anchored: Range::of(first, end),
            unanchored: Range::of(end + 1, last),
            findings,
        }
    }

    /// The last entry that a believed checkpoint vouches for, and through the chain for all before it.
    fn anchored(
        &self,
        given: &Given,
        checkpoints: &[Checkpoint],
        findings: &mut Vec<Finding>,
        (first, last): (u64, u64),
    ) -> Option<u64> {
        let seen = |seq: u64| self.wanted.get(&seq).copied().flatten();
        let mut anchored = None;
        for checkpoint in checkpoints {
            let size = checkpoint.size();
            // The entry right before the export is known by what the first entry says it follows.
            let before = self.before.filter(|before| before.seq == size && size > 0);
            let head = seen(size).map(|(hash, _)| hash).or(before.map(|before| before.hash));
            let root = seen(size).and_then(|(_, tree)| tree);
            let differs = head.is_some_and(|hash| hash != checkpoint.head.hash)
                || root.is_some_and(|tree| tree != checkpoint.tree());
            if differs {
                findings.push(Finding::Fork { size });
            } else if head.is_some() && (first..=last).contains(&size) {
                anchored = anchored.max(Some(size));
            }
        }
        for proof in &given.inclusions {
            let tree = checkpoints.iter().find(|checkpoint| checkpoint.size() == proof.size);
            match (seen(proof.seq), tree) {
                (Some((hash, _)), Some(tree)) => match proof.verify(&hash, &tree.tree()) {
                    Ok(()) => anchored = anchored.max(Some(proof.seq)),
                    Err(refused) => {
                        findings.push(Finding::Proof { seq: proof.seq, size: proof.size, refused })
                    }
                },
                _ => findings.push(Finding::IdleProof { seq: proof.seq, size: proof.size }),
            }
        }
        for proof in &given.consistencies {
            let tree = checkpoints.iter().find(|checkpoint| checkpoint.size() == proof.to);
            match (seen(proof.from).and_then(|(_, tree)| tree), tree) {
                (Some(before), Some(after)) => match proof.verify(&before, &after.tree()) {
                    Ok(()) => anchored = anchored.max(Some(proof.from)),
                    Err(refused) => {
                        findings.push(Finding::Proof { seq: proof.from, size: proof.to, refused })
                    }
                },
                _ => findings.push(Finding::IdleProof { seq: proof.from, size: proof.to }),
            }
        }
        anchored
    }
}

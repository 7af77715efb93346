//! The proof: an export and a signed checkpoint, verified from the files alone, and what happens to them if somebody tampers.

use crate::house::House;
use crate::screen::{Ink, Screen};
use anyhow::{Context as _, ensure};
use powerloom_core::audit::AuditEntry;
use powerloom_core::audit::checkpoint::Checkpoint;
use powerloom_core::audit::export::ExportReader;
use powerloom_core::audit::note::SignedNote;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::report::EvidenceReport;
use powerloom_core::audit::signer::{CheckpointSigner as _, Ed25519Signer};
use powerloom_core::audit::trust::{Trust, TrustedKey};
use powerloom_core::checkpointer::Checkpointer;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::evidence::ExportScope;
use powerloom_store::anchor::FileAnchor;
use std::path::Path;
use std::sync::Arc;

pub(crate) async fn shown(house: &House, folder: &Path, screen: Screen) -> anyhow::Result<()> {
    screen.step(6, "Evidence", "the trail leaves the house, with a checkpoint its writer cannot take back");
    let (signer, _seed) = Ed25519Signer::generate("acme.com/audit", &SystemEntropy)?;
    let key = signer.key();
    let anchor = FileAnchor::new(folder.join("anchor"));
    let mut checkpointer = Checkpointer::builder(&house.loom, house.org.id, Arc::new(signer))
        .anchor(Arc::new(anchor))
        .build()?;
    let made = checkpointer.checkpoint_now().await?.context("there is nothing to sign")?;
    let export = exported(house).await?;
    let (file, note) = (folder.join("acme.jsonl"), folder.join("acme.checkpoint"));
    std::fs::write(&file, &export)?;
    std::fs::write(&note, made.note.to_string())?;
    screen.line(Ink::Dim, "·", format!("export      {} ({} rows)", file.display(), made.checkpoint.size()));
    screen.line(Ink::Dim, "·", format!("checkpoint  {}", note.display()));
    screen.line(Ink::Dim, "·", format!("key         {key}"));
    for line in story(&export)? {
        screen.block(line);
    }
    let trust = Trust::new(Checkpoint::origin_of(house.org.id)).key(TrustedKey::new(key));
    let verify = |export: &str| -> anyhow::Result<EvidenceReport> {
        let mut given = Given::default();
        given.trust = Some(trust.clone());
        given.notes = vec![made.note.to_string().parse::<SignedNote>()?];
        Ok(verify_export(export.as_bytes(), &given)?)
    };
    let report = verify(&export)?;
    ensure!(report.is_verified(), "{report}");
    screen.block(&report);
    screen.line(Ink::Good, "✓", "verified without the store, the program or the network");

    screen.step(7, "Tampering", "three ways, each seen from the files alone");
    for (what, tampered) in tampered(&export)? {
        let report = verify(&tampered)?;
        ensure!(!report.is_verified(), "{what} was not seen:\n{report}");
        for finding in &report.findings {
            screen.line(Ink::Bad, "✗", format!("{what}: {finding}"));
        }
    }
    Ok(())
}

/// The whole trail as JSON lines.
async fn exported(house: &House) -> anyhow::Result<String> {
    let mut export = house.loom.export_audit(&house.admin, ExportScope::default()).await?;
    let mut text = Vec::new();
    while let Some(piece) = export.next().await? {
        text.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(text)?)
}

/// Who did what, of the approvals and of what they let through.
fn story(export: &str) -> anyhow::Result<Vec<String>> {
    let mut reader = ExportReader::new(export.as_bytes())?;
    let mut lines = Vec::new();
    while let Some(AuditEntry { row, .. }) = reader.entry()? {
        if let Some(request) = &row.approval_request_id {
            lines.push(format!("{:>3}  {:<20} {:<20} {request}", row.seq, row.actor, row.verb));
        }
    }
    Ok(lines)
}

/// An edited row, a cut tail, a swapped pair.
fn tampered(export: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let lines: Vec<&str> = export.lines().collect();
    let broken =
        lines.iter().position(|line| line.contains("approval.break_glass")).context("no break-glass")?;
    let edited: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(place, line)| {
            if place == broken {
                line.replace("user:admin@acme.com", "user:grace@acme.com")
            } else {
                (*line).to_owned()
            }
        })
        .collect();
    ensure!(edited.get(broken).map(String::as_str) != lines.get(broken).copied(), "nothing was edited");
    let cut = lines.get(..lines.len() - 3).context("too short to be cut")?;
    let mut swapped = lines.clone();
    swapped.swap(broken, broken - 1);
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    Ok(vec![
        (
            "an edited row (somebody else broke the glass)",
            edited.iter().map(|line| format!("{line}\n")).collect(),
        ),
        ("a cut tail (the review never happened)", join(cut)),
        ("a swapped pair (the change came after the glass)", join(&swapped)),
    ])
}

//! Verifies an export of an audit trail without the program that wrote it, its store or its network.
//!
//! `verify-audit acme.jsonl --checkpoint acme.checkpoint --key acme.com/audit+1a2b3c4d+Aa…=`
//!
//! You will see what was verified, which entries a trusted checkpoint vouches for, and every finding. The exit code is 0 if
//! everything verifies, 1 if something does not, and 2 for input that is no export, checkpoint, key or proof.

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use powerloom_core::audit::AuditHead;
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::export::ExportReader;
use powerloom_core::audit::note::NoteKey;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::trust::{Trust, TrustedKey};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(about = "Verifies an export of an audit trail")]
struct Arguments {
    /// The export: JSON lines.
    export: PathBuf,
    /// A file with a signed checkpoint. More of them may be given; so may none, if the export has one itself.
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// A key whose checkpoints are believed, `<name>+<id>+<base64>`; with `@<size>` at its end, up to logs of that size.
    #[arg(long)]
    key: Vec<String>,
    /// What the log is called, if not `powerloom/audit/<organization>`.
    #[arg(long)]
    origin: Option<Origin>,
    /// The entry before the first, `<seq>:<hash>`, for an export that begins later; it is believed.
    #[arg(long)]
    start: Option<String>,
    /// A file with an inclusion proof.
    #[arg(long)]
    inclusion: Vec<PathBuf>,
    /// A file with a consistency proof.
    #[arg(long)]
    consistency: Vec<PathBuf>,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match verify(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn verify(arguments: &Arguments) -> Result<bool> {
    let mut given = Given::default();
    given.trust = trust(arguments)?;
    ensure!(
        given.trust.is_some() || arguments.checkpoint.is_empty(),
        "a checkpoint is believed by a --key only"
    );
    for path in &arguments.checkpoint {
        given.notes.push(text(path)?.parse().with_context(|| path.display().to_string())?);
    }
    given.start = arguments.start.as_deref().map(head).transpose()?;
    given.inclusions = arguments.inclusion.iter().map(|path| json(path)).collect::<Result<_>>()?;
    given.consistencies = arguments.consistency.iter().map(|path| json(path)).collect::<Result<_>>()?;
    let report = verify_export(open(&arguments.export)?, &given)
        .with_context(|| arguments.export.display().to_string())?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(report.is_verified())
}

/// Who may sign for the log; nobody without a key.
fn trust(arguments: &Arguments) -> Result<Option<Trust>> {
    if arguments.key.is_empty() {
        return Ok(None);
    }
    let origin = match &arguments.origin {
        Some(origin) => origin.clone(),
        None => Checkpoint::origin_of(ExportReader::new(open(&arguments.export)?)?.header().org_id),
    };
    let mut trust = Trust::new(origin);
    for key in &arguments.key {
        let (text, size) = match key.rsplit_once('@') {
            Some((text, size)) => (text, Some(size.parse().with_context(|| format!("the size in `{key}`"))?)),
            None => (key.as_str(), None),
        };
        let trusted = TrustedKey::new(text.parse::<NoteKey>()?);
        trust = trust.key(match size {
            Some(size) => trusted.until_size(size),
            None => trusted,
        });
    }
    Ok(Some(trust))
}

fn head(text: &str) -> Result<AuditHead> {
    let (seq, hash) = text.split_once(':').context("a start is `<seq>:<hash>`")?;
    Ok(AuditHead { seq: seq.parse().context("a start is `<seq>:<hash>`")?, hash: hash.parse()? })
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 20, File::open(path).with_context(|| path.display().to_string())?))
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&text(path)?).with_context(|| path.display().to_string())
}

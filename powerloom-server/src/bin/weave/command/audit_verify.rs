//! `weave audit verify`: on the server, or an export with nothing but the file and what its reader kept.

use crate::command::get::cell;
use crate::failure::{Exit, Usage};
use crate::output::progress::Progress;
use crate::output::{Format, Output, plain};
use crate::weave::Weave;
use anyhow::Context;
use clap::Args;
use powerloom_core::audit::AuditHead;
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::export::ExportReader;
use powerloom_core::audit::note::NoteKey;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::trust::{Trust, TrustedKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Verifies the trail.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --file the server verifies what it keeps, against a head you kept if you give one. With --file nothing but the file is
read: no server, no store.

Examples:
  weave audit verify --trusted 4711:sha256:9f86d0...
  weave audit verify --file acme.jsonl --checkpoint acme.checkpoint --key acme.com/audit+1a2b3c4d+Aa...=

Exit codes: 0 everything verifies; 1 something does not; 2 what was given is no export, checkpoint, key or proof.")]
pub(crate) struct Verify {
    /// An export to verify, without any server
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// An entry that is believed, <seq>:<hash>: of the server's trail, one it must still have; of an export that begins later,
    /// the one before the first
    #[arg(long, value_name = "HEAD")]
    trusted: Option<String>,

    /// With --file: a signed checkpoint; may be given more than once
    #[arg(long, value_name = "FILE", requires = "file")]
    checkpoint: Vec<PathBuf>,

    /// With --file: a key whose checkpoints are believed, <name>+<id>+<base64>; with @<size> at its end, up to logs of that size
    #[arg(long, value_name = "KEY", requires = "file")]
    key: Vec<String>,

    /// With --file: what the log is called, if not powerloom/audit/<organization>
    #[arg(long, value_name = "NAME", requires = "file")]
    origin: Option<Origin>,

    /// With --file: an inclusion proof; may be given more than once
    #[arg(long, value_name = "FILE", requires = "file")]
    inclusion: Vec<PathBuf>,

    /// With --file: a consistency proof; may be given more than once
    #[arg(long, value_name = "FILE", requires = "file")]
    consistency: Vec<PathBuf>,
}

impl Verify {
    /// Whether no server is needed.
    pub(crate) const fn is_offline(&self) -> bool {
        self.file.is_some()
    }

    /// Verifies an export.
    ///
    /// # Errors
    /// [`Usage`] for what is no export, checkpoint, key or proof.
    pub(crate) fn offline(&self, out: Output) -> anyhow::Result<Exit> {
        let Some(file) = &self.file else { return Err(Usage("say which: --file".to_owned()).into()) };
        let given = self.given(file).map_err(|error| Usage(format!("{error:#}")))?;
        let progress = Progress::start(format!("verifying {}", file.display()));
        let report = open(file)
            .and_then(|input| verify_export(input, &given).with_context(|| file.display().to_string()));
        drop(progress);
        let report = report.map_err(|error| Usage(format!("{error:#}")))?;
        let good = report.is_verified();
        let exit = if good { Exit::Done } else { Exit::Failed };
        let tell = || -> anyhow::Result<()> {
            if out.is_for_people() {
                let text = report.to_string();
                out.line(plain::block(&text).trim_end_matches('\n'))?;
            } else if !out.value(&serde_json::to_value(&report)?)? {
                out.line(if good { "verified" } else { "not verified" })?;
            }
            Ok(())
        };
        exit.though(tell())
    }

    fn given(&self, file: &Path) -> anyhow::Result<Given> {
        let mut given = Given::default();
        given.trust = self.trust(file)?;
        anyhow::ensure!(
            given.trust.is_some() || self.checkpoint.is_empty(),
            "a checkpoint is believed by a --key only"
        );
        for path in &self.checkpoint {
            given.notes.push(text(path)?.parse().with_context(|| path.display().to_string())?);
        }
        given.start = self.trusted.as_deref().map(head).transpose()?;
        given.inclusions = self.inclusion.iter().map(|path| json(path)).collect::<anyhow::Result<_>>()?;
        given.consistencies =
            self.consistency.iter().map(|path| json(path)).collect::<anyhow::Result<_>>()?;
        Ok(given)
    }

    /// Who may sign for the log; nobody without a key.
    fn trust(&self, file: &Path) -> anyhow::Result<Option<Trust>> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let origin = match &self.origin {
            Some(origin) => origin.clone(),
            None => Checkpoint::origin_of(ExportReader::new(open(file)?)?.header().org_id),
        };
        let mut trust = Trust::new(origin);
        for key in &self.key {
            let (text, size) = match key.rsplit_once('@') {
                Some((text, size)) => {
                    (text, Some(size.parse().with_context(|| format!("the size in `{key}`"))?))
                }
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

    /// Has the server verify what it keeps.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn on_server(self, weave: &Weave) -> anyhow::Result<Exit> {
        let trusted =
            self.trusted.as_deref().map(head).transpose().map_err(|error| Usage(format!("{error:#}")))?;
        let body = match trusted {
            Some(trusted) => json!({ "trusted": trusted }),
            None => json!({}),
        };
        let progress = Progress::start("the server verifies its trail");
        let answer = weave.api.post("/audit/verify").json(&body).harmless().send().await;
        drop(progress);
        let report = answer?.json()?;
        let good = report.get("ok").and_then(Value::as_bool).unwrap_or(false);
        let exit = if good { Exit::Done } else { Exit::Failed };
        exit.though(told(weave.out, good, &report))
    }
}

/// What the server found.
fn told(out: Output, good: bool, report: &Value) -> anyhow::Result<()> {
    if out.value(report)? {
        return Ok(());
    }
    let number = |pointer: &str| cell(report.pointer(pointer));
    let head = format!("{}:{}", number("/verified/head/seq"), number("/verified/head/hash"));
    let ink = out.ink;
    match (out.format, good) {
        // What can be kept and given as --trusted.
        (Format::Name, true) => out.line(&plain::line(&head))?,
        (Format::Name, false) => out.line("not verified")?,
        (_, true) => {
            let count = number("/verified/count");
            out.line(&format!("{} {} entries verify", ink.good("✓"), plain::line(&count)))?;
            let keep = ink.dim("the newest, to keep and to give as --trusted:");
            out.line(&format!("{keep} {}", plain::line(&head)))?;
        }
        (_, false) => {
            let found = cell(report.get("finding"));
            out.line(&format!("{} the trail does not verify: {}", ink.bad("x"), plain::line(&found)))?;
        }
    }
    Ok(())
}

fn head(text: &str) -> anyhow::Result<AuditHead> {
    let (seq, hash) = text.split_once(':').context("a head is `<seq>:<hash>`")?;
    Ok(AuditHead { seq: seq.parse().context("a head is `<seq>:<hash>`")?, hash: hash.parse()? })
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 20, File::open(path).with_context(|| path.display().to_string())?))
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    serde_json::from_str(&text(path)?).with_context(|| path.display().to_string())
}

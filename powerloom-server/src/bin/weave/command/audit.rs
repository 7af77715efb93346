//! `weave audit`: the trail of what was done, and the proof that it is whole.

use crate::age::moment;
use crate::command::audit_verify::Verify;
use crate::command::get::cell;
use crate::failure::Exit;
use crate::new_file::{NewFile, Readers};
use crate::output::ink::Ink;
use crate::output::progress::{Progress, Unit};
use crate::output::table::Table;
use crate::output::{Format, plain};
use crate::weave::Weave;
use anyhow::Context;
use clap::{Args, Subcommand};
use futures::StreamExt;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Lists, verifies, exports and proves the audit trail
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave audit list --kind Agent --decision deny --limit 20
  weave audit verify
  weave audit export --out acme.jsonl && weave audit verify --file acme.jsonl --key acme.com/audit+1a2b3c4d+Aa...=
  weave audit proof 42")]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists entries of the trail
    #[command(visible_alias = "ls")]
    List(List),
    /// Verifies the trail: on the server, or an export with --file and no server at all
    Verify(Verify),
    /// Writes the trail as JSON lines, to keep or to verify elsewhere
    Export(Export),
    /// Proves that an entry is in the tree of the trail
    Proof(Proof),
}

/// Lists entries.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Who did it: user:ada@acme.com, or user:<id>
    #[arg(long, value_name = "PRINCIPAL")]
    actor: Option<String>,

    /// What was done: agent.create
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,

    /// The kind of what it was done to
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// The id of what it was done to
    #[arg(long, value_name = "ID")]
    resource: Option<String>,

    /// The session on whose behalf it was done
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,

    /// The approval under which it was done
    #[arg(long, value_name = "REQUEST")]
    approval: Option<String>,

    /// Whether it was done or refused: allow or deny
    #[arg(long, value_name = "DECISION")]
    decision: Option<String>,

    /// Only what touches this OU, or one below it
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// The first moment wanted, RFC 3339
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// The first moment no longer wanted, RFC 3339
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
}

/// Writes the trail.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The first entry
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,

    /// The last entry
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,

    /// Puts the newest checkpoint that is anchored into the file, so that whoever has the key can verify it alone
    #[arg(long)]
    checkpoint: bool,

    /// The file; unless given, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Proves an entry.
#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// The entry
    #[arg(value_name = "SEQ")]
    seq: u64,

    /// How many entries the tree has; unless given, all there are
    #[arg(long, value_name = "N")]
    size: Option<u64>,
}

impl Audit {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::List(list) => list.run(weave).await,
            Command::Verify(verify) => verify.on_server(weave).await,
            Command::Export(export) => export.run(weave).await,
            Command::Proof(proof) => proof.run(weave).await,
        }
    }
}

/// The fields of an entry stand in it, or in its `row`.
fn part<'a>(entry: &'a Value, name: &str) -> &'a Value {
    let found = entry.get(name).or_else(|| entry.get("row").and_then(|row| row.get(name)));
    found.unwrap_or(&Value::Null)
}

/// One entry on one line.
pub(crate) fn entry_line(entry: &Value, ink: Ink) -> String {
    let text = |name: &str| cell(Some(part(entry, name)));
    let decision = text("decision");
    let decision = if decision == "deny" { ink.bad(decision) } else { ink.good(plain::line(&decision)) };
    let (at, actor, verb) = (moment(&text("ts")), text("actor"), text("verb"));
    format!(
        "{:>6}  {}  {decision}  {}  {}",
        plain::line(&text("seq")),
        plain::line(&at),
        plain::line(&verb),
        plain::line(&actor)
    )
}

impl List {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut query = Vec::new();
        let given = [
            ("actor", self.actor),
            ("verb", self.verb),
            ("resource_id", self.resource),
            ("session", self.session),
            ("approval", self.approval),
            ("decision", self.decision),
            ("from", self.from),
            ("to", self.to),
        ];
        query.extend(given.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        if let Some(kind) = &self.kind {
            query.push(("resource_kind", weave.kind(kind).await?.name));
        }
        if let Some(ou) = &self.ou {
            query.push(("ou_id", weave.ou_id(ou).await?));
        }
        let items = weave.api.list("/audit", &query, Some(self.limit)).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if weave.out.names(items.iter().map(|entry| cell(Some(part(entry, "seq")))))? {
            return Ok(Exit::Done);
        }
        let wide = weave.out.format == Format::Wide;
        let mut headings = vec!["SEQ", "TIME", "DECISION", "VERB", "ACTOR", "RESOURCE"];
        if wide {
            headings.extend(["SESSION", "APPROVAL", "HASH"]);
        }
        let mut table = Table::new(headings);
        for entry in &items {
            let text = |name: &str| cell(Some(part(entry, name)));
            let resource = format!("{} {}", text("resource_kind"), text("resource_id"));
            let actor =
                Some(text("actor_ref")).filter(|actor| !actor.is_empty()).unwrap_or_else(|| text("actor"));
            let at = moment(&text("ts"));
            let mut cells = vec![text("seq"), at, text("decision"), text("verb"), actor, resource];
            if wide {
                cells.extend(["delegated_from_session", "approval_request_id", "row_hash"].map(text));
            }
            table.row(cells);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

impl Export {
    /// How many entries are to come, if somebody looks and it can be had: the export does not wait for it to be right.
    async fn total(&self, weave: &Weave) -> Option<u64> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let tree = weave.api.get("/audit/tree").send().await.ok()?.json().ok()?;
        let size = tree.get("size").and_then(|size| size.as_u64().or_else(|| size.as_str()?.parse().ok()))?;
        let last = self.to.map_or(size, |to| to.min(size));
        Some((last + 1).saturating_sub(self.from.unwrap_or(1).max(1)))
    }

    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let total = self.total(weave).await;
        let call = weave.api.get("/audit/export").maybe("from", self.from).maybe("to", self.to);
        let call = call.maybe("checkpoint", self.checkpoint.then_some(true));
        let mut incoming = call.header("accept", "application/jsonl").stream().await?;
        let shown =
            self.out.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        let unwritable = || format!("`{shown}` cannot be written");
        // Half an export must not pass for one, and what is in it is for whoever may read the trail.
        let mut file = match &self.out {
            Some(path) => Some(NewFile::create(path, Readers::Owner).with_context(unwritable)?),
            None => None,
        };
        let mut screen = std::io::stdout().is_terminal().then(Screen::default).filter(|_| file.is_none());
        // Where the entries themselves are on the screen, nothing goes between them.
        let progress = match (&screen, total) {
            (Some(_), _) => None,
            (None, Some(total)) => Some(Progress::of(total, "exporting", Unit::Entries)),
            (None, None) => Some(Progress::start("exporting")),
        };
        let (mut lines, mut last) = (0_u64, b'\n');
        while let Some(piece) = incoming.body.next().await {
            let piece = piece?;
            lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            last = piece.last().copied().unwrap_or(last);
            match (&mut file, &mut screen) {
                (Some(file), _) => file.write_all(&piece).with_context(unwritable)?,
                (None, Some(screen)) => weave.out.text(&screen.lines(&piece))?,
                (None, None) => weave.out.bytes(&piece)?,
            }
            if let Some(progress) = &progress {
                progress.at(lines.saturating_sub(1));
            }
        }
        drop(progress);
        anyhow::ensure!(last == b'\n' && lines > 0, "the export was cut off: its last line has no end");
        if let Some(file) = file {
            file.keep().with_context(unwritable)?;
            weave.out.note(&format!(
                "{} entries in {shown}; verify them: weave audit verify --file {shown}",
                lines - 1
            ))?;
        }
        Ok(Exit::Done)
    }
}

/// Lines of JSON for a terminal: whole ones alone, so that no letter is cut, and nothing in them that it would obey.
#[derive(Debug, Default)]
struct Screen {
    rest: Vec<u8>,
}

impl Screen {
    /// The lines that end with this piece.
    fn lines(&mut self, piece: &[u8]) -> String {
        self.rest.extend_from_slice(piece);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return String::new() };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        plain::json(&String::from_utf8_lossy(&whole)).into_owned()
    }
}

impl Proof {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let size = match self.size {
            Some(size) => size.to_string(),
            None => cell(weave.api.get("/audit/tree").send().await?.json()?.get("size")),
        };
        let call = weave.api.get("/audit/proofs/inclusion").query("seq", self.seq).query("size", &size);
        let proof = call.send().await?.json()?;
        let mut out = weave.out;
        if out.format != Format::Yaml {
            // It is made to be handed to a program.
            out.format = Format::Json;
        }
        out.value(&proof)?;
        out.note(&format!("entry {} is in the tree of {} entries, if the proof verifies: weave audit verify --file ... --inclusion ...", self.seq, plain::line(&size)))?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_whole_lines_that_say_the_same_and_command_nothing() {
        let line = "{\"prompt\":\"a\u{9b}2J \u{202e}ü\"}\n";
        let mut screen = Screen::default();
        let shown: String = line.as_bytes().chunks(1).map(|byte| screen.lines(byte)).collect();
        assert_eq!(shown, "{\"prompt\":\"a\\u009b2J \\u202eü\"}\n");
        assert_eq!(screen.lines(b"half"), "");
    }
}

//! `weave sync`: how what is declared stands on the runtime.

use crate::age::age;
use crate::api::call::Terms;
use crate::command::get::cell;
use crate::failure::Exit;
use crate::output::Format;
use crate::output::table::Table;
use crate::reference::field;
use crate::weave::Weave;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Shows how resources stand on the runtime, and lets parked ones be tried again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave sync status
  weave sync status --status parked -o wide
  weave sync reset agent code-reviewer")]
pub(crate) struct Sync {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists how resources stand on the runtime
    Status(Status),
    /// Lets one that is parked be tried again, once its cause is fixed
    Reset(Reset),
}

/// Lists how resources stand.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only those that stand so: pending, dirty, syncing, synced, backing_off, parked, blocked, archiving
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,

    /// Only this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
struct Reset {
    /// The kind
    #[arg(value_name = "KIND")]
    kind: String,

    /// An id, a name, or /ou/path/name
    #[arg(value_name = "NAME")]
    name: String,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

impl Sync {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::Status(status) => status.run(weave).await,
            Command::Reset(reset) => reset.run(weave).await,
        }
    }
}

impl Status {
    /// All of them.
    pub(crate) const fn all(limit: Option<usize>) -> Self {
        Self { status: None, kind: None, limit }
    }

    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut query = Vec::new();
        query.extend(self.status.map(|status| ("status", status)));
        if let Some(kind) = &self.kind {
            let kind = weave.kind(kind).await.map_or_else(|_| kind.clone(), |kind| kind.name);
            query.push(("kind", kind));
        }
        let items = weave.api.list("/sync", &query, self.limit).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        let name = |item: &Value| match (field(item, "ou_path"), field(item, "name")) {
            ("", name) => name.to_owned(),
            (ou, name) => format!("{ou}/{name}"),
        };
        if weave
            .out
            .names(items.iter().map(|item| format!("{}/{}", field(item, "kind"), field(item, "id"))))?
        {
            return Ok(Exit::Done);
        }
        let wide = weave.out.format == Format::Wide;
        let mut headings = vec!["KIND", "NAME", "STATUS", "ATTEMPTS", "LAST SYNCED", "LAST ERROR"];
        if wide {
            headings.extend(["REMOTE ID", "ID"]);
        }
        let mut table = Table::new(headings);
        let now = Timestamp::now();
        for item in &items {
            // How it stands is beside the resource, or in its `sync`.
            let of = |name: &str| {
                cell(item.get(name).or_else(|| item.get("sync").and_then(|sync| sync.get(name))))
            };
            let mut cells = vec![
                of("kind"),
                name(item),
                of("status"),
                of("attempts"),
                age(&of("last_synced_at"), now),
                of("last_error"),
            ];
            if wide {
                cells.extend([of("remote_id"), of("id")]);
            }
            table.row(cells);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

impl Reset {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let kind = weave.kind(&self.kind).await?;
        let view = weave.find(&kind, &self.name, None).await?;
        let path = format!("/sync/{}/{}/reset", crate::api::segment(&kind.name), field(&view, "id"));
        let answer =
            weave.api.post(path).terms(&Terms { justification: self.justification }).once().send().await?;
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        let value = answer.json()?;
        let name = format!("{}/{}", kind.name, field(&view, "id"));
        if !weave.out.value(&value)? && !weave.out.names([name])? {
            weave.out.line("it is tried again within seconds")?;
        }
        Ok(Exit::Done)
    }
}

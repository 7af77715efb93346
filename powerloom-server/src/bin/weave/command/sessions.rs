//! `weave sessions`: what agents did and do.

use crate::age::{age, moment};
use crate::api::call::Terms;
use crate::api::events::Frame;
use crate::api::segment;
use crate::command::get::cell;
use crate::command::watch::{self, Watch};
use crate::failure::Exit;
use crate::kinds::known;
use crate::output::table::Table;
use crate::output::{Format, plain};
use crate::reference::field;
use crate::weave::Weave;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Lists, shows, watches and stops sessions
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave sessions list --agent code-reviewer --active
  weave sessions watch 0190b6e4-7c57-7f00-8000-000000000001
  weave sessions logs 0190b6e4-7c57-7f00-8000-000000000001 --after 40 --json")]
pub(crate) struct Sessions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists sessions, newest first: your own, and others' where you hold session:list_all
    #[command(visible_alias = "ls")]
    List(List),
    /// Shows one session
    Show(One),
    /// Watches a session live, to its end; Ctrl-C leaves it running
    Watch(Follow),
    /// Prints what happened so far, without waiting for more
    Logs(Logs),
    /// Asks to stop a session
    Cancel(Cancel),
}

/// Lists sessions, newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this agent's
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,

    /// Only those that have not ended
    #[arg(long)]
    active: bool,

    /// At most so many
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
}

#[derive(Debug, Args)]
struct One {
    /// The session's id
    #[arg(value_name = "SESSION")]
    session: String,
}

#[derive(Debug, Args)]
struct Follow {
    /// The session's id
    #[arg(value_name = "SESSION")]
    session: String,

    /// Only what is behind this event
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,

    /// Writes each frame as a line of JSON; the same as -o json
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Logs {
    #[command(flatten)]
    follow: Follow,

    /// At most so many events
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
struct Cancel {
    /// The session's id
    #[arg(value_name = "SESSION")]
    session: String,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,
}

impl Sessions {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::List(list) => list.run(weave).await,
            Command::Show(one) => show(weave, &one.session).await,
            Command::Watch(Follow { session, after, json }) => {
                watch::watch(weave, Watch { session: &session, after, json }).await
            }
            Command::Logs(logs) => logs.run(weave).await,
            Command::Cancel(cancel) => cancel.run(weave).await,
        }
    }
}

impl List {
    /// All sessions.
    pub(crate) fn all(limit: Option<usize>) -> Self {
        Self { agent: None, active: false, limit: limit.unwrap_or(usize::MAX) }
    }

    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut query = Vec::new();
        if let (Some(agent), Some(kind)) = (&self.agent, known("agent")) {
            query.push(("agent_id", field(&weave.find(&kind, agent, None).await?, "id").to_owned()));
        }
        if self.active {
            query.push(("active", "true".to_owned()));
        }
        let items = weave.api.list("/sessions", &query, Some(self.limit)).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if weave.out.names(items.iter().map(|session| field(session, "id")))? {
            return Ok(Exit::Done);
        }
        let wide = weave.out.format == Format::Wide;
        let mut headings = vec!["ID", "AGENT", "STATUS", "EVENTS", "MCP", "AGE", "TITLE"];
        if wide {
            headings.extend(["STARTED BY", "DEGRADED", "ERROR"]);
        }
        let mut table = Table::new(headings);
        let now = Timestamp::now();
        for session in &items {
            let agent = session.pointer("/snapshot/agent_name").or_else(|| session.get("agent_id"));
            let mut cells = vec![
                field(session, "id").to_owned(),
                cell(agent),
                field(session, "status").to_owned(),
                cell(session.get("event_count")),
                cell(session.get("mcp_tool_use_count")),
                age(field(session, "created_at"), now),
                field(session, "title").to_owned(),
            ];
            if wide {
                cells.extend(
                    ["started_by", "degradation_reason", "error"].map(|name| cell(session.get(name))),
                );
            }
            table.row(cells);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

async fn show(weave: &Weave, id: &str) -> anyhow::Result<Exit> {
    let session = weave.api.get(format!("/sessions/{}", segment(id))).send().await?.json()?;
    if weave.out.value(&session)? || weave.out.names([field(&session, "id")])? {
        return Ok(Exit::Done);
    }
    let ink = weave.out.ink;
    let line = |name: &str, value: &str| {
        let name = ink.dim(format!("{name:<12}"));
        weave.out.line(&format!("{name}  {}", plain::line(value)))
    };
    line("id", field(&session, "id"))?;
    line("agent", &cell(session.pointer("/snapshot/agent_name").or_else(|| session.get("agent_id"))))?;
    line("status", field(&session, "status"))?;
    for name in ["title", "started_by", "on_behalf_of", "parent", "error", "degradation_reason"] {
        if !field(&session, name).is_empty() {
            line(&name.replace('_', " "), field(&session, name))?;
        }
    }
    for name in ["created_at", "running_at", "settled_at"] {
        if !field(&session, name).is_empty() {
            line(&name.replace("_at", ""), &moment(field(&session, name)))?;
        }
    }
    line("events", &cell(session.get("event_count")))?;
    line("MCP calls", &cell(session.get("mcp_tool_use_count")))?;
    line("asked", &plain::brief(field(&session, "prompt"), 200))?;
    Ok(Exit::Done)
}

/// Hands over what happened in a session so far, behind `after`, at most `limit` events of it.
///
/// # Errors
/// What the server refuses; those of `show`.
pub(crate) async fn past(
    weave: &Weave,
    session: &str,
    mut after: u64,
    limit: Option<usize>,
    mut show: impl FnMut(Frame) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // `after` and a cursor exclude each other, so the pages are asked for by number.
    let mut left = limit.unwrap_or(usize::MAX);
    while left > 0 {
        let most = left.min(500);
        let call = weave.api.get(format!("/sessions/{}/events", segment(session)));
        let page = call.query("after", after).query("limit", most).send().await?.json()?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let count = items.len();
        for item in items {
            let frame: Frame = serde_json::from_value(item)?;
            after = frame.number().unwrap_or(after);
            show(frame)?;
        }
        if count < most {
            break;
        }
        left -= count;
    }
    Ok(())
}

impl Logs {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let Follow { session, after, json } = self.follow;
        let show = |frame: Frame| Ok(weave.out.text(&watch::form(&frame, weave.out, json)?)?);
        past(weave, &session, after, self.limit, show).await?;
        Ok(Exit::Done)
    }
}

impl Cancel {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        weave.announce(None).await?;
        if !weave.confirm(&format!("Stop the session {}?", self.session), self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let terms = Terms { justification: self.justification };
        let call = weave.api.post(format!("/sessions/{}/cancel", segment(&self.session)));
        let answer = call.terms(&terms).once().send().await?;
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        let value = json!({ "session_id": self.session, "cancel_requested": true });
        if !weave.out.value(&value)? && !weave.out.names([&self.session])? {
            weave.out.line("it is stopped soon; a turn that ends before ends as it would have")?;
        }
        Ok(Exit::Done)
    }
}

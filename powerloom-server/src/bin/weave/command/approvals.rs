//! `weave approvals`: what waits for people, and deciding it.

use crate::age::age;
use crate::api::call::Answer;
use crate::api::segment;
use crate::command::approval_text::{requester, state, text, votes};
use crate::failure::{Exit, Usage};
use crate::output::ink::Ink;
use crate::output::table::Table;
use crate::output::{plain, yaml};
use crate::plan_text;
use crate::reference::field;
use crate::weave::Weave;
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use powerloom_core::manifest::Plan;
use serde_json::{Value, json};

/// Lists, shows and decides requests for approval
///
/// A vote is for what you were shown and nothing else: it carries the hash of it, and is refused if the request asks for
/// something else.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave approvals list
  weave approvals show req_0190b6e47c577f00
  weave approvals approve req_0190b6e47c577f00 --comment 'looks good'
  weave approvals reject req_0190b6e47c577f00 --comment 'not this week'")]
pub(crate) struct Approvals {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists requests: those that wait for you, unless said otherwise
    #[command(visible_alias = "ls")]
    List(List),
    /// Shows one request: what is asked, by whom, what it needs, and what is signed
    Show(Show),
    /// Votes for it, after showing what is signed
    Approve(Vote),
    /// Votes against it
    Reject(Vote),
    /// Takes a request of yours back
    Cancel(Cancel),
    /// Makes the change at once, without waiting; people judge afterwards whether it was right
    BreakGlass(BreakGlass),
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum View {
    /// Those that wait for your vote
    Inbox,
    /// Those you made
    Mine,
    /// All that you may read
    All,
}

/// Lists requests.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Which
    #[arg(long, value_name = "VIEW", default_value = "inbox")]
    view: View,

    /// Only those in this state: pending, approved, rejected, cancelled, expired, failed
    #[arg(long, value_name = "STATE")]
    state: Option<String>,

    /// Only those about this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// Only those in this OU
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
}

#[derive(Debug, Args)]
struct Show {
    /// The request, req_...
    #[arg(value_name = "REQUEST")]
    request: String,

    /// Shows the whole change that is asked for
    #[arg(long)]
    change: bool,
}

#[derive(Debug, Args)]
struct Vote {
    /// The request, req_...
    #[arg(value_name = "REQUEST")]
    request: String,

    /// In your own words
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// Votes only for what has this hash, as you were shown it elsewhere
    #[arg(long, value_name = "HASH")]
    payload_hash: Option<String>,

    /// Only on this requirement, by the id of its policy; may be given more than once
    #[arg(long, value_name = "POLICY")]
    requirement: Vec<String>,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
struct Cancel {
    /// The request, req_...
    #[arg(value_name = "REQUEST")]
    request: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
struct BreakGlass {
    /// The request, req_...
    #[arg(value_name = "REQUEST")]
    request: String,

    /// Why it cannot wait: those who judge it read this
    #[arg(long, value_name = "TEXT")]
    justification: String,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,
}

impl Approvals {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::List(list) => list.run(weave).await,
            Command::Show(show) => show.run(weave).await,
            Command::Approve(vote) => vote.run(weave, "approve").await,
            Command::Reject(vote) => vote.run(weave, "reject").await,
            Command::Cancel(cancel) => cancel.run(weave).await,
            Command::BreakGlass(break_glass) => break_glass.run(weave).await,
        }
    }
}

impl List {
    /// What waits for the caller, of an OU or of all.
    pub(crate) fn inbox(ou: Option<String>, limit: Option<usize>) -> Self {
        Self { view: View::Inbox, state: None, kind: None, ou, limit: limit.unwrap_or(usize::MAX) }
    }

    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let view = match self.view {
            View::Inbox => "inbox",
            View::Mine => "mine",
            View::All => "all",
        };
        let mut query = vec![("view", view.to_owned())];
        query.extend(self.state.map(|state| ("state", state)));
        if let Some(kind) = &self.kind {
            query.push(("resource_kind", weave.kind(kind).await?.name));
        }
        if let Some(ou) = &self.ou {
            query.push(("ou_id", weave.ou_id(ou).await?));
        }
        let items = weave.api.list("/approvals", &query, Some(self.limit)).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if weave.out.names(items.iter().map(|request| field(request, "id")))? {
            return Ok(Exit::Done);
        }
        if items.is_empty() {
            weave.out.note("no request")?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["REQUEST", "STATE", "WHAT", "OU", "BY", "VOTES", "AGE", "EXPIRES"]);
        let now = Timestamp::now();
        for request in &items {
            table.row([
                field(request, "id").to_owned(),
                field(request, "state").to_owned(),
                field(request, "verb").to_owned(),
                field(request, "scope_ou").to_owned(),
                requester(request),
                votes(request),
                age(field(request, "created_at"), now),
                age(field(request, "expires_at"), now),
            ]);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

async fn read(weave: &Weave, request: &str) -> anyhow::Result<Value> {
    weave.api.get(format!("/approvals/{}", segment(request))).send().await?.json()
}

impl Show {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut request = read(weave, &self.request).await?;
        if weave.out.is_for_people() {
            weave.out.text(&shown(weave, &request, weave.out.ink).await?)?;
        }
        if weave.out.names([&self.request])? {
            return Ok(Exit::Done);
        }
        if !self.change {
            weave.out.value(&request)?;
            return Ok(Exit::Done);
        }
        let change = change(weave, &self.request).await?;
        if weave.out.is_for_people() {
            weave.out.line(&weave.out.ink.dim("  the whole change"))?;
            weave.out.text(&yaml::text(&change))?;
        } else if let Some(fields) = request.as_object_mut() {
            fields.insert("change".to_owned(), change);
            weave.out.value(&request)?;
        }
        Ok(Exit::Done)
    }
}

async fn change(weave: &Weave, request: &str) -> anyhow::Result<Value> {
    weave.api.get(format!("/approvals/{}/change", segment(request))).send().await?.json()
}

/// The request as people see it before they decide; of a plan all of its steps, after checking that it is the one that is signed.
async fn shown(weave: &Weave, request: &Value, ink: Ink) -> anyhow::Result<String> {
    let mut shown = text(request, ink, Timestamp::now());
    if field(request, "purpose") == "plan" {
        let asked = change(weave, field(request, "id")).await?;
        let plan: Plan = serde_json::from_value(asked.get("plan").cloned().unwrap_or_default())
            .context("the plan of the request")?;
        let digest = plan.digest()?.to_string();
        anyhow::ensure!(
            digest == field(request, "payload_hash"),
            "the server shows a plan with the digest {digest}, which is not the one that is signed"
        );
        shown.push_str(&plan_text::plan(&plan, ink));
    }
    Ok(shown)
}

impl Vote {
    async fn run(self, weave: &Weave, ballot: &str) -> anyhow::Result<Exit> {
        let request = read(weave, &self.request).await?;
        let hash = field(&request, "payload_hash");
        if let Some(wanted) = self.payload_hash.as_deref().filter(|wanted| *wanted != hash) {
            let (wanted, hash) = (plain::line(wanted), plain::line(hash));
            return Err(
                Usage(format!("the request asks for {hash}, not for {wanted}: nothing was voted")).into()
            );
        }
        weave.announce(Some(field(&request, "scope_ou"))).await?;
        // What is signed is shown before it is asked about, wherever the result goes.
        weave.out.note(shown(weave, &request, weave.out.err_ink).await?.trim_end())?;
        let question = if ballot == "approve" { "Approve exactly this?" } else { "Reject it?" };
        if !weave.confirm(question, self.yes)? {
            weave.out.note("nothing was voted")?;
            return Ok(Exit::Failed);
        }
        let mut body = json!({ "ballot": ballot, "payload_hash": hash });
        if let Some(fields) = body.as_object_mut() {
            fields.extend(self.comment.map(|comment| ("comment".to_owned(), json!(comment))));
            if !self.requirement.is_empty() {
                fields.insert("requirements".to_owned(), json!(self.requirement));
            }
        }
        let call = weave.api.post(format!("/approvals/{}/votes", segment(&self.request)));
        let answer = call.json(&body).once().send().await?;
        decided(weave, &self.request, &answer).await
    }
}

impl Cancel {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let request = read(weave, &self.request).await?;
        weave.announce(Some(field(&request, "scope_ou"))).await?;
        if !weave.confirm(&format!("Take the request {} back?", self.request), self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let body = match &self.reason {
            Some(reason) => json!({ "reason": reason }),
            None => json!({}),
        };
        let call = weave.api.post(format!("/approvals/{}/cancel", segment(&self.request)));
        let answer = call.json(&body).once().send().await?;
        decided(weave, &self.request, &answer).await
    }
}

impl BreakGlass {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let request = read(weave, &self.request).await?;
        weave.announce(Some(field(&request, "scope_ou"))).await?;
        weave.out.note(shown(weave, &request, weave.out.err_ink).await?.trim_end())?;
        if !weave.confirm("Break the glass and make this change now? It will be reviewed.", self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let call = weave.api.post(format!("/approvals/{}/break-glass", segment(&self.request)));
        let body = json!({ "justification": self.justification });
        let answer = call.json(&body).once().send().await?;
        decided(weave, &self.request, &answer).await
    }
}

/// Prints where the request is after somebody decided something.
async fn decided(weave: &Weave, id: &str, answer: &Answer) -> anyhow::Result<Exit> {
    if let Some(pending) = answer.pending()? {
        return weave.waits(&pending);
    }
    let said = answer.json()?;
    // Breaking the glass answers with more than the request.
    let request = said.get("request").unwrap_or(&said);
    if weave.out.value(&said)? {
        return Ok(Exit::Done);
    }
    let word = field(request, "state");
    if !weave.out.names([id])? {
        let waits = if word == "pending" { format!(" ({} votes)", votes(request)) } else { String::new() };
        weave.out.line(&format!("{} is {}{waits}", plain::line(id), state(word, weave.out.ink)))?;
    }
    if !field(&said, "review_id").is_empty() {
        let review = plain::line(field(&said, "review_id"));
        weave.out.note(&format!("the change is made; its review is {review}"))?;
    }
    if !field(&said, "note").is_empty() {
        weave.out.note(&plain::line(field(&said, "note")))?;
    }
    // Approved and impossible meanwhile: nothing was made.
    Ok(if word == "failed" { Exit::Failed } else { Exit::Done })
}

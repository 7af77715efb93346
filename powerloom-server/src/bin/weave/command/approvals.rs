//! `weave approvals`: what waits for people, and deciding it.

use crate::age::{age, moment};
use crate::api::call::Answer;
use crate::api::segment;
use crate::command::get::cell;
use crate::failure::{Exit, Usage};
use crate::output::ink::Ink;
use crate::output::table::Table;
use crate::output::{Format, plain, yaml};
use crate::reference::field;
use crate::weave::Weave;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
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
    /// What waits for the caller.
    pub(crate) fn inbox(limit: Option<usize>) -> Self {
        Self { view: View::Inbox, state: None, kind: None, ou: None, limit: limit.unwrap_or(usize::MAX) }
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
        if weave.out.format == Format::Name {
            for request in &items {
                weave.out.line(&plain::line(field(request, "id")))?;
            }
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

/// Who asked, as people write it.
fn requester(request: &Value) -> String {
    let written = request.pointer("/requester/written").or_else(|| request.get("requester_written"));
    let plain = request.pointer("/requester/principal").or_else(|| request.get("requester"));
    cell(written.filter(|written| written.is_string()).or(plain))
}

fn requirements(request: &Value) -> impl Iterator<Item = &Value> {
    request.get("requirements").and_then(Value::as_array).into_iter().flatten()
}

/// How many voted for it, of how many needed: one figure per requirement.
fn votes(request: &Value) -> String {
    requirements(request).map(tally).collect::<Vec<_>>().join(" ")
}

fn tally(requirement: &Value) -> String {
    let number = |pointer: &str| requirement.pointer(pointer).and_then(Value::as_u64);
    let given = number("/approvals").or_else(|| number("/tally/approvals")).unwrap_or_default();
    format!("{given}/{}", number("/quorum").unwrap_or_default())
}

async fn read(weave: &Weave, request: &str) -> anyhow::Result<Value> {
    weave.api.get(format!("/approvals/{}", segment(request))).send().await?.json()
}

/// What people see of a request before they decide.
fn text(request: &Value, ink: Ink, now: Timestamp) -> String {
    let mut out = format!(
        "{} {} {}\n",
        ink.strong(plain::line(field(request, "verb"))),
        ink.name(plain::line(field(request, "id"))),
        state(field(request, "state"), ink)
    );
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("  {}  {}\n", ink.dim(format!("{name:<14}")), plain::line(value)));
        }
    };
    line("for", field(request, "purpose"));
    line("what", [field(request, "resource_kind"), field(request, "resource_id")].join(" ").trim_end());
    line("in", field(request, "scope_ou"));
    line("asked by", &requester(request));
    line("because", field(request, "justification"));
    line("asked at", &moment(field(request, "created_at")));
    let end = field(request, "expires_at");
    if !end.is_empty() {
        line("expires", &format!("{} ({})", moment(end), age(end, now)));
    }
    line("signed is", field(request, "payload_hash"));
    for requirement in requirements(request) {
        let approvers = cell(requirement.get("approver_refs").or_else(|| requirement.get("approvers")))
            .replace(',', ", ");
        line("needs", &format!("{} of {approvers} ({})", tally(requirement), field(requirement, "name")));
    }
    for vote in request.get("votes").and_then(Value::as_array).into_iter().flatten() {
        let comment = field(vote, "comment");
        let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        let who = cell(vote.get("written").or_else(|| vote.get("voter")));
        line("vote", &format!("{} by {who}{comment}", field(vote, "ballot")));
    }
    let outcome = request.get("outcome").filter(|outcome| !outcome.is_null());
    line("outcome", &outcome.map(|outcome| cell(Some(outcome))).unwrap_or_default());
    for (title, name, mark) in [("before", "before", "-"), ("after", "after", "+")] {
        let Some(value) = request.get(name).filter(|value| !value.is_null()) else { continue };
        out.push_str(&format!("  {}\n", ink.dim(title)));
        for line in yaml::text(value).lines() {
            let line = format!("    {mark} {line}\n");
            out.push_str(&if mark == "-" { ink.bad(line) } else { ink.good(line) });
        }
    }
    out
}

fn state(word: &str, ink: Ink) -> String {
    let word = plain::line(word);
    match word.as_ref() {
        "approved" => ink.good(word),
        "pending" => ink.busy(word),
        _ => ink.bad(word),
    }
}

impl Show {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut request = read(weave, &self.request).await?;
        let change = match self.change {
            true => Some(
                weave
                    .api
                    .get(format!("/approvals/{}/change", segment(&self.request)))
                    .send()
                    .await?
                    .json()?,
            ),
            false => None,
        };
        if !weave.out.is_for_people()
            && let (Some(fields), Some(change)) = (request.as_object_mut(), &change)
        {
            fields.insert("change".to_owned(), change.clone());
        }
        if !weave.out.value(&request)? {
            weave.out.text(&text(&request, weave.out.ink, Timestamp::now()))?;
            if let Some(change) = change {
                weave.out.line(&weave.out.ink.dim("  the whole change"))?;
                weave.out.text(&yaml::text(&change))?;
            }
        }
        Ok(Exit::Done)
    }
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
        weave.out.note(text(&request, weave.out.err_ink, Timestamp::now()).trim_end())?;
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
        weave.out.note(text(&request, weave.out.err_ink, Timestamp::now()).trim_end())?;
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
    if weave.out.format == Format::Name {
        weave.out.line(&plain::line(id))?;
    } else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_what_is_signed_and_what_it_needs() {
        let request = json!({ "id": "req_1", "state": "pending", "purpose": "change", "verb": "agent.create", "resource_kind": "Agent",
            "requester": { "principal": "user:0190", "written": "user:ada@acme.com" }, "scope_ou": "/acme/eng",
            "payload_hash": "sha256:ab", "before": null, "after": { "name": "bot\u{1b}[2J", "model": "m" },
            "justification": "we need it", "created_at": "2026-11-20T11:00:00Z", "expires_at": "2026-11-27T11:00:00Z",
            "requirements": [{ "policy": "0191", "name": "agents", "approver_refs": ["role:Approver", "user:grace@acme.com"],
                "quorum": 2, "approvals": 1 }],
            "votes": [{ "ballot": "approve", "written": "user:grace@acme.com", "comment": "fine" }] });
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&request, Ink::new(false), now));
    }
}

//! `weave can-i`, `explain`, `who-can`, `what-can`: questions about permissions.

use crate::command::get::cell;
use crate::failure::Exit;
use crate::output::ink::Ink;
use crate::output::table::Table;
use crate::output::{Format, plain};
use crate::reference::{field, principal};
use crate::weave::Weave;
use clap::Args;
use serde_json::{Map, Value, json};

/// Says whether you may do something; the exit code says it too
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave can-i agent:create --ou /acme/engineering
  weave can-i agent:invoke --ou /acme/engineering -o name && weave invoke code-reviewer 'Review.'

Exit codes: 0 yes; 1 no.")]
pub(crate) struct CanI {
    /// The permission: agent:create
    #[arg(value_name = "PERMISSION")]
    permission: String,

    /// Where; unless given, at the root
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// Somebody else instead of you: user:ada@acme.com, agent:/acme/engineering/bot
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,
}

/// Says why somebody may or may not do something: every binding that has a say, and how it reaches them
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  weave explain user:ada@acme.com agent:create /acme/engineering

Exit codes: 0 they may; 1 they may not.")]
pub(crate) struct Explain {
    /// Who: user:ada@acme.com, group:/acme/admins, agent:/acme/engineering/bot
    #[arg(value_name = "PRINCIPAL")]
    principal: String,

    /// The permission: agent:create
    #[arg(value_name = "PERMISSION")]
    permission: String,

    /// Where
    #[arg(value_name = "OU")]
    ou: String,
}

/// Lists who may do something
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  weave who-can binding:create --ou /acme")]
pub(crate) struct WhoCan {
    /// The permission: agent:create
    #[arg(value_name = "PERMISSION")]
    permission: String,

    /// Where; unless given, at the root
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Lists what somebody may do somewhere, and what is withheld from them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave what-can
  weave what-can user:ada@acme.com --ou /acme/engineering")]
pub(crate) struct WhatCan {
    /// Who; unless given, you
    #[arg(value_name = "PRINCIPAL")]
    principal: Option<String>,

    /// Where; unless given, at the root
    #[arg(long, value_name = "OU")]
    ou: Option<String>,
}

/// The OU of a question: an id or a path, and the root where none is named.
async fn place(weave: &Weave, ou: Option<&str>, body: &mut Map<String, Value>) -> anyhow::Result<()> {
    match ou {
        Some(id) if uuid::Uuid::try_parse(id).is_ok() => body.insert("ou_id".to_owned(), json!(id)),
        Some(path) => body.insert("ou_path".to_owned(), json!(path)),
        None => body.insert("ou_id".to_owned(), json!(weave.whoami().await?.root_ou_id)),
    };
    Ok(())
}

async fn ask(weave: &Weave, question: &str, body: Map<String, Value>) -> anyhow::Result<Value> {
    let call = weave.api.post(format!("/authz/{question}")).json(&Value::Object(body)).harmless();
    call.send().await?.json()
}

impl CanI {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        body.insert("permission".to_owned(), json!(self.permission));
        place(weave, self.ou.as_deref(), &mut body).await?;
        body.extend(self.principal.as_deref().map(principal));
        let answer = ask(weave, "check", body).await?;
        let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        let exit = if allowed { Exit::Done } else { Exit::Failed };
        exit.though(told(weave, allowed, &answer))
    }
}

fn told(weave: &Weave, allowed: bool, answer: &Value) -> anyhow::Result<()> {
    if weave.out.value(answer)? {
        return Ok(());
    }
    let ink = weave.out.ink;
    let word = if allowed { ink.good("yes") } else { ink.bad("no") };
    let reason = answer.pointer("/decision/reason").and_then(Value::as_str).unwrap_or_default();
    match (weave.out.format, reason) {
        (Format::Name, _) | (_, "") => weave.out.line(&word)?,
        _ => weave.out.line(&format!("{word}: {}", plain::line(reason)))?,
    }
    Ok(())
}

impl Explain {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        body.insert("permission".to_owned(), json!(self.permission));
        place(weave, Some(&self.ou), &mut body).await?;
        body.extend([principal(&self.principal)]);
        let answer = ask(weave, "explain", body).await?;
        let decision = decision(&answer);
        let exit = if field(decision, "verdict") == "allow" { Exit::Done } else { Exit::Failed };
        let tell = || -> anyhow::Result<()> {
            match weave.out.format {
                Format::Name => weave.out.line(if exit == Exit::Done { "yes" } else { "no" })?,
                _ if weave.out.value(&answer)? => {}
                _ => weave.out.text(&explained(&answer, weave.out.ink))?,
            }
            Ok(())
        };
        exit.though(tell())
    }
}

/// The decision of an answer, however deep it is.
fn decision(answer: &Value) -> &Value {
    let inside = ["/decision", "/why/decision"].iter().find_map(|pointer| answer.pointer(pointer));
    inside.unwrap_or(answer)
}

fn explained(answer: &Value, ink: Ink) -> String {
    let decision = decision(answer);
    let mark = if field(decision, "verdict") == "allow" { ink.good("✓") } else { ink.bad("x") };
    let text = answer.get("text").and_then(Value::as_str).unwrap_or(field(decision, "reason"));
    let mut out = format!("{mark} {}\n", plain::line(text));
    for found in decision.get("bindings").and_then(Value::as_array).into_iter().flatten() {
        let effect = field(found, "effect");
        let effect = if effect == "deny" { ink.bad(effect) } else { ink.good(plain::line(effect)) };
        out.push_str(&format!("  {effect}  {}\n", plain::line(&binding(found))));
    }
    for remedy in answer.get("remedies").and_then(Value::as_array).into_iter().flatten() {
        let by = remedy.get("by").filter(|by| !by.is_null()).map(|by| cell(Some(by)).replace(',', ", "));
        if let Some(by) = by.filter(|by| !by.is_empty()) {
            out.push_str(&format!("  {} {}\n", ink.dim("could be given by"), plain::line(&by)));
        }
    }
    out
}

impl WhoCan {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        body.insert("permission".to_owned(), json!(self.permission));
        place(weave, self.ou.as_deref(), &mut body).await?;
        let page = |limit: usize, cursor: Option<&str>| {
            let mut body = body.clone();
            body.insert("limit".to_owned(), json!(limit));
            body.extend(cursor.map(|cursor| ("cursor".to_owned(), json!(cursor))));
            weave.api.post("/authz/who-can").json(&Value::Object(body)).harmless()
        };
        let items = weave.api.pages(self.limit, page).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if items.is_empty() {
            weave.out.note("nobody")?;
            return Ok(Exit::Done);
        }
        if weave.out.names(items.iter().map(|item| field(item, "name")))? {
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["WHO", "BY"]);
        for item in &items {
            let by = item.get("by").and_then(Value::as_array).into_iter().flatten().map(binding);
            table.row([field(item, "name").to_owned(), by.collect::<Vec<_>>().join("; ")]);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

/// A binding that has a say, and how it reaches whom it reaches.
fn binding(binding: &Value) -> String {
    let chain = binding.pointer("/via/chain").or_else(|| binding.pointer("/via/ou"));
    let through = chain.map(|chain| format!(" through {}", cell(Some(chain)))).unwrap_or_default();
    format!("{} at {}{through}", field(binding, "role"), field(binding, "scope"))
}

impl WhatCan {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        body.extend(self.principal.as_deref().map(principal));
        place(weave, self.ou.as_deref(), &mut body).await?;
        let answer = ask(weave, "what-can", body).await?;
        if weave.out.value(&answer)? {
            return Ok(Exit::Done);
        }
        let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let (allowed, withheld) = (list("allowed"), list("withheld"));
        if weave.out.names(allowed.iter().map(|item| field(item, "permission")))? {
            return Ok(Exit::Done);
        }
        let head = format!("{} at {}", field(&answer, "name"), field(&answer, "ou"));
        weave.out.note(&weave.out.err_ink.dim(plain::line(&head)))?;
        let mut table = Table::new(["PERMISSION", "ANSWER", "BY"]);
        for item in allowed.iter().chain(&withheld) {
            let by = item.get("by").and_then(Value::as_array).into_iter().flatten().map(binding);
            let resolution = field(item, "resolution").replace('_', " ");
            table.row([field(item, "permission").to_owned(), resolution, by.collect::<Vec<_>>().join("; ")]);
        }
        if allowed.is_empty() && withheld.is_empty() {
            weave.out.note("nothing")?;
            return Ok(Exit::Done);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

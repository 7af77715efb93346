//! `weave can-i`, `explain`, `who-can`, `what-can`: questions about permissions.

use crate::command::get::cell;
use crate::failure::Exit;
use crate::output::ink::Ink;
use crate::output::table::Table;
use crate::output::{Format, plain};
use crate::reference::field;
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

/// Lists what somebody may do, and where
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave what-can
  weave what-can user:ada@acme.com --ou /acme/engineering")]
pub(crate) struct WhatCan {
    /// Who; unless given, you
    #[arg(value_name = "PRINCIPAL")]
    principal: Option<String>,

    /// Only there
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

/// The principal of a question: `user:<id>` as it is, anything else as people write it.
fn who(principal: Option<&str>, body: &mut Map<String, Value>) {
    let Some(principal) = principal else { return };
    let is_id = principal.split_once(':').is_some_and(|(_, id)| uuid::Uuid::try_parse(id).is_ok());
    body.insert(if is_id { "principal" } else { "principal_ref" }.to_owned(), json!(principal));
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
        who(self.principal.as_deref(), &mut body);
        let answer = ask(weave, "check", body).await?;
        let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        if !weave.out.value(&answer)? {
            let ink = weave.out.ink;
            let word = if allowed { ink.good("yes") } else { ink.bad("no") };
            let reason = answer.pointer("/decision/reason").and_then(Value::as_str).unwrap_or_default();
            match (weave.out.format, reason) {
                (Format::Name, _) | (_, "") => weave.out.line(&word)?,
                _ => weave.out.line(&format!("{word}: {}", plain::line(reason)))?,
            }
        }
        Ok(if allowed { Exit::Done } else { Exit::Failed })
    }
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
        who(Some(&self.principal), &mut body);
        let answer = ask(weave, "explain", body).await?;
        let decision = decision(&answer);
        let allowed = field(decision, "verdict") == "allow";
        if !weave.out.value(&answer)? {
            weave.out.text(&explained(&answer, weave.out.ink))?;
        }
        Ok(if allowed { Exit::Done } else { Exit::Failed })
    }
}

/// The decision of an answer, however deep it is.
fn decision(answer: &Value) -> &Value {
    let inside = ["/decision", "/why/decision"].iter().find_map(|pointer| answer.pointer(pointer));
    inside.unwrap_or(answer)
}

fn explained(answer: &Value, ink: Ink) -> String {
    // The server has the better text, if it has one.
    if let Some(text) = answer.get("text").and_then(Value::as_str) {
        let text = plain::block(text.trim_end());
        return format!("{text}\n");
    }
    let decision = decision(answer);
    let allowed = field(decision, "verdict") == "allow";
    let mark = if allowed { ink.good("✓") } else { ink.bad("x") };
    let mut out = format!("{mark} {}\n", plain::line(field(decision, "reason")));
    for binding in decision.get("bindings").and_then(Value::as_array).into_iter().flatten() {
        let effect = field(binding, "effect");
        let effect = if effect == "deny" { ink.bad(effect) } else { ink.good(plain::line(effect)) };
        let chain = binding
            .pointer("/via/chain")
            .map(|chain| format!(" through {}", cell(Some(chain))))
            .unwrap_or_default();
        let ou =
            binding.pointer("/via/ou").map(|ou| format!(" through {}", cell(Some(ou)))).unwrap_or_default();
        let text = format!("{} at {}{chain}{ou}", field(binding, "role"), field(binding, "scope"));
        out.push_str(&format!("  {effect}  {}\n", plain::line(&text)));
    }
    out
}

impl WhoCan {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor = Value::Null;
        let most = self.limit.unwrap_or(usize::MAX);
        while items.len() < most {
            let mut body = Map::new();
            body.insert("permission".to_owned(), json!(self.permission));
            place(weave, self.ou.as_deref(), &mut body).await?;
            body.insert("limit".to_owned(), json!(most.saturating_sub(items.len()).min(500)));
            if !cursor.is_null() {
                body.insert("cursor".to_owned(), cursor.clone());
            }
            let answer = ask(weave, "who-can", body).await?;
            items.extend(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            match answer.get("next_cursor") {
                Some(next) if !next.is_null() && *next != cursor => cursor = next.clone(),
                _ => break,
            }
        }
        items.truncate(most);
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if items.is_empty() {
            weave.out.note("nobody")?;
        }
        for item in &items {
            let name =
                ["name", "written", "principal_ref", "principal"].iter().find_map(|name| item.get(name));
            weave.out.line(&plain::line(&cell(name.filter(|name| !name.is_null()).or(Some(item)))))?;
        }
        Ok(Exit::Done)
    }
}

impl WhatCan {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        who(self.principal.as_deref(), &mut body);
        if self.ou.is_some() {
            place(weave, self.ou.as_deref(), &mut body).await?;
        }
        let answer = ask(weave, "what-can", body).await?;
        if weave.out.value(&answer)? {
            return Ok(Exit::Done);
        }
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if items.is_empty() {
            weave.out.note("nothing")?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["OU", "PERMISSIONS"]);
        for item in &items {
            let ou = ["ou", "ou_path", "path"].iter().find_map(|name| item.get(name));
            table.row([cell(ou), cell(item.get("permissions")).replace(',', ", ")]);
        }
        let mut out = weave.out;
        // Permissions are what was asked for: they are not cut.
        out.format = Format::Wide;
        out.table(&table)?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_told_by_id_or_as_people_write_it() {
        let asked = |principal: &str| {
            let mut body = Map::new();
            who(Some(principal), &mut body);
            body.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(asked("user:0190b6e4-7c57-7f00-8000-000000000001"), ["principal"]);
        assert_eq!(asked("user:ada@acme.com"), ["principal_ref"]);
        assert_eq!(asked("service:ci"), ["principal_ref"]);
    }
}

//! `weave get`: lists resources, or shows one.

use crate::age::age;
use crate::command::{approvals, sessions, sync, token};
use crate::failure::{Exit, Usage};
use crate::kinds::{KIND_HELP, Kind, known};
use crate::output::table::Table;
use crate::output::{Format, plain};
use crate::reference::{field, path_of};
use crate::weave::Weave;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Lists the resources of a kind that you may read, or shows one
///
/// A name is an id, a bare name if there is only one, or the path of an OU and a name: /acme/engineering/code-reviewer. Lists are
/// complete: all their pages are read.
#[derive(Debug, Args)]
#[command(after_help = format!("{KIND_HELP}\nBeside these: sync, sessions, approvals, tokens.\n
Examples:
  weave get agents
  weave get agent code-reviewer -o yaml
  weave get rb --ou /acme/engineering -o wide
  weave get agents --archived -o json"))]
pub(crate) struct Get {
    /// The kind
    #[arg(value_name = "KIND")]
    kind: String,

    /// The one to show
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Only those of this OU: a path or an id
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// Archived ones too
    #[arg(long)]
    archived: bool,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Get {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses; a name that means none or several.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        if known(&self.kind).is_none() && self.name.is_none() {
            // What has commands of its own is also found here.
            match self.kind.trim_end_matches('s').to_ascii_lowercase().as_str() {
                "sync" => {
                    self.refuse(&[Narrowing::Ou, Narrowing::Archived])?;
                    return sync::Status::all(self.limit).run(weave).await;
                }
                "session" => {
                    self.refuse(&[Narrowing::Ou, Narrowing::Archived])?;
                    return sessions::List::all(self.limit).run(weave).await;
                }
                "approval" => {
                    self.refuse(&[Narrowing::Archived])?;
                    return approvals::List::inbox(self.ou, self.limit).run(weave).await;
                }
                "token" => {
                    self.refuse(&[Narrowing::Ou])?;
                    return token::List::all(self.archived, self.limit).run(weave).await;
                }
                _ => {}
            }
        }
        let kind = weave.kind(&self.kind).await?;
        if let Some(name) = &self.name {
            let view = weave.find(&kind, name, self.ou.as_deref()).await?;
            if !weave.out.value(&view)? {
                print(weave, &kind, &[view], self.archived)?;
            }
            return Ok(Exit::Done);
        }
        let mut query = Vec::new();
        if let Some(ou) = &self.ou {
            query.push(("ou_id", weave.ou_id(ou).await?));
        }
        if self.archived {
            query.push(("archived", "true".to_owned()));
        }
        let items = weave.api.list(&kind.path, &query, self.limit).await?;
        if !weave.out.value(&json!({ "items": items }))? {
            print(weave, &kind, &items, self.archived)?;
        }
        Ok(Exit::Done)
    }
}

/// What narrows or widens a list of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrowing {
    Ou,
    Archived,
}

impl Get {
    /// Refuses what a list does not know: left out it would look as if it had been heeded.
    fn refuse(&self, unknown: &[Narrowing]) -> anyhow::Result<()> {
        let given = |one: &&Narrowing| match one {
            Narrowing::Ou => self.ou.is_some(),
            Narrowing::Archived => self.archived,
        };
        let option = match unknown.iter().find(given) {
            Some(Narrowing::Ou) => "--ou",
            Some(Narrowing::Archived) => "--archived",
            None => return Ok(()),
        };
        let kind = plain::line(&self.kind);
        Err(Usage(format!("`weave get {kind}` knows no {option}; a command of its own may: `weave --help`"))
            .into())
    }
}

fn print(weave: &Weave, kind: &Kind, items: &[Value], archived: bool) -> anyhow::Result<()> {
    if weave.out.names(items.iter().map(|view| handle(kind, view)))? {
        return Ok(());
    }
    if items.is_empty() {
        let noun = kind.path.rsplit('/').next().unwrap_or_default();
        weave.out.note(&format!("no {noun} that you may read"))?;
        return Ok(());
    }
    weave.out.table(&table(kind, items, weave.out.format == Format::Wide, archived, Timestamp::now()))?;
    Ok(())
}

/// How one is named so that it is found again: by path where that is unique, else by id.
pub(crate) fn handle(kind: &Kind, view: &Value) -> String {
    match kind.name.as_str() {
        "Credential" | "RoleBinding" | "GroupMembership" | "SkillAccessGrant" => field(view, "id").to_owned(),
        "User" => field(view, "email").to_owned(),
        _ => path_of(view),
    }
}

fn table(kind: &Kind, items: &[Value], wide: bool, archived: bool, now: Timestamp) -> Table {
    let binds =
        matches!(kind.name.as_str(), "Credential" | "RoleBinding" | "GroupMembership" | "SkillAccessGrant");
    // The name of a binding is made of ids: people know it by what it binds.
    let mut headings = if binds { vec!["ID"] } else { vec!["NAME"] };
    headings.push("OU");
    headings.extend(kind.columns.iter().map(|(heading, _)| *heading));
    if archived {
        headings.push("STAGE");
    }
    headings.push("AGE");
    if wide {
        headings.extend(if binds {
            ["VERSION", "LABELS"].as_slice()
        } else {
            ["VERSION", "LABELS", "ID"].as_slice()
        });
    }
    let mut table = Table::new(headings);
    for view in items {
        let mut cells = vec![
            field(view, if binds { "id" } else { "name" }).to_owned(),
            field(view, "ou_path").to_owned(),
        ];
        cells.extend(kind.columns.iter().map(|(_, pointer)| cell(view.pointer(pointer))));
        if archived {
            cells.push(field(view, "stage").to_owned());
        }
        cells.push(age(field(view, "created_at"), now));
        if wide {
            cells.push(cell(view.get("version")));
            cells.push(cell(view.get("labels")));
            if !binds {
                cells.push(field(view, "id").to_owned());
            }
        }
        table.row(cells);
    }
    table
}

/// A value in a cell.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(","),
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| format!("{name}={}", cell(Some(value))))
            .collect::<Vec<_>>()
            .join(","),
        Some(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ink::Ink;

    #[test]
    fn a_list_shows_what_people_look_at_and_wide_shows_the_rest() {
        let agent = json!({ "id": "0190", "kind": "Agent", "name": "code-reviewer", "ou_path": "/acme/eng", "version": 3,
            "labels": { "team": "x" }, "created_at": "2026-11-20T11:00:00Z", "model": "claude-sonnet-4-6",
            "agent_kind": "user", "sync": { "status": "synced" } });
        let now = "2026-11-20T14:00:00Z".parse().unwrap();
        let kind = known("agent").unwrap();
        let text =
            |wide| table(&kind, std::slice::from_ref(&agent), wide, false, now).text(None, Ink::new(false));
        insta::assert_snapshot!(text(false), @r"
        NAME           OU         MODEL              KIND  SYNC    AGE
        code-reviewer  /acme/eng  claude-sonnet-4-6  user  synced  3h
        ");
        insta::assert_snapshot!(text(true), @r"
        NAME           OU         MODEL              KIND  SYNC    AGE  VERSION  LABELS  ID
        code-reviewer  /acme/eng  claude-sonnet-4-6  user  synced  3h   3        team=x  0190
        ");
        assert_eq!(handle(&kind, &agent), "/acme/eng/code-reviewer");
    }
}

//! `weave context`: the servers that are known here.

use crate::context::File;
use crate::failure::{Exit, Usage};
use crate::output::table::Table;
use crate::output::{Format, Output, plain};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Lists, chooses, shows and deletes contexts: a server and how you are known there
#[derive(Debug, Args)]
#[command(after_help = "\
Contexts are made by `weave login`. They are kept in ~/.config/powerloom/weave.toml (POWERLOOM_CONTEXTS, XDG_CONFIG_HOME), which
only you can read.

Examples:
  weave context list
  weave context use acme")]
pub(crate) struct ContextCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists contexts
    #[command(visible_alias = "ls")]
    List,
    /// Makes a context the current one
    Use {
        /// Its name
        name: String,
    },
    /// Shows a context, without its token
    Show {
        /// Its name; unless given, the current one
        name: Option<String>,
    },
    /// Deletes a context and the token that is kept with it
    Delete {
        /// Its name
        name: String,
    },
}

impl ContextCommand {
    /// Does it.
    ///
    /// # Errors
    /// A context that is not there; a file that cannot be read or written.
    pub(crate) fn run(self, out: Output) -> anyhow::Result<Exit> {
        let mut file = File::read()?;
        match self.command {
            Command::List => list(&file, out)?,
            Command::Use { name } => {
                let context = file.chosen(Some(&name))?;
                file.current = Some(name.clone());
                file.write()?;
                if out.value(&view(&file, &name))? || out.names([&name])? {
                    return Ok(Exit::Done);
                }
                out.line(&format!("`{}` is current: {}", plain::line(&name), plain::line(&context.server)))?;
            }
            Command::Show { name } => {
                file.chosen(name.as_deref())?;
                let name = name.or_else(|| file.current.clone()).unwrap_or_default();
                let view = view(&file, &name);
                if !out.value(&view)? && !out.names([&name])? {
                    let mut yaml = out;
                    yaml.format = Format::Yaml;
                    yaml.value(&view)?;
                }
            }
            Command::Delete { name } => {
                if file.contexts.remove(&name).is_none() {
                    return Err(Usage(format!("there is no context `{}`", plain::line(&name))).into());
                }
                file.current = file.current.filter(|current| *current != name);
                file.write()?;
                if out.value(&json!({ "name": name, "status": "deleted" }))? || out.names([&name])? {
                    return Ok(Exit::Done);
                }
                out.line(&format!("deleted `{}`", plain::line(&name)))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn view(file: &File, name: &str) -> Value {
    let Some(context) = file.contexts.get(name) else { return Value::Null };
    let token = match (&context.token, &context.token_command) {
        (_, Some(command)) => format!("printed by `{command}`"),
        (Some(_), None) => "kept".to_owned(),
        (None, None) => "none".to_owned(),
    };
    let mut view = json!({ "name": name, "server": context.server, "current": file.current.as_deref() == Some(name), "token": token });
    if let (Some(path), Some(view)) = (&context.ca_cert, view.as_object_mut()) {
        view.insert("ca_cert".to_owned(), json!(path));
    }
    view
}

fn list(file: &File, out: Output) -> anyhow::Result<()> {
    let items: Vec<Value> = file.contexts.keys().map(|name| view(file, name)).collect();
    if out.value(&json!({ "items": items }))? {
        return Ok(());
    }
    if out.names(file.contexts.keys())? {
        return Ok(());
    }
    if items.is_empty() {
        return Ok(out.note("no context yet: `weave login --server <url>`")?);
    }
    let mut table = Table::new(["CURRENT", "NAME", "SERVER", "TOKEN"]);
    for (name, context) in &file.contexts {
        let current = if file.current.as_deref() == Some(name) { "*" } else { " " };
        let token = match (&context.token, &context.token_command) {
            (_, Some(_)) => "command",
            (Some(_), None) => "kept",
            (None, None) => "none",
        };
        table.row([current, name, &context.server, token]);
    }
    out.table(&table)
}

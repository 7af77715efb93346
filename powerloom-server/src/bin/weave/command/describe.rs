//! `weave describe`: one resource with all it says, how it stands on the runtime, and what was done to it.

use crate::age::{age, moment};
use crate::command::audit::entry_line;
use crate::command::get::handle;
use crate::failure::{Exit, Refusal};
use crate::kinds::KIND_HELP;
use crate::output::ink::Ink;
use crate::output::plain;
use crate::reference::{field, path_of};
use crate::weave::Weave;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How many of the last changes are shown.
const LAST: usize = 5;

/// Shows one resource: its fields, how it stands on the runtime, and what was last done to it
#[derive(Debug, Args)]
#[command(after_help = format!("{KIND_HELP}\n
Examples:
  weave describe agent code-reviewer
  weave describe ou /acme/engineering"))]
pub(crate) struct Describe {
    /// The kind
    #[arg(value_name = "KIND")]
    kind: String,

    /// An id, a name, or /ou/path/name
    #[arg(value_name = "NAME")]
    name: String,

    /// The OU to look in
    #[arg(long, value_name = "OU")]
    ou: Option<String>,
}

impl Describe {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses; a name that means none or several.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let kind = weave.kind(&self.kind).await?;
        let view = weave.find(&kind, &self.name, self.ou.as_deref()).await?;
        let id = field(&view, "id").to_owned();
        let query = [("resource_id", id)];
        let history = match weave.api.list("/audit", &query, Some(LAST)).await {
            Ok(entries) => Some(entries),
            // Reading the trail is a permission of its own.
            Err(error) if error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 403) => {
                None
            }
            Err(error) => return Err(error),
        };
        if weave.out.names([handle(&kind, &view)])? {
            return Ok(Exit::Done);
        }
        if !weave.out.value(&json!({ "resource": view, "history": history }))? {
            weave.out.text(&text(&view, history.as_deref(), weave.out.ink, Timestamp::now()))?;
        }
        Ok(Exit::Done)
    }
}

fn text(view: &Value, history: Option<&[Value]>, ink: Ink, now: Timestamp) -> String {
    let mut out = format!(
        "{} {}\n",
        ink.strong(plain::line(field(view, "kind"))),
        ink.name(plain::line(&path_of(view)))
    );
    let mut line = |name: &str, value: String| {
        let line = format!("  {}  {value}", ink.dim(format!("{name:<18}")));
        out.push_str(&format!("{}\n", line.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")));
    };
    line("id", plain::line(field(view, "id")).into_owned());
    let stage = field(view, "stage");
    let number = |name: &str| view.get(name).map(Value::to_string).unwrap_or_default();
    line(
        "version",
        format!("{} (generation {}, {})", number("version"), number("generation"), plain::line(stage)),
    );
    for name in ["created_at", "updated_at"] {
        let at = field(view, name);
        line(name, format!("{} ({} ago)", moment(plain::line(at).as_ref()), age(at, now)));
    }
    const SHOWN: [&str; 15] = [
        "id",
        "kind",
        "name",
        "ou_id",
        "ou_path",
        "path",
        "version",
        "generation",
        "stage",
        "created_at",
        "updated_at",
        "sync",
        "status",
        "cma_agent_id",
        "warnings",
    ];
    for (name, value) in
        view.as_object().into_iter().flatten().filter(|(name, _)| !SHOWN.contains(&name.as_str()))
    {
        if !is_empty(value) {
            line(&plain::line(name), value_text(value));
        }
    }
    for (title, name) in [("status", "status"), ("on the runtime", "sync")] {
        let Some(part) = view.get(name).and_then(Value::as_object) else { continue };
        out.push_str(&format!("{}\n", ink.strong(title)));
        for (name, value) in part.iter().filter(|(_, value)| !is_empty(value)) {
            let shown = value_text(value);
            let shown = if name == "last_error" { ink.bad(shown) } else { shown };
            out.push_str(&format!("  {}  {shown}\n", ink.dim(format!("{:<18}", plain::line(name)))));
        }
    }
    match history {
        None => {}
        Some([]) => out.push_str(&format!("{}\n  none\n", ink.strong("last changes"))),
        Some(entries) => {
            out.push_str(&format!("{}\n", ink.strong("last changes")));
            for entry in entries {
                out.push_str(&format!("  {}\n", entry_line(entry, ink)));
            }
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A value beside its name: long text goes below it, indented.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => {
            let lines = plain::block(text.trim_end());
            lines.lines().fold(String::new(), |all, line| format!("{all}\n      {line}"))
        }
        Value::String(text) => plain::line(text).into_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(value_text).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) | Value::Object(_) => plain::json(&value.to_string()).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_the_fields_the_runtime_and_the_last_changes() {
        let view = json!({ "id": "0190", "kind": "Agent", "name": "code-reviewer", "ou_path": "/acme/eng", "version": 3,
            "generation": 2, "stage": "live", "labels": {}, "created_at": "2026-11-20T11:00:00Z",
            "updated_at": "2026-11-20T13:59:30Z", "model": "claude-sonnet-4-6", "skills": ["lint", "sql"],
            "system_prompt": "Review.\nBe concise.\u{1b}[2J\n",
            "sync": { "status": "parked", "attempts": 10, "last_error": "invalid model" } });
        let entry = json!({ "seq": "7", "ts": "2026-11-20T13:59:30Z", "actor": "user:ada@acme.com", "verb": "agent.update",
            "decision": "allow", "resource_kind": "Agent", "resource_id": "0190" });
        let now = "2026-11-20T14:00:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&view, Some(&[entry]), Ink::new(false), now));
    }
}

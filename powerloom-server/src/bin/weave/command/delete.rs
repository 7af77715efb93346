//! `weave delete`: archives one resource.

use crate::api::call::Terms;
use crate::failure::Exit;
use crate::kinds::KIND_HELP;
use crate::output::plain;
use crate::reference::{field, path_of};
use crate::weave::Weave;
use clap::Args;
use serde_json::{Value, json};

/// Archives a resource; what it was stays in the audit trail
#[derive(Debug, Args)]
#[command(after_help = format!("{KIND_HELP}\n
Examples:
  weave delete agent code-reviewer
  weave delete rb 0190b6e4-7c57-7f00-8000-000000000001 --yes

Exit codes: 0 archived; 1 refused; 2 wrong usage; 3 it waits for approval."))]
pub(crate) struct Delete {
    /// The kind
    #[arg(value_name = "KIND")]
    kind: String,

    /// An id, a name, or /ou/path/name
    #[arg(value_name = "NAME")]
    name: String,

    /// The OU to look in
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

impl Delete {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses; a name that means none or several.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let kind = weave.kind(&self.kind).await?;
        let view = weave.find(&kind, &self.name, self.ou.as_deref()).await?;
        let path = path_of(&view);
        weave.announce(Some(field(&view, "ou_path"))).await?;
        if !weave.confirm(&format!("Archive {} {path}?", kind.name), self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let terms = Terms { justification: self.justification };
        let version = view.get("version").and_then(Value::as_u64);
        let call = weave.api.delete(format!("{}/{}", kind.path, field(&view, "id")));
        let answer = call.expecting(version).terms(&terms).once().send().await?;
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        if weave.out.is_for_people() {
            weave.out.line(&format!(
                "{} {} {}",
                weave.out.ink.good("archived"),
                kind.name,
                plain::line(&path)
            ))?;
        } else if !weave.out.value(&json!({ "id": view.get("id"), "status": "archived" }))? {
            weave.out.line(&plain::line(&path))?;
        }
        Ok(Exit::Done)
    }
}

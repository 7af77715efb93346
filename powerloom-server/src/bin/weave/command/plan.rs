//! `weave plan`: what would be done, and whom it would ask.

use crate::api::call::Terms;
use crate::failure::{Exit, Usage, fault};
use crate::manifests::{Document, Given, Manifests};
use crate::new_file::{NewFile, Readers};
use crate::output::{Format, Output, plain};
use crate::plan_text;
use crate::weave::Weave;
use anyhow::Context;
use clap::Args;
use powerloom_core::manifest::Plan;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

/// Shows what the documents would change, and whom each change would ask
///
/// Nothing is changed. Each step says whether you may make it, whose approval it needs, and what it changes on the runtime. A
/// plan that is kept with --out can be applied later, just as it is: `weave apply plan.json`. With --submit the people whom its
/// steps would ask approve it as a whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave plan manifests/
  weave plan -f agents.yaml --out plan.json && weave apply plan.json
  weave plan manifests/ --set agents --prune --detailed-exitcode
  weave plan manifests/ --submit --justification 'the new reviewer'

Exit codes: 0 planned; 1 refused; 2 wrong input, or with --detailed-exitcode: there are changes; 3 with --submit: it waits.")]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    manifests: Manifests,

    /// Keeps the plan in this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Writes the plan as JSON; the same as -o json
    #[arg(long)]
    json: bool,

    /// Exits with 2 if there are changes, 0 if there are none
    #[arg(long)]
    detailed_exitcode: bool,

    /// Asks for approval of the whole plan
    #[arg(long)]
    submit: bool,

    /// Why: for those who approve
    #[arg(long, value_name = "TEXT", requires = "submit")]
    justification: Option<String>,
}

/// A plan as the server makes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// What its approvers would sign.
    pub(crate) digest: String,
    /// What is odd about the documents.
    #[serde(default)]
    warnings: Vec<Value>,
}

impl Weave {
    /// Plans documents, and tells what is odd about them.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) async fn plan(
        &self,
        manifests: &Manifests,
        documents: &[Document],
    ) -> anyhow::Result<Planned> {
        let call = self.api.post("/manifests/plan").json(&manifests.body(documents)).harmless();
        let planned: Planned = call.send().await?.read()?;
        for warning in &planned.warnings {
            self.out.note(&format!(
                "{} {}",
                self.out.err_ink.busy("warning:"),
                plain::line(&fault(warning))
            ))?;
        }
        Ok(planned)
    }
}

impl PlanCommand {
    /// Does it.
    ///
    /// # Errors
    /// What the documents or the server refuse.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let given = self.manifests.read()?;
        weave.announce(given.common_ou().as_deref()).await?;
        let (plan, digest) = match given {
            Given::Documents(documents) => {
                let planned = weave.plan(&self.manifests, &documents).await?;
                (planned.plan, planned.digest)
            }
            // It is shown, or submitted, as it was kept.
            Given::Plan(plan) => {
                let digest = plan.digest()?.to_string();
                (*plan, digest)
            }
        };
        // A program gets one document: with --submit it holds the request too, and is written after that.
        let holds_back = self.submit && !self.out(weave).is_for_people();
        if !holds_back {
            self.show(weave, &plan, &digest)?;
        }
        if let Some(path) = &self.out {
            let text = plan.save()?;
            let written = NewFile::create(path, Readers::Usual).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.keep()
            });
            written.with_context(|| format!("`{}` cannot be written", path.display()))?;
            weave.out.note(&format!("kept in {}; its digest is {digest}", path.display()))?;
        }
        let has_changes = !plan.is_noop();
        if self.submit {
            if !has_changes {
                return Err(Usage("there is nothing to approve: the plan changes nothing".to_owned()).into());
            }
            return self.submit(weave, &plan, &digest).await;
        }
        Ok(if self.detailed_exitcode && has_changes { Exit::Usage } else { Exit::Done })
    }

    /// Where it prints, and how.
    fn out(&self, weave: &Weave) -> Output {
        let mut out = weave.out;
        if self.json {
            out.format = Format::Json;
        }
        out
    }

    fn show(&self, weave: &Weave, plan: &Plan, digest: &str) -> anyhow::Result<()> {
        let out = self.out(weave);
        if out.is_for_people() {
            return Ok(out.text(&plan_text::plan(plan, out.ink))?);
        }
        if !out.value(&json!({ "digest": digest, "plan": plan }))? {
            out.names(plan.steps.iter().map(|step| step.target.to_string()))?;
        }
        Ok(())
    }

    async fn submit(&self, weave: &Weave, plan: &Plan, digest: &str) -> anyhow::Result<Exit> {
        let mut body = json!({ "plan": plan });
        if let (Some(why), Some(body)) = (&self.justification, body.as_object_mut()) {
            body.insert("justification".to_owned(), json!(why));
        }
        let call = weave.api.post("/manifests/submit").json(&body).terms(&Terms::default()).once();
        let answer = call.send().await?;
        let (out, pending) = (self.out(weave), answer.pending()?);
        if !out.is_for_people() {
            let request = pending.as_ref().map(|pending| pending.request_id.as_str());
            let one = json!({ "digest": digest, "plan": plan, "request_id": request });
            if !out.value(&one)? {
                out.names(request)?;
            }
            return Ok(if request.is_some() { Exit::Waits } else { Exit::Done });
        }
        match pending {
            Some(pending) => {
                let exit = weave.waits(&pending)?;
                let how = format!(
                    "once it is approved: weave apply <plan file> --under {}",
                    plain::line(&pending.request_id)
                );
                weave.out.note(&weave.out.err_ink.dim(how))?;
                Ok(exit)
            }
            None => Ok(Exit::Done),
        }
    }
}

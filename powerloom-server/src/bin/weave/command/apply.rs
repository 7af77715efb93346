//! `weave apply`: does what documents or a plan say.

use crate::api::call::Terms;
use crate::failure::Exit;
use crate::manifests::{Given, Manifests};
use crate::output::progress::Progress;
use crate::plan_text;
use crate::weave::Weave;
use clap::Args;
use powerloom_core::manifest::{Plan, Report, StepResult, Verb};
use serde_json::{Value, json};

/// Makes what the documents declare, or carries out a plan that was kept
///
/// The plan is shown first, and on a terminal you are asked. Each change is authorized, gated and audited on its own: one that
/// fails or waits for approval keeps back what depends on it, and nothing else. Applying the same documents again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave apply code-reviewer.yaml
  weave apply manifests/ --yes
  weave apply -f manifests/ --set agents --prune
  cat agent.yaml | weave apply - --yes
  weave apply plan.json --under req_0190b6e4...

Exit codes: 0 everything is as declared; 1 something was refused or failed; 2 wrong input; 3 something waits for approval.")]
pub(crate) struct Apply {
    #[command(flatten)]
    manifests: Manifests,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,

    /// Shows the plan and stops
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Allows archiving a resource and making it anew, where a field cannot change in place: its credentials and history on
    /// the runtime are lost
    #[arg(long)]
    allow_replace: bool,

    /// The approved request for this plan, so that nobody is asked again
    #[arg(long, value_name = "REQUEST")]
    under: Option<String>,

    /// Refuses every plan but the one with this digest
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

impl Apply {
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
            Given::Plan(plan) => {
                let digest = plan.digest()?.to_string();
                (*plan, digest)
            }
        };
        // With a form for programs on standard output, people see the plan beside it.
        match (weave.out.is_for_people(), self.dry_run) {
            (true, _) => weave.out.text(&plan_text::plan(&plan, weave.out.ink))?,
            (false, true) => {
                if !weave.out.value(&json!({ "digest": digest, "plan": plan }))? {
                    weave.out.names(plan.steps.iter().map(|step| step.target.to_string()))?;
                }
            }
            (false, false) => weave.out.note(plan_text::plan(&plan, weave.out.err_ink).trim_end())?,
        }
        if self.dry_run {
            return Ok(Exit::Done);
        }
        if plan.is_noop() && !plan.has_clashes() {
            return self.print(weave, &plan, None);
        }
        if plan.count(Verb::Replace) > 0 && !self.allow_replace {
            weave.out.note("replacing is not allowed: those steps will fail (--allow-replace allows it)")?;
        }
        if !weave.confirm("Apply this plan?", self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let report = self.apply(weave, &plan, &digest).await?;
        self.print(weave, &plan, Some(report))
    }

    async fn apply(&self, weave: &Weave, plan: &Plan, digest: &str) -> anyhow::Result<Value> {
        let digest = self.digest.as_deref().unwrap_or(digest);
        let mut body = json!({ "plan": plan, "digest": digest, "allow_replace": self.allow_replace });
        if let (Some(under), Some(body)) = (&self.under, body.as_object_mut()) {
            body.insert("under".to_owned(), json!(under));
        }
        let _sign_of_life = Progress::start(format!("applying {} steps", plan.steps.len()));
        let terms = Terms { justification: self.justification.clone() };
        let call = weave.api.post("/manifests/apply").json(&body).terms(&terms).once();
        call.send().await?.json()
    }

    fn print(&self, weave: &Weave, plan: &Plan, report: Option<Value>) -> anyhow::Result<Exit> {
        let Some(answer) = report else {
            if !weave.out.is_for_people() {
                let lines: Vec<Value> = plan
                    .steps
                    .iter()
                    .map(|step| json!({ "target": step.target, "result": "unchanged" }))
                    .collect();
                if !weave.out.value(&json!({ "lines": lines }))? {
                    weave.out.names(plan.steps.iter().map(|step| step.target.to_string()))?;
                }
            }
            return Ok(Exit::Done);
        };
        let report: Report = serde_json::from_value(answer.get("report").unwrap_or(&answer).clone())?;
        let tell = || -> anyhow::Result<()> {
            if weave.out.is_for_people() {
                weave.out.text(&plan_text::report(&report, weave.out.ink))?;
            } else if !weave.out.value(&answer)? {
                weave.out.names(report.lines.iter().map(|line| line.target.to_string()))?;
            }
            Ok(())
        };
        match (exit(&report), tell()) {
            // Success that could not be told is not told by the code either.
            (Exit::Done, told) => told.map(|()| Exit::Done),
            (exit, told) => exit.though(told),
        }
    }
}

/// What a report comes to: a failure says more than a wait.
fn exit(report: &Report) -> Exit {
    let any = |test: fn(&StepResult) -> bool| report.lines.iter().any(|line| test(&line.result));
    if any(|result| matches!(result, StepResult::Failed { .. })) {
        Exit::Failed
    } else if any(|result| matches!(result, StepResult::PendingApproval { .. })) {
        Exit::Waits
    } else if report.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: &[Value]) -> Report {
        let line = |result: &Value| {
            let mut line = result.clone();
            line["target"] = json!({ "kind": "Skill", "path": "/acme/lint" });
            line
        };
        serde_json::from_value(json!({ "lines": results.iter().map(line).collect::<Vec<_>>() })).unwrap()
    }

    #[test]
    fn a_failure_says_more_than_a_wait_and_that_more_than_success() {
        let unchanged = json!({ "result": "unchanged" });
        let waits = json!({ "result": "pending_approval", "request_id": "req_1" });
        let failed = json!({ "result": "failed", "kind": "denied", "message": "no" });
        assert_eq!(exit(&report(std::slice::from_ref(&unchanged))), Exit::Done);
        assert_eq!(exit(&report(&[unchanged, waits.clone()])), Exit::Waits);
        assert_eq!(exit(&report(&[waits, failed])), Exit::Failed);
    }
}

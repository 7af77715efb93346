//! `weave diff`: what documents say against what is there, line by line.

use crate::common_ou::of_documents;
use crate::failure::Exit;
use crate::manifests::Manifests;
use crate::output::ink::Ink;
use crate::output::{plain, yaml};
use crate::weave::Weave;
use clap::Args;
use powerloom_core::manifest::{Plan, Step, Verb};
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

/// Shows what the documents change, line by line
///
/// What is there stands against what the documents want, field by field, as YAML. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave diff manifests/
  weave diff -f agent.yaml --exit-code || echo changed

Exit codes: 0 shown; 1 refused; 2 wrong input, or with --exit-code: something differs.")]
pub(crate) struct Diff {
    #[command(flatten)]
    manifests: Manifests,

    /// Exits with 2 if something differs
    #[arg(long)]
    exit_code: bool,
}

impl Diff {
    /// Does it.
    ///
    /// # Errors
    /// What the documents or the server refuse.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let documents = self.manifests.documents()?;
        weave.announce(of_documents(&documents).as_deref()).await?;
        let plan = weave.plan(&self.manifests, &documents).await?.plan;
        let changed = plan.steps.iter().filter(|step| step.verb != Verb::Noop);
        if weave.out.is_for_people() {
            weave.out.text(&text(&plan, weave.out.ink))?;
        } else {
            let items: Vec<Value> = changed
                .map(|step| json!({ "target": step.target, "verb": step.verb, "changes": step.changes }))
                .collect();
            if !weave.out.value(&json!({ "items": items }))? {
                let changed = plan.steps.iter().filter(|step| step.verb != Verb::Noop);
                weave.out.names(changed.map(|step| step.target.to_string()))?;
            }
        }
        Ok(if self.exit_code && !plan.is_noop() { Exit::Usage } else { Exit::Done })
    }
}

/// The differences of all steps that do something.
fn text(plan: &Plan, ink: Ink) -> String {
    plan.steps.iter().filter(|step| step.verb != Verb::Noop).map(|step| step_text(step, ink)).collect()
}

fn step_text(step: &Step, ink: Ink) -> String {
    let side = |pick: fn(&powerloom_core::manifest::plan::Change) -> &Value| {
        let fields: Map<String, Value> = step
            .changes
            .iter()
            .filter(|change| !pick(change).is_null())
            .map(|change| (change.field.clone(), pick(change).clone()))
            .collect();
        if fields.is_empty() { String::new() } else { yaml::text(&Value::Object(fields)) }
    };
    let (before, after) = match step.verb {
        Verb::Archive => (side(|change| &change.before), String::new()),
        _ => (side(|change| &change.before), side(|change| &change.after)),
    };
    let target = step.target.to_string();
    let target = plain::line(&target);
    let name = |side: &str, is_there: bool| {
        if is_there { format!("{side}/{target}") } else { "/dev/null".to_owned() }
    };
    let mut out = vec![
        ink.strong(format!("--- {}", name("live", step.verb != Verb::Create))),
        ink.strong(format!("+++ {}", name("wanted", step.verb != Verb::Archive))),
    ];
    let diff = TextDiff::from_lines(&before, &after);
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = plain::line(change.value().trim_end_matches('\n'));
            out.push(match change.tag() {
                ChangeTag::Delete => ink.bad(format!("-{line}")),
                ChangeTag::Insert => ink.good(format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            });
        }
    }
    out.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_differs_by_its_lines() {
        let plan: Plan = serde_json::from_value(json!({
            "v": 1, "org": "0190b6e4-7c57-7f00-8000-000000000001",
            "steps": [
                { "target": { "kind": "Agent", "path": "/acme/a" }, "verb": "update", "changes": [
                    { "field": "system_prompt", "before": "Review.\nBe kind.\n", "after": "Review.\nBe concise.\n" }] },
                { "target": { "kind": "Skill", "path": "/acme/s" }, "verb": "create",
                  "changes": [{ "field": "display_name", "before": null, "after": "Lint" }] },
                { "target": { "kind": "OU", "path": "/acme" }, "verb": "noop" },
            ],
        }))
        .unwrap();
        insta::assert_snapshot!(text(&plan, Ink::new(false)), @r"
        --- live/Agent /acme/a
        +++ wanted/Agent /acme/a
         system_prompt: |
           Review.
        -  Be kind.
        +  Be concise.
        --- /dev/null
        +++ wanted/Skill /acme/s
        +display_name: Lint
        ");
    }
}

//! A plan as people read it at a terminal: what is done, field by field, and beside each step whom it will ask.

use crate::output::ink::Ink;
use crate::output::plain;
use powerloom_core::manifest::plan::Change;
use powerloom_core::manifest::{Ask, Clash, Governance, Plan, Report, Ruling, Step, StepResult, Verb};
use powerloom_core::resource::approval_policy::PolicyMode;
use serde_json::Value;

/// Longest value that is shown, in characters.
const MAX_VALUE: usize = 100;

/// Widest column of steps: whom a step asks stands right of it.
const MAX_LEFT: usize = 72;

/// The text of a plan, each line with its end.
pub(crate) fn plan(plan: &Plan, ink: Ink) -> String {
    let mut out = Vec::new();
    if plan.is_noop() && plan.left.is_empty() && !plan.has_clashes() {
        out.push(format!(
            "{} {} as declared; nothing is to be done.",
            ink.good("✓"),
            what_is(plan.steps.len())
        ));
        return lines(&out);
    }
    let steps: Vec<&Step> = shown(plan).collect();
    let left = steps.iter().map(|step| head(step).chars().count()).max().unwrap_or(0).min(MAX_LEFT);
    for step in steps {
        step_text(step, left, ink, &mut out);
    }
    if let (Some(set), false) = (&plan.set, plan.left.is_empty()) {
        out.push(format!(
            "Left behind by `{}`, in no document any more; only --prune archives them:",
            plain::line(set)
        ));
        for target in &plan.left {
            out.push(format!("  {} {}", ink.busy("?"), plain::line(&target.to_string())));
        }
    }
    out.push(format!("\n{}", summary(plan, ink)));
    lines(&out)
}

fn lines(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

fn what_is(steps: usize) -> String {
    match steps {
        0 => "Everything is".to_owned(),
        1 => "The one resource is".to_owned(),
        many => format!("All {many} resources are"),
    }
}

/// The steps in the order in which they are shown: what is archived comes first, what stays is left out.
fn shown(plan: &Plan) -> impl Iterator<Item = &Step> {
    let has_to_say =
        |step: &&Step| step.verb != Verb::Noop || !step.clashes.is_empty() || !step.adopts.is_empty();
    let archived = plan.steps.iter().filter(|step| step.verb == Verb::Archive);
    archived.chain(plan.steps.iter().filter(|step| step.verb != Verb::Archive)).filter(has_to_say)
}

fn head(step: &Step) -> String {
    format!("{:>3} {}", step.verb.sign(), plain::line(&step.target.to_string()))
}

fn painted(verb: Verb, ink: Ink, text: &str) -> String {
    match verb {
        Verb::Create => ink.good(text),
        Verb::Update => ink.busy(text),
        Verb::Replace | Verb::Archive => ink.bad(text),
        Verb::Noop => ink.dim(text),
    }
}

fn step_text(step: &Step, left: usize, ink: Ink, out: &mut Vec<String>) {
    let head = head(step);
    let gap = " ".repeat(left.saturating_sub(head.chars().count()) + 2);
    let right = step.governance.as_ref().map(|governance| ruling(governance, ink)).unwrap_or_default();
    let line = format!("{}{gap}{right}", painted(step.verb, ink, &head));
    out.push(line.trim_end().to_owned());
    let mut more = |text: String| out.push(format!("      {text}"));
    if !step.reason.is_empty() {
        more(ink.bad(format!("cannot change in place: {}", plain::line(&step.reason.join(", ")))));
    }
    for Change { field, before, after, .. } in &step.changes {
        let field = plain::line(field);
        more(match (before.is_null(), after.is_null()) {
            (true, _) => format!("{} {field}: {}", ink.good("+"), brief(after)),
            (_, true) => format!("{} {field}: {}", ink.bad("-"), brief(before)),
            _ => format!("{} {field}: {} {} {}", ink.busy("~"), brief(before), ink.dim("->"), brief(after)),
        });
    }
    if !step.adopts.is_empty() {
        more(ink.dim(format!("managed by the set from now on: {}", plain::line(&step.adopts.join(", ")))));
    }
    for clash in &step.clashes {
        more(format!("{} {}", ink.busy("!"), plain::line(&clash_text(clash))));
    }
    if let Some(governance) = &step.governance {
        if let Some(line) = reason(governance) {
            more(format!("{} {}", ink.bad("x"), plain::line(&line)));
        }
        let mut dirty: Vec<String> = governance.dirty.iter().map(ToString::to_string).collect();
        if governance.hidden > 0 {
            dirty.push(format!("{} you may not read", governance.hidden));
        }
        if !dirty.is_empty() {
            more(ink.dim(format!("> changes on the runtime: {}", plain::line(&dirty.join(", ")))));
        }
    }
}

/// The column of governance: whether the door lets the step through, and whom it asks.
fn ruling(governance: &Governance, ink: Ink) -> String {
    let guess = if governance.is_forecast { " (forecast)" } else { "" };
    match &governance.ruling {
        Ruling::Denied { permission, ou, .. } => {
            ink.bad(format!("denied: needs {permission} on {}{guess}", plain::line(ou)))
        }
        Ruling::Refused { code, .. } => ink.bad(format!("refused: {}{guess}", plain::line(code))),
        Ruling::Allowed if governance.asks.is_empty() => ink.dim(format!("allowed{guess}")),
        Ruling::Allowed => {
            let asks: Vec<String> =
                governance.asks.iter().map(|ask| plain::line(&ask_text(ask)).into_owned()).collect();
            ink.busy(format!("{}{guess}", asks.join("; ")))
        }
    }
}

fn ask_text(ask: &Ask) -> String {
    let Ask { policy, ou, mode, approvers, quorum, .. } = ask;
    match mode {
        PolicyMode::RequireApproval => {
            format!("asks {quorum} of {} ({policy} at {ou})", approvers.join(", "))
        }
        PolicyMode::RequireJustification => format!("needs a justification ({policy} at {ou})"),
        PolicyMode::Warn => format!("is noted ({policy} at {ou})"),
    }
}

/// The whole text of what stands in the way, below the step.
fn reason(governance: &Governance) -> Option<String> {
    match &governance.ruling {
        Ruling::Denied { message, .. } | Ruling::Refused { message, .. } => Some(message.clone()),
        Ruling::Allowed => None,
    }
}

fn clash_text(clash: &Clash) -> String {
    match clash {
        Clash::Owner { owner } => {
            format!("it belongs to the set `{owner}`: nothing is done to it (--take-ownership takes it)")
        }
        Clash::Field { field, live, wanted, .. } => format!(
            "{field} was changed by somebody else to {} and stays; the documents want {} (--take {field} sets it)",
            brief(live),
            brief(wanted)
        ),
    }
}

fn summary(plan: &Plan, ink: Ink) -> String {
    let parts = [
        (Verb::Create, "to create"),
        (Verb::Update, "to update"),
        (Verb::Replace, "to replace"),
        (Verb::Archive, "to archive"),
    ];
    let mut said: Vec<String> = parts
        .into_iter()
        .filter(|(verb, _)| plan.count(*verb) > 0)
        .map(|(verb, what)| painted(verb, ink, &format!("{} {what}", plan.count(verb))))
        .collect();
    if plan.count(Verb::Noop) > 0 {
        said.push(ink.dim(format!("{} unchanged", plan.count(Verb::Noop))));
    }
    let governed = |test: fn(&Governance) -> bool| {
        plan.steps
            .iter()
            .filter_map(|step| step.governance.as_ref())
            .filter(|governance| test(governance))
            .count()
    };
    let blocked = governed(|governance| governance.ruling != Ruling::Allowed);
    if blocked > 0 {
        said.push(ink.bad(format!("{blocked} not permitted")));
    }
    let asking =
        governed(|governance| governance.asks.iter().any(|ask| ask.mode == PolicyMode::RequireApproval));
    if asking > 0 {
        said.push(ink.busy(format!("{asking} will wait for approval")));
    }
    let clashes = plan.steps.iter().map(|step| step.clashes.len()).sum::<usize>();
    if clashes > 0 {
        said.push(ink.busy(format!("{clashes} left to others")));
    }
    format!("{} {}.", ink.strong("Plan:"), said.join(", "))
}

/// A value on one line.
fn brief(value: &Value) -> String {
    plain::brief(&plain::json(&value.to_string()), MAX_VALUE)
}

/// What became of a plan: one line per step, and a count.
pub(crate) fn report(report: &Report, ink: Ink) -> String {
    let mut out = Vec::new();
    for line in &report.lines {
        if line.result == StepResult::Unchanged && line.left.is_empty() {
            continue;
        }
        let result = line.result.to_string();
        let result = plain::line(&result);
        let (mark, result) = match &line.result {
            done if done.is_done() => (ink.good("✓"), ink.good(result)),
            StepResult::PendingApproval { .. } => (ink.busy("…"), ink.busy(result)),
            StepResult::Skipped { .. } => (ink.dim("·"), ink.dim(result)),
            _ => (ink.bad("x"), ink.bad(result)),
        };
        out.push(format!("  {mark} {}: {result}", plain::line(&line.target.to_string())));
        if !line.left.is_empty() {
            let left = plain::line(&line.left.join(", ")).into_owned();
            out.push(format!("      {}", ink.busy(format!("left to others: {left}"))));
        }
    }
    type Test = fn(&StepResult) -> bool;
    let count = |test: Test| report.lines.iter().filter(|line| test(&line.result)).count();
    let words: [(&str, Test); 8] = [
        ("created", |result| matches!(result, StepResult::Created { .. })),
        ("updated", |result| matches!(result, StepResult::Updated)),
        ("replaced", |result| matches!(result, StepResult::Replaced { .. })),
        ("archived", |result| matches!(result, StepResult::Archived)),
        ("unchanged", |result| matches!(result, StepResult::Unchanged)),
        ("waiting for approval", |result| matches!(result, StepResult::PendingApproval { .. })),
        ("skipped", |result| matches!(result, StepResult::Skipped { .. })),
        ("failed", |result| matches!(result, StepResult::Failed { .. })),
    ];
    let said: Vec<String> = words
        .into_iter()
        .map(|(word, test)| (word, count(test)))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    out.push(format!(
        "{} {}.",
        ink.strong("Applied:"),
        if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
    ));
    lines(&out)
}

#[cfg(test)]
mod tests;

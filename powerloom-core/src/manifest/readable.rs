//! A plan as people read it: what `weave plan` prints, without colour.

use crate::manifest::governance::{Ask, Governance, Ruling};
use crate::manifest::plan::{Change, Clash, Plan, Step, Verb};
use crate::resource::approval_policy::PolicyMode;
use serde_json::Value;
use std::fmt;

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 72;

/// What is archived comes first; then one line per step, one per changed field, and what stands in the way. The last
/// line counts.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (archived, others): (Vec<&Step>, Vec<&Step>) =
            self.steps.iter().partition(|step| step.verb == Verb::Archive);
        for step in archived.into_iter().chain(others) {
            step.fmt(f)?;
        }
        if let (Some(set), false) = (&self.set, self.left.is_empty()) {
            writeln!(f, "left behind by `{set}`, in no document any more; only a prune archives them:")?;
            for target in &self.left {
                writeln!(f, "  ? {target}")?;
            }
        }
        let count = |verb| self.count(verb);
        write!(
            f,
            "{} to create, {} to update, {} to replace, {} to archive, {} unchanged",
            count(Verb::Create),
            count(Verb::Update),
            count(Verb::Replace),
            count(Verb::Archive),
            count(Verb::Noop)
        )?;
        let clashes = self.steps.iter().map(|step| step.clashes.len()).sum::<usize>();
        if clashes > 0 {
            write!(f, ", {clashes} left to others")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3} {}", self.verb.sign(), self.target)?;
        if !self.reason.is_empty() {
            write!(f, " (cannot change in place: {})", self.reason.join(", "))?;
        }
        writeln!(f)?;
        for Change { field, before, after } in &self.changes {
            match (before.is_null(), after.is_null()) {
                (true, _) => writeln!(f, "      + {field}: {}", brief(after))?,
                (_, true) => writeln!(f, "      - {field}: {}", brief(before))?,
                _ => writeln!(f, "      ~ {field}: {} -> {}", brief(before), brief(after))?,
            }
        }
        if !self.adopts.is_empty() {
            writeln!(f, "      managed by the set from now on: {}", self.adopts.join(", "))?;
        }
        for clash in &self.clashes {
            writeln!(f, "      ! {clash}")?;
        }
        match &self.governance {
            Some(governance) => governance.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { owner } => write!(f, "it belongs to the set `{owner}`: nothing is done to it"),
            Self::Field { field, applied, live, wanted } => write!(
                f,
                "{field} was changed by another and is left as it is: applied {}, live {}, wanted {}",
                brief(applied),
                brief(live),
                brief(wanted)
            ),
        }
    }
}

/// What is allowed, asks nobody and changes nothing on the runtime takes no line.
impl fmt::Display for Governance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certainty = if self.is_forecast { " (forecast)" } else { "" };
        match &self.ruling {
            Ruling::Allowed => {}
            Ruling::Denied { message, .. } => writeln!(f, "      x denied{certainty}: {message}")?,
            Ruling::Refused { code, message } => {
                writeln!(f, "      x refused{certainty} ({code}): {message}")?;
            }
        }
        for ask in &self.asks {
            writeln!(f, "      ? {ask}{certainty}")?;
        }
        if !self.dirty.is_empty() || self.hidden > 0 {
            let mut names: Vec<String> = self.dirty.iter().map(ToString::to_string).collect();
            if self.hidden > 0 {
                names.push(format!("{} you may not read", self.hidden));
            }
            writeln!(f, "      > changes on the runtime{certainty}: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, ou, mode, approvers, quorum } = self;
        match mode {
            PolicyMode::RequireApproval => {
                write!(f, "waits for {quorum} of {} by `{policy}` of {ou}", approvers.join(", "))
            }
            PolicyMode::RequireJustification => write!(f, "needs a justification by `{policy}` of {ou}"),
            PolicyMode::Warn => write!(f, "is noted by `{policy}` of {ou}"),
        }
    }
}

/// A value on one line: JSON escapes control characters, and what is long is cut.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(MAX_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

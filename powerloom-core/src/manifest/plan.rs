//! A plan: what would be done, in which order, and why. Pure data; it can be kept, shown and applied later.

use crate::id::{OrgId, ResourceId};
use crate::manifest::target::Target;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// The version of the serialized form; another one is refused when it is applied.
pub const PLAN_VERSION: u32 = 1;

/// Longest value the readable form shows, in characters.
const MAX_SHOWN: usize = 72;

/// What is to be done to a set of resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    /// The version of this form.
    pub v: u32,
    /// The organization it was made for.
    pub org: OrgId,
    /// The steps: each comes after those it depends on.
    pub steps: Vec<Step>,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows or applies a plan must know every verb")]
pub enum Verb {
    /// It is declared.
    Create,
    /// Some of its fields change.
    Update,
    /// It is archived and declared anew, because a field that cannot change would: needs permission of its own.
    Replace,
    /// It is archived. Never planned from documents; only an explicit prune asks for it.
    Archive,
    /// It is as wanted.
    Noop,
}

/// What is done to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Step {
    /// Which resource.
    pub target: Target,
    /// What happens to it.
    pub verb: Verb,
    /// The record the plan was made from. If it has another version when the plan is applied, the step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// The fields that change, in the words of a manifest, without secrets: for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The fields that make it a replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<String>,
    /// Steps of this plan that must succeed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Target>,
    /// What is submitted: the whole spec to create or replace, the changed fields to update.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub payload: Map<String, Value>,
    /// To create or replace: the OU it will live in, where that does not follow from the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ou: Option<ResourceId>,
    /// To create or replace: its name, where that does not follow from the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The places of `payload` (and `/ou`, the OU) that hold the id of something this plan makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
}

/// A record as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "an observation has these two parts")]
pub struct Observed {
    /// Its id.
    pub id: ResourceId,
    /// Its version.
    pub version: u64,
}

/// A field that changes. `null` stands for absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Change {
    /// Its name in a manifest.
    pub field: String,
    /// What it holds.
    pub before: Value,
    /// What it will hold.
    pub after: Value,
}

/// An id that is not known before something is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hole {
    /// Where: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Whose id belongs there. Until then its place is held by an id that nothing has.
    pub target: Target,
}

impl Plan {
    /// Nothing would be done.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.steps.iter().all(|step| step.verb == Verb::Noop)
    }

    /// How many steps have this verb.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.steps.iter().filter(|step| step.verb == verb).count()
    }
}

impl Verb {
    /// The sign in front of a step: `+`, `~`, `-/+`, `-` or `=`.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Archive => "-",
            Self::Noop => "=",
        }
    }
}

/// One line per step and one per changed field, without colour; the last line counts.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            step.fmt(f)?;
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
        )
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
        Ok(())
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

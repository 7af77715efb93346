//! A plan: what would be done, in which order, and why. Pure data; it can be kept, shown and applied later.

use crate::id::{OrgId, ResourceId};
use crate::labels::Labels;
use crate::manifest::governance::Governance;
use crate::manifest::target::Target;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The version of the serialized form; another one is refused when it is applied.
pub const PLAN_VERSION: u32 = 1;

/// Most steps of a plan that is carried out, or that one request is for.
pub const MAX_STEPS: usize = 2000;

/// What is to be done to a set of resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    /// The version of this form.
    pub v: u32,
    /// The organization it was made for.
    pub org: OrgId,
    /// The set of manifests it was made for, if it was made for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The steps: each comes after those it depends on. What is pruned is shown first and done last: by then nothing
    /// of the set refers to it any more.
    pub steps: Vec<Step>,
    /// What belongs to the set and is in none of its documents; it stays, because no prune was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Target>,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanVerb))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanStep))]
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
    /// The labels it will have, all of them; absent: those it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// The spec fields the set manages from now on; absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<BTreeSet<String>>,
    /// The fields that come under the set's management, or were changed by another to just what the set wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopts: Vec<String>,
    /// What is not done, because it is another's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clashes: Vec<Clash>,
    /// What doing it will meet with, as far as that is known now. No part of the [digest](Plan::digest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governance: Option<Governance>,
}

/// What a set wants and leaves alone, because somebody else has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanClash))]
#[serde(tag = "clash", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows or applies a plan must know every clash")]
pub enum Clash {
    /// The resource belongs to another set: nothing is done to it.
    Owner {
        /// Which.
        owner: String,
    },
    /// The field is not what the set applied last, nor what it wants now: the field is left as it is.
    Field {
        /// Its name in a manifest.
        field: String,
        /// What the set applied last.
        applied: Value,
        /// What somebody else made of it.
        live: Value,
        /// What the documents want.
        wanted: Value,
    },
}

/// A record as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanObserved))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanChange))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanHole))]
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

    /// Something the documents want is not done, because it is another's.
    #[must_use]
    pub fn has_clashes(&self) -> bool {
        self.steps.iter().any(|step| !step.clashes.is_empty())
    }
}

impl Step {
    /// Nothing said yet of what is done to a resource.
    pub(crate) fn new(target: Target, verb: Verb) -> Self {
        Self {
            target,
            verb,
            observed: None,
            changes: Vec::new(),
            reason: Vec::new(),
            depends_on: Vec::new(),
            payload: Map::new(),
            ou: None,
            name: None,
            holes: Vec::new(),
            labels: None,
            managed: None,
            adopts: Vec::new(),
            clashes: Vec::new(),
            governance: None,
        }
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

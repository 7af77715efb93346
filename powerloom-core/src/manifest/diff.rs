//! From what is wanted and what is to a plan. Pure: the same documents and records give the same plan.

use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::manifest::document::field_path;
use crate::manifest::fault::{ManifestErrors, Problem};
use crate::manifest::graph::{Vertex, order};
use crate::manifest::hole::holes;
use crate::manifest::link::Link;
use crate::manifest::merge::identity_fields;
use crate::manifest::ownership::{applied, labels, other_owner};
use crate::manifest::plan::{Change, Clash, Observed, PLAN_VERSION, Plan, Step, Verb};
use crate::manifest::redact::redact;
use crate::manifest::set::SetOptions;
use crate::manifest::target::Target;
use crate::manifest::wanted::{Resolved, Wanted, WantedField};
use crate::manifest::written::{Names, shown, written};
use crate::record::{RecordRow, Schema};
use crate::resource::field::{Field, Form};
use crate::resource::kind::Home;
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Says what has to be done so that everything is as wanted.
///
/// A field no document carries is left alone (row P27). A field that cannot change makes its resource a
/// [`Verb::Replace`], and everything that refers to it is pointed to the new one. What others refer to can only be
/// archived once they do not: replacing it fails then, when the plan is applied.
///
/// # Errors
/// [`ManifestErrors`]: a required field is absent from something new, a value contradicts another one, or the
/// documents wait for each other in a circle.
pub fn plan(resolved: &Resolved) -> Result<Plan, ManifestErrors> {
    plan_as(resolved, None)
}

/// The same for a set of manifests, which owns what it declares.
pub(crate) fn plan_as(resolved: &Resolved, set: Option<&SetOptions>) -> Result<Plan, ManifestErrors> {
    let mut errors = ManifestErrors::default();
    let wanted: BTreeMap<&Target, &Wanted> =
        resolved.wanted.iter().map(|wanted| (&wanted.target, wanted)).collect();
    let vertices: Vec<Vertex> = resolved.wanted.iter().map(|one| vertex(one, &wanted)).collect();
    let ordered = match order(&vertices) {
        Ok(ordered) => ordered,
        Err(circle) => {
            if let Some(first) = circle.first().and_then(|target| wanted.get(target)) {
                let members = circle.iter().map(ToString::to_string).collect();
                errors.push(&first.at, Some(&first.label), Problem::Cycle { members });
            }
            return Err(errors);
        }
    };
    let mut planner = Planner { set, made: BTreeMap::new(), names: resolved.names.clone(), errors };
    let mut steps = Vec::with_capacity(ordered.len());
    for target in &ordered {
        let Some(one) = wanted.get(target) else { continue };
        let Some(mut step) = planner.step(one) else { continue };
        step.depends_on = vertex(one, &wanted).needs.into_iter().collect();
        if matches!(step.verb, Verb::Create | Verb::Replace) {
            planner.makes(target);
        }
        steps.push(step);
    }
    planner.errors.into_result()?;
    let set = set.map(|set| set.owner.clone());
    Ok(Plan { v: PLAN_VERSION, org: resolved.org, set, steps, left: Vec::new() })
}

/// A resource and the others of the set it refers to; a registration may come from a deployment (row P65).
fn vertex(one: &Wanted, set: &BTreeMap<&Target, &Wanted>) -> Vertex {
    let needs = one.links().filter_map(|link| {
        let target = &link.target;
        let deployment = Target::new(McpDeployment::KIND, target.path.clone());
        if set.contains_key(target) {
            Some(target.clone())
        } else {
            (target.kind == McpServer::KIND && set.contains_key(&deployment)).then_some(deployment)
        }
    });
    Vertex { target: one.target.clone(), rank: one.kind.rank(), needs: needs.collect::<BTreeSet<Target>>() }
}

struct Planner<'a> {
    set: Option<&'a SetOptions>,
    /// What the plan makes, by the id that holds its place.
    made: BTreeMap<ResourceId, Target>,
    names: Names,
    errors: ManifestErrors,
}

impl Planner<'_> {
    fn makes(&mut self, target: &Target) {
        self.made.insert(target.provisional_id(), target.clone());
        if target.kind == McpDeployment::KIND {
            let owned = Target::new(McpServer::KIND, target.path.clone());
            self.made.insert(owned.provisional_id(), owned);
        }
    }

    fn is_made(&self, link: &Link) -> bool {
        self.made.contains_key(&link.target.provisional_id())
    }

    /// The id a reference will have: that of what the plan makes, else that of what exists.
    fn id(&self, link: &Link) -> ResourceId {
        match link.id {
            Some(id) if !self.is_made(link) => id,
            _ => link.target.provisional_id(),
        }
    }

    fn step(&mut self, one: &Wanted) -> Option<Step> {
        // What is known by what it binds is another one, if any of that is made anew.
        let identity: Vec<&str> = if one.kind.home() == Home::Named {
            Vec::new()
        } else {
            identity_fields(one.kind.as_ref()).collect()
        };
        let mut bound = one.fields.iter().filter(|field| identity.contains(&field.name));
        let rebound = bound.any(|field| field.bound.links().into_iter().any(|link| self.is_made(link)));
        match one.existing.as_ref().filter(|_| !rebound) {
            Some(row) => self.change(one, row),
            None => self.create(one),
        }
    }

    fn create(&mut self, one: &Wanted) -> Option<Step> {
        let mut spec = Map::new();
        for field in &one.fields {
            let value = field.bound.lower(|link| self.id(link));
            if !value.is_null() {
                spec.insert(field.spec.to_owned(), value);
            }
        }
        let before = self.errors.faults.len() + self.errors.more;
        let absent =
            one.kind.fields().iter().filter(|field| field.required && !spec.contains_key(field.spec));
        let absent: Vec<String> = absent.map(field_path).collect();
        for field in absent {
            let why = format!("{} does not exist yet and cannot be made without it", one.target);
            self.errors.push(&one.at, Some(&one.label), Problem::Missing { field, why });
        }
        if one.kind.home() == Home::Global && one.ou.is_none() {
            let why = format!("{} does not exist yet and cannot be made without it", one.target);
            self.errors.push(
                &one.at,
                Some(&one.label),
                Problem::Missing { field: "metadata.ou_path".into(), why },
            );
        }
        if self.errors.faults.len() + self.errors.more > before {
            return None;
        }
        let labels = self.labels(one, None)?;
        let checked = self.check(one, &Value::Object(spec.clone()))?;
        let mut step = Step::new(one.target.clone(), Verb::Create);
        for field in one.kind.fields() {
            if spec.contains_key(field.spec) {
                let after = shown(field, &checked, &self.names);
                step.changes.push(Change { field: field.name.to_owned(), before: Value::Null, after });
            }
        }
        if !labels.is_empty() {
            step.changes.push(relabelled(&Labels::default(), &labels));
            step.labels = Some(labels);
        }
        step.payload = spec;
        step.managed = self.managed(one);
        self.place(one, &mut step);
        Some(step)
    }

    /// The labels it is to have; what stands against them is said at its place in the manifest.
    fn labels(&mut self, one: &Wanted, row: Option<&RecordRow>) -> Option<Labels> {
        match labels(self.set, one.labels.as_ref(), row) {
            Ok(labels) => Some(labels),
            Err(what) => {
                let at = one.labels.as_ref().map_or(&one.at, |given| &given.at);
                self.errors.push(at, Some(&one.label), Problem::Conflict { what });
                None
            }
        }
    }

    /// The spec fields the set manages: those its documents carry.
    fn managed(&self, one: &Wanted) -> Option<BTreeSet<String>> {
        self.set.map(|_| one.fields.iter().map(|field| field.spec.to_owned()).collect())
    }

    fn change(&mut self, one: &Wanted, row: &RecordRow) -> Option<Step> {
        let mut step = Step::new(one.target.clone(), Verb::Noop);
        step.observed = Some(Observed { id: row.meta.id, version: row.meta.version });
        if let Some(owner) = other_owner(self.set, row) {
            step.clashes.push(Clash::Owner { owner: owner.to_owned() });
            return Some(step);
        }
        let labels = self.labels(one, Some(row))?;
        let before = one.kind.check(&row.spec).unwrap_or_else(|_| row.spec.clone());
        let mut merged = before.as_object().cloned().unwrap_or_default();
        for field in &one.fields {
            put(&mut merged, field.spec, field.bound.lower(|link| self.id(link)));
        }
        let mut after = self.check(one, &Value::Object(merged.clone()))?;
        let applied = applied(self.set, row);
        let clashes = self.clashes(one, applied, &before, &after);
        if !clashes.is_empty() {
            for (field, clash) in clashes {
                put(&mut merged, field.spec, before.get(field.spec).cloned().unwrap_or_default());
                step.clashes.push(clash);
            }
            after = self.check(one, &Value::Object(merged))?;
        }
        self.compare(one, applied, (&before, &after), &mut step);
        let managed = self.managed(one);
        let names_differ = managed
            .as_ref()
            .is_some_and(|managed| !managed.iter().eq(row.meta.managed.keys().collect::<BTreeSet<_>>()));
        if labels != row.meta.labels {
            step.changes.push(relabelled(&row.meta.labels, &labels));
            step.labels = Some(labels.clone());
        }
        let moved =
            one.ou.as_ref().filter(|ou| one.kind.home() == Home::Global && self.id(ou) != row.meta.ou);
        if let Some(ou) = moved {
            step.changes.push(Change {
                field: "ou_path".to_owned(),
                before: self.names.text(row.meta.ou).unwrap_or_default().into(),
                after: ou.target.path.clone().into(),
            });
            step.reason.push("ou_path".to_owned());
        }
        if !step.reason.is_empty() {
            step.verb = Verb::Replace;
            step.labels = Some(labels).filter(|labels| !labels.is_empty());
            step.managed = managed;
            let whole = after.as_object().cloned().unwrap_or_default();
            step.payload = whole.into_iter().filter(|(_, value)| !value.is_null()).collect();
            self.place(one, &mut step);
            if one.kind.home() == Home::Global && step.ou.is_none() {
                step.ou = Some(row.meta.ou);
            }
        } else if !step.payload.is_empty() || step.labels.is_some() || names_differ {
            step.verb = Verb::Update;
            step.managed = managed;
            step.holes = holes(one.kind.fields(), &step.payload, None, &self.made);
        }
        Some(step)
    }

    /// The fields that somebody else has changed and the set does not take back.
    fn clashes<'o>(
        &self,
        one: &'o Wanted,
        applied: &Map<String, Value>,
        before: &Value,
        after: &Value,
    ) -> Vec<(&'o Field, Clash)> {
        let mut clashes = Vec::new();
        let Some(set) = self.set else { return clashes };
        for (field, last) in known(one).filter_map(|(_, field)| Some((field, applied.get(field.spec)?))) {
            let live = before.get(field.spec).unwrap_or(&Value::Null);
            if same_value(field, last, live) || same(field, before, after) || set.take.takes(field.name) {
                continue;
            }
            let shown_as = |value: &Value| redact(field.name, written(&field.form, value, &self.names));
            let clash = Clash::Field {
                field: field.name.to_owned(),
                applied: shown_as(last),
                live: shown_as(live),
                wanted: shown_as(after.get(field.spec).unwrap_or(&Value::Null)),
            };
            clashes.push((field, clash));
        }
        clashes
    }

    /// The fields that change, and those whose last applied value is out of date.
    fn compare(
        &self,
        one: &Wanted,
        applied: &Map<String, Value>,
        (before, after): (&Value, &Value),
        step: &mut Step,
    ) {
        for (wanted, field) in known(one) {
            let is_left =
                |clash: &Clash| matches!(clash, Clash::Field { field: left, .. } if left == field.name);
            if step.clashes.iter().any(is_left) {
                continue;
            }
            if same(field, before, after) {
                let live = before.get(field.spec).unwrap_or(&Value::Null);
                match applied.get(field.spec) {
                    _ if self.set.is_none() => {}
                    Some(last) if same_value(field, last, live) => {}
                    Some(_) => {
                        step.adopts.push(field.name.to_owned());
                        step.payload.insert(field.spec.to_owned(), live.clone());
                    }
                    None => step.adopts.push(field.name.to_owned()),
                }
                continue;
            }
            step.changes.push(Change {
                field: field.name.to_owned(),
                before: shown(field, before, &self.names),
                after: shown(field, after, &self.names),
            });
            step.payload.insert(field.spec.to_owned(), wanted.bound.lower(|link| self.id(link)));
            if field.immutable {
                step.reason.push(field.name.to_owned());
            }
        }
    }

    /// Where a new resource will live, and what is still open in its spec.
    fn place(&self, one: &Wanted, step: &mut Step) {
        step.ou = one.ou.as_ref().map(|link| self.id(link));
        step.name.clone_from(&one.name);
        step.holes = holes(one.kind.fields(), &step.payload, step.ou, &self.made);
    }

    /// The spec in its normal form; a refusal is shown at the field's place in the manifest.
    fn check(&mut self, one: &Wanted, spec: &Value) -> Option<Value> {
        let invalid = match one.kind.check(spec) {
            Ok(checked) => return Some(checked),
            Err(invalid) => invalid,
        };
        let rest = invalid.field.strip_prefix("spec.").unwrap_or(&invalid.field);
        let length = rest.find(['.', '[']).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(length);
        let field = one.kind.fields().iter().find(|field| field.spec == head);
        let at = one.fields.iter().find(|field| field.spec == head).map_or(&one.at, |field| &field.at);
        let named =
            field.map_or_else(|| invalid.field.clone(), |field| format!("{}{tail}", field_path(field)));
        self.errors.push(at, Some(&one.label), Invalid { field: named, ..invalid.clone() });
        None
    }
}

/// The fields the documents carry, each with what its kind says of it.
fn known(one: &Wanted) -> impl Iterator<Item = (&WantedField, &Field)> {
    one.fields.iter().filter_map(|wanted| {
        let field = one.kind.fields().iter().find(|field| field.name == wanted.name)?;
        Some((wanted, field))
    })
}

/// Sets a field of a spec; `null` takes it away.
fn put(spec: &mut Map<String, Value>, field: &str, value: Value) {
    if value.is_null() {
        spec.remove(field);
    } else {
        spec.insert(field.to_owned(), value);
    }
}

fn relabelled(before: &Labels, after: &Labels) -> Change {
    let shown = |labels: &Labels| {
        let map = labels.iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        if labels.is_empty() { Value::Null } else { redact("labels", Value::Object(map)) }
    };
    Change { field: "labels".to_owned(), before: shown(before), after: shown(after) }
}

/// Whether a field holds the same in two specs.
fn same(field: &Field, one: &Value, other: &Value) -> bool {
    let value = |spec: &Value| spec.get(field.spec).cloned().unwrap_or_default();
    same_value(field, &value(one), &value(other))
}

/// Whether two values of a field mean the same; lists that are sets are compared as sets.
fn same_value(field: &Field, one: &Value, other: &Value) -> bool {
    if one == other {
        return true;
    }
    match (&field.form, one, other) {
        (
            Form::References(_) | Form::Skills | Form::Permissions | Form::Approvers,
            Value::Array(one),
            Value::Array(other),
        ) if one.len() == other.len() => {
            let sorted = |items: &[Value]| {
                let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
                items.sort();
                items
            };
            sorted(one) == sorted(other)
        }
        _ => false,
    }
}

//! Changing a resource: absent fields stay, `null` clears, a list replaces the list (sem. 2.3.2).

use crate::audit::Change;
use crate::door::action::create::check_attachments;
use crate::door::marks::tell;
use crate::door::work::{
    AuthzEffect, Draft, Step, Work, refuse_archived, refuse_other_version, refuse_own_actions,
};
use crate::error::{Conflict, Result};
use crate::invalid::Invalid;
use crate::record::{RecordRow, ResourceKey};
use crate::resource::field::Field;
use crate::resource::kind::{AuthzPart, Kind, Reference};
use crate::store::{Precondition, Write};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Checks and writes an `update`.
pub(crate) async fn update(
    work: &mut Work<'_>,
    target: &ResourceKey,
    expect: Option<u64>,
    patch: &Map<String, Value>,
) -> Step<Draft> {
    let kind = work.plane.catalogue.kind(&target.kind)?.clone();
    refuse_own_actions(&kind)?;
    for name in patch.keys() {
        field(&kind, name)?;
    }
    let row = work.row(target).await?;
    work.about(&target.kind, target.id, "update", Work::judged_at(&row));
    change(work, &kind, row, expect, patch).await
}

/// Changes `row` by `patch`; the pass already says what it is about.
pub(crate) async fn change(
    work: &mut Work<'_>,
    kind: &Arc<dyn Kind>,
    row: RecordRow,
    expect: Option<u64>,
    patch: &Map<String, Value>,
) -> Step<Draft> {
    // First: what is said of a bad patch says something of the record.
    work.require(kind.permissions().update, Work::judged_at(&row))?;
    let spec = kind.check(&merge(kind, &row.spec, patch)?)?;
    let references = kind.references(&spec)?;
    let old: Vec<Reference> = kind.references(&row.spec)?;
    // Only what is new must be permitted and live: what was attached earlier stays.
    let new: Vec<Reference> =
        references.iter().filter(|new| !old.iter().any(|old| old.target == new.target)).cloned().collect();
    let mut next = RecordRow {
        refs: kept_refs(&row, &old)
            .chain(references.iter().map(|reference| reference.target.clone()))
            .collect(),
        spec,
        ..row.clone()
    };
    work.marks.set(kind.as_ref(), &mut next.meta, &next.spec, patch)?;

    let rows = work.referred(&new).await?;
    work.require_use(&new, &rows).await?;
    work.guard_escalation(&next, Some(&row.spec)).await?;
    work.replay().await?;

    refuse_archived(&row)?;
    rows.iter().try_for_each(refuse_archived)?;
    refuse_other_version(&row, expect)?;
    if next.spec == row.spec && next.meta == row.meta {
        return Ok(Draft::unchanged(row));
    }
    check_attachments(&next, &work.plane.store.records(work.org.id, &next.refs).await?)?;
    put(work, kind, &row, next, &new).await
}

async fn put(
    work: &Work<'_>,
    kind: &Arc<dyn Kind>,
    row: &RecordRow,
    mut next: RecordRow,
    new: &[Reference],
) -> Step<Draft> {
    let is_new_spec = row.spec != next.spec;
    next.meta.version += 1;
    next.meta.generation += u64::from(is_new_spec);
    next.meta.updated_at = work.now;
    let (before, after) = difference(&row.spec, &next.spec);
    let mut change = Change { before, after, ..Change::default() };
    tell(Some(&row.meta), &next.meta, &mut change);
    let mut draft = Draft::new(Some(next.clone()), change);
    draft.prior = Some(row.spec.clone());
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.expect.extend(new.iter().map(|reference| Precondition::Live(reference.target.clone())));
    let decisive = match kind.authz() {
        // Labels decide nothing.
        _ if !is_new_spec => false,
        AuthzPart::None => false,
        AuthzPart::Subject(fields) => fields.iter().any(|field| row.spec.get(field) != next.spec.get(field)),
        AuthzPart::Grant => true,
    };
    if decisive {
        work.guard_last_org_admin(std::slice::from_ref(&next)).await?;
        draft.authz = AuthzEffect::Other;
        draft.write.push(Write::BumpAuthzEpoch);
    }
    if is_new_spec {
        work.desire(std::slice::from_ref(&next), &mut draft).await?;
    }
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(draft)
}

/// References that do not come from the spec stay, such as that of a credential to its vault.
fn kept_refs<'r>(row: &'r RecordRow, old: &'r [Reference]) -> impl Iterator<Item = ResourceKey> + 'r {
    row.refs.iter().filter(|key| !old.iter().any(|reference| reference.target == **key)).cloned()
}

/// The spec after the patch. A field that cannot change must not.
fn merge(kind: &Arc<dyn Kind>, spec: &Value, patch: &Map<String, Value>) -> Result<Value> {
    let mut merged = spec.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        let field = field(kind, name)?;
        let old = merged.get(name).unwrap_or(&Value::Null);
        if field.immutable && old != value {
            return Err(Conflict::Immutable { field: format!("spec.{name}") }.into());
        }
        if value.is_null() {
            merged.remove(name);
        } else {
            merged.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::Object(merged))
}

fn field<'k>(kind: &'k Arc<dyn Kind>, name: &str) -> Result<&'k Field> {
    let fields = kind.fields();
    fields.iter().find(|field| field.spec == name).ok_or_else(|| {
        let known: Vec<&str> = fields.iter().map(|field| field.spec).collect();
        let nearest = known
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Invalid::hidden(
            format!("spec.{}", crate::invalid::shown(name)),
            format!("one of {}{hint}", known.join(", ")),
        )
        .into()
    })
}

/// The fields that differ, before and after.
fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let empty = Map::new();
    let (old, new) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut changed = (Map::new(), Map::new());
    for name in old.keys().chain(new.keys()) {
        let sides = (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
        if sides.0 != sides.1 {
            changed.0.insert(name.clone(), sides.0.clone());
            changed.1.insert(name.clone(), sides.1.clone());
        }
    }
    (Value::Object(changed.0), Value::Object(changed.1))
}

//! What a change says about a record beside its spec: its labels, and the fields a set of manifests manages.

use crate::audit::Change;
use crate::door::mutation::{Action, Mutation};
use crate::error::Result;
use crate::invalid::{Invalid, shown};
use crate::labels::{Labels, OWNER};
use crate::record::Metadata;
use crate::resource::kind::Kind;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The marks one change sets; absent ones stay.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    labels: Option<Labels>,
    managed: Option<BTreeSet<String>>,
}

impl Marks {
    /// Those of a change. Only what is declared or updated has any.
    pub(crate) fn of(mutation: &Mutation) -> Result<Self> {
        let Mutation { labels, managed, action, .. } = mutation;
        if !matches!(action, Action::Create { .. } | Action::Update { .. })
            && (labels.is_some() || managed.is_some())
        {
            return Err(Invalid::hidden("labels", "none: only a create or an update sets them").into());
        }
        Ok(Self { labels: labels.clone(), managed: managed.clone() })
    }

    /// Sets them on `meta`, which holds the marks from before the change; `spec` is the spec after it.
    ///
    /// Of the managed fields, those that were managed before and are not among the `written` ones keep the value that
    /// was last applied: what somebody else wrote meanwhile stays visible as theirs.
    ///
    /// # Errors
    /// [`Invalid`] for a field the kind does not have, and for managed fields of a record that nobody owns.
    pub(crate) fn set(
        &self,
        kind: &dyn Kind,
        meta: &mut Metadata,
        spec: &Value,
        written: &Map<String, Value>,
    ) -> Result<()> {
        let owner = meta.labels.owner().map(str::to_owned);
        if let Some(labels) = &self.labels {
            meta.labels = labels.clone();
        }
        if meta.labels.owner() != owner.as_deref() {
            // They were another's.
            meta.managed = Map::new();
        }
        let Some(names) = &self.managed else { return Ok(()) };
        if !names.is_empty() && meta.labels.owner().is_none() {
            return Err(Invalid::hidden("managed", format!("none without the label `{OWNER}`")).into());
        }
        let before = std::mem::take(&mut meta.managed);
        for name in names {
            if !kind.fields().iter().any(|field| field.spec == name) {
                return Err(Invalid::new("managed", shown(name), "the names of the kind's fields").into());
            }
            let value = match before.get(name) {
                Some(value) if !written.contains_key(name) => value,
                _ => spec.get(name).unwrap_or(&Value::Null),
            };
            meta.managed.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// What the audit row calls them, among the fields of the spec.
pub(crate) const TOLD_AS: [&str; 2] = [LABELS, MANAGED];
const LABELS: &str = "labels";
const MANAGED: &str = "managed";

/// What the audit row says of them, beside the fields of the spec: of the managed fields the names.
pub(crate) fn tell(before: Option<&Metadata>, after: &Metadata, change: &mut Change) {
    let names = |meta: &Metadata| meta.managed.keys().cloned().collect::<Vec<_>>();
    let none = Labels::default();
    let (labels, managed) = before.map_or((&none, Vec::new()), |meta| (&meta.labels, names(meta)));
    for (key, old, new) in [
        (LABELS, serde_json::to_value(labels), serde_json::to_value(&after.labels)),
        (MANAGED, serde_json::to_value(&managed), serde_json::to_value(names(after))),
    ] {
        if let (Ok(old), Ok(new)) = (old, new)
            && old != new
        {
            if let (Some(told), true) = (change.before.as_object_mut(), before.is_some()) {
                told.insert(key.to_owned(), old);
            }
            if let Some(told) = change.after.as_object_mut() {
                told.insert(key.to_owned(), new);
            }
        }
    }
}

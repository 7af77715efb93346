//! A record in the words of a manifest: for diffs, and for exports.

use crate::id::ResourceId;
use crate::manifest::document::API_VERSION;
use crate::manifest::redact::redact;
use crate::ou_path::OuPath;
use crate::record::{RecordRow, Schema};
use crate::resource::field::{Field, Form, Place};
use crate::resource::kind::{Home, Kind};
use crate::resource::ou::Ou;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How people call what ids stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    texts: BTreeMap<ResourceId, String>,
    numbers: BTreeMap<ResourceId, u64>,
}

impl Names {
    pub(crate) fn put(&mut self, id: ResourceId, text: String) {
        self.texts.insert(id, text);
    }

    pub(crate) fn number(&mut self, id: ResourceId, number: u64) {
        self.numbers.insert(id, number);
    }

    /// The path, the address or the name of an id.
    #[must_use]
    pub fn text(&self, id: ResourceId) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// The id in a text such as `<id>` or `user:<id>`, replaced by what people call it.
    fn replace(&self, text: &str) -> String {
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (Some(word), rest),
            None => (None, text),
        };
        let name = rest.parse::<ResourceId>().ok().and_then(|id| self.text(id)).unwrap_or(rest);
        word.map_or_else(|| name.to_owned(), |word| format!("{word}:{name}"))
    }
}

/// The value of a spec's field as a manifest writes it; list items whose order means nothing are sorted.
#[must_use]
pub fn written(form: &Form, value: &Value, names: &Names) -> Value {
    match (form, value) {
        (Form::Principal | Form::Reference(_) | Form::OuPath, Value::String(text)) => {
            names.replace(text).into()
        }
        (Form::Role, Value::String(text)) => {
            let name = names.replace(text);
            Value::from(name.strip_prefix("role:").unwrap_or(&name))
        }
        (Form::References(_), Value::Array(items)) => {
            sorted(items.iter().map(|item| Value::from(names.replace(item.as_str().unwrap_or_default()))))
        }
        (Form::Approvers, Value::Array(items)) => {
            sorted(items.iter().map(|item| Value::from(names.replace(item.as_str().unwrap_or_default()))))
        }
        (Form::Skills, Value::Array(items)) => sorted(items.iter().map(|item| {
            let skill =
                item.get("skill").and_then(Value::as_str).map(|id| names.replace(id)).unwrap_or_default();
            let pinned = item.pointer("/version/pinned").and_then(Value::as_str);
            match pinned.and_then(|id| id.parse().ok()).and_then(|id: ResourceId| names.numbers.get(&id)) {
                Some(number) => json!({ "skill": skill, "version": number }),
                None => Value::from(skill),
            }
        })),
        (Form::Permissions, Value::Array(items)) => sorted(items.iter().cloned()),
        _ => value.clone(),
    }
}

fn sorted(items: impl Iterator<Item = Value>) -> Value {
    let mut items: Vec<Value> = items.collect();
    items.sort_by_cached_key(Value::to_string);
    Value::Array(items)
}

/// Whether a deployment made it and keeps it (row P65).
pub(crate) fn is_owned(row: &RecordRow) -> bool {
    row.status.get("deployment").is_some_and(|owner| !owner.is_null())
}

/// One field of a spec as it may be shown: as a manifest writes it, without secrets.
#[must_use]
pub(crate) fn shown(field: &Field, spec: &Value, names: &Names) -> Value {
    let value = spec.get(field.spec).unwrap_or(&Value::Null);
    redact(field.name, written(&field.form, value, names))
}

/// A record as the document that would declare it. `ou` is the path of the OU it lives in.
///
/// Nothing is hidden here that the spec holds: a spec holds no secrets, only their names.
#[must_use]
pub fn to_manifest(kind: &dyn Kind, row: &RecordRow, ou: &OuPath, names: &Names) -> Value {
    let mut metadata = Map::new();
    match kind.home() {
        Home::Named if kind.name() == Ou::KIND && row.meta.id == row.meta.ou => {
            metadata.insert("path".to_owned(), ou.as_str().into());
        }
        Home::Named => {
            metadata.insert("name".to_owned(), row.meta.name.as_str().into());
            metadata.insert("ou_path".to_owned(), ou.as_str().into());
        }
        Home::InOu | Home::Global => {
            metadata.insert("ou_path".to_owned(), ou.as_str().into());
        }
        Home::Derived => {}
    }
    if !row.meta.labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(row.meta.labels));
    }
    let mut spec = Map::new();
    for field in kind.fields() {
        let value = row.spec.get(field.spec).unwrap_or(&Value::Null);
        if !value.is_null() {
            let part = if field.place == Place::Metadata { &mut metadata } else { &mut spec };
            part.insert(field.name.to_owned(), written(&field.form, value, names));
        }
    }
    let mut document = json!({ "apiVersion": API_VERSION, "kind": kind.name(), "metadata": metadata });
    if let (Some(document), false) = (document.as_object_mut(), spec.is_empty()) {
        document.insert("spec".to_owned(), Value::Object(spec));
    }
    document
}

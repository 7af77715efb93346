//! The ids in a payload that nothing has yet, and how they are filled in.

use crate::id::ResourceId;
use crate::manifest::plan::Hole;
use crate::manifest::target::Target;
use crate::resource::field::{Field, Form};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The pointer that stands for the OU a resource will live in.
pub(crate) const OU: &str = "/ou";

/// Finds them. Only fields that hold references are looked at: text never holds an id.
pub(crate) fn holes(
    fields: &[Field],
    payload: &Map<String, Value>,
    ou: Option<ResourceId>,
    made: &BTreeMap<ResourceId, Target>,
) -> Vec<Hole> {
    let mut found = Vec::new();
    if let Some(target) = ou.and_then(|id| made.get(&id)) {
        found.push(Hole { pointer: OU.to_owned(), target: target.clone() });
    }
    for field in fields {
        let refers = matches!(
            field.form,
            Form::Principal
                | Form::Role
                | Form::OuPath
                | Form::Reference(_)
                | Form::References(_)
                | Form::Skills
                | Form::Approvers
        );
        if let (true, Some(value)) = (refers, payload.get(field.spec)) {
            search(value, format!("/payload/{}", field.spec), made, &mut found);
        }
    }
    found
}

fn search(value: &Value, pointer: String, made: &BTreeMap<ResourceId, Target>, found: &mut Vec<Hole>) {
    match value {
        Value::String(text) => {
            if let Some(target) = id_in(text).and_then(|id| made.get(&id)) {
                found.push(Hole { pointer, target: target.clone() });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, format!("{pointer}/{index}"), made, found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                search(item, format!("{pointer}/{key}"), made, found);
            }
        }
        _ => {}
    }
}

/// The id in `<id>` or `<word>:<id>`.
fn id_in(text: &str) -> Option<ResourceId> {
    text.rsplit_once(':').map_or(text, |(_, id)| id).parse().ok()
}

/// Puts the real id where a hole is; `false` if there is none at that place.
pub(crate) fn fill(payload: &mut Value, pointer: &str, id: ResourceId) -> bool {
    match pointer.strip_prefix("/payload").and_then(|pointer| payload.pointer_mut(pointer)) {
        Some(Value::String(text)) => {
            *text = match text.rsplit_once(':') {
                Some((word, _)) => format!("{word}:{id}"),
                None => id.to_string(),
            };
            true
        }
        _ => false,
    }
}

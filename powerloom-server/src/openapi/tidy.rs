//! What a derived document gets wrong, put right in one place.

use serde_json::Value;
use std::collections::BTreeSet;

/// Puts the whole document right.
pub(crate) fn tidy(document: &mut Value) {
    powerloom_core::schema::plain(document);
    unsigned(document);
    open_parts(document);
}

/// Numbers without a sign are derived with the format of those that have one, which says half of what they may be.
fn unsigned(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let from_zero = fields.get("minimum").and_then(Value::as_f64).is_some_and(|least| least >= 0.0);
            let format = match fields.get("format").and_then(Value::as_str) {
                Some("int32") if from_zero => Some("uint32"),
                Some("int64") if from_zero => Some("uint64"),
                Some("u-int32") => Some("uint32"),
                Some("u-int64") => Some("uint64"),
                _ => None,
            };
            if let Some(format) = format {
                fields.insert("format".into(), format.into());
            }
            fields.values_mut().for_each(unsigned);
        }
        Value::Array(items) => items.iter_mut().for_each(unsigned),
        _ => {}
    }
}

/// A schema that is a part of another one must let the other parts' fields be there.
fn open_parts(document: &mut Value) {
    let mut parts = BTreeSet::new();
    parts_of(document, &mut parts);
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
        return;
    };
    for part in parts {
        let schema = schemas.get_mut(&part).and_then(Value::as_object_mut);
        if let Some(schema) =
            schema.filter(|schema| schema.get("additionalProperties") == Some(&Value::Bool(false)))
        {
            schema.remove("additionalProperties");
        }
    }
}

/// The names of the components that are parts of others.
fn parts_of(schema: &Value, parts: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let all = fields.get("allOf").and_then(Value::as_array).into_iter().flatten();
            let names =
                all.filter_map(|part| part.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/"));
            parts.extend(names.map(str::to_owned));
            fields.values().for_each(|field| parts_of(field, parts));
        }
        Value::Array(items) => items.iter().for_each(|item| parts_of(item, parts)),
        _ => {}
    }
}

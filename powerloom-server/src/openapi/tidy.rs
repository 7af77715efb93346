//! What a derived document gets wrong, put right in one place.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Puts the whole document right.
pub(crate) fn tidy(document: &mut Value) {
    powerloom_core::schema::plain(document);
    unsigned(document);
    open_parts(document);
    for name in bodies(document) {
        if let Some(schema) =
            document.pointer_mut("/components/schemas").and_then(|schemas| schemas.get_mut(&name))
        {
            one_of_two(schema);
        }
    }
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

/// The names of the components that are bodies of requests.
fn bodies(document: &Value) -> BTreeSet<String> {
    let items = document.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let operations = items.filter_map(Value::as_object).flat_map(Map::values);
    let schemas = operations.filter_map(|operation| {
        operation.pointer("/requestBody/content/application~1json/schema/$ref")?.as_str()
    });
    schemas.filter_map(component).map(str::to_owned).collect()
}

/// The name of the component a reference is to.
fn component(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}

/// Two ways to say one thing, of which a body uses one at most.
const EITHER: [(&str, &str); 3] =
    [("ou_id", "ou_path"), ("principal", "principal_ref"), ("expires_at", "lifetime_seconds")];

/// Says of a body with two ways to say one thing that it must not use both.
fn one_of_two(schema: &mut Value) {
    let required: Vec<String> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let offers = |name: &str| {
        properties.is_some_and(|properties| properties.contains_key(name))
            && !required.iter().any(|it| it == name)
    };
    let rules: Vec<Value> = EITHER
        .into_iter()
        .filter(|(one, other)| offers(one) && offers(other))
        .map(|(one, other)| {
            let said = json!({ "not": { "type": "null" } });
            json!({ "not": { "required": [one, other], "properties": { one: said, other: said } } })
        })
        .collect();
    if let (Some(fields), false) = (schema.as_object_mut(), rules.is_empty()) {
        let all = fields.entry("allOf").or_insert_with(|| json!([]));
        all.as_array_mut().into_iter().for_each(|all| all.extend(rules.iter().cloned()));
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
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
            let names = all.filter_map(|part| component(part.get("$ref")?.as_str()?));
            parts.extend(names.map(str::to_owned));
            fields.values().for_each(|field| parts_of(field, parts));
        }
        Value::Array(items) => items.iter().for_each(|item| parts_of(item, parts)),
        _ => {}
    }
}

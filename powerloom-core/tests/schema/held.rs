//! Holds a value to its schema from both sides: all of the value is declared, and the schema refuses what it should.

use jsonschema::Validator;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use utoipa::ToSchema;

static COMPONENTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(powerloom_core::schema::components()).unwrap());

/// The schema of this name.
pub(crate) fn component(name: &str) -> &'static Value {
    COMPONENTS.get(name).unwrap_or_else(|| panic!("there is no schema `{name}`"))
}

/// Made once for each schema: they are asked again and again.
fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let key = schema.to_string();
    if let Some(known) = KNOWN.lock().unwrap().get(&key) {
        return known.clone();
    }
    let mut document = schema.as_object().unwrap().clone();
    document.insert("components".to_owned(), json!({ "schemas": *COMPONENTS }));
    let made = jsonschema::options().should_validate_formats(true).build(&Value::Object(document)).unwrap();
    KNOWN.lock().unwrap().entry(key).or_insert(Arc::new(made)).clone()
}

/// What serde writes of this value is just what the schema of its type says.
pub(crate) fn held<T: ToSchema + Serialize>(value: &T) -> Value {
    let written = serde_json::to_value(value).unwrap();
    held_as(&T::name(), &written);
    written
}

/// The same of what is written already.
pub(crate) fn held_as(name: &str, value: &Value) {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    let whole = validator(&schema);
    let faults: Vec<String> =
        whole.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{name} {value:#} is not as its schema says: {faults:#?}");
    let mut fields = Vec::new();
    walk(&[&schema], value, String::new(), &mut fields);
    for field in &fields {
        assert!(field.declared, "{name}{} is written and in no schema", field.pointer);
        if field.required {
            assert!(
                !whole.is_valid(&without(value, &field.pointer)),
                "{name} lets {} be absent",
                field.pointer
            );
        }
        if field.bound {
            let mut other = value.clone();
            *other.pointer_mut(&field.pointer).unwrap() = json!([[true]]);
            assert!(!whole.is_valid(&other), "{name} lets {} be anything", field.pointer);
        }
    }
}

/// A member of an object somewhere in a value.
struct Field {
    pointer: String,
    declared: bool,
    required: bool,
    /// Its schema says something about it.
    bound: bool,
}

/// Every member that is declared, and those that are not.
fn walk(schemas: &[&Value], value: &Value, at: String, fields: &mut Vec<Field>) {
    let mut parts = Vec::new();
    schemas.iter().for_each(|schema| expand(schema, value, &mut parts));
    if !parts.iter().any(|part| says(part)) {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                let named: Vec<&Value> =
                    parts.iter().filter_map(|part| part["properties"].get(name)).collect();
                let rest: Vec<&Value> = parts
                    .iter()
                    .filter_map(|part| part.get("additionalProperties"))
                    .filter(|it| it.is_object())
                    .collect();
                let below = if named.is_empty() { rest } else { named };
                let mut said = Vec::new();
                below.iter().for_each(|schema| expand(schema, member, &mut said));
                fields.push(Field {
                    declared: !below.is_empty(),
                    required: parts.iter().any(|part| required(part, name)),
                    bound: said.iter().any(|part| says(part)),
                    pointer: pointer.clone(),
                });
                walk(&below, member, pointer, fields);
            }
        }
        Value::Array(items) => {
            let below: Vec<&Value> = parts.iter().filter_map(|part| part.get("items")).collect();
            for (index, item) in items.iter().enumerate() {
                walk(&below, item, format!("{at}/{index}"), fields);
            }
        }
        _ => {}
    }
}

/// The schemas without references and choices that apply to a value.
fn expand<'s>(schema: &'s Value, value: &Value, parts: &mut Vec<&'s Value>) {
    parts.push(schema);
    if let Some(target) = schema.get("$ref") {
        let name = target.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
        expand(component(name), value, parts);
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        expand(all, value, parts);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        if validator(one).is_valid(value) {
            expand(one, value, parts);
        }
    }
}

fn says(part: &Value) -> bool {
    ["type", "enum", "properties", "items", "additionalProperties"].iter().any(|key| part.get(key).is_some())
}

fn required(part: &Value, name: &str) -> bool {
    part["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name))
}

fn without(value: &Value, pointer: &str) -> Value {
    let mut other = value.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = other.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(&name.replace("~1", "/").replace("~0", "~")).unwrap();
    other
}

/// The words a schema of an enum has, each as it is written: plain, or as the value of `tag`.
pub(crate) fn words(name: &str, tag: &str) -> Vec<String> {
    let schema = component(name);
    let of = |schema: &Value| -> Vec<String> {
        let own = schema["enum"].as_array().into_iter().flatten();
        let tagged = schema["properties"][tag]["enum"].as_array().into_iter().flatten();
        own.chain(tagged).map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut words = of(schema);
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        words.extend(of(one));
        words.extend(one["allOf"].as_array().into_iter().flatten().flat_map(of));
    }
    words.sort();
    words
}

/// An object with these members.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// The guard itself: it notices a field that no schema has, one that is missing, and one that may be anything.
#[test]
fn a_value_that_is_not_as_its_schema_says_is_noticed() {
    let refused = |value: Value| std::panic::catch_unwind(|| held_as("AuditHead", &value)).is_err();
    let hash = "0".repeat(64);
    assert!(!refused(json!({ "seq": 1, "hash": hash })));
    assert!(refused(json!({ "seq": 1 })));
    assert!(refused(json!({ "seq": -1, "hash": hash })));
    assert!(refused(json!({ "seq": 1, "hash": "0" })));
    assert!(refused(json!({ "seq": 1, "hash": hash, "more": 1 })));
    let refused = |value: Value| std::panic::catch_unwind(|| held_as("OrgPause", &value)).is_err();
    assert!(!refused(json!({ "reason": "x", "until": "2026-01-01T00:00:00.000000Z" })));
    assert!(refused(json!({ "reason": "x", "until": "tomorrow" })), "formats count");
    assert!(refused(json!({ "reason": "x", "until": "2026-01-01T00:00:00.000000Z", "more": 1 })));
}

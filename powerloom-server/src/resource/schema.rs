//! The OpenAPI description of a collection, made of its kind's table of fields: what is checked is what is described.

mod form;

use crate::resource::view::reference_name;
use crate::resource::wire::{Collection, Written};
use form::form;
use powerloom_core::resource::catalogue::Catalogue;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{Home, Kind};
use serde_json::{Map, Value, json};

/// The components of a collection: what is shown, what creates one, what changes one.
pub(crate) fn components(of: &Collection, catalogue: &Catalogue) -> Vec<(String, Value)> {
    let Ok(kind) = catalogue.kind(&of.kind) else { return Vec::new() };
    let mut components = vec![
        (of.name.to_owned(), shown(of, kind.as_ref())),
        (format!("{}Page", of.name), page(of)),
        (format!("{}Create", of.name), create(of, kind.as_ref())),
    ];
    if of.patch {
        components.push((format!("{}Patch", of.name), patch(of, kind.as_ref())));
    }
    components
}

fn page(of: &Collection) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{}", of.name) } },
            "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins." },
        },
    })
}

/// Properties every shown resource has.
fn metadata(of: &Collection) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut add = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
    add("id", json!({ "type": "string", "format": "uuid" }));
    add("kind", json!({ "const": of.kind }));
    add("name", json!({ "type": "string" }));
    add("ou_id", json!({ "type": "string", "format": "uuid", "description": "The OU that governs it." }));
    add("ou_path", json!({ "type": ["string", "null"], "description": "That OU's path." }));
    add(
        "version",
        json!({ "type": "integer", "minimum": 1, "description": "Raised by every write; its ETag." }),
    );
    add("generation", json!({ "type": "integer", "minimum": 0 }));
    add("stage", json!({ "enum": ["live", "archiving", "archived"] }));
    add("labels", json!({ "type": "object", "additionalProperties": { "type": "string" } }));
    add("created_at", json!({ "type": "string", "format": "date-time" }));
    add("updated_at", json!({ "type": "string", "format": "date-time" }));
    properties
}

fn shown(of: &Collection, kind: &dyn Kind) -> Value {
    let mut properties = metadata(of);
    let required: Vec<String> = properties.keys().cloned().collect();
    if of.kind.as_str() == "OU" {
        properties
            .insert("path".into(), json!({ "type": ["string", "null"], "description": "Its own path." }));
    }
    if of.kind.as_str() == "Agent" {
        let description =
            "The runtime's id of it; null until it has been pushed. Absent without `sync:read`.";
        properties
            .insert("cma_agent_id".into(), json!({ "type": ["string", "null"], "description": description }));
    }
    for field in kind.fields() {
        let (name, schema) = written(of, field);
        properties.insert(name, nullable(schema));
        if field.form == Form::Principal {
            let description = "The same principal as people write it; null if it is gone.";
            let schema = json!({ "type": ["string", "null"], "description": description });
            properties.insert(reference_name(field.name), schema);
        }
    }
    let status = json!({ "description": "What the control plane adds.", "type": ["object", "null"] });
    properties.insert("status".into(), status);
    if kind.on_runtime() {
        properties.insert("sync".into(), json!({ "$ref": "#/components/schemas/ResourceSync" }));
    }
    let warnings = "What speaks against the change just made: policies of mode `warn`.";
    properties.insert(
        "warnings".into(),
        json!({ "type": "array", "items": { "type": "string" }, "description": warnings }),
    );
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn create(of: &Collection, kind: &dyn Kind) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    match kind.home() {
        Home::Named => {
            properties.insert("name".into(), name());
            properties.insert("ou_id".into(), ou());
            required.extend(["name".to_owned(), "ou_id".to_owned()]);
        }
        Home::InOu | Home::Global => {
            properties.insert("ou_id".into(), ou());
            required.push("ou_id".to_owned());
        }
        Home::Derived => {}
    }
    properties.insert("labels".into(), labels());
    let mut either = Vec::new();
    for field in kind.fields() {
        let (name, schema) = written(of, field);
        if field.form == Form::Principal {
            let reference = reference_name(field.name);
            if field.required {
                either.push(json!({ "oneOf": [{ "required": [&name] }, { "required": [&reference] }] }));
            }
            properties.insert(reference, principal_reference());
            properties.insert(name, schema);
        } else if field.required {
            required.push(name.clone());
            properties.insert(name, schema);
        } else {
            properties.insert(name, nullable(schema));
        }
    }
    let mut schema = json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false });
    if let (Some(schema), false) = (schema.as_object_mut(), either.is_empty()) {
        schema.insert("allOf".into(), either.into());
    }
    schema
}

fn patch(of: &Collection, kind: &dyn Kind) -> Value {
    let mut properties = Map::new();
    properties.insert("labels".into(), labels());
    let mut either = Vec::new();
    for field in kind.fields().iter().filter(|field| !field.immutable) {
        let (name, schema) = written(of, field);
        if field.form == Form::Principal {
            either.push(json!({ "not": { "required": [&name, reference_name(field.name)] } }));
            properties.insert(reference_name(field.name), principal_reference());
        }
        properties.insert(name, if field.required { schema } else { nullable(schema) });
    }
    let description = "Absent fields stay as they are, `null` clears.";
    let mut schema = json!({
        "type": "object", "properties": properties, "additionalProperties": false, "description": description,
    });
    if let (Some(schema), false) = (schema.as_object_mut(), either.is_empty()) {
        schema.insert("allOf".into(), either.into());
    }
    schema
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9][a-z0-9-]*$" })
}

fn ou() -> Value {
    json!({ "type": "string", "format": "uuid", "description": "The OU it will live in." })
}

fn labels() -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": 16,
        "propertyNames": { "pattern": "^[a-z][a-z0-9_./-]{0,62}$" },
        "additionalProperties": { "type": "string", "maxLength": 255, "pattern": form::PLAIN },
    })
}

fn principal_reference() -> Value {
    json!({
        "type": "string",
        "description": "A principal as people write it: `user:<email>`, `group:<path>`, `agent:<path>`, `service:<name>`.",
        "pattern": "^(user:[a-z0-9]{1,20}@[a-z0-9]{1,20}[.]com|group:(/[a-z0-9]{1,20}){2,4}|agent:(/[a-z0-9]{1,20}){2,4}|ou:(/[a-z0-9]{1,20}){1,4})$",
        "examples": ["user:ada@acme.com"],
    })
}

/// Lets a schema be `null` too.
fn nullable(schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(word)) => {
            let word = word.clone();
            let mut schema = schema;
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("type".into(), json!([word, "null"]));
                if let Some(Value::Array(words)) = fields.get_mut("enum") {
                    words.push(Value::Null);
                }
            }
            schema
        }
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// A field's name over REST and what it holds there.
fn written(of: &Collection, field: &Field) -> (String, Value) {
    match of.renamed.iter().find(|renamed| renamed.spec == field.spec) {
        None => (field.spec.to_owned(), form(field)),
        Some(to) if to.written == Written::OwnerId => (
            to.wire.to_owned(),
            json!({ "type": "string", "format": "uuid", "description": "A user or a group." }),
        ),
        Some(to) => (to.wire.to_owned(), form(field)),
    }
}

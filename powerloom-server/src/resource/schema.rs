//! The OpenAPI description of a collection, made of its kind's table of fields: what is checked is what is described.

pub(crate) mod form;

use crate::page::NEXT_CURSOR;
use crate::resource::schema::form::{NAME, PLAIN, uuid};
use crate::resource::view::reference_name;
use crate::resource::wire::{COLLECTIONS, Collection, SKILL_VERSIONS, Written, plain_name};
use powerloom_core::digest::Digest;
use powerloom_core::labels::{MAX_LABELS, MAX_VALUE};
use powerloom_core::record::Schema;
use powerloom_core::resource::catalogue::Catalogue;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::group::GroupMembership;
use powerloom_core::resource::kind::{Home, Kind};
use serde_json::{Map, Value, json};

/// The components of a collection: what is shown, what creates one, what changes one.
pub(crate) fn components(of: &Collection, catalogue: &Catalogue) -> Vec<(String, Value)> {
    let Ok(kind) = catalogue.kind(&of.kind) else { return Vec::new() };
    let mut components = vec![
        (of.name.to_owned(), shown(of, kind.as_ref())),
        (format!("{}Page", of.name), page(of.name)),
        (format!("{}Create", of.name), create(of, kind.as_ref())),
    ];
    if of.patch {
        components.push((format!("{}Patch", of.name), patch(of, kind.as_ref())));
    }
    components
}

/// What no collection of the table describes: skill versions, and resources of any kind.
pub(crate) fn others(catalogue: &Catalogue) -> Map<String, Value> {
    let mut version = metadata(json!({ "const": SKILL_VERSIONS.kind }));
    let required: Vec<String> = version.keys().cloned().collect();
    version.insert("skill_id".into(), uuid());
    let before = "The version before it.";
    version.insert(
        "previous_version_id".into(),
        json!({ "type": ["string", "null"], "format": "uuid", "description": before }),
    );
    version.insert("number".into(), json!({ "type": "integer", "minimum": 1 }));
    version.insert("content_hash".into(), form::stated::<Digest>());
    version.insert(
        "files".into(),
        json!({ "type": "array", "items": { "$ref": "#/components/schemas/SkillFile" } }),
    );
    version.insert("sync".into(), json!({ "$ref": "#/components/schemas/ResourceSync" }));
    version.insert("warnings".into(), warnings());
    let file = json!({
        "type": "object",
        "required": ["path", "executable", "size", "digest"],
        "additionalProperties": false,
        "properties": {
            "path": { "type": "string" },
            "executable": { "type": "boolean" },
            "size": { "type": "integer", "minimum": 0, "description": "In bytes." },
            "digest": form::stated::<Digest>(),
        },
    });
    let mut member = COLLECTIONS
        .iter()
        .find(|of| of.kind == GroupMembership::KIND)
        .and_then(|of| Some(create(of, catalogue.kind(&of.kind).ok()?.as_ref())))
        .unwrap_or_default();
    // The path names the group.
    if let Some(fields) = member.get_mut("properties").and_then(Value::as_object_mut) {
        fields.remove("group_id");
    }
    if let Some(required) = member.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "group_id");
    }
    let any = metadata(json!({ "type": "string" }));
    let always: Vec<String> = any.keys().cloned().collect();
    Map::from_iter([
        ("GroupMember".to_owned(), member),
        ("SkillFile".to_owned(), file),
        ("SkillVersion".to_owned(), object(required, version)),
        ("SkillVersionPage".to_owned(), page("SkillVersion")),
        (
            "Resource".to_owned(),
            json!({
                "type": "object", "required": always, "properties": any,
                "description": "A resource of any kind: beside this, the fields of its spec, which `GET /kinds` describes.",
            }),
        ),
        ("ResourcePage".to_owned(), page("Resource")),
        (
            "ResourceFields".to_owned(),
            json!({
                "type": "object",
                "description": "`name`, `ou_id` and `labels`, where the kind has them, and the fields of its spec: see `GET /kinds`.",
            }),
        ),
    ])
}

fn object(required: Vec<String>, properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "additionalProperties": false,
        "properties": {
            "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } },
            "next_cursor": { "type": ["string", "null"], "description": NEXT_CURSOR },
        },
    })
}

fn warnings() -> Value {
    let description = "What speaks against the change just made: policies of mode `warn`.";
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

/// Properties every shown resource has.
fn metadata(kind: Value) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut add = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
    add("id", uuid());
    add("kind", kind);
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
    let mut properties = metadata(json!({ "const": of.kind }));
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
        let (name, schema) = written(of, field, form::shown(field));
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
    properties.insert("warnings".into(), warnings());
    object(required, properties)
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
        let (name, schema) = written(of, field, form::given(&of.kind, field));
        if field.form == Form::Principal {
            let reference = reference_name(field.name);
            let (one, other) = (said(&name), said(&reference));
            either.push(match field.required {
                true => json!({ "oneOf": [one, other] }),
                false => json!({ "not": { "allOf": [one, other] } }),
            });
            properties.insert(reference, nullable(form::given_reference(&of.kind, field)));
            properties.insert(name, nullable(schema));
        } else if field.required {
            required.push(name.clone());
            properties.insert(name, schema);
        } else {
            properties.insert(name, nullable(schema));
        }
    }
    if of.kind.as_str() == "ApprovalPolicy" {
        either.push(asks_nobody());
    }
    also(object(required, properties), either)
}

/// A field that is there and not `null`: in what creates something, `null` says nothing.
fn said(field: &str) -> Value {
    json!({ "required": [field], "properties": { field: { "type": "string" } } })
}

/// Adds what holds across fields.
fn also(mut schema: Value, rules: Vec<Value>) -> Value {
    if let (Some(schema), false) = (schema.as_object_mut(), rules.is_empty()) {
        schema.insert("allOf".into(), rules.into());
    }
    schema
}

/// A policy has approvers if its mode asks somebody, and only then.
fn asks_nobody() -> Value {
    json!({
        "if": {
            "required": ["mode"], "properties": { "mode": { "enum": ["require_justification", "warn"] } },
        },
        "then": { "properties": { "approvers": { "maxItems": 0 } } },
        "else": { "required": ["approvers"], "properties": { "approvers": { "type": "array", "minItems": 1 } } },
    })
}

fn patch(of: &Collection, kind: &dyn Kind) -> Value {
    let mut properties = Map::new();
    properties.insert("labels".into(), labels());
    let mut either = Vec::new();
    for field in kind.fields().iter().filter(|field| !field.immutable) {
        let (name, schema) = written(of, field, form::given(&of.kind, field));
        if field.form == Form::Principal {
            let reference = reference_name(field.name);
            either.push(json!({ "not": { "required": [&name, &reference] } }));
            properties.insert(reference, form::given_reference(&of.kind, field));
        }
        properties.insert(name, if field.required { schema } else { nullable(schema) });
    }
    let description = "Absent fields stay as they are, `null` clears.";
    let schema = json!({
        "type": "object", "properties": properties, "additionalProperties": false, "description": description,
    });
    also(schema, either)
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 63, "pattern": NAME })
}

fn ou() -> Value {
    json!({ "type": "string", "format": "uuid", "description": "The OU it will live in." })
}

fn labels() -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": MAX_LABELS,
        "propertyNames": { "pattern": "^[a-z][a-z0-9_./-]{0,62}$" },
        "additionalProperties": { "type": "string", "maxLength": MAX_VALUE, "pattern": PLAIN },
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
fn written(of: &Collection, field: &Field, form: Value) -> (String, Value) {
    match of.renamed.iter().find(|renamed| renamed.spec == field.spec) {
        None => (plain_name(field.spec).into_owned(), form),
        Some(to) if to.written == Written::OwnerId => (
            to.wire.to_owned(),
            json!({ "type": "string", "format": "uuid", "description": "A user or a group." }),
        ),
        Some(to) => (to.wire.to_owned(), form),
    }
}

//! Operations of the collections, and what is the same in every operation.

use crate::input::{IfMatchHeader, TermsHeaders};
use crate::page::NEXT_CURSOR;
use crate::resource::wire::{COLLECTIONS, Collection};
use powerloom_core::reconcile::state::SyncStatus;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::Parameter;

/// The refusals any governed operation may answer with: their status and what it means.
const REFUSALS: [(&str, &str); 13] = [
    ("400", "The request can never be accepted: the field, its value and what is allowed are named."),
    ("401", "No bearer, or not a good one."),
    ("403", "The caller may not; the permission and the OU are named."),
    ("404", "Nothing of that id exists in the caller's organization."),
    ("405", "The method is not allowed here."),
    ("409", "The state does not allow it now."),
    ("412", "The resource has another version than `If-Match` says."),
    ("413", "The body is too long."),
    ("415", "The body is not JSON."),
    ("422", "The manifests cannot be used: each fault with its place."),
    ("429", "Too many requests of this principal, or too many tokens or tickets that are not good."),
    ("500", "Something is broken here."),
    ("503", "The store or the runtime cannot be asked now, or it took too long."),
];

/// Those an anonymous operation may answer with.
const ANONYMOUS: [&str; 5] = ["400", "404", "405", "500", "503"];

/// Those an operation may answer with besides that a ticket opens: what is wrong with a bearer it was given instead.
const TICKETED: [&str; 3] = ["401", "403", "429"];

/// Adds to an operation what every operation has.
pub(crate) fn complete(operation: &mut Value, anonymous: bool) {
    let Some(operation) = operation.as_object_mut() else { return };
    // One that says itself what opens it is behind no bearer either.
    let ticketed = operation.contains_key("security");
    let may =
        |status: &str| !anonymous || ANONYMOUS.contains(&status) || (ticketed && TICKETED.contains(&status));
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        for (status, description) in REFUSALS {
            if !responses.contains_key(status) && may(status) {
                responses.insert(status.to_owned(), refusal(description));
            }
        }
        // Described without a body: it has that of every refusal.
        for (_, refusal) in responses.iter_mut().filter(|(status, _)| status.starts_with('4')) {
            if let Some(refusal) = refusal.as_object_mut() {
                refusal.entry("content").or_insert_with(|| reference("ErrorEnvelope"));
            }
        }
    }
    if let Some(body) = operation.get_mut("requestBody").and_then(Value::as_object_mut) {
        // A body that is only referred to is derived without a word on whether it must be there.
        let referred = body
            .get("content")
            .and_then(|content| content.pointer("/application~1json/schema/$ref"))
            .is_some();
        if referred {
            body.entry("required").or_insert(Value::Bool(true));
        }
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        present_or_absent(parameter);
    }
    if anonymous && !ticketed {
        operation.insert("security".into(), json!([]));
    }
}

/// A change is answered in full to whoever may read what it is about; to others, it is only named.
pub(crate) fn may_show_less(paths: &mut Map<String, Value>) {
    let known = |name: &str| {
        matches!(name, "Resource" | "SkillVersion" | "SyncItem")
            || COLLECTIONS.iter().any(|of| of.name == name)
    };
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for (_, operation) in item.iter_mut().filter(|(method, _)| *method != "get") {
            for status in ["200", "201"] {
                let at = format!("/responses/{status}/content/application~1json/schema");
                let Some(schema) = operation.pointer_mut(&at) else { continue };
                let of = schema.get("$ref").and_then(Value::as_str);
                if of.and_then(|of| of.strip_prefix("#/components/schemas/")).is_some_and(known) {
                    let whole = schema.take();
                    *schema = json!({ "anyOf": [whole, { "$ref": "#/components/schemas/ResourceChanged" }] });
                }
            }
        }
    }
}

/// A parameter may be left out; it is never there and `null`.
fn present_or_absent(parameter: &mut Value) {
    let Some(of) = parameter.pointer_mut("/schema/type") else { return };
    if let Some([word]) = of.as_array_mut().map(|words| {
        words.retain(|word| word != "null");
        words.as_slice()
    }) {
        *of = word.clone();
    }
}

fn refusal(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/ErrorEnvelope" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

/// Schemas that no handler's type has.
pub(crate) fn shared_schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert(
        "ErrorEnvelope".into(),
        json!({
            "type": "object",
            "required": ["error"],
            "additionalProperties": false,
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["code", "message", "detail"],
                    "additionalProperties": false,
                    "properties": {
                        "code": { "type": "string", "description": "Stable; act on it.", "pattern": "^[a-z][a-z_]*$" },
                        "message": { "type": "string", "description": "For people." },
                        "detail": { "description": "What a program may want to know; by code." },
                    },
                },
            },
        }),
    );
    schemas.insert(
        "ResourceSync".into(),
        json!({
            "type": "object",
            "description": "Where it stands on the runtime. Absent without `sync:read`.",
            "required": ["status", "remote_id", "attempts", "last_error", "last_synced_at"],
            "properties": {
                "status": { "enum": SyncStatus::WORDS },
                "remote_id": { "type": ["string", "null"] },
                "attempts": { "type": "integer", "minimum": 0 },
                "last_error": { "type": ["string", "null"] },
                "last_synced_at": { "type": ["string", "null"], "format": "date-time" },
                "until": { "type": "string", "format": "date-time" },
                "reason": { "type": "string" },
                "on": { "type": "string" },
            },
            "additionalProperties": false,
        }),
    );
    schemas.insert(
        "ResourceChanged".into(),
        json!({
            "type": "object",
            "description": "What was changed, as it is told to whoever may change it but not read it.",
            "required": ["id", "kind", "name", "version"],
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "kind": { "type": "string" },
                "name": { "type": "string" },
                "version": { "type": "integer", "minimum": 1 },
                "warnings": { "type": "array", "items": { "type": "string" } },
            },
            "additionalProperties": false,
        }),
    );
    // The same with what it is about; where it stands is absent without `sync:read`.
    let mut item = schemas.get("ResourceSync").cloned().unwrap_or_default();
    if let Some(fields) = item.get_mut("properties").and_then(Value::as_object_mut) {
        let uuid = json!({ "type": "string", "format": "uuid" });
        fields.insert("kind".into(), json!({ "type": "string" }));
        fields.insert("id".into(), uuid.clone());
        fields.insert("name".into(), json!({ "type": "string" }));
        fields.insert("ou_id".into(), uuid);
        fields.insert("ou_path".into(), json!({ "type": ["string", "null"] }));
    }
    if let Some(item) = item.as_object_mut() {
        item.insert("required".into(), json!(["kind", "id", "name", "ou_id", "ou_path"]));
        item.insert("description".into(), json!("Where a resource stands on the runtime."));
    }
    schemas.insert("SyncItem".into(), item);
    schemas.insert(
        "SyncItemPage".into(),
        json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "additionalProperties": false,
            "properties": {
                "items": { "type": "array", "items": { "$ref": "#/components/schemas/SyncItem" } },
                "next_cursor": { "type": ["string", "null"], "description": NEXT_CURSOR },
            },
        }),
    );
    schemas
}

fn reference(name: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } })
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({ "in": "query", "name": name, "required": false, "schema": schema, "description": description })
}

fn header(name: &str, schema: Value, description: &str) -> Value {
    json!({ "in": "header", "name": name, "required": false, "schema": schema, "description": description })
}

/// The headers under whose terms a change is made.
pub(crate) fn terms() -> Vec<Value> {
    written(TermsHeaders::into_params(|| None))
}

fn if_match() -> Vec<Value> {
    written(IfMatchHeader::into_params(|| None))
}

fn written(parameters: Vec<Parameter>) -> Vec<Value> {
    parameters.into_iter().filter_map(|parameter| serde_json::to_value(parameter).ok()).collect()
}

fn responses(success: &str, description: &str, schema: Option<&str>) -> Map<String, Value> {
    let mut response = json!({ "description": description });
    if let (Some(response), Some(_)) =
        (response.as_object_mut(), schema.filter(|name| !name.ends_with("Page")))
    {
        let description = "The version and a digest of what is shown, for `If-Match` and `If-None-Match`.";
        let tag = json!({ "description": description, "schema": { "type": "string" } });
        response.insert("headers".into(), json!({ "ETag": tag }));
    }
    if let (Some(response), Some(schema)) = (response.as_object_mut(), schema) {
        response.insert("content".into(), reference(schema));
    }
    Map::from_iter([(success.to_owned(), response)])
}

fn changes(mut responses: Map<String, Value>) -> Map<String, Value> {
    let description = "It waits for approval.";
    let pending = json!({ "description": description, "content": reference("Pending") });
    responses.insert("202".into(), pending);
    responses
}

/// `GET` and `POST` of a collection.
pub(crate) fn many(of: &Collection) -> Value {
    let mut parameters = vec![
        query("ou_id", json!({ "type": "string", "format": "uuid" }), "Only those this OU governs itself."),
        query("name", json!({ "type": "string" }), "Only those of this name."),
        query("archived", json!({ "type": "boolean" }), "Archived ones too."),
        query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
            "At most this many: 100.",
        ),
        query("cursor", json!({ "type": "string" }), "`next_cursor` of the page before."),
    ];
    if of.by_agent {
        let uuid = json!({ "type": "string", "format": "uuid" });
        parameters.push(query("agent_id", uuid, "Only those of this agent."));
    }
    let mut created = changes(responses("201", "It was created.", Some(of.name)));
    created
        .insert("200".into(), json!({ "description": "It was so already.", "content": reference(of.name) }));
    if let Some(links) = created.get_mut("201").and_then(Value::as_object_mut) {
        let link = |operation: &str| json!({ "operationId": format!("{operation}{}", of.name), "parameters": { "id": "$response.body#/id" } });
        links.insert("links".into(), json!({ "get": link("get"), "archive": link("archive") }));
    }
    let tag = of.path.trim_start_matches('/');
    json!({
        "get": {
            "operationId": format!("list{}s", of.name),
            "tags": [tag],
            "summary": format!("List what the caller may read: every {}", of.noun),
            "parameters": parameters,
            "responses": responses("200", "A page, by name.", Some(&format!("{}Page", of.name))),
        },
        "post": {
            "operationId": format!("create{}", of.name),
            "tags": [tag],
            "summary": format!("Create: {}", of.noun),
            "parameters": terms(),
            "requestBody": { "required": true, "content": reference(&format!("{}Create", of.name)) },
            "responses": created,
        },
    })
}

/// `GET`, `PATCH` and `DELETE` of one.
pub(crate) fn one(of: &Collection) -> Value {
    let tag = of.path.trim_start_matches('/');
    let id = json!({
        "in": "path", "name": "id", "required": true, "schema": { "type": "string", "format": "uuid" },
    });
    let known = header(
        "if-none-match",
        json!({ "type": "string" }),
        "Answer 304 if the client has this already: the ETag of an answer.",
    );
    let mut read = responses("200", "The resource.", Some(of.name));
    read.insert("304".into(), json!({ "description": "The client has this already." }));
    let mut change = terms();
    change.push(id.clone());
    change.extend(if_match());
    let mut item = json!({
        "get": {
            "operationId": format!("get{}", of.name),
            "tags": [tag],
            "summary": format!("Read one: {}", of.noun),
            "parameters": [id, known],
            "responses": read,
        },
        "delete": {
            "operationId": format!("archive{}", of.name),
            "tags": [tag],
            "summary": format!("Archive one: {} (it stays in the audit trail)", of.noun),
            "parameters": change,
            "responses": changes(responses("204", "It is archived, or being archived.", None)),
        },
    });
    if let (Some(item), true) = (item.as_object_mut(), of.patch) {
        let patch = json!({
            "operationId": format!("update{}", of.name),
            "tags": [tag],
            "summary": format!("Change one: {}", of.noun),
            "parameters": change,
            "requestBody": { "required": true, "content": reference(&format!("{}Patch", of.name)) },
            "responses": changes(responses("200", "It is as wanted now.", Some(of.name))),
        });
        item.insert("patch".into(), patch);
    }
    item
}

//! What a field may hold, by its form.

use crate::approval::condition::MAX_CHARS;
use crate::door::mutation::Action;
use crate::labels::{MAX_LABELS, MAX_VALUE};
use crate::manifest::form::MAX_ITEMS;
use crate::pattern::{
    KIND, MAX_EMAIL, PLAIN, SLUG, email, label_key, ou_path, permissions, principal_ref, resource_path, whole,
};
use crate::record::KindName;
use crate::resource::approval_policy::{MAX_APPROVERS, MAX_KINDS};
use crate::resource::bounds::{MAX_TEXT, MAX_TEXTS, MAX_URL};
use crate::resource::field::{Field, Form};
use crate::role::BuiltinRole;
use serde_json::{Map, Value, json};

/// The forms that several fields have, by name.
pub(super) fn forms() -> Map<String, Value> {
    let reference = format!("({SLUG}|{})", resource_path());
    // A written path may end with `/`.
    let ou = format!("{}/?", ou_path());
    let roles: Vec<&str> =
        BuiltinRole::ALL.iter().flat_map(|role| [Some(role.name()), role.alias()]).flatten().collect();
    let role = format!("({}|{reference})", roles.join("|"));
    let approver = format!("(role:{role}|group:{}|user:{})", resource_path(), email());
    let forms = json!({
        "name": matching(SLUG, "A slug, such as `code-reviewer`."),
        "ou_path": matching(&ou, "The path of an OU, such as `/acme/engineering`."),
        "email": { "type": "string", "pattern": whole(&email()), "maxLength": MAX_EMAIL, "description": "An e-mail address." },
        "principal": matching(
            &principal_ref(),
            "`user:<email>`, `group:<path>`, `ou:<path>`, `agent:<path>` or `service:<name>`.",
        ),
        "reference": matching(
            &reference,
            "A name, looked up from the OU upwards, or `<ou_path>/<name>`.",
        ),
        "role": {
            "description": "A built-in role, or a custom one by name or path.",
            "anyOf": [{ "enum": roles }, matching(&reference, "A custom role.")],
        },
        "approver": matching(&approver, "`role:<name or path>`, `group:<path>` or `user:<email>`."),
        "permission": {
            "description": "One permission, all of a resource, or all there are.",
            "enum": permissions(),
        },
        "skill": {
            "description": "A skill that is followed to its newest version, or one with the number of a version.",
            "anyOf": [
                { "$ref": "#/$defs/reference" },
                {
                    "type": "object",
                    "required": ["skill"],
                    "properties": {
                        "skill": { "$ref": "#/$defs/reference" },
                        "version": { "type": "integer", "minimum": 1 },
                    },
                    "additionalProperties": false,
                },
            ],
        },
        "labels": {
            "description": "All the labels it is to have. No decision about permissions depends on one.",
            "type": ["object", "null"],
            "propertyNames": { "pattern": whole(&label_key()) },
            "additionalProperties": { "type": "string", "maxLength": MAX_VALUE, "pattern": whole(PLAIN) },
            "maxProperties": MAX_LABELS,
        },
    });
    match forms {
        Value::Object(forms) => forms,
        _ => Map::new(),
    }
}

/// One field, with what an author should know of it.
pub(super) fn field(field: &Field) -> Value {
    let mut schema = of(&field.form);
    if !field.required {
        schema = or_null(schema);
    }
    let mut words = vec![words(&field.form)];
    if field.required {
        words.push("It must be there when the resource is created.".to_owned());
    }
    if field.immutable {
        words.push("It cannot change afterwards: another value replaces the resource.".to_owned());
    }
    words.retain(|sentence| !sentence.is_empty());
    if !words.is_empty() {
        schema = with(schema, "description", json!(words.join(" ")));
    }
    schema
}

/// The same schema with one more keyword.
pub(super) fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        members.insert(keyword.to_owned(), value);
    }
    schema
}

fn of(form: &Form) -> Value {
    match form {
        Form::Text { min, max } => {
            json!({ "type": "string", "minLength": min, "maxLength": max, "pattern": whole(PLAIN) })
        }
        Form::Choice(words) => json!({ "enum": words }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Url => json!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?:", "maxLength": MAX_URL }),
        Form::Email => shared("email"),
        Form::Principal => shared("principal"),
        Form::Role => shared("role"),
        Form::OuPath => shared("ou_path"),
        Form::Reference(kind) => reference(kind),
        Form::References(kind) => list(reference(kind), MAX_ITEMS),
        Form::Skills => list(shared("skill"), MAX_ITEMS),
        Form::Permissions => list(shared("permission"), MAX_ITEMS),
        Form::Approvers => list(shared("approver"), MAX_APPROVERS as usize),
        Form::Texts => texts(),
        Form::TextLists => {
            json!({ "type": "object", "additionalProperties": texts(), "maxProperties": MAX_ITEMS })
        }
        Form::PolicyMatch => policy_match(),
        Form::Object => json!({ "type": "object" }),
    }
}

/// What the form asks for, where the schema itself does not say it to a person.
fn words(form: &Form) -> String {
    match form {
        Form::Text { min, max } => format!("Text of {min} to {max} characters."),
        Form::Integer { min, max } => format!("A whole number from {min} to {max}."),
        Form::Time => "An RFC 3339 time such as `2030-01-01T00:00:00Z`.".to_owned(),
        Form::Url => "An absolute `http` or `https` URL without user and password.".to_owned(),
        Form::Email => "An e-mail address.".to_owned(),
        Form::Principal => {
            "`user:<email>`, `group:<path>`, `ou:<path>`, `agent:<path>` or `service:<name>`.".to_owned()
        }
        Form::Role => "A built-in role, or a custom one by name or path.".to_owned(),
        Form::OuPath => "The path of an OU.".to_owned(),
        Form::Reference(kind) => format!("A {kind}, by name or path."),
        Form::References(kind) => format!("The complete list, each a {kind} by name or path."),
        Form::Skills => "The complete list, each a skill by name or path, or `{skill, version}`.".to_owned(),
        Form::Permissions => "The complete list of permissions and patterns.".to_owned(),
        Form::Approvers => "The complete list of who may agree.".to_owned(),
        Form::PolicyMatch => "Which changes it is about; what is left out narrows nothing.".to_owned(),
        Form::Choice(_) | Form::Flag | Form::Texts | Form::TextLists | Form::Object => String::new(),
    }
}

fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// How the reader names one of a kind.
fn reference(kind: &KindName) -> Value {
    shared(match kind.as_str() {
        "OU" => "ou_path",
        "User" => "email",
        _ => "reference",
    })
}

fn matching(pattern: &str, about: &str) -> Value {
    json!({ "type": "string", "pattern": whole(pattern), "description": about })
}

fn list(items: Value, most: usize) -> Value {
    json!({ "type": "array", "items": items, "maxItems": most })
}

fn texts() -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": whole(PLAIN) });
    list(text, MAX_TEXTS)
}

fn policy_match() -> Value {
    json!({
        "type": "object",
        "properties": {
            "resource_kinds": or_null(list(matching(KIND, "A kind, such as `Agent`."), MAX_KINDS)),
            "actions": or_null(list(json!({ "enum": Action::WORDS }), Action::WORDS.len())),
            "ou_depth": or_null(json!({ "enum": ["subtree", "exact"] })),
            "condition": or_null(json!({ "type": "string", "maxLength": MAX_CHARS })),
        },
        "additionalProperties": false,
    })
}

/// `null` clears a field.
fn or_null(mut schema: Value) -> Value {
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
        return schema;
    }
    match schema.get("type") {
        Some(Value::String(known)) => {
            let types = json!([known, "null"]);
            with(schema, "type", types)
        }
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

//! What a field of a form holds over REST, as JSON Schema.

use powerloom_core::permission::Permission;
use powerloom_core::resource::agent::{MAX_MCP_SERVERS, MAX_SKILLS};
use powerloom_core::resource::approval_policy::MAX_APPROVERS;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::role::BuiltinRole;
use serde_json::{Value, json};

/// Text without control characters but tabs and line breaks.
pub(crate) const PLAIN: &str = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]*$";

/// An id that needs another word before it.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// What a field of this form holds over REST.
pub(crate) fn form(field: &Field) -> Value {
    match &field.form {
        Form::Text { min, max } if field.spec == "model" => {
            json!({ "type": "string", "minLength": min, "maxLength": max, "pattern": "^[!-~]+$" })
        }
        Form::Text { min, max } => {
            json!({ "type": "string", "minLength": min, "maxLength": max, "pattern": PLAIN })
        }
        Form::Choice(words) => json!({ "type": "string", "enum": words }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Url => json!({
            "type": "string", "format": "uri", "maxLength": 2048, "pattern": "^https?://[a-z0-9.-]+[a-z0-9](:[0-9]{2,4})?(/[!-~]*)?$",
        }),
        Form::Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
        Form::Principal => {
            json!({ "type": "string", "pattern": format!("^((user|group|ou|agent):{UUID}|service:[a-z0-9][a-z0-9-]{{0,62}})$") })
        }
        Form::Role => {
            let builtin: Vec<&str> = BuiltinRole::ALL.into_iter().map(BuiltinRole::name).collect();
            json!({
                "description": "A built-in role, or the id of a custom one.",
                "anyOf": [{ "type": "string", "enum": builtin }, uuid()],
            })
        }
        Form::OuPath => json!({ "type": "string" }),
        Form::Reference(_) => uuid(),
        Form::References(_) => {
            json!({ "type": "array", "maxItems": MAX_MCP_SERVERS, "uniqueItems": true, "items": uuid() })
        }
        Form::Skills => skills(),
        Form::Permissions => {
            json!({ "type": "array", "minItems": 1, "maxItems": 256, "items": permission_pattern() })
        }
        Form::Texts => json!({ "type": "array", "maxItems": 256, "items": text() }),
        Form::TextLists => json!({
            "type": "object", "additionalProperties": { "type": "array", "maxItems": 256, "items": text() },
        }),
        Form::PolicyMatch => json!({ "$ref": "#/components/schemas/PolicyMatch" }),
        Form::Approvers => approvers(),
        Form::Object => json!({ "type": "object" }),
    }
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1F\x7F-\x9F]*$" })
}

fn skills() -> Value {
    let pinned = json!({
        "type": "object", "required": ["pinned"], "additionalProperties": false, "properties": { "pinned": uuid() },
    });
    let version = json!({
        "description": "`current`, or one version for good.",
        "oneOf": [{ "const": "current" }, pinned],
    });
    json!({
        "type": "array",
        "maxItems": MAX_SKILLS,
        "items": {
            "type": "object",
            "required": ["skill"],
            "additionalProperties": false,
            "properties": { "skill": uuid(), "version": version },
        },
    })
}

fn permission_pattern() -> Value {
    let mut patterns = vec!["*:*".to_owned()];
    for permission in Permission::ALL {
        let all = format!("{}:*", permission.resource());
        if !patterns.contains(&all) {
            patterns.push(all);
        }
        patterns.push(permission.to_string());
    }
    json!({ "type": "string", "enum": patterns })
}

fn approvers() -> Value {
    let roles: Vec<&str> = BuiltinRole::ALL.into_iter().map(BuiltinRole::name).collect();
    let pattern = format!("^(role:({}|{UUID})|(group|user):{UUID})$", roles.join("|"));
    json!({
        "type": "array", "maxItems": MAX_APPROVERS, "uniqueItems": true,
        "items": { "type": "string", "pattern": pattern, "description": "`role:<role>`, `group:<id>` or `user:<id>`." },
    })
}

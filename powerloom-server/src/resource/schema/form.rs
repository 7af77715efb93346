//! What a field holds over REST: what is accepted, and what is shown.
//!
//! What is accepted is said as narrowly as a schema can say it: a body that fits is refused only for what other resources
//! say. Where the rule is no regular language, such as that of a URL, some of what fits the rule does not fit the schema.

use powerloom_core::authz::RoleRef;
use powerloom_core::principal::Principal;
use powerloom_core::record::KindName;
use powerloom_core::resource::agent::{MAX_MCP_SERVERS, MAX_SKILLS};
use powerloom_core::resource::approval_policy::{Approver, MAX_APPROVERS};
use powerloom_core::resource::field::{Field, Form};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

/// A name people choose.
pub(crate) const NAME: &str = "^[a-z0-9][a-z0-9-]{0,62}$";
/// Text without control characters but tabs and line breaks.
pub(crate) const PLAIN: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";
/// Text without any control character.
const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// A model id.
const MODEL: &str = r"^[^\s\x00-\x1f\x7f-\x9f]+$";
/// An e-mail address; letters beyond ASCII are accepted as well.
const EMAIL: &str = "[A-Za-z0-9.!#$%&'*+=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63}){0,2}";
/// A URL; internationalized hosts and IPv6 addresses are accepted as well.
const URL: &str = r"^https?://(?!([A-Za-z0-9-]+\.)*[Xx][Nn]--)(([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){0,8}[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?|((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))(:[1-9][0-9]{0,3})?([/?][A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?$";
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
const SLUG: &str = "[a-z0-9][a-z0-9-]{0,62}";

/// What a field of a kind accepts.
pub(crate) fn given(kind: &KindName, field: &Field) -> Value {
    match &field.form {
        Form::Text { min, max } => {
            let pattern = if (kind.as_str(), field.spec) == ("Agent", "model") { MODEL } else { PLAIN };
            json!({ "type": "string", "minLength": min, "maxLength": max, "pattern": pattern })
        }
        Form::Url => json!({
            "type": "string", "maxLength": 2048, "pattern": URL,
            "description": "An absolute `http` or `https` URL without user and password.",
        }),
        Form::Email => json!({
            "type": "string", "maxLength": 254, "pattern": format!("^{EMAIL}$"),
            "description": "An e-mail address; two spellings but for case are one.",
        }),
        Form::Principal => {
            let pattern = each_principal(kind, field, |word| match word {
                "service" => format!("service:{SLUG}"),
                word => format!("{word}:{UUID}"),
            });
            json!({ "type": "string", "pattern": pattern })
        }
        Form::References(_) => {
            let most = if field.spec == "mcp_servers" { MAX_MCP_SERVERS } else { 1000 };
            json!({ "type": "array", "maxItems": most, "uniqueItems": true, "items": uuid() })
        }
        Form::Skills => {
            json!({ "type": "array", "maxItems": MAX_SKILLS, "uniqueItems": true, "items": skill() })
        }
        Form::Permissions if kind.as_str() == "Role" => json!({
            "type": "array", "minItems": 1, "maxItems": 256, "items": component("PermissionPattern"),
        }),
        Form::Approvers => {
            json!({ "type": "array", "maxItems": MAX_APPROVERS, "uniqueItems": true, "items": stated::<Approver>() })
        }
        Form::Texts if field.spec == "allowed_hosts" => {
            let host = json!({ "type": "string", "maxLength": 255, "pattern": r"^(\*\.)?[A-Za-z0-9._-]+$" });
            json!({ "type": "array", "maxItems": 64, "items": host })
        }
        Form::Texts => texts(),
        Form::TextLists => json!({ "type": "object", "additionalProperties": texts() }),
        Form::Object => json!({
            "type": "object",
            "additionalProperties": component("Setting"),
            "description": "No secret in the clear: a setting whose name ends in `_secret` names one.",
        }),
        _ => shown(field),
    }
}

/// The written form of a principal that a field accepts.
pub(crate) fn given_reference(kind: &KindName, field: &Field) -> Value {
    let pattern = each_principal(kind, field, |word| match word {
        "user" => format!("user:{EMAIL}"),
        "ou" => format!("ou:(/{SLUG}){{1,32}}"),
        "service" => format!("service:{SLUG}"),
        word => format!("{word}:(/{SLUG}){{2,33}}"),
    });
    json!({
        "type": "string", "maxLength": 1024, "pattern": pattern, "examples": ["user:ada@acme.com"],
        "description": "A principal as people write it.",
    })
}

/// The kinds of principals a field accepts, as one pattern.
fn each_principal(kind: &KindName, field: &Field, pattern: impl Fn(&str) -> String) -> String {
    let words: &[&str] = match (kind.as_str(), field.spec) {
        ("Agent", "owner") => &["user", "group"],
        ("GroupMembership", "member") => &["user", "group", "agent", "service"],
        _ => &["user", "group", "ou", "agent", "service"],
    };
    let patterns: Vec<String> = words.iter().map(|word| pattern(word)).collect();
    format!("^({})$", patterns.join("|"))
}

/// What a field shows.
pub(crate) fn shown(field: &Field) -> Value {
    match &field.form {
        Form::Text { .. } | Form::OuPath => json!({ "type": "string" }),
        Form::Choice(words) => json!({ "type": "string", "enum": words }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Url => json!({ "type": "string", "format": "uri" }),
        Form::Email => json!({ "type": "string", "description": "In lower case." }),
        Form::Principal => stated::<Principal>(),
        Form::Role => stated::<RoleRef>(),
        Form::Reference(_) => uuid(),
        Form::References(_) => json!({ "type": "array", "items": uuid() }),
        Form::Skills => json!({ "type": "array", "items": skill() }),
        Form::Permissions => json!({ "type": "array", "items": component("PermissionPattern") }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::TextLists => json!({
            "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } },
        }),
        Form::PolicyMatch => component("PolicyMatch"),
        Form::Approvers => json!({ "type": "array", "items": stated::<Approver>() }),
        Form::Object => json!({ "type": "object" }),
    }
}

/// What a field holds, in words.
pub(crate) fn in_words(field: &Field) -> String {
    match &field.form {
        Form::Text { min, max } => format!("text of {min} to {max} characters"),
        Form::Choice(words) => format!("one of {}", words.join(", ")),
        Form::Flag => "`true` or `false`".to_owned(),
        Form::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Form::Time => "an RFC 3339 time".to_owned(),
        Form::Url => "an absolute `http` or `https` URL".to_owned(),
        Form::Email => "an e-mail address".to_owned(),
        Form::Principal => "a principal, such as `user:<id>`".to_owned(),
        Form::Role => "a built-in role by name, or `role:<id>`".to_owned(),
        Form::OuPath => "the path of an OU".to_owned(),
        Form::Reference(kind) => format!("the id of a resource of the kind `{kind}`"),
        Form::References(kind) => format!("a list of ids of resources of the kind `{kind}`"),
        Form::Skills => "a list of skills, each with the version the agent has".to_owned(),
        Form::Permissions => "a list of permissions or patterns of them".to_owned(),
        Form::Texts => "a list of texts".to_owned(),
        Form::TextLists => "lists of texts by name".to_owned(),
        Form::PolicyMatch => "which changes a policy is about".to_owned(),
        Form::Approvers => "a list of `role:<role>`, `group:<id>`, `user:<id>`".to_owned(),
        Form::Object => "a JSON object".to_owned(),
    }
}

/// Components that forms refer to.
pub(crate) fn components() -> Map<String, Value> {
    let setting = |below: Value| {
        // An integer beyond this has no exact form in JSON, and so no hash.
        let most = 9_007_199_254_740_991_i64;
        json!({ "anyOf": [
            { "type": ["null", "boolean", "string"] },
            { "type": "number", "minimum": -most, "maximum": most },
            { "type": "array", "items": below },
            { "type": "object", "additionalProperties": below },
        ] })
    };
    Map::from_iter([
        ("PermissionPattern".to_owned(), stated::<powerloom_core::permission::PermissionPattern>()),
        ("Setting".to_owned(), setting(component("NestedSetting"))),
        ("NestedSetting".to_owned(), setting(json!({}))),
        ("PolicyMatch".to_owned(), policy_match()),
    ])
}

fn policy_match() -> Value {
    json!({
        "type": "object",
        "description": "Which changes a policy is about; what is left out narrows nothing.",
        "additionalProperties": false,
        "properties": {
            "resource_kinds": { "type": "array", "maxItems": 64, "items": stated::<KindName>() },
            "actions": {
                "type": "array",
                "maxItems": powerloom_core::door::mutation::Action::WORDS.len(),
                "items": { "type": "string", "enum": powerloom_core::door::mutation::Action::WORDS },
            },
            "ou_depth": { "type": "string", "enum": ["subtree", "exact"] },
            "condition": {
                "type": ["string", "null"], "minLength": 1, "maxLength": 4096, "format": "cel",
                "description": "A CEL expression that must hold of the change.",
            },
        },
    })
}

/// The schema the core states of one of its types.
pub(crate) fn stated<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap_or_default()
}

pub(crate) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn component(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn texts() -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": ONE_LINE });
    json!({ "type": "array", "maxItems": 256, "items": text })
}

fn skill() -> Value {
    json!({
        "type": "object",
        "required": ["skill"],
        "additionalProperties": false,
        "properties": {
            "skill": uuid(),
            "version": {
                "description": "`current`, or one version for good.",
                "oneOf": [
                    { "const": "current" },
                    {
                        "type": "object", "required": ["pinned"], "additionalProperties": false,
                        "properties": { "pinned": uuid() },
                    },
                ],
            },
        },
    })
}

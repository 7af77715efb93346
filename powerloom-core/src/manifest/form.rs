//! Checks what a field holds against its form, item by item, and brings it into one spelling.

use crate::clock::Timestamp;
use crate::invalid::Invalid;
use crate::manifest::node::{Content, Entry, Node};
use crate::name::{Email, Name};
use crate::ou_path::{OuPath, ResourcePath};
use crate::permission::PermissionPattern;
use crate::principal::PrincipalRef;
use crate::resource::bounds::check_form;
use crate::resource::field::{Field, Form};
use crate::role::BuiltinRole;
use serde_json::{Map, Value, json};

/// Most items of a list or mapping that is not free-form.
pub(crate) const MAX_ITEMS: usize = 1000;

/// What is wrong with a value: the node and the refusal; the refusal's field is relative to the value.
pub(crate) type Refusals<'n> = Vec<(&'n Node, Invalid)>;

/// The value of `node` in the one spelling of its form. `null` is left to the caller.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read<'n>(field: &Field, node: &'n Node) -> Result<Value, Refusals<'n>> {
    match &field.form {
        Form::Text { .. } | Form::Url | Form::Flag | Form::Integer { .. } | Form::Choice(_) => {
            let value = node.to_json();
            if matches!(node.content, Content::List(_) | Content::Map(_)) || mistyped_text(&field.form, node)
            {
                return Err(refuse(node, expected(&field.form)));
            }
            match check_form(field, &value) {
                Ok(()) => Ok(value),
                Err(invalid) if matches!(field.form, Form::Choice(_)) => Err(refuse(node, invalid.allowed)),
                Err(invalid) => Err(vec![(node, Invalid { field: String::new(), ..invalid })]),
            }
        }
        Form::Time => one(node, |text| text.parse::<Timestamp>().map(|time| time.to_string())),
        Form::Email => one(node, |text| text.parse::<Email>().map(String::from)),
        Form::Principal => one(node, |text| text.parse::<PrincipalRef>().map(String::from)),
        Form::OuPath => one(node, |text| text.parse::<OuPath>().map(String::from)),
        Form::Reference(kind) => one(node, |text| reference(text, kind.as_str())),
        Form::Role => one(node, role),
        Form::References(kind) => list(node, |item| one(item, |text| reference(text, kind.as_str()))),
        Form::Skills => list(node, skill),
        Form::Permissions => list(node, |item| {
            one(item, |text| text.parse::<PermissionPattern>().map(|pattern| pattern.to_string()))
        }),
        Form::Approvers => list(node, |item| one(item, approver)),
        Form::PolicyMatch => match check_form(field, &node.to_json()) {
            Ok(()) => Ok(node.to_json()),
            Err(invalid) => Err(vec![within(field, node, invalid)]),
        },
        Form::Texts => list(node, text),
        Form::TextLists => mapping(node, |entry| list(&entry.value, text)),
        Form::Object => match &node.content {
            Content::Map(_) => Ok(node.to_json()),
            // What stands there instead may be a secret.
            _ => Err(vec![(node, Invalid::hidden("", "a mapping"))]),
        },
    }
}

/// The core schema reads `123` and `true` as what they are; text that looks like them needs quotes.
fn mistyped_text(form: &Form, node: &Node) -> bool {
    matches!(form, Form::Text { .. } | Form::Url | Form::Choice(_)) && node.text().is_none()
}

fn expected(form: &Form) -> String {
    match form {
        Form::Choice(words) => format!("one of {}", words.join(", ")),
        Form::Flag => "`true` or `false`".to_owned(),
        Form::Integer { min, max } => format!("a whole number from {min} to {max}"),
        _ => "text (in quotes, if it looks like a number or a truth value)".to_owned(),
    }
}

fn refuse(node: &Node, allowed: impl Into<String>) -> Refusals<'_> {
    vec![(node, Invalid::new("", node.describe(), allowed))]
}

/// The refusal of a mapping's value, at the place of the entry that is wrong.
fn within<'n>(field: &Field, node: &'n Node, invalid: Invalid) -> (&'n Node, Invalid) {
    let rest = invalid.field.strip_prefix(field.spec).unwrap_or_default().trim_start_matches('.').to_owned();
    let key = rest.split(['.', '[']).next().unwrap_or_default();
    let entry = match &node.content {
        Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
        _ => None,
    };
    (entry.map_or(node, |entry| &entry.value), Invalid { field: rest, ..invalid })
}

fn text(node: &Node) -> Result<Value, Refusals<'_>> {
    one(node, |text| Ok(text.to_owned()))
}

fn one(node: &Node, parse: impl FnOnce(&str) -> Result<String, Invalid>) -> Result<Value, Refusals<'_>> {
    let Some(text) = node.text() else {
        return Err(refuse(node, "text (in quotes, if it looks like a number or a truth value)"));
    };
    match parse(text) {
        Ok(value) => Ok(Value::String(value)),
        Err(invalid) => Err(vec![(node, Invalid { field: String::new(), ..invalid })]),
    }
}

/// A bare name, or `<ou_path>/<name>` (rows P23, P64). An OU is named by its own path.
fn reference(text: &str, kind: &str) -> Result<String, Invalid> {
    if kind == "OU" {
        return text.parse::<OuPath>().map(String::from);
    }
    if kind == "User" {
        return text.parse::<Email>().map(String::from);
    }
    let known = if text.contains('/') {
        text.parse::<ResourcePath>().map(String::from)
    } else {
        text.parse::<Name>().map(String::from)
    };
    known.map_err(|_| Invalid::new("", text, "a name such as `python-lint`, or `<ou_path>/<name>`"))
}

/// A built-in role or one of its aliases; else a custom role by name or path.
fn role(text: &str) -> Result<String, Invalid> {
    match text.parse::<BuiltinRole>() {
        Ok(role) => Ok(role.to_string()),
        Err(unknown) => reference(text, "Role").map_err(|_| unknown),
    }
}

/// `role:<name or path>`, `group:<path>` or `user:<email>`.
fn approver(text: &str) -> Result<String, Invalid> {
    if let Some(name) = text.strip_prefix("role:") {
        return Ok(format!("role:{}", role(name)?));
    }
    match text.parse::<PrincipalRef>() {
        Ok(principal @ (PrincipalRef::User(_) | PrincipalRef::Group(_))) => Ok(principal.to_string()),
        _ => Err(Invalid::new("", text, "`role:<role>`, `group:<ou_path>/<name>` or `user:<email>`")),
    }
}

/// `name`, or `{skill: name, version: 3}`.
fn skill(node: &Node) -> Result<Value, Refusals<'_>> {
    let Content::Map(entries) = &node.content else {
        return one(node, |text| reference(text, "Skill"));
    };
    let mut refusals = Vec::new();
    let mut written = Map::new();
    for Entry { key, value, .. } in entries {
        let result = match key.as_str() {
            "skill" => one(value, |text| reference(text, "Skill")),
            "version" => match value.to_json().as_u64().filter(|number| *number > 0) {
                Some(number) => Ok(json!(number)),
                None => Err(refuse(value, "the number of a version, counted from 1")),
            },
            _ => Err(vec![(value, Invalid::new("", key, "the fields `skill` and `version`"))]),
        };
        match result {
            Ok(value) => {
                written.insert(key.clone(), value);
            }
            Err(more) => refusals.extend(more.into_iter().map(|(node, e)| (node, e.within(key)))),
        }
    }
    if refusals.is_empty() && !written.contains_key("skill") {
        refusals.push((node, Invalid::hidden("skill", "the name of a skill")));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    // Without a version the short and the long form say the same.
    match (written.get("version"), written.get("skill")) {
        (None, Some(name)) => Ok(name.clone()),
        _ => Ok(Value::Object(written)),
    }
}

fn list<'n>(
    node: &'n Node,
    read: impl Fn(&'n Node) -> Result<Value, Refusals<'n>>,
) -> Result<Value, Refusals<'n>> {
    let Content::List(items) = &node.content else {
        return Err(refuse(node, "a list"));
    };
    if items.len() > MAX_ITEMS {
        return Err(vec![(node, Invalid::new("", items.len(), format!("at most {MAX_ITEMS} items")))]);
    }
    let mut refusals = Vec::new();
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match read(item) {
            Ok(value) => values.push(value),
            Err(more) => {
                let outer = format!("[{index}]");
                refusals.extend(more.into_iter().map(|(node, e)| (node, e.within(&outer))));
            }
        }
    }
    if refusals.is_empty() { Ok(Value::Array(values)) } else { Err(refusals) }
}

fn mapping<'n>(
    node: &'n Node,
    read: impl Fn(&'n Entry) -> Result<Value, Refusals<'n>>,
) -> Result<Value, Refusals<'n>> {
    let Content::Map(entries) = &node.content else {
        return Err(refuse(node, "a mapping"));
    };
    let mut refusals = Vec::new();
    let mut values = Map::new();
    for entry in entries.iter().take(MAX_ITEMS) {
        match read(entry) {
            Ok(value) => {
                values.insert(entry.key.clone(), value);
            }
            Err(more) => {
                let key = crate::invalid::shown(&entry.key);
                refusals.extend(more.into_iter().map(|(node, e)| (node, e.within(&key))));
            }
        }
    }
    if entries.len() > MAX_ITEMS {
        refusals.push((node, Invalid::new("", entries.len(), format!("at most {MAX_ITEMS} fields"))));
    }
    if refusals.is_empty() { Ok(Value::Object(values)) } else { Err(refusals) }
}

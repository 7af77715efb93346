//! What any value of a field, and any spec, may be: lengths, ranges, words, URLs, size and depth.

use crate::authz::RoleRef;
use crate::canonical_json;
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::invalid::{Invalid, is_plain};
use crate::name::Email;
use crate::ou_path::OuPath;
use crate::permission::PermissionPattern;
use crate::principal::Principal;
use crate::resource::agent::AttachedSkill;
use crate::resource::approval_policy::{check_approvers, check_match};
use crate::resource::field::{Field, Form};
use serde::Deserialize;
use serde_json::Value;

/// Checks the forms that a field's type alone does not: lengths, ranges, words, URLs.
pub(crate) fn check_form(field: &Field, value: &Value) -> Result<(), Invalid> {
    let name = field.spec;
    match (&field.form, value) {
        (_, Value::Null) => Ok(()),
        (Form::Text { min, max }, Value::String(text)) => {
            let length = text.chars().count();
            if !(*min..=*max).contains(&length) {
                let allowed = format!("{min} to {max} characters");
                return Err(Invalid::new(name, format!("{length} characters"), allowed));
            }
            if is_plain(text) {
                return Ok(());
            }
            Err(Invalid::new(name, text, "text without control characters but tabs and line breaks"))
        }
        (Form::Text { .. } | Form::Url | Form::Email, other) if !other.is_string() => {
            Err(Invalid::new(name, other, "text"))
        }
        (Form::Choice(words), value) => match value.as_str() {
            Some(word) if words.contains(&word) => Ok(()),
            _ => Err(Invalid::new(name, value, format!("one of {}", words.join(", ")))),
        },
        (Form::Flag, value) if !value.is_boolean() => Err(Invalid::new(name, value, "`true` or `false`")),
        (Form::Integer { min, max }, value) => match value.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            _ => Err(Invalid::new(name, value, format!("a whole number from {min} to {max}"))),
        },
        (Form::Url, Value::String(text)) => check_url(name, text),
        (Form::Texts, value) => check_texts(name, value),
        (Form::TextLists, Value::Object(lists)) => {
            lists.iter().try_for_each(|(key, list)| check_texts(key, list).map_err(|e| e.within(name)))
        }
        (Form::PolicyMatch, value) => check_match(value).map_err(|e| e.within(name)),
        (Form::Approvers, value) => check_approvers(value).map_err(|e| e.within(name)),
        // Never shown: it may hold anything, also a secret.
        (Form::TextLists | Form::Object, other) if !other.is_object() => {
            Err(Invalid::hidden(name, "a JSON object"))
        }
        _ => Ok(()),
    }
}

/// Checks the values whose form is a type of its own, so that a refusal names the field, and the place in a list. In a
/// spec everything is named by its id: what a manifest writes is another matter.
pub(crate) fn check_value(field: &Field, value: &Value) -> Result<(), Invalid> {
    let name = field.spec;
    match &field.form {
        _ if value.is_null() => Ok(()),
        Form::Time => check_text(name, value, str::parse::<Timestamp>),
        Form::Email => check_text(name, value, str::parse::<Email>),
        Form::Principal => check_text(name, value, str::parse::<Principal>),
        Form::OuPath => check_text(name, value, str::parse::<OuPath>),
        Form::Role => check_text(name, value, |text| RoleRef::try_from(text.to_owned())),
        Form::Reference(_) => check_text(name, value, str::parse::<ResourceId>),
        Form::References(_) => {
            check_each(name, value, |at, item| check_text(at, item, str::parse::<ResourceId>))
        }
        Form::Permissions => {
            check_each(name, value, |at, item| check_text(at, item, str::parse::<PermissionPattern>))
        }
        Form::Skills => check_each(name, value, |at, item| match AttachedSkill::deserialize(item) {
            Ok(_) => Ok(()),
            Err(error) => {
                let allowed =
                    r#"`{"skill": "<id>"}`, and with it `"version": "current"` or `{"pinned": "<id>"}`"#;
                Err(Invalid::new(at, error, allowed))
            }
        }),
        _ => Ok(()),
    }
}

fn check_text<T>(
    name: &str,
    value: &Value,
    read: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<(), Invalid> {
    let Some(text) = value.as_str() else { return Err(Invalid::new(name, value, "text")) };
    read(text).map(drop).map_err(|refused| Invalid { field: name.to_owned(), ..refused })
}

fn check_each(
    name: &str,
    value: &Value,
    check: impl Fn(&str, &Value) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let Value::Array(items) = value else { return Err(Invalid::new(name, value, "a list")) };
    items.iter().enumerate().try_for_each(|(index, item)| check(&format!("{name}[{index}]"), item))
}

/// Most texts in a list.
pub(crate) const MAX_TEXTS: usize = 256;
/// The longest of them, in characters.
pub(crate) const MAX_TEXT: usize = 255;

fn check_texts(name: &str, value: &Value) -> Result<(), Invalid> {
    let allowed = || format!("a list of at most {MAX_TEXTS} texts of 1 to {MAX_TEXT} plain characters");
    let Value::Array(items) = value else { return Err(Invalid::hidden(name, allowed())) };
    if items.len() > MAX_TEXTS {
        return Err(Invalid::new(name, items.len(), allowed()));
    }
    let fits =
        |text: &str| (1..=MAX_TEXT).contains(&text.chars().count()) && !text.contains(char::is_control);
    match items.iter().position(|item| !item.as_str().is_some_and(fits)) {
        None => Ok(()),
        Some(index) => Err(Invalid::hidden(format!("{name}[{index}]"), allowed())),
    }
}

/// Largest spec, in bytes of its canonical form.
pub const MAX_SPEC_BYTES: usize = 256 * 1024;
/// Deepest nesting of a spec, so that whatever it is put into has a canonical form as well.
pub const MAX_SPEC_DEPTH: usize = 32;

/// A spec is kept, hashed, audited and, perhaps, parked: one that could not be is refused at once.
pub(crate) fn check_size(spec: &Value) -> Result<(), Invalid> {
    let bytes = canonical_json::to_vec(spec)?.len();
    if bytes > MAX_SPEC_BYTES {
        let allowed = format!("at most {MAX_SPEC_BYTES} bytes of JSON");
        return Err(Invalid::new("", format!("{bytes} bytes"), allowed));
    }
    if depth(spec) > MAX_SPEC_DEPTH {
        return Err(Invalid::hidden("", format!("at most {MAX_SPEC_DEPTH} levels of nesting")));
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The longest URL, in bytes.
pub(crate) const MAX_URL: usize = 2048;

/// An absolute http(s) URL of at most 2048 characters, without user or password.
fn check_url(field: &str, text: &str) -> Result<(), Invalid> {
    let allowed = "an absolute `http` or `https` URL of at most 2048 characters, without user and password";
    // The parser drops tabs and line breaks, and trims spaces: what is kept would be another URL than what is called.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let allowed = "an absolute `http` or `https` URL without spaces, line breaks and control characters";
        return Err(Invalid::hidden(field, allowed));
    }
    match url::Url::parse(text) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && text.len() <= MAX_URL =>
        {
            Ok(())
        }
        // A URL with a password is never shown again.
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            Err(Invalid::hidden(field, allowed))
        }
        _ => Err(Invalid::new(field, text, allowed)),
    }
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn a_url_is_refused_that_would_be_called_otherwise_than_it_is_written() {
        assert_eq!(check_url("url", "https://pg.acme.com/mcp?a=%20b"), Ok(()));
        for bad in [
            "https://pg.acme.com/m\tcp",
            "https://pg.ac\nme.com/mcp",
            "https://pg.acme.com/mcp\r\n",
            " https://pg.acme.com/mcp",
            "https://pg.acme.com/m cp",
            "https://pg.acme.com/m\u{a0}cp",
            "https://pg.acme.com/m\u{7}cp",
            "https://ada:hush@pg.acme.com/mcp",
            "ftp://pg.acme.com",
        ] {
            assert!(check_url("url", bad).is_err(), "{bad:?}");
        }
    }
}

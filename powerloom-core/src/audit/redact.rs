//! Takes secrets out of a change before it is hashed.

use crate::audit::draft::Change;
use crate::canonical_json;
use crate::secret::{Fingerprint, SecretBytes};
use serde_json::{Value, json};

/// Replaces the secret fields of a kind with `{"redacted":true,"fingerprint":…}`.
///
/// The fingerprint tells whether a secret changed, and to which of those one holds. It is a plain hash: what can
/// be guessed (a PIN, a word) can be confirmed by it, so only random secrets belong in such fields.
///
/// ```
/// use powerloom_core::audit::Redactor;
/// let mut spec = serde_json::json!({"servers": [{"url": "https://x", "token": "hush"}]});
/// Redactor::new(["/servers/*/token"]).redact(&mut spec);
/// assert_eq!(spec["servers"][0]["token"]["redacted"], true);
/// assert!(!spec.to_string().contains("hush"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    paths: Vec<Vec<String>>,
}

impl Redactor {
    /// The secret fields, each as a path `/spec/servers/*/token`, where `*` is every element or member. A field
    /// name holds neither `/` nor is it `*`.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let segments = |path: &str| path.split('/').skip(1).map(str::to_owned).collect();
        Self { paths: paths.into_iter().map(segments).collect() }
    }

    /// Replaces the secret fields of `value`. A field that is absent or `null` stays so.
    pub fn redact(&self, value: &mut Value) {
        for path in &self.paths {
            redact_at(value, path);
        }
    }

    /// Replaces the secret fields on both sides of `change`.
    pub fn redact_change(&self, change: &mut Change) {
        self.redact(&mut change.before);
        self.redact(&mut change.after);
    }
}

fn redact_at(value: &mut Value, path: &[String]) {
    let Some((step, rest)) = path.split_first() else {
        replace(value);
        return;
    };
    match value {
        Value::Array(items) if step == "*" => items.iter_mut().for_each(|item| redact_at(item, rest)),
        Value::Object(members) if step == "*" => members.values_mut().for_each(|item| redact_at(item, rest)),
        Value::Object(members) => {
            if let Some(member) = members.get_mut(step) {
                redact_at(member, rest);
            }
        }
        _ => {}
    }
}

fn replace(value: &mut Value) {
    if value.is_null() {
        return;
    }
    // Whatever else stands here is taken for a secret, also what looks like a redaction: it may be a forged one.
    let secret = match value {
        Value::String(text) => SecretBytes::from(std::mem::take(text)),
        // A secret that is no text and has no canonical form is still taken out.
        ref other => SecretBytes::from(canonical_json::to_vec(other).unwrap_or_default()),
    };
    *value = json!({"redacted": true, "fingerprint": Fingerprint::of(&secret).short()});
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_field_survives_on_either_side() {
        let redactor = Redactor::new(["/token", "/servers/*/secret", "/absent/deeper"]);
        let mut change = Change {
            before: json!({"token": "hush-1", "servers": {"a": {"secret": "hush-2"}}}),
            after: json!({"token": null, "servers": [{"secret": {"key": "hush-3"}}, {"other": 1}]}),
            ..Change::default()
        };
        redactor.redact_change(&mut change);
        let text = String::from_utf8(change.to_payload().unwrap()).unwrap();
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(text.matches("\"redacted\":true").count(), 3);
        assert!(change.after["token"].is_null());
    }

    #[test]
    fn the_same_secret_has_the_same_fingerprint() {
        let mut value = json!({"a": "one", "b": "one", "c": "two"});
        Redactor::new(["/a", "/b", "/c"]).redact(&mut value);
        assert_eq!(value["a"], value["b"]);
        assert_ne!(value["a"], value["c"]);
    }

    #[test]
    fn what_only_looks_redacted_is_redacted() {
        let mut value = json!({"a": {"redacted": true, "fingerprint": "hush"}});
        Redactor::new(["/a"]).redact(&mut value);
        assert!(!value.to_string().contains("hush"));
    }
}

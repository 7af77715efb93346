//! Keeps what looks like a secret out of everything a plan shows.

use crate::resource::clear_secret::{holds_password, is_secret_name, is_suspect, names_one};
use serde_json::{Map, Value};

/// What is shown instead.
const HIDDEN: &str = "(hidden)";

/// `value` as it may be shown under `name`.
///
/// A setting whose name ends in `_secret` holds the name of a secret (row P57) and is shown if it looks like one.
pub(crate) fn redact(name: &str, value: Value) -> Value {
    match value {
        Value::String(text) if holds_password(&text) => HIDDEN.into(),
        Value::String(text) if names_one(name) && is_secret_name(&text) => Value::String(text),
        Value::String(_) | Value::Number(_) if is_suspect(name) || names_one(name) => HIDDEN.into(),
        Value::Array(items) => items.into_iter().map(|item| redact(name, item)).collect(),
        Value::Object(map) => Value::Object(redact_map(map)),
        other => other,
    }
}

fn redact_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .map(|(key, value)| {
            let shown = redact(&key, value);
            (key, shown)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Row P57: the name of a secret is no secret.
    #[test]
    fn secrets_are_hidden_and_their_names_are_not() {
        let config = json!({
            "database_url_secret": "pg-analytics-dsn",
            "database_url": "postgres://writer:hunter2@db/x",
            "headers": { "Authorization": "Bearer x", "Accept": "*/*" },
            "tokens": ["a", "b"],
            "tables": ["metrics"],
        });
        let shown = redact("config", config);
        assert_eq!(
            shown,
            json!({
                "database_url_secret": "pg-analytics-dsn",
                "database_url": "(hidden)",
                "headers": { "Authorization": "(hidden)", "Accept": "*/*" },
                "tokens": ["(hidden)", "(hidden)"],
                "tables": ["metrics"],
            })
        );
    }
}

//! Reading JSON bodies and stored objects field by field.

use crate::emulator::refusal::Refusal;
use serde_json::{Map, Value};

/// The JSON object of a request body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// Reads `bytes`; nothing at all is an empty object. A field outside of `allowed` is a 400.
    pub(crate) fn parse(bytes: &[u8], allowed: &[&str]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let value = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::invalid(format!("the body is not valid JSON: {error}")))?;
        Self::of(value, allowed)
    }

    /// The same for a value that was already read.
    pub(crate) fn of(value: Value, allowed: &[&str]) -> Result<Self, Refusal> {
        let Value::Object(map) = value else {
            return Err(Refusal::invalid("the body must be a JSON object"));
        };
        match map.keys().find(|key| !allowed.contains(&key.as_str())) {
            Some(key) => Err(Refusal::invalid(format!("{key}: extra inputs are not permitted"))),
            None => Ok(Self(map)),
        }
    }

    /// The field as sent; an explicit null is `Some(Null)`.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A text that must be there, of `low` to `high` characters.
    pub(crate) fn required(&self, key: &str, low: usize, high: usize) -> Result<String, Refusal> {
        match self.get(key) {
            None | Some(Value::Null) => Err(Refusal::invalid(format!("{key}: field required"))),
            Some(value) => sized(key, value, low, high),
        }
    }

    /// A text that may be absent or null, of at most `high` characters.
    pub(crate) fn optional(&self, key: &str, high: usize) -> Result<Sent, Refusal> {
        match self.get(key) {
            None => Ok(Sent::Absent),
            Some(Value::Null) => Ok(Sent::Null),
            Some(value) => sized(key, value, 0, high).map(Sent::Text),
        }
    }
}

/// What was sent for an optional text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The field is not in the body.
    Absent,
    /// The field is null.
    Null,
    /// The field holds this.
    Text(String),
}

fn sized(key: &str, value: &Value, low: usize, high: usize) -> Result<String, Refusal> {
    let text = value.as_str().ok_or_else(|| Refusal::invalid(format!("{key}: must be a string")))?;
    let length = text.chars().count();
    if length < low || length > high {
        return Err(Refusal::invalid(format!("{key}: must have {low} to {high} characters, not {length}")));
    }
    Ok(text.to_owned())
}

/// The text in `key`, or nothing.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The array in `key`, or an empty one.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The value in `key`, or null.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// Writes `key` of an object.
pub(crate) fn set(value: &mut Value, key: &str, new: impl Into<Value>) {
    if let Some(map) = value.as_object_mut() {
        map.insert(key.to_owned(), new.into());
    }
}

/// Whether the object is archived.
pub(crate) fn archived(value: &Value) -> bool {
    value.get("archived_at").is_some_and(|at| !at.is_null())
}

/// The array of objects sent in `key`; absent and null are empty.
pub(crate) fn objects<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], Refusal> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) if items.iter().all(Value::is_object) => Ok(items),
        _ => Err(Refusal::invalid(format!("{what}: must be an array of objects"))),
    }
}

/// Merges a metadata patch into `old`: a text is written, null deletes. With `empty_deletes` so does an empty text.
///
/// Limits: 16 pairs, keys of 64 characters, values of 512.
pub(crate) fn metadata(old: &Value, patch: Option<&Value>, empty_deletes: bool) -> Result<Value, Refusal> {
    let mut merged = old.as_object().cloned().unwrap_or_default();
    match patch {
        None | Some(Value::Null) => {}
        Some(Value::Object(patch)) => {
            for (key, value) in patch {
                match value {
                    Value::Null => {
                        merged.remove(key);
                    }
                    Value::String(text) if text.is_empty() && empty_deletes => {
                        merged.remove(key);
                    }
                    Value::String(text) if text.chars().count() <= 512 => {
                        merged.insert(key.clone(), value.clone());
                    }
                    _ => {
                        let message = format!("metadata.{key}: must be a string of at most 512 characters");
                        return Err(Refusal::invalid(message).with_code("invalid_metadata"));
                    }
                }
            }
        }
        Some(_) => return Err(Refusal::invalid("metadata: must be an object").with_code("invalid_metadata")),
    }
    if merged.len() > 16 || merged.keys().any(|key| key.is_empty() || key.chars().count() > 64) {
        let message = "metadata: at most 16 pairs, with keys of 1 to 64 characters";
        return Err(Refusal::invalid(message).with_code("invalid_metadata"));
    }
    Ok(Value::Object(merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_merged_key_by_key_and_null_deletes() {
        let old = json!({"a": "1", "b": "2"});
        let merged = metadata(&old, Some(&json!({"a": null, "c": "3"})), false).unwrap();
        assert_eq!(merged, json!({"b": "2", "c": "3"}));
        assert_eq!(metadata(&old, Some(&json!({"a": ""})), true).unwrap(), json!({"b": "2"}));
        assert_eq!(metadata(&old, None, false).unwrap(), old);
    }

    #[test]
    fn metadata_beyond_its_limits_is_refused() {
        let many: Map<String, Value> = (0..17).map(|n| (format!("k{n}"), json!("v"))).collect();
        assert!(metadata(&json!({}), Some(&Value::Object(many)), false).is_err());
        assert!(metadata(&json!({}), Some(&json!({"k": "x".repeat(513)})), false).is_err());
        assert!(metadata(&json!({}), Some(&json!({"k".repeat(65): "x"})), false).is_err());
        assert!(metadata(&json!({}), Some(&json!({"k": 1})), false).is_err());
    }
}

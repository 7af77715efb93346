//! A YAML value that knows where it was written.
//!
//! Plain scalars are read by the JSON subset of the YAML core schema: `null`, `true`, `false` and JSON numbers.
//! Everything else (`no`, `on`, `1_000`, `0o17`, `012`, `2025-01-01`) is text, in every language alike.

use crate::invalid::shown;
use serde_json::{Map, Number, Value};

/// The largest whole number every JSON reader keeps exactly.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// A place within one source: line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Mark,
    pub(crate) content: Content,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One pair of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Mark,
    pub(crate) value: Node,
}

/// Reads a plain scalar.
///
/// # Errors
/// What is allowed instead, if it is a number that has no exact value.
pub(crate) fn plain(text: &str) -> Result<Content, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Content::Null),
        "true" | "True" | "TRUE" => return Ok(Content::Flag(true)),
        "false" | "False" | "FALSE" => return Ok(Content::Flag(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("a finite number, or quotes if the text is meant");
    }
    if !is_json_number(text) {
        return Ok(Content::Text(text.to_owned()));
    }
    let number = text.parse::<Number>().map_err(|_| "a number that a double can hold")?;
    let whole = !text.contains(['.', 'e', 'E']);
    let exact = number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_EXACT);
    if whole && !exact {
        return Err("a whole number of at most 2^53 - 1, or quotes if the text is meant");
    }
    Ok(Content::Number(number))
}

/// The grammar of RFC 8259, section 6.
fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

impl Node {
    /// The same value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Flag(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// What it is, in words, for a reader who expected something else. Lists and mappings are not repeated.
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            Content::Null => "null".to_owned(),
            Content::Flag(flag) => flag.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Text(text) => shown(text),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// How many bytes this value keeps, roughly.
    pub(crate) fn weight(&self) -> usize {
        const NODE: usize = 64;
        NODE + match &self.content {
            Content::Text(text) => text.len(),
            Content::List(items) => items.iter().map(Self::weight).sum(),
            Content::Map(entries) => entries.iter().map(|e| e.key.len() + NODE + e.value.weight()).sum(),
            _ => 0,
        }
    }

    /// How many collections are nested in it, itself included.
    pub(crate) fn depth(&self) -> usize {
        match &self.content {
            Content::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Content::Map(entries) => 1 + entries.iter().map(|e| e.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        Node { at: Mark { line: 1, column: 1 }, content: plain(text).unwrap() }.to_json()
    }

    /// Sem. 2.3, YAML safety: the core schema only.
    #[test]
    fn only_json_words_and_numbers_are_anything_but_text() {
        for text in [
            "no",
            "on",
            "Yes",
            "y",
            "1_000",
            "0o17",
            "0x1f",
            "012",
            "+1",
            "1:30",
            ".5",
            "1.",
            "<<",
            "2025-01-01",
        ] {
            assert_eq!(read(text), Value::String(text.to_owned()));
        }
        assert_eq!(read("-12"), serde_json::json!(-12));
        assert_eq!(read("1.5e3"), serde_json::json!(1500.0));
        assert_eq!(read("True"), Value::Bool(true));
        assert_eq!(read("~"), Value::Null);
    }

    #[test]
    fn a_number_without_an_exact_value_is_refused() {
        for text in [".nan", "-.inf", "9007199254740992", "123456789012345678901234567890", "1e999"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}

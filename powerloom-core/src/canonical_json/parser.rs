//! Reads JSON, refusing what two readers would understand differently.

use crate::canonical_json::writer::MAX_INTEGER;
use crate::invalid::Invalid;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Parses one JSON text that is to be hashed.
///
/// ```
/// use powerloom_core::canonical_json::parse;
/// assert!(parse(br#"{"a":1,"a":2}"#).is_err());
/// assert!(parse(br#""\ud800""#).is_err());
/// assert_eq!(parse(b" [1] ")?, serde_json::json!([1]));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
///
/// # Errors
/// Text that is not JSON (RFC 8259) in UTF-8, a key twice in one object, a lone surrogate, an integer beyond
/// ±(2^53 − 1), a number no double holds, more than 127 levels of nesting, anything after the value.
pub fn parse(text: &[u8]) -> Result<Value, Invalid> {
    let refused =
        |error: serde_json::Error| Invalid::hidden("json", format!("one unambiguous JSON value: {error}"));
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = UniqueKeys.deserialize(&mut deserializer).map_err(refused)?;
    deserializer.end().map_err(refused)?;
    match first_wide_integer(text) {
        None => Ok(value),
        Some(token) => {
            Err(Invalid::new("json", String::from_utf8_lossy(token), "integers within ±(2^53 − 1)"))
        }
    }
}

/// The first integer token beyond ±(2^53 − 1) in a text that is known to be JSON. The parser cannot tell: it
/// makes such a token a double.
fn first_wide_integer(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'"' {
            rest = after_string(tail);
        } else if byte.is_ascii_digit() {
            let end = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
            let (token, tail) = rest.split_at(end.unwrap_or(rest.len()));
            let narrow =
                || std::str::from_utf8(token).ok()?.parse::<u64>().ok().filter(|n| *n <= MAX_INTEGER);
            if token.iter().all(u8::is_ascii_digit) && narrow().is_none() {
                return Some(token);
            }
            rest = tail;
        } else {
            rest = tail;
        }
    }
    None
}

fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => break,
            b'\\' => rest = rest.split_first().map_or(rest, |(_, tail)| tail),
            _ => {}
        }
    }
    rest
}

struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if out.insert(key, value).is_some() {
                return Err(A::Error::custom("a key appears twice in one object"));
            }
        }
        Ok(Value::Object(out))
    }
}

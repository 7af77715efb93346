//! JSON that says each thing once: a key that is there twice is refused, wherever it stands.
//!
//! It looks at a text and keeps nothing of it but the keys of the objects that are open: what is read from the text afterwards
//! needs as much memory as its own type, not as much as any JSON may.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Up to here every whole number has a float of its own: 2^53.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The text, to be read as any type: one JSON value, nothing twice in it, nothing after it, not too deep, and whole numbers
/// written as such. Two readers of one text must not see two different things.
///
/// `2.0` is the whole number two to JSON Schema, and to canonical JSON (RFC 8785): here it becomes `2`.
pub(super) fn checked(text: &[u8]) -> Result<Cow<'_, [u8]>, serde_json::Error> {
    let mut pointed = false;
    let mut reader = serde_json::Deserializer::from_slice(text);
    Once { pointed: &mut pointed }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(if pointed { Cow::Owned(without_points(text)) } else { Cow::Borrowed(text) })
}

/// Whether `2.0` is the whole number it is, and which.
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= MAX_WHOLE).then_some(value as i64)
}

/// A JSON text with its whole numbers written as such.
fn without_points(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| is_of_number(**byte)).count(),
            _ => rest.iter().take_while(|byte| !(**byte == b'"' || is_of_number(**byte))).count(),
        };
        // What is no part of a number where it stands, such as the `e` of `true`, is passed on by itself.
        let (token, after) = rest.split_at_checked(length.max(1)).unwrap_or((rest, &[]));
        match pointed(token) {
            Some(number) => plain.extend(number.to_string().bytes()),
            None => plain.extend(token),
        }
        rest = after;
    }
    plain
}

/// The whole number that a token with a point or an exponent says.
fn pointed(token: &[u8]) -> Option<i64> {
    let is_number = token.first().is_some_and(|first| matches!(first, b'-' | b'0'..=b'9'));
    if !is_number || !token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return None;
    }
    whole(std::str::from_utf8(token).ok()?.parse().ok()?)
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// How long the string is that stands at the beginning, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end.saturating_add(2))
}

/// Looks at any JSON value, and says whether a whole number in it is written with a point or an exponent.
struct Once<'a> {
    pointed: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("a number that is not finite"));
        }
        *self.pointed |= whole(value).is_some();
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Once { pointed: &mut *self.pointed })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if keys.contains(&key) {
                let key = powerloom_core::invalid::shown(&key);
                return Err(A::Error::custom(format_args!("the key `{key}` is there twice")));
            }
            keys.insert(key);
            map.next_value_seed(Once { pointed: &mut *self.pointed })?;
        }
        Ok(())
    }
}

/// Reads a key, as a part of the text if it stands there as it is.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(text: &str) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&checked(text.as_bytes())?)
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        assert_eq!(read("[2.0, -3e2, 0.5, 1e300]").unwrap(), json!([2, -300, 0.5, 1e300]));
        assert_eq!(read("9007199254740992.0").unwrap(), json!(9_007_199_254_740_992_u64));
        let text =
            r#"{"2.0":[true,false,null,-0.0,"1.0e1 \" 3.0","\\",4E0,{"e":1e-1}],"a":18446744073709551615}"#;
        let seen =
            json!({ "2.0": [true, false, null, 0, "1.0e1 \" 3.0", "\\", 4, { "e": 0.1 }], "a": u64::MAX });
        assert_eq!(read(text).unwrap(), seen);
    }

    #[test]
    fn a_text_is_left_as_it_is_and_read_as_serde_json_reads_it() {
        let text = r#"{"a":[1,-2,2.5,18446744073709551615,true,null,"é\u0000"],"b":{"a":{}}}"#;
        assert!(matches!(checked(text.as_bytes()), Ok(Cow::Borrowed(same)) if same == text.as_bytes()));
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#] {
            assert!(read(text).unwrap_err().to_string().contains("`a` is there twice"), "{text}");
        }
        assert!(read(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&r#"{"a":"#.repeat(100_000)).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let numbers = prop_oneof![
            any::<f64>().prop_map(|n| json!(n)),
            any::<i32>().prop_map(|n| json!(f64::from(n))),
            any::<i64>().prop_map(|n| json!(n)),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            numbers,
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same value with its whole numbers as such.
    fn plain(value: Value) -> Value {
        match value {
            Value::Number(number) if number.is_f64() => {
                whole(number.as_f64().unwrap()).map_or(Value::Number(number), Value::from)
            }
            Value::Array(items) => items.into_iter().map(plain).collect(),
            Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, plain(value))).collect(),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn nothing_but_whole_numbers_is_written_anew(value in values()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            // As it reads a text, to the last digit of a float.
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read(&text).unwrap(), plain(value));
        }
    }
}

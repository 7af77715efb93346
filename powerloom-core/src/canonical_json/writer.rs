//! Writes the canonical bytes.

use crate::canonical_json::finite::Finite;
use crate::invalid::Invalid;
use serde::Serialize;
use serde_json::{Map, Number, Value};

/// The largest magnitude of an integer that every reader of JSON keeps exactly: 2^53 − 1 (RFC 7493, 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 128;

/// The RFC 8785 bytes of anything that serializes as JSON.
///
/// Fractions are allowed and written as ECMAScript writes a double: `-0.0` is `0`, `1e21` is `1e+21`.
///
/// ```
/// use powerloom_core::canonical_json::to_vec;
/// let bytes = to_vec(&serde_json::json!({"b": 1.0, "a": [true, null]}))?;
/// assert_eq!(bytes, br#"{"a":[true,null],"b":1}"#);
/// assert!(to_vec(&9_007_199_254_740_992_u64).is_err());
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
///
/// # Errors
/// An integer beyond ±[`MAX_INTEGER`], NaN or an infinity, a key that is no string, a key twice in one object,
/// nesting beyond [`MAX_DEPTH`]; the field is the path inside `value`.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Invalid> {
    serialize(value, Fractions::Allow)
}

/// Like [`to_vec`], for records that hold integers only: any fraction is refused, even `1.0`.
///
/// # Errors
/// Those of [`to_vec`], and a number with a fraction or an exponent.
pub fn to_vec_strict<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Invalid> {
    serialize(value, Fractions::Refuse)
}

/// Appends the RFC 8785 bytes of `value` to `out`: the same as [`to_vec`] without a second copy of the tree.
///
/// # Errors
/// Those of [`to_vec`]; `out` then holds a part of the value.
pub fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), Invalid> {
    write_value(value, Fractions::Allow, 0, out)
}

/// Takes the pieces of a canonical text, in order: to keep them, or to compare them with what is kept.
pub(crate) trait Sink {
    /// Takes the next piece.
    fn put(&mut self, piece: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

/// Writes a string with its quotes.
#[inline]
pub(crate) fn write_string(text: &str, out: &mut impl Sink) {
    out.put(b"\"");
    write_text(text, out);
    out.put(b"\"");
}

/// Writes what stands between the quotes. Only `"`, `\` and control characters are escaped (RFC 8785, 3.2.2.2).
#[inline]
pub(crate) fn write_text(text: &str, out: &mut impl Sink) {
    // Without an early end the loop runs on whole vectors; hardly any text has something to escape.
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        write_escaped(text.as_bytes(), out);
    } else {
        out.put(text.as_bytes());
    }
}

const fn is_escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn write_escaped(mut rest: &[u8], out: &mut impl Sink) {
    while let Some(at) = rest.iter().position(|&byte| is_escaped(byte)) {
        let (plain, tail) = rest.split_at(at);
        out.put(plain);
        rest = match tail.split_first() {
            Some((&byte, tail)) => {
                write_escape(byte, out);
                tail
            }
            None => tail,
        };
    }
    out.put(rest);
}

/// Writes an integer in decimal.
pub(crate) fn write_integer(value: u64, out: &mut impl Sink) {
    let mut digits = [0u8; 20];
    let mut rest = value;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.put(digits.split_at(digits.len() - used).1);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fractions {
    Allow,
    Refuse,
}

fn serialize<T: Serialize + ?Sized>(value: &T, fractions: Fractions) -> Result<Vec<u8>, Invalid> {
    // `to_value` makes NaN a null and keeps the last of two equal keys, the library rounds integers: each pass sees
    // what the others do not. What is already a tree takes the short way, `write`.
    value.serialize(Finite).map_err(|error| refused(&error))?;
    serde_json_canonicalizer::to_vec(&value).map_err(|error| refused(&error))?;
    let tree = serde_json::to_value(value).map_err(|error| refused(&error))?;
    let mut out = Vec::with_capacity(128);
    write_value(&tree, fractions, 0, &mut out)?;
    Ok(out)
}

fn refused(error: &serde_json::Error) -> Invalid {
    Invalid::hidden("", format!("a value with a canonical JSON form: {error}"))
}

fn write_value(value: &Value, fractions: Fractions, depth: usize, out: &mut Vec<u8>) -> Result<(), Invalid> {
    if depth > MAX_DEPTH {
        return Err(Invalid::hidden("", format!("at most {MAX_DEPTH} levels of nesting")));
    }
    match value {
        Value::Null => out.put(b"null"),
        Value::Bool(true) => out.put(b"true"),
        Value::Bool(false) => out.put(b"false"),
        Value::Number(number) => write_number(number, fractions, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.put(b"[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.put(b",");
                }
                write_value(item, fractions, depth + 1, out)
                    .map_err(|invalid| invalid.within(&format!("[{index}]")))?;
            }
            out.put(b"]");
        }
        Value::Object(members) => write_object(members, fractions, depth, out)?,
    }
    Ok(())
}

fn write_object(
    members: &Map<String, Value>,
    fractions: Fractions,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Invalid> {
    if members.is_empty() {
        out.put(b"{}");
        return Ok(());
    }
    let mut put = |first: bool, key: &str, value: &Value| {
        out.put(if first { b"{" } else { b"," });
        write_string(key, out);
        out.put(b":");
        write_value(value, fractions, depth + 1, out).map_err(|invalid| invalid.within(key))
    };
    if members.keys().zip(members.keys().skip(1)).all(|(a, b)| sorts_before(a, b)) {
        for (index, (key, value)) in members.iter().enumerate() {
            put(index == 0, key, value)?;
        }
    } else {
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        for (index, (key, value)) in sorted.into_iter().enumerate() {
            put(index == 0, key, value)?;
        }
    }
    out.put(b"}");
    Ok(())
}

/// Whether `a` comes before `b` in the order of UTF-16 code units (RFC 8785, 3.2.3), which is that of the bytes
/// until a key leaves ASCII.
pub(super) fn sorts_before(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a < b } else { a.encode_utf16().lt(b.encode_utf16()) }
}

fn write_number(number: &Number, fractions: Fractions, out: &mut Vec<u8>) -> Result<(), Invalid> {
    let whole = || Invalid::new("", number, "an integer within ±(2^53 − 1)");
    if let Some(value) = number.as_u64() {
        if value > MAX_INTEGER {
            return Err(whole());
        }
        write_integer(value, out);
    } else if let Some(value) = number.as_i64() {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(whole());
        }
        out.put(b"-");
        write_integer(value.unsigned_abs(), out);
    } else if fractions == Fractions::Refuse {
        return Err(whole());
    } else {
        serde_json_canonicalizer::to_writer(number, out).map_err(|error| refused(&error))?;
    }
    Ok(())
}

fn write_escape(byte: u8, out: &mut impl Sink) {
    match byte {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        0x08 => out.put(b"\\b"),
        b'\t' => out.put(b"\\t"),
        b'\n' => out.put(b"\\n"),
        0x0c => out.put(b"\\f"),
        b'\r' => out.put(b"\\r"),
        _ => {
            let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            out.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}

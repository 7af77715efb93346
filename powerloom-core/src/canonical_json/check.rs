//! Whether bytes are a canonical form, found without building a tree.

use crate::canonical_json::writer::{MAX_DEPTH, MAX_INTEGER, sorts_before};

/// Whether `bytes` are exactly what [`to_vec`](super::to_vec) writes of the value they stand for: no white space, keys in
/// order and once, every string and number in its one form.
///
/// ```
/// use powerloom_core::canonical_json::is_canonical;
/// assert!(is_canonical(br#"{"a":[1,2.5,null],"b":"x"}"#));
/// for odd in [r#"{"b":1,"a":1}"#, r#"{"a":1,"a":1}"#, r#"{"a": 1}"#, "1.0", "-0", r#""\u0041""#, "[1] "] {
///     assert!(!is_canonical(odd.as_bytes()), "{odd}");
/// }
/// ```
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    // What is no UTF-8 is no JSON; after this every cut at a quote is one between characters.
    std::str::from_utf8(bytes).is_ok() && value(bytes, 0).is_some_and(<[u8]>::is_empty)
}

/// What follows the canonical value at the beginning of a text that is UTF-8; `None` if none stands there.
pub(crate) fn after_value(text: &[u8]) -> Option<&[u8]> {
    value(text, 0)
}

/// What follows the value at the beginning of `text`; `None` if none stands there, or not in its canonical form.
fn value(text: &[u8], depth: usize) -> Option<&[u8]> {
    if depth > MAX_DEPTH {
        return None;
    }
    match text.first()? {
        b'"' => string(text).map(|(_, rest)| rest),
        b'{' => object(text, depth),
        b'[' => {
            let mut rest = text.strip_prefix(b"[")?;
            if let Some(rest) = rest.strip_prefix(b"]") {
                return Some(rest);
            }
            loop {
                rest = value(rest, depth + 1)?;
                match rest.split_first()? {
                    (b',', after) => rest = after,
                    (b']', after) => return Some(after),
                    _ => return None,
                }
            }
        }
        b'n' => text.strip_prefix(b"null"),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        _ => number(text),
    }
}

fn object(text: &[u8], depth: usize) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"{")?;
    if let Some(rest) = rest.strip_prefix(b"}") {
        return Some(rest);
    }
    let mut before: Option<&[u8]> = None;
    loop {
        let (key, after) = string(rest)?;
        if before.is_some_and(|before| !in_order(before, key)) {
            return None;
        }
        before = Some(key);
        rest = value(after.strip_prefix(b":")?, depth + 1)?;
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b'}', after) => return Some(after),
            _ => return None,
        }
    }
}

/// Whether the key `a` comes before `b`; both as they are written, with their escapes.
fn in_order(a: &[u8], b: &[u8]) -> bool {
    let plain = |key: &[u8]| key.is_ascii() && !key.contains(&b'\\');
    if plain(a) && plain(b) {
        return a < b;
    }
    let read = |key: &[u8]| serde_json::from_slice::<String>(&[b"\"", key, b"\""].concat()).ok();
    read(a).zip(read(b)).is_some_and(|(a, b)| sorts_before(&a, &b))
}

/// What stands between the quotes at the beginning of `text`, and what follows them.
pub(crate) fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let mut rest = inner;
    loop {
        let (_, near) = rest.split_at_checked(plain_words(rest))?;
        let stop = near.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
        let (_, at) = near.split_at_checked(stop)?;
        let (byte, after) = at.split_first()?;
        match byte {
            b'"' => {
                let (between, _) = inner.split_at_checked(inner.len() - at.len())?;
                return Some((between, after));
            }
            b'\\' => rest = escape(after)?,
            _ => return None,
        }
    }
}

/// How many bytes at the beginning, in words of eight, hold neither quote nor backslash nor control character.
fn plain_words(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    // The lowest byte that is what is looked for is always found; a borrow may blame a higher one as well.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGHS;
    let is_plain = |word: &&[u8; 8]| {
        let word = u64::from_le_bytes(**word);
        let zero = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        below(word, 0x20) | zero(b'"') | zero(b'\\') == 0
    };
    bytes.as_chunks::<8>().0.iter().take_while(is_plain).count() * 8
}

/// What follows the escape whose backslash was just read: one of the short forms, or a control character without one.
fn escape(text: &[u8]) -> Option<&[u8]> {
    let (byte, rest) = text.split_first()?;
    match byte {
        b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(rest),
        b'u' => {
            let (high, low, rest) = match rest {
                [b'0', b'0', high @ (b'0' | b'1'), low, rest @ ..] => (*high, *low, rest),
                _ => return None,
            };
            let hex = low.is_ascii_digit() || (b'a'..=b'f').contains(&low);
            let short = high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
            (hex && !short).then_some(rest)
        }
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let ends = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e');
    let end = text.iter().position(ends).unwrap_or(text.len());
    let (token, rest) = text.split_at_checked(end)?;
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    let whole = match digits {
        [] => return None,
        [b'0'] => token == digits,
        [b'1'..=b'9', more @ ..] if more.len() < 16 && more.iter().all(u8::is_ascii_digit) => {
            let value = digits.iter().fold(0, |value: u64, digit| value * 10 + u64::from(digit - b'0'));
            value <= MAX_INTEGER
        }
        _ => false,
    };
    (whole || is_written_double(token)).then_some(rest)
}

/// Whether a token with a fraction, an exponent or many digits is how ECMAScript writes that double.
fn is_written_double(token: &[u8]) -> bool {
    let read = std::str::from_utf8(token).ok().and_then(|token| token.parse::<f64>().ok());
    let mut written = Vec::with_capacity(24);
    read.and_then(serde_json::Number::from_f64)
        .is_some_and(|number| serde_json_canonicalizer::to_writer(&number, &mut written).is_ok())
        && written == token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical_json::{parse, to_vec};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |n| n.is_finite().then(|| json!(n))),
            ".{0,8}".prop_map(Value::from),
            "[\\x00-\\x20\"\\\\é😀]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical(value in any_value()) {
            prop_assert!(is_canonical(&to_vec(&value).unwrap()));
        }

        /// Whatever is taken for canonical is what the writer makes of it when it is read.
        #[test]
        fn what_is_canonical_is_what_would_be_written(
            value in any_value(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            insert in any::<bool>(),
        ) {
            let mut bytes = to_vec(&value).unwrap();
            let at = at.index(bytes.len());
            if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
            if is_canonical(&bytes) && let Ok(read) = parse(&bytes) {
                prop_assert_eq!(to_vec(&read).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn every_other_writing_is_refused() {
        for odd in [
            "",
            " ",
            "nul",
            "nulll",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1 }",
            "\"",
            "\"\\\"",
            "\"\\/\"",
            "\"\\u0041\"",
            "\"\\u0008\"",
            "\"\\u001F\"",
            "\"\u{1}\"",
            "01",
            "+1",
            "-",
            "-0",
            "1.",
            ".5",
            "1.50",
            "1e5",
            "1E21",
            "1e+400",
            "00",
            "--1",
            "9007199254740993",
            "1 ",
            "NaN",
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
        ] {
            assert!(!is_canonical(odd.as_bytes()), "{odd}");
        }
        for fine in
            ["0", "-1", "9007199254740991", "1e+21", "100000000000000000000", "0.5", "5e-324", "\"\\u001f\""]
        {
            assert!(is_canonical(fine.as_bytes()), "{fine}");
        }
        assert!(!is_canonical(b"\"\xff\""));
        let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(is_canonical(&deep(MAX_DEPTH)) && !is_canonical(&deep(100_000)));
    }
}

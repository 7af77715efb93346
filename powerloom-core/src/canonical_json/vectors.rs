//! The published examples of RFC 8785 and the corner cases they leave out.

use crate::canonical_json::parser::parse;
use crate::canonical_json::writer::{to_vec, to_vec_strict, write};
use proptest::prelude::*;
use serde_json::{Value, json};

fn canonical(text: &str) -> String {
    String::from_utf8(to_vec(&parse(text.as_bytes()).unwrap()).unwrap()).unwrap()
}

/// RFC 8785, 3.2.2 and 3.2.4.
#[test]
fn the_example_of_the_rfc_gives_its_published_bytes() {
    let input = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let published = "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 \
        6d 62 65 72 73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c \
        30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 \
        27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d";
    assert_eq!(hex::encode(canonical(input)), published.replace(' ', ""));
}

/// RFC 8785, 3.2.3: keys sort by UTF-16 code units, so the emoji (D83D…) comes before U+FB33.
#[test]
fn keys_sort_by_utf16_code_units() {
    let input = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
        "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
    let tree: Value = serde_json::from_str(&canonical(input)).unwrap();
    assert_eq!(tree.as_object().unwrap().len(), 7);
    let text = canonical(input);
    let places: Vec<_> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
        .iter()
        .map(|word| text.find(word).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
}

/// RFC 8785, appendix B: the bits of a double and its text.
#[test]
fn doubles_are_written_as_the_rfc_prints_them() {
    for (bits, text) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(to_vec(&f64::from_bits(bits)).unwrap(), text.as_bytes(), "{bits:016x}");
    }
}

/// The rest of the reference material: <https://github.com/cyberphone/json-canonicalization>, `testdata`.
#[test]
fn the_reference_files_come_out_as_published() {
    for (input, output) in [
        (r#"[56,{"d":true,"10":null,"1":[]}]"#, r#"[56,{"1":[],"10":null,"d":true}]"#),
        (
            r#"{"peach":"a","péché":"b","pêche":"c","sin":"ignore locale"}"#,
            r#"{"peach":"a","péché":"b","pêche":"c","sin":"ignore locale"}"#,
        ),
        (
            r#"{"1":{"f":{"f":"hi","F":5},"\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}"#,
            r#"{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#,
        ),
        ("\"\\u0000\\b\\t\\n\\f\\r\\u001f\\u007f\\/\"", "\"\\u0000\\b\\t\\n\\f\\r\\u001f\u{7f}/\""),
        ("[-0,-0.0,1e21,1e-7,5e-324,1.0]", "[0,0,1e+21,1e-7,5e-324,1]"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
    ] {
        assert_eq!(canonical(input), output);
    }
}

#[test]
fn composed_and_decomposed_letters_stay_distinct() {
    assert_ne!(canonical("\"\u{c5}\""), canonical("\"A\u{30a}\""));
}

#[test]
fn what_two_readers_would_understand_differently_is_not_parsed() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"\u0062":2}}"#,
        r#""\ud800""#,
        r#""\udc00x""#,
        r#"{"\ud83d":1}"#,
        "9007199254740992",
        "-9007199254740992",
        "[\"x\\\"1\",123456789012345678901234567890]",
        "1e400",
        "NaN",
        "Infinity",
        "01",
        "1 2",
        "[1,]",
        "",
        "\"\u{1}\"",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(parse(b"\"\xff\"").is_err());
    assert!(parse(&b"[".repeat(200)).is_err());
    assert!(parse(br#""9007199254740992""#).is_ok(), "digits in a string are no number");
}

#[test]
fn what_the_form_would_change_in_silence_is_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(to_vec(&number).is_err(), "{number}");
        assert!(to_vec(&[Some(number)]).is_err(), "{number}");
        assert!(to_vec(&std::collections::BTreeMap::from([("a", (1, number as f32))])).is_err(), "{number}");
        assert!(to_vec(&Ok::<f64, ()>(number)).is_err(), "{number}");
    }
    assert!(to_vec(&TwiceTheKey).is_err());
    let refused = to_vec(&json!({"spec": {"sizes": [1, 9_007_199_254_740_993_u64]}})).unwrap_err();
    assert_eq!(refused.field, "spec.sizes[1]");
    assert!(to_vec(&i64::MIN).is_err());
    assert!(to_vec(&u128::MAX).is_err());
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(write(&deep, &mut Vec::new()).is_err());
}

/// A map that a careless implementation serializes with one key twice.
struct TwiceTheKey;

impl serde::Serialize for TwiceTheKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("a", 1), ("a", 2)])
    }
}

#[test]
fn a_hashed_record_takes_no_fraction() {
    assert!(to_vec_strict(&json!({"v": 1.0})).is_err());
    assert_eq!(to_vec_strict(&json!({"v": -1})).unwrap(), br#"{"v":-1}"#);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// The quick writer and the library of the field agree on every value.
    #[test]
    fn the_writer_equals_the_library(value in any_json()) {
        prop_assert_eq!(to_vec(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
    }

    #[test]
    fn canonical_bytes_are_their_own_canonical_form(value in any_json()) {
        // A double such as 1e17 is written without a point and reads back as a wide integer: refused, not changed.
        let bytes = to_vec(&value).unwrap();
        if let Ok(again) = parse(&bytes) {
            prop_assert_eq!(to_vec(&again).unwrap(), bytes);
        }
    }
}

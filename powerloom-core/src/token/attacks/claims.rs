//! Attacks on kind, form and times of what a token says.

use super::{AUDIENCE, ISSUED, ISSUER, Target, at, claims, patched, targets};
use crate::clock::Timestamp;
use crate::token::claims::TokenType;
use crate::token::key::SigningKey;
use crate::token::key_set::KeySet;
use crate::token::verify::Expected;
use serde_json::json;
use std::time::Duration;

/// T3, one discriminator at a time.
#[test]
fn kinds_do_not_cross() {
    for target in targets() {
        for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt", "", "delegated+jwt", "exchanged+jwt"] {
            target.refuses(typ, &target.with_header(json!({ "typ": typ })), "token_wrong_type");
        }
        target.refuses("no typ", &target.with_header(json!({ "typ": null })), "token_header");
        for word in ["delegated", "exchanged", "delegation"] {
            target.refuses(word, &target.with_claims(json!({ "type": word })), "token_wrong_type");
        }
        for word in ["refresh", "Access", "ticket", "approval", "workload"] {
            target.refuses(word, &target.with_claims(json!({ "type": word })), "token_claim");
        }
        for (made, taken) in TokenType::ALL.into_iter().flat_map(|a| TokenType::ALL.map(|b| (a, b))) {
            let token = target.signed(
                patched(target.header(), json!({ "typ": made.typ() })).to_string(),
                patched(claims(), json!({ "type": made, "exp": ISSUED + 60 })).to_string(),
            );
            let read = target.set.verify(&token, &Expected::new(taken, ISSUER, AUDIENCE), at(ISSUED));
            assert_eq!(read.is_ok(), made == taken, "{made:?} as {taken:?}");
        }
        for (claim, code) in [("iss", "token_wrong_issuer"), ("aud", "token_wrong_audience")] {
            for other in ["https://evil.example", "https://LOOM.acme.com", "https://loom.acme.com/"] {
                target.refuses(claim, &target.with_claims(json!({ claim: other })), code);
            }
        }
    }
}

#[test]
fn a_header_or_payload_is_one_plain_object() {
    for target in targets() {
        let (header, payload) = (target.header().to_string(), claims().to_string());
        let twice = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
        let deep = format!("{}{}", "[".repeat(2500), "]".repeat(2500));
        let bad = |text: &str, member: &str| {
            vec![
                twice(text, member),
                format!("{text}x"),
                format!("{text}{text}"),
                format!("{text},"),
                format!("[{text}]"),
                format!("\u{feff}{text}"),
                "null".to_owned(),
                "1".to_owned(),
                "\"x\"".to_owned(),
                "{".to_owned(),
                text.replace('"', "'"),
                format!("{}/**/", text),
                deep.clone(),
                text.replacen('{', "{\"a\":NaN,", 1),
                text.replacen('{', "{\"a\":\"\\ud800\",", 1),
                text.replacen('{', "{\"a\":01,", 1),
                text.replacen('{', &format!("{{\"a\":{},", "[".repeat(200)), 1),
            ]
        };
        for text in bad(&header, "\"alg\":\"none\"") {
            target.refuses(&text, &target.signed(&text, &payload), "token_malformed");
        }
        for text in bad(&payload, "\"sub\":\"somebody\"") {
            target.refuses(&text, &target.signed(&header, &text), "token_malformed");
        }
        let escaped = twice(&payload, "\"\\u0073ub\":\"somebody\"");
        target.refuses("a duplicate by escapes", &target.signed(&header, escaped), "token_malformed");
        target.refuses("no UTF-8", &target.signed(&header, b"{\"a\":\"\xff\"}"), "token_malformed");
    }
}

/// Pitfall 9: a text is no time, an absent claim is no claim.
#[test]
fn a_claim_has_its_form_or_the_token_is_refused() {
    for target in targets() {
        for claim in ["iss", "aud", "sub", "org", "type", "jti", "iat", "nbf", "exp"] {
            target.refuses(claim, &target.with_claims(json!({ claim: null })), "token_claim");
            for value in [
                json!(true),
                json!([]),
                json!({}),
                json!(""),
                json!([claims()[claim]]),
                json!(-1),
                json!(0.5),
            ] {
                target.refuses(claim, &target.with_claims(json!({ claim: value })), "token_claim");
            }
        }
        let raw = |claim: &str, value: &str| {
            let text = claims().to_string();
            let old = format!("\"{claim}\":{}", claims()[claim]);
            target.signed(target.header().to_string(), text.replace(&old, &format!("\"{claim}\":{value}")))
        };
        for value in ["\"1000300\"", "1000300.0", "1000300.5", "1.0003e6", "-1000300", "null"] {
            for claim in ["exp", "iat", "nbf"] {
                target.refuses(value, &raw(claim, value), "token_claim");
            }
        }
        for value in ["9007199254740992", "9223372036854775808", "18446744073709551616", "1e400"] {
            target.refuses(value, &raw("exp", value), "token_malformed");
        }
        target.refuses("the last exact integer", &raw("exp", "9007199254740991"), "token_too_long_lived");
        for org in [
            "0198C0DE-0000-7000-8000-000000000001",
            "0198c0de000070008000000000000001",
            "urn:uuid:0198c0de-0000-7000-8000-000000000001",
            "*",
        ] {
            target.refuses(org, &target.with_claims(json!({ "org": org })), "token_claim");
        }
        for (claim, value) in [
            ("sid", json!("x")),
            ("tools", json!(["delete_agent"])),
            ("tools", json!("list_ous")),
            ("act", json!("agent:x")),
            ("permissions", json!(["agent:fly"])),
            ("email", json!(1)),
            ("sub", json!("x".repeat(513))),
        ] {
            target.refuses(claim, &target.with_claims(json!({ claim: value })), "token_claim");
        }
    }
}

/// T4, and the longest life of a kind, which holds whoever signed.
#[test]
fn a_token_is_good_from_its_first_second_to_before_its_last() {
    for target in targets() {
        let token = target.good();
        let code = |token: &str, micros: i64| {
            target.verify_at(token, Timestamp::from_micros(micros)).map_err(|error| error.code()).err()
        };
        let second = |seconds: u64| i64::try_from(seconds).unwrap() * 1_000_000;
        assert_eq!(code(&token, second(ISSUED) - 1), Some("token_not_yet_valid"));
        assert_eq!(code(&token, second(ISSUED)), None);
        assert_eq!(code(&token, second(ISSUED + 300) - 1), None);
        assert_eq!(code(&token, second(ISSUED + 300)), Some("token_expired"));
        assert_eq!(code(&token, i64::MIN), Some("token_not_yet_valid"));
        assert_eq!(code(&token, i64::MAX), Some("token_expired"));
        let later = target.with_claims(json!({ "nbf": ISSUED + 10 }));
        assert_eq!(code(&later, second(ISSUED + 10) - 1), Some("token_not_yet_valid"));
        assert_eq!(code(&later, second(ISSUED + 10)), None);
        target.refuses(
            "an hour and a second",
            &target.with_claims(json!({ "exp": ISSUED + 3601 })),
            "token_too_long_lived",
        );
        target.refuses("no life", &target.with_claims(json!({ "exp": ISSUED })), "token_claim");
        target.refuses(
            "begins after its end",
            &target.with_claims(json!({ "nbf": ISSUED + 300 })),
            "token_claim",
        );
        target.refuses(
            "begins before it is issued",
            &target.with_claims(json!({ "nbf": ISSUED - 1 })),
            "token_claim",
        );

        let lenient = Expected::new(TokenType::Access, ISSUER, AUDIENCE).leeway(Duration::from_secs(3600));
        let good = |micros: i64| target.set.verify(&token, &lenient, Timestamp::from_micros(micros)).is_ok();
        assert!(good(second(ISSUED + 330) - 1) && !good(second(ISSUED + 330)), "never more than 30 seconds");
        assert!(good(second(ISSUED - 30)) && !good(second(ISSUED - 30) - 1));
    }
}

#[test]
fn a_retired_key_verifies_nothing() {
    let target = targets().remove(0);
    let retired = KeySet::new(SigningKey::generate_es256().unwrap())
        .with_other(target.key.verifying_key().clone(), Some(at(ISSUED + 10)))
        .unwrap();
    let (token, target) = (target.good(), Target { set: retired, ..target });
    assert!(target.verify_at(&token, at(ISSUED + 9)).is_ok());
    assert_eq!(target.verify_at(&token, at(ISSUED + 10)).unwrap_err().code(), "token_retired_key");
}

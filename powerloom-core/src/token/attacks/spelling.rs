//! Other spellings of a good token.

use super::{ISSUED, at, targets};
use crate::token::verify::MAX_TOKEN_LEN;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

/// A token has one spelling.
#[test]
fn no_other_spelling_of_a_good_token_is_taken() {
    for target in targets() {
        let good = target.good();
        let parts: Vec<&str> = good.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("three parts") };
        let again =
            |engine: &dyn Fn(&[u8]) -> String, part: &str| engine(&URL_SAFE_NO_PAD.decode(part).unwrap());
        let padded = |bytes: &[u8]| URL_SAFE.encode(bytes);
        let mut spellings = vec![
            format!(" {good}"),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}\0"),
            format!("Bearer {good}"),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{signature}"),
            format!("{header}..{signature}"),
            format!(".{payload}.{signature}"),
            format!("{header}.{payload}."),
            "..".to_owned(),
            String::new(),
            ".".to_owned(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.{signature}.x.y"),
            good.replace('.', "%2e"),
            json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
            format!("{header}.{payload}.{}", again(&padded, signature)),
            format!("{header}.{payload}.{signature}=="),
            format!("{header}.{} {}.{signature}", &payload[..9], &payload[9..]),
            format!("{header}.{payload}.\u{ff53}"),
            format!("{header}.\n{payload}.{signature}"),
            format!("{}.{payload}.{signature}", again(&padded, header)),
        ];
        let standard = again(&|bytes| STANDARD.encode(bytes), signature);
        if standard.contains(['+', '/']) {
            spellings.push(format!("{header}.{payload}.{}", standard.trim_end_matches('=')));
        }
        for spelling in spellings.iter().filter(|spelling| **spelling != good) {
            target.refuses(spelling, spelling, "token_malformed");
        }
        // 64 bytes end in a character with four bits to spare.
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.iter().position(|c| signature.ends_with(char::from(*c))).unwrap();
        for bits in 1..16 {
            let other = char::from(alphabet[last ^ bits]);
            let spelling = format!("{}{other}", &good[..good.len() - 1]);
            target.refuses("spare bits", &spelling, "token_malformed");
        }
        for place in 0..good.len() {
            for other in ['A', '_', 'g'].into_iter().filter(|other| !good[place..].starts_with(*other)) {
                let changed = format!("{}{other}{}", &good[..place], &good[place + 1..]);
                assert!(target.verify_at(&changed, at(ISSUED)).is_err(), "{changed}");
            }
            assert!(target.verify_at(&good[..place], at(ISSUED)).is_err(), "cut at {place}");
        }
    }
}

#[test]
fn a_token_too_long_is_not_even_looked_at() {
    for target in targets() {
        let filler = |length: usize| target.with_claims(json!({ "filler": "x".repeat(length) }));
        let most = (1..MAX_TOKEN_LEN)
            .rev()
            .step_by(7)
            .find(|length| filler(*length).len() <= MAX_TOKEN_LEN)
            .unwrap();
        assert!(target.verify_at(&filler(most), at(ISSUED)).is_ok());
        target.refuses("one byte more", &"x".repeat(MAX_TOKEN_LEN + 1), "token_too_long");
        target.refuses("a megabyte", &filler(1 << 20), "token_too_long");
    }
}

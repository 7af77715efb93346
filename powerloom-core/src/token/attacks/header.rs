//! Attacks on the header: algorithms, key ids, and keys it brings along.

use super::{Target, at, b64, claims, patched, targets};
use crate::entropy::SystemEntropy;
use crate::token::key::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// T2: the algorithm is the key's.
#[test]
fn the_header_does_not_choose_the_algorithm() {
    for target in targets() {
        let own = target.key.verifying_key().algorithm();
        let names = [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "HS256",
            "HS384",
            "RS256",
            "PS256",
            "ES384",
            "ES256K",
            "Ed25519",
            "eddsa",
            "es256",
            "EdDSA ",
            "ES256\u{0}",
            "EdDSA",
            "ES256",
        ];
        for name in names.into_iter().filter(|name| *name != own.name()) {
            target.refuses(name, &target.with_header(json!({ "alg": name })), "token_wrong_algorithm");
            let header = patched(target.header(), json!({ "alg": name })).to_string();
            let signed = format!("{}.{}", b64(header), b64(claims().to_string()));
            target.refuses("no signature", &format!("{signed}."), "token_malformed");
            target.refuses("no third part", &signed, "token_malformed");
        }
        for alg in [json!(["EdDSA"]), json!(7), json!({}), Value::Null, json!(true)] {
            let header = if alg.is_null() { json!({ "alg": null }) } else { json!({ "alg": alg }) };
            target.refuses("an alg that is no text", &target.with_header(header), "token_header");
        }
    }
}

/// The public key taken for a shared secret, in every form an attacker may have it in.
#[test]
fn a_public_key_is_no_shared_secret() {
    for target in targets() {
        let public = target.key.verifying_key();
        let jwk = serde_json::to_string(&target.set.jwks(at(0)).keys[1]).unwrap();
        let x = public.jwk_members().unwrap()[2].1.clone();
        for secret in [jwk, x.clone(), String::new(), public.kid().to_owned()] {
            for bytes in [secret.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&secret).unwrap_or_default()] {
                let forger = SigningKey::hs256_for_tests(&bytes, public.kid());
                let forger = Target { key: forger, set: target.set.clone() };
                target.refuses("confusion", &forger.good(), "token_wrong_algorithm");
                let text = forger.with_header(json!({ "alg": public.algorithm().name() }));
                target.refuses("confusion with the right name", &text, "token_bad_signature");
                let text = forger.with_header(json!({ "kid": "shared" }));
                target.refuses("confusion with the shared key", &text, "token_bad_signature");
            }
        }
    }
}

#[test]
fn only_a_known_kid_finds_a_key() {
    for target in targets() {
        let own = target.key.verifying_key().kid().to_owned();
        let kids = [
            "../../../../../../dev/null".to_owned(),
            "/dev/null".to_owned(),
            "' OR '1'='1".to_owned(),
            "x' UNION SELECT 'secret';--".to_owned(),
            "key|/usr/bin/id".to_owned(),
            "https://evil.example/jwks".to_owned(),
            format!("{own}\u{0}"),
            format!(" {own}"),
            own.to_uppercase(),
            own.replace(|c: char| c.is_ascii_lowercase(), "е"),
            String::new(),
            "x".repeat(4000),
        ];
        for kid in kids {
            target.refuses(&kid, &target.with_header(json!({ "kid": kid })), "token_unknown_key");
        }
        for kid in [json!(1), json!([own]), json!({ "kid": own })] {
            target.refuses(
                "a kid that is no text",
                &target.with_header(json!({ "kid": kid })),
                "token_header",
            );
        }
        target.refuses("no kid", &target.with_header(json!({ "kid": null })), "token_header");
        let signing = target.set.signing().verifying_key().kid();
        let text = target.with_header(json!({ "kid": signing, "alg": "ES256" }));
        target.refuses("another key's kid", &text, "token_bad_signature");
    }
}

/// T2: what a header may say about keys and forms is refused, not ignored; nothing is fetched, for nothing can.
#[test]
fn a_header_says_nothing_about_keys_or_forms() {
    for target in targets() {
        let evil = SigningKey::generate_ed25519(&SystemEntropy).unwrap();
        let jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": evil.verifying_key().jwk_members().unwrap()[2].1 });
        for members in [
            json!({ "jwk": jwk }),
            json!({ "jku": "http://127.0.0.1:1/jwks" }),
            json!({ "x5u": "http://127.0.0.1:1/cert" }),
            json!({ "x5c": ["AAAA"] }),
            json!({ "x5t": "AAAA" }),
            json!({ "x5t#S256": "AAAA" }),
            json!({ "crit": [] }),
            json!({ "crit": ["exp"] }),
            json!({ "crit": ["b64"], "b64": false }),
            json!({ "b64": false }),
            json!({ "b64": true }),
            json!({ "zip": "DEF" }),
            json!({ "cty": "JWT" }),
            json!({ "enc": "A256GCM" }),
            json!({ "x": 1 }),
        ] {
            target.refuses(&members.to_string(), &target.with_header(members.clone()), "token_header");
            let forger = SigningKey::from_pkcs8(evil.to_pkcs8().unwrap().expose()).unwrap();
            let forger = Target { key: forger, set: target.set.clone() };
            target.refuses("signed with its own key", &forger.with_header(members), "token_header");
        }
        let unencoded = patched(target.header(), json!({ "b64": false, "crit": ["b64"] })).to_string();
        let signed = format!("{}.{}", b64(unencoded), claims());
        let token = format!("{signed}.{}", b64(target.key.sign(signed.as_bytes()).unwrap()));
        target.refuses("an unencoded payload", &token, "token_malformed");
    }
}

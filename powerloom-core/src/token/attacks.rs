//! Attacks on signed tokens, per algorithm (reliability T1–T4; pitfall 9). Every one is refused, and the good token they
//! are made from is taken.

mod claims;
mod header;
mod signature;
mod spelling;

use crate::clock::Timestamp;
use crate::entropy::SystemEntropy;
use crate::token::claims::{Claims, TokenType};
use crate::token::error::TokenError;
use crate::token::key::SigningKey;
use crate::token::key_set::KeySet;
use crate::token::verify::Expected;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const ISSUER: &str = "https://loom.acme.com";
const AUDIENCE: &str = "https://loom.acme.com/api";
/// The second at which the good token is issued; it is good for 300.
const ISSUED: u64 = 1_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seconds).unwrap() * 1_000_000)
}

/// A key, and a set that knows it beside others.
struct Target {
    key: SigningKey,
    set: KeySet,
}

fn targets() -> Vec<Target> {
    let shared = SigningKey::hs256_for_tests(b"a secret that both sides share", "shared");
    let target = |key: SigningKey| {
        let other =
            SigningKey::from_pkcs8(SigningKey::generate_es256().unwrap().to_pkcs8().unwrap().expose());
        let set = KeySet::new(other.unwrap())
            .with_other(key.verifying_key().clone(), None)
            .unwrap()
            .with_other(shared.verifying_key().clone(), None)
            .unwrap();
        Target { key, set }
    };
    vec![
        target(SigningKey::generate_ed25519(&SystemEntropy).unwrap()),
        target(SigningKey::generate_es256().unwrap()),
    ]
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "0198c0de-0000-7000-8000-000000000002",
        "org": "0198c0de-0000-7000-8000-000000000001", "type": "access", "jti": "one",
        "iat": ISSUED, "nbf": ISSUED, "exp": ISSUED + 300,
    })
}

impl Target {
    fn header(&self) -> Value {
        let public = self.key.verifying_key();
        json!({ "alg": public.algorithm().name(), "kid": public.kid(), "typ": "at+jwt" })
    }

    /// Header and payload as they are given, signed with the right key.
    fn signed(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let text = format!("{}.{}", b64(header), b64(payload));
        format!("{text}.{}", b64(self.key.sign(text.as_bytes()).unwrap()))
    }

    fn good(&self) -> String {
        self.signed(self.header().to_string(), claims().to_string())
    }

    /// The good token with members of its header set, or taken away by `null`.
    fn with_header(&self, members: Value) -> String {
        self.signed(patched(self.header(), members).to_string(), claims().to_string())
    }

    fn with_claims(&self, members: Value) -> String {
        self.signed(self.header().to_string(), patched(claims(), members).to_string())
    }

    fn verify_at(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        self.set.verify(token, &Expected::new(TokenType::Access, ISSUER, AUDIENCE), now)
    }

    #[track_caller]
    fn refuses(&self, what: &str, token: &str, code: &str) {
        match self.verify_at(token, at(ISSUED)) {
            Ok(_) => panic!("{}: {what} was taken: {token}", self.key.verifying_key().algorithm()),
            Err(error) => assert_eq!(error.code(), code, "{what}: {error}"),
        }
    }
}

fn patched(mut value: Value, members: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    for (name, member) in members.as_object().unwrap() {
        if member.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), member.clone());
        }
    }
    value
}

#[test]
fn the_good_token_is_taken() {
    for target in targets() {
        let read = target.verify_at(&target.good(), at(ISSUED)).unwrap();
        assert_eq!((read.jti.as_str(), read.exp), ("one", ISSUED + 300));
        // So that the attacks with a shared secret fail for what they are, not because it cannot verify.
        let shared = SigningKey::hs256_for_tests(b"a secret that both sides share", "shared");
        let shared = Target { key: shared, set: target.set };
        shared.verify_at(&shared.good(), at(ISSUED)).unwrap();
    }
}

//! Tokens nobody should have: made with our own key, as only we can, or with somebody else's.

use crate::every_route::house::House;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use powerloom_core::clock::Clock;
use powerloom_core::token::SigningKeys;
use serde_json::{Value, json};

/// Signs whatever it is given with the server's own key.
pub(crate) struct Forge {
    pair: Ed25519KeyPair,
    kid: String,
    issuer: String,
    sub: String,
    org: String,
    now: u64,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Members set, or taken away by `null`.
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

impl Forge {
    pub(crate) fn of(house: &House) -> Self {
        let (world, keys) = (house.world(), house.world().keys.key_set());
        let der = keys.signing().to_pkcs8().unwrap();
        Self {
            pair: Ed25519KeyPair::from_pkcs8(der.expose()).unwrap(),
            kid: keys.signing().verifying_key().kid().to_owned(),
            issuer: world.tokens.issuer().to_owned(),
            sub: world.acme.admin.to_string(),
            org: world.acme.id.to_string(),
            now: u64::try_from(house.clock.now().as_micros() / 1_000_000).unwrap(),
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "kid": self.kid, "typ": "at+jwt" })
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": self.issuer, "sub": self.sub, "org": self.org, "type": "access", "jti": "one",
            "iat": self.now, "nbf": self.now, "exp": self.now + 300,
        })
    }

    /// With our own key, whatever it says.
    pub(crate) fn with(&self, header: Value, claims: Value) -> String {
        let header = patched(self.header(), header).to_string();
        let text = format!("{}.{}", b64(header), b64(patched(self.claims(), claims).to_string()));
        format!("{text}.{}", b64(self.pair.sign(text.as_bytes())))
    }

    /// As good as one of ours.
    pub(crate) fn good(&self) -> String {
        self.with(json!({}), json!({}))
    }

    /// Without a signature, and saying so.
    pub(crate) fn unsigned(&self) -> String {
        let header = patched(self.header(), json!({ "alg": "none" })).to_string();
        format!("{}.{}.", b64(header), b64(self.claims().to_string()))
    }

    /// Signed with this text as a secret both sides share.
    pub(crate) fn shared(&self, secret: &[u8]) -> String {
        let header = patched(self.header(), json!({ "alg": "HS256" })).to_string();
        let text = format!("{}.{}", b64(header), b64(self.claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", b64(tag))
    }

    /// Signed with a key of one's own, which the header brings along.
    pub(crate) fn by_another(&self, header: Value) -> String {
        let pair = Ed25519KeyPair::generate().unwrap();
        let header = patched(self.header(), header).to_string();
        let text = format!("{}.{}", b64(header), b64(self.claims().to_string()));
        format!("{text}.{}", b64(pair.sign(text.as_bytes())))
    }
}

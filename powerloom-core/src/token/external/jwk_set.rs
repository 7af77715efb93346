//! The keys an issuer publishes (RFC 7517), read strictly.

use crate::canonical_json;
use crate::invalid::Invalid;
use crate::token::external::key::ForeignKey;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest document that is read: 256 KiB.
pub const MAX_JWKS_LEN: usize = 256 * 1024;
/// Most keys a document may have, those that cannot be used counted.
pub const MAX_KEYS: usize = 100;

/// The keys of an issuer that can be used here, by `kid`.
#[derive(Debug, Clone, Default)]
pub struct ForeignKeySet(BTreeMap<String, ForeignKey>);

impl ForeignKeySet {
    /// Reads a JWK set. A key that cannot be used here is left out, as RFC 7517, 5 asks for; it may have none that can.
    ///
    /// # Errors
    /// [`Invalid`] for what is no JWK set, is longer than [`MAX_JWKS_LEN`], has more than [`MAX_KEYS`] keys, or two keys
    /// that can be used under one `kid`: which of them is meant is anybody's guess.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::token::external::ForeignKeySet;
    ///
    /// let keys = ForeignKeySet::from_jwks(
    ///     br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026", "use": "sig",
    ///                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ///                   {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]}"#,
    /// )?;
    /// assert!(keys.get("2026").is_some());
    /// assert!(keys.get("shared").is_none());
    /// # Ok::<(), powerloom_core::invalid::Invalid>(())
    /// ```
    pub fn from_jwks(document: &[u8]) -> Result<Self, Invalid> {
        let refuse = |allowed: &str| Invalid::hidden("jwks", allowed);
        if document.len() > MAX_JWKS_LEN {
            return Err(refuse("a document of at most 256 KiB"));
        }
        let parsed = canonical_json::parse(document)?;
        let published = parsed.get("keys").and_then(Value::as_array).ok_or_else(|| refuse("a JWK set"))?;
        if published.len() > MAX_KEYS {
            return Err(Invalid::new("jwks", published.len(), format!("at most {MAX_KEYS} keys")));
        }
        let mut keys = BTreeMap::new();
        for jwk in published {
            let jwk = jwk.as_object().ok_or_else(|| refuse("a JWK set"))?;
            let Some(key) = ForeignKey::from_jwk(jwk) else { continue };
            if let Some(twice) = keys.insert(key.kid().to_owned(), key) {
                return Err(Invalid::new("kid", twice.kid(), "a `kid` no other key has"));
            }
        }
        Ok(Self(keys))
    }

    /// The key of a `kid`.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&ForeignKey> {
        self.0.get(kid)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn read(keys: Value) -> Result<ForeignKeySet, Invalid> {
        ForeignKeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn okp(extra: Value) -> Value {
        let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X });
        for (name, value) in extra.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    #[test]
    fn only_keys_that_verify_signatures_are_taken() {
        for good in [
            json!({}),
            json!({ "use": "sig", "alg": "EdDSA" }),
            json!({ "key_ops": ["verify"] }),
            json!({ "x5t": "!" }),
        ] {
            assert_eq!(read(json!([okp(good.clone())])).unwrap().len(), 1, "{good}");
        }
        for bad in [
            json!({ "use": "enc" }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "none" }),
            json!({ "alg": 1 }),
            json!({ "key_ops": ["sign"] }),
            json!({ "crv": "X25519" }),
            json!({ "kid": null }),
            json!({ "kid": "" }),
            json!({ "kid": "x".repeat(257) }),
            json!({ "d": X }),
            json!({ "x": "AAAA" }),
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
        ] {
            assert!(read(json!([okp(bad.clone())])).unwrap().is_empty(), "{bad}");
        }
        let short = "x".repeat(171);
        for rsa in [
            json!({ "kty": "RSA", "kid": "r", "n": short, "e": "AQAB" }),
            json!({ "kty": "RSA", "kid": "r", "n": "x".repeat(342), "e": "AQ" }),
            json!({ "kty": "RSA", "kid": "r", "n": format!("AAAA{}", "x".repeat(342)), "e": "AQAB" }),
            json!({ "kty": "RSA", "kid": "r", "n": "x".repeat(342), "e": "AQAB", "alg": "RS512" }),
        ] {
            assert!(read(json!([rsa.clone()])).unwrap().is_empty(), "{rsa}");
        }
    }

    #[test]
    fn a_document_that_could_be_read_in_two_ways_is_refused() {
        assert!(read(json!([okp(json!({})), okp(json!({}))])).is_err());
        assert!(read(json!([okp(json!({})), okp(json!({ "use": "enc" }))])).is_ok());
        assert!(read(json!(vec![json!({}); MAX_KEYS + 1])).is_err());
        for document in [
            "",
            "[]",
            "{}",
            r#"{"keys": {}}"#,
            r#"{"keys": [1]}"#,
            r#"{"keys": [], "keys": []}"#,
            &" ".repeat(MAX_JWKS_LEN + 1),
        ] {
            assert!(ForeignKeySet::from_jwks(document.as_bytes()).is_err(), "{document:.40}");
        }
    }
}

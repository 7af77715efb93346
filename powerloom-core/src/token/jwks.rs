//! The public keys as others read them (RFC 7517).

use crate::clock::Timestamp;
use crate::token::key_set::KeySet;
use serde::Serialize;
use std::collections::BTreeMap;

/// A JWK set: public keys only, each with `use`, `alg` and `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[expect(clippy::exhaustive_structs, reason = "the form is the RFC's")]
pub struct Jwks {
    /// The keys, the one that signs first.
    pub keys: Vec<BTreeMap<&'static str, String>>,
}

impl KeySet {
    /// The public halves of the keys that may verify at `now`. A shared secret is not among them.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> Jwks {
        let keys = self.usable(now).filter_map(|key| {
            let mut jwk: BTreeMap<&'static str, String> = key.jwk_members()?.into_iter().collect();
            jwk.insert("use", "sig".to_owned());
            jwk.insert("alg", key.algorithm().name().to_owned());
            jwk.insert("kid", key.kid().to_owned());
            Some(jwk)
        });
        Jwks { keys: keys.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::token::key::SigningKey;

    #[test]
    fn the_document_has_public_members_only() {
        let now = Timestamp::from_micros(0);
        let es256 = SigningKey::generate_es256().unwrap();
        let shared = SigningKey::hs256_for_tests(b"secret", "shared");
        let set = KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap())
            .with_other(es256.verifying_key().clone(), None)
            .unwrap()
            .with_other(shared.verifying_key().clone(), None)
            .unwrap();
        let jwks = serde_json::to_value(set.jwks(now)).unwrap();
        let names: Vec<Vec<&String>> = jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_object().unwrap().keys().collect())
            .collect();
        assert_eq!(
            names,
            [vec!["alg", "crv", "kid", "kty", "use", "x"], vec!["alg", "crv", "kid", "kty", "use", "x", "y"]]
        );
    }
}

//! Verifying a token of an issuer: pure, from the text, the key and the moment.

use crate::clock::Timestamp;
use crate::token::compact::{Compact, object};
use crate::token::error::TokenError;
use crate::token::external::config::IssuerConfig;
use crate::token::external::key::ForeignKey;
use serde_json::{Map, Value};

/// Longest token that is looked at: providers put much into theirs.
pub(super) const MAX_FOREIGN_LEN: usize = 16 * 1024;

/// Members of a header that would change what the token means, or where its key comes from.
const DANGEROUS: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];

/// A token taken apart, its header judged. Nothing of it is verified.
pub(super) struct Unverified<'t> {
    token: Compact<'t>,
    payload: Map<String, Value>,
}

/// The claims of a verified token.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) claims: Map<String, Value>,
    pub(super) subject: String,
    pub(super) expires_at: Timestamp,
}

impl<'t> Unverified<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, TokenError> {
        let token = Compact::parse(text, MAX_FOREIGN_LEN)?;
        if DANGEROUS.iter().any(|member| token.header.contains_key(*member)) {
            return Err(TokenError::Header { problem: "it has a member that is not allowed" });
        }
        let payload = object(&token.payload).ok_or(TokenError::Malformed { part: "payload" })?;
        Ok(Self { token, payload })
    }

    /// The issuer it says it is of: good for nothing but to choose whose key must have signed it.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        self.payload.get("iss").and_then(Value::as_str).ok_or(TokenError::Claim { claim: "iss" })
    }

    pub(super) fn kid(&self) -> Result<&str, TokenError> {
        let kid = self.token.header.get("kid").and_then(Value::as_str);
        kid.ok_or(TokenError::Header { problem: "it has no `kid`" })
    }

    /// Whether the header names an algorithm this issuer's keys may have: said before its key is looked for.
    pub(super) fn check_algorithm(&self, config: &IssuerConfig) -> Result<(), TokenError> {
        let alg = self.token.header.get("alg").and_then(Value::as_str);
        let known = config.algorithms.iter().any(|algorithm| alg == Some(algorithm.name()));
        if known { Ok(()) } else { Err(TokenError::WrongAlgorithm) }
    }

    /// Verifies it by `key`, which is one of the issuer's.
    pub(super) fn verify(
        self,
        key: &ForeignKey,
        config: &IssuerConfig,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        let alg = self.token.header.get("alg").and_then(Value::as_str);
        if alg != Some(key.algorithm().name()) || !config.algorithms.contains(&key.algorithm()) {
            return Err(TokenError::WrongAlgorithm);
        }
        key.check(self.token.signed, &self.token.signature)?;
        // From here on it is known who wrote it.
        self.check_typ()?;
        if self.issuer()? != config.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if !self.is_for(&config.audience)? {
            return Err(TokenError::WrongAudience);
        }
        let expires_at = self.judge_times(config, now)?;
        let subject = self.payload.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|sub| !sub.is_empty() && sub.len() <= 255);
        let subject = subject.ok_or(TokenError::Claim { claim: "sub" })?.to_owned();
        Ok(Verified { claims: self.payload, subject, expires_at })
    }

    /// `JWT` or `at+jwt` (RFC 9068, 2.1), or none; whatever else it is, it is no access token.
    fn check_typ(&self) -> Result<(), TokenError> {
        let Some(typ) = self.token.header.get("typ") else { return Ok(()) };
        let typ = typ.as_str().map(str::to_ascii_lowercase).unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        if matches!(typ, "jwt" | "at+jwt") { Ok(()) } else { Err(TokenError::WrongType) }
    }

    fn is_for(&self, audience: &str) -> Result<bool, TokenError> {
        match self.payload.get("aud") {
            Some(Value::String(one)) => Ok(one == audience),
            Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
                Ok(many.iter().any(|one| one == audience))
            }
            _ => Err(TokenError::Claim { claim: "aud" }),
        }
    }

    /// At `exp` it is over, at `nbf` it begins, both with the leeway. `exp` must be there.
    fn judge_times(&self, config: &IssuerConfig, now: Timestamp) -> Result<Timestamp, TokenError> {
        let seconds = |claim: &'static str| match self.payload.get(claim) {
            None => Ok(None),
            // A fraction, an exponent, a sign or a text is no `u64`.
            Some(value) => value.as_u64().map(Some).ok_or(TokenError::Claim { claim }),
        };
        let (iat, nbf, exp) = (seconds("iat")?, seconds("nbf")?, seconds("exp")?);
        let exp = exp.ok_or(TokenError::Claim { claim: "exp" })?;
        let leeway = config.leeway.as_secs();
        let now = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0);
        if now >= exp.saturating_add(leeway) {
            return Err(TokenError::Expired);
        }
        if iat.max(nbf).is_some_and(|begins| begins > now.saturating_add(leeway)) {
            return Err(TokenError::NotYetValid);
        }
        if exp.saturating_sub(iat.unwrap_or(now)) > config.max_lifetime.as_secs() {
            return Err(TokenError::TooLongLived);
        }
        let seconds = i64::try_from(exp).map_err(|_| TokenError::Claim { claim: "exp" })?;
        Ok(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
    }
}

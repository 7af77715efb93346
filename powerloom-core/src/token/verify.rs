//! Verifying a signed token of ours: pure, from the text, the keys and the moment.

use crate::clock::Timestamp;
use crate::token::claims::{Claims, TokenType};
use crate::token::compact::{Compact, object};
use crate::token::error::TokenError;
use crate::token::key_set::KeySet;
use serde_json::{Map, Value};
use std::time::Duration;

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// Longest leeway, in seconds.
const MAX_LEEWAY: u64 = 30;

/// Longest text of a claim, in bytes.
const MAX_CLAIM: usize = 512;

/// What a verifier accepts: one kind, of one issuer, for one audience.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Expected<'a> {
    /// The kind.
    pub token_type: TokenType,
    /// Who issued it.
    pub issuer: &'a str,
    /// Whom it is for.
    pub audience: &'a str,
    leeway: u64,
}

impl<'a> Expected<'a> {
    /// This kind, of this issuer, for this audience; no leeway.
    #[must_use]
    pub const fn new(token_type: TokenType, issuer: &'a str, audience: &'a str) -> Self {
        Self { token_type, issuer, audience, leeway: 0 }
    }

    /// The same for clocks that differ by up to `leeway`, in whole seconds, and never by more than 30.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.as_secs().min(MAX_LEEWAY);
        self
    }
}

impl KeySet {
    /// Verifies `token` as `expected` at `now` and returns what it says. What must be asked of the store, such as whether
    /// its user is still there, is not asked here.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Claims, TokenError> {
        self.verify_compact(&Compact::parse(token, MAX_TOKEN_LEN)?, expected, now)
    }

    /// The same for a token that was taken apart.
    pub(crate) fn verify_compact(
        &self,
        token: &Compact<'_>,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Claims, TokenError> {
        let Header { alg, kid, typ } = header(&token.header)?;
        let key = self.verifying(kid, now)?;
        if alg != key.algorithm().name() {
            return Err(TokenError::WrongAlgorithm);
        }
        key.check(token.signed, &token.signature)?;
        // From here on it is known who wrote it.
        let payload = object(&token.payload).ok_or(TokenError::Malformed { part: "payload" })?;
        let claims = claims(payload)?;
        if typ != expected.token_type.typ() || claims.token_type != expected.token_type {
            return Err(TokenError::WrongType);
        }
        if claims.iss != expected.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if claims.aud != expected.audience {
            return Err(TokenError::WrongAudience);
        }
        judge_times(&claims, expected.leeway, now)?;
        Ok(claims)
    }
}

/// The three members a header has.
struct Header<'t> {
    alg: &'t str,
    kid: &'t str,
    typ: &'t str,
}

/// Reads a header with exactly `alg`, `kid` and `typ`: everything else a header could have would change what the token
/// means or where keys come from, and we write none of it.
fn header(members: &Map<String, Value>) -> Result<Header<'_>, TokenError> {
    let refused = |problem| TokenError::Header { problem };
    let text = |name, problem| members.get(name).and_then(Value::as_str).ok_or(refused(problem));
    let header = Header {
        alg: text("alg", "it has no `alg`")?,
        kid: text("kid", "it has no `kid`")?,
        typ: text("typ", "it has no `typ`")?,
    };
    if members.len() == 3 { Ok(header) } else { Err(refused("it has more than `alg`, `kid` and `typ`")) }
}

/// Reads the claims: those every token has must be there, in their form.
fn claims(payload: Map<String, Value>) -> Result<Claims, TokenError> {
    for claim in ["iss", "aud", "sub", "org", "type", "jti"] {
        let text = payload.get(claim).and_then(Value::as_str);
        if !text.is_some_and(|text| !text.is_empty() && text.len() <= MAX_CLAIM) {
            return Err(TokenError::Claim { claim });
        }
    }
    for claim in ["iat", "nbf", "exp"] {
        // A fraction, an exponent, a sign or a text is no `u64`.
        if payload.get(claim).and_then(Value::as_u64).is_none() {
            return Err(TokenError::Claim { claim });
        }
    }
    let org = payload.get("org").cloned().unwrap_or_default();
    let claims: Claims =
        serde_json::from_value(Value::Object(payload)).map_err(|_| TokenError::Claim { claim: "payload" })?;
    // A UUID has many spellings; we write one.
    if org.as_str() != Some(claims.org.to_string().as_str()) {
        return Err(TokenError::Claim { claim: "org" });
    }
    Ok(claims)
}

/// Judges the times at the second (reliability T4): at `exp` it is over, at `nbf` it begins.
fn judge_times(claims: &Claims, leeway: u64, now: Timestamp) -> Result<(), TokenError> {
    let Claims { iat, nbf, exp, .. } = *claims;
    let now = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0);
    if exp <= iat {
        return Err(TokenError::Claim { claim: "exp" });
    }
    if nbf < iat || nbf >= exp {
        return Err(TokenError::Claim { claim: "nbf" });
    }
    if exp - iat > claims.token_type.max_lifetime().as_secs() {
        return Err(TokenError::TooLongLived);
    }
    if now >= exp.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    if iat > now.saturating_add(leeway) || nbf > now.saturating_add(leeway) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

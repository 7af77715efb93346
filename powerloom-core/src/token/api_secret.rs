//! The text of an API token, and what is kept of it.

use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::id::{OrgId, ResourceId};
use crate::token::error::TokenError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How the text begins: secret scanners know tokens by their beginning.
const PREFIX: &str = "pat_";

/// The 32 random bytes of an API token. Wiped when dropped, shown by nothing.
#[derive(Clone)]
pub struct ApiSecret(Zeroizing<[u8; 32]>);

impl ApiSecret {
    /// Fresh random bytes.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(bytes)
    }

    /// What the store keeps of it: `SHA-256("powerloom/api-token/v1\n" ‖ organization ‖ token ‖ secret)`, the ids as 16
    /// bytes. A digest moved to another row opens nothing there.
    #[must_use]
    pub fn digest(&self, org: OrgId, token: ResourceId) -> Digest {
        let (org, token) = (org.as_uuid(), token.as_uuid());
        Digest::of_parts(&[b"powerloom/api-token/v1\n", org.as_bytes(), token.as_bytes(), self.0.as_slice()])
    }

    /// Whether this is the secret of `digest`; takes as long either way.
    pub(crate) fn opens(&self, org: OrgId, token: ResourceId, digest: &Digest) -> bool {
        self.digest(org, token).as_bytes().ct_eq(digest.as_bytes()).into()
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(redacted)")
    }
}

/// An API token as its bearer holds it: `pat_<token>.<organization>.<secret>`, 22, 22 and 43 characters of base64url.
///
/// It is shown once, by [`reveal`](Self::reveal); nobody can show it again.
#[derive(Clone)]
pub struct ApiTokenText {
    /// The organization.
    pub org: OrgId,
    /// The token's record.
    pub token: ResourceId,
    secret: ApiSecret,
}

impl ApiTokenText {
    /// The text of these parts.
    #[must_use]
    pub const fn new(org: OrgId, token: ResourceId, secret: ApiSecret) -> Self {
        Self { org, token, secret }
    }

    /// Reads a presented text; whether it is good only the store can tell.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] for anything that is not the one text of such a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let malformed = TokenError::Malformed { part: "form" };
        let mut parts = text.strip_prefix(PREFIX).ok_or(malformed.clone())?.split('.');
        let (Some(token), Some(org), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let id =
            |text: &str| bytes::<16>(text).map(|bytes| Uuid::from_bytes(*bytes)).ok_or(malformed.clone());
        Ok(Self {
            token: ResourceId::from_uuid(id(token)?),
            org: OrgId::from_uuid(id(org)?),
            secret: ApiSecret(bytes::<32>(secret).ok_or(malformed.clone())?),
        })
    }

    /// The text, to be given to the bearer once. It is wiped when dropped.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        // The room is taken before anything is written, so that no copy stays behind in memory.
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.token.as_uuid().as_bytes(), &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(self.org.as_uuid().as_bytes(), &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(self.secret.0.as_slice(), &mut text);
        text
    }

    /// The secret part.
    #[must_use]
    pub const fn secret(&self) -> &ApiSecret {
        &self.secret
    }
}

impl fmt::Debug for ApiTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { org, token, secret } = self;
        f.debug_struct("ApiTokenText")
            .field("org", org)
            .field("token", token)
            .field("secret", secret)
            .finish()
    }
}

/// Exactly `N` bytes of canonical base64url.
fn bytes<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    <[u8; N]>::try_from(decoded.as_slice()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::SeededEntropy;

    fn token() -> ApiTokenText {
        let (entropy, at) = (SeededEntropy::new(5), Timestamp::from_micros(1_000_000));
        let (org, token) = (OrgId::generate(at, &entropy), ResourceId::generate(at, &entropy));
        ApiTokenText::new(org, token, ApiSecret::generate(&entropy))
    }

    #[test]
    fn a_token_has_one_text_and_reads_back_from_it_only() {
        let token = token();
        let text = token.reveal();
        assert_eq!(text.split(['_', '.']).map(str::len).collect::<Vec<_>>()[0], 3);
        assert_eq!(text.len(), 4 + 22 + 1 + 22 + 1 + 43);
        let again = ApiTokenText::parse(&text).unwrap();
        assert_eq!((again.org, again.token), (token.org, token.token));
        assert!(again.secret().opens(token.org, token.token, &token.secret().digest(token.org, token.token)));
        let mut other = text.to_string();
        // The last of 43 characters has four bits to spare: only one of its spellings is taken.
        let last = other.pop().unwrap();
        let next = char::from(u32::from(last) as u8 + 1);
        for spelling in [
            format!("{other}{next}"),
            format!("{}=", *text),
            format!("{} ", *text),
            format!("{}.", *text),
            text.replacen("pat_", "PAT_", 1),
            text.replacen("pat_", "", 1),
            text.replace('.', ":"),
            other.clone(),
        ] {
            assert!(ApiTokenText::parse(&spelling).is_err(), "{spelling}");
        }
    }

    #[test]
    fn a_digest_is_of_one_token_of_one_organization() {
        let (one, other) = (token(), ResourceId::from_uuid(Uuid::nil()));
        let digest = one.secret().digest(one.org, one.token);
        assert!(!one.secret().opens(one.org, other, &digest));
        assert!(!one.secret().opens(OrgId::from_uuid(Uuid::nil()), one.token, &digest));
        let text = one.reveal();
        let secret = text.rsplit_once('.').unwrap().1;
        assert!(!format!("{one:?}").contains(secret));
    }
}

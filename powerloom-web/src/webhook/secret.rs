//! The secret both ends know, and the signature made with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use powerloom_core::clock::Timestamp;
use powerloom_core::invalid::Invalid;
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
/// The version of the signature.
const VERSION: &str = "v1,";

/// A secret of a webhook: `whsec_` and 24 to 64 bytes in base64.
///
/// It is kept only as what a signature is made from, wiped when dropped, and shown by nothing.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

impl WebhookSecret {
    /// The signature of a message at a moment, such as `v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=`.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mac = self.mac(id, seconds(at), body).finalize().into_bytes();
        format!("{VERSION}{}", STANDARD.encode(mac))
    }

    /// Whether `signature` is this secret's, in constant time. A signature of another version is none.
    pub(crate) fn made(&self, signature: &str, id: &str, timestamp: i64, body: &[u8]) -> bool {
        let Some(Ok(mac)) = signature.strip_prefix(VERSION).map(|text| STANDARD.decode(text)) else {
            return false;
        };
        self.mac(id, timestamp, body).verify_slice(&mac).is_ok()
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(format!("{id}.{timestamp}.")).chain_update(body)
    }
}

/// Whole seconds since 1970.
pub(crate) fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

impl FromStr for WebhookSecret {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::hidden("webhook_secret", "`whsec_` and 24 to 64 bytes in base64");
        let bytes = text.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok());
        let bytes = bytes.map(Zeroizing::new).filter(|bytes| (24..=64).contains(&bytes.len()));
        Hmac::new_from_slice(&bytes.ok_or_else(refuse)?).map(Self).map_err(|_| refuse())
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The published example of the reference libraries of Standard Webhooks.
    #[test]
    fn the_signature_has_its_published_value() {
        let secret: WebhookSecret = SECRET.parse().unwrap();
        let at = Timestamp::from_micros(1_614_265_330_999_999);
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_none_is_shown() {
        for text in
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_not base64 at all!"]
        {
            let refused = text.parse::<WebhookSecret>().unwrap_err();
            assert!(!refused.to_string().contains("MfKQ"), "{refused}");
        }
        let shown = format!("{:?}", SECRET.parse::<WebhookSecret>().unwrap());
        assert_eq!(shown, "WebhookSecret(redacted)");
    }
}

//! The receiving end: whether a message is from who knows the secret, whole, and new.

use crate::webhook::secret::{WebhookSecret, seconds};
use crate::webhook::{MAX_SECRETS, is_message_id};
use powerloom_core::clock::Clock;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::invalid::Invalid;
use std::sync::Arc;
use std::time::Duration;

/// How far a message's timestamp may be from the receiver's clock, to either side.
pub const TOLERANCE: Duration = Duration::from_secs(300);
/// Most signatures of a message that are looked at.
const MOST_SIGNATURES: usize = 16;

/// Checks messages that come in.
///
/// It does not remember ids: within [`TOLERANCE`] a message can be played again, and a receiver whose work must not
/// be done twice keeps the ids it has seen at least that long.
#[derive(Debug, Clone)]
pub struct WebhookVerifier {
    secrets: Vec<WebhookSecret>,
    clock: Arc<dyn Clock>,
}

/// The three headers of a message, as they came.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the three headers the standard names")]
pub struct SignedHeaders<'a> {
    /// [`ID_HEADER`](crate::webhook::ID_HEADER).
    pub id: &'a str,
    /// [`TIMESTAMP_HEADER`](crate::webhook::TIMESTAMP_HEADER).
    pub timestamp: &'a str,
    /// [`SIGNATURE_HEADER`](crate::webhook::SIGNATURE_HEADER).
    pub signature: &'a str,
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header has no form that a sender could have given it.
    #[error("a header of the message is malformed")]
    Malformed,
    /// It is older or newer than [`TOLERANCE`] allows.
    #[error("the message is too old or from the future")]
    Untimely,
    /// No signature was made with a secret that is known here, over just this message.
    #[error("the message has no good signature")]
    Unsigned,
}

impl VerifyError {
    /// What the sender can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed => ErrorKind::Invalid,
            Self::Untimely | Self::Unsigned => ErrorKind::Unauthenticated,
        }
    }
}

impl WebhookVerifier {
    /// Believes messages signed with any of `secrets`: two while a secret is changed.
    ///
    /// # Errors
    /// [`Invalid`] unless there are 1 to [`MAX_SECRETS`].
    pub fn new(secrets: Vec<WebhookSecret>, clock: Arc<dyn Clock>) -> Result<Self, Invalid> {
        if (1..=MAX_SECRETS).contains(&secrets.len()) {
            Ok(Self { secrets, clock })
        } else {
            Err(Invalid::new("secrets", secrets.len(), format!("1 to {MAX_SECRETS} secrets")))
        }
    }

    /// Checks a message: `body` is what came, byte for byte, before anything parses it.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing of such a message may be used.
    pub fn verify(&self, headers: &SignedHeaders<'_>, body: &[u8]) -> Result<(), VerifyError> {
        let SignedHeaders { id, timestamp, signature } = *headers;
        // The text itself is signed: there must be one text per number.
        let sent: i64 = timestamp.parse().map_err(|_| VerifyError::Malformed)?;
        if !is_message_id(id) || sent.to_string() != timestamp {
            return Err(VerifyError::Malformed);
        }
        if seconds(self.clock.now()).abs_diff(sent) > TOLERANCE.as_secs() {
            return Err(VerifyError::Untimely);
        }
        let known = |signature: &str| self.secrets.iter().any(|s| s.made(signature, id, sent, body));
        if signature.split(' ').take(MOST_SIGNATURES).any(known) {
            Ok(())
        } else {
            Err(VerifyError::Unsigned)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use powerloom_core::clock::{ManualClock, Timestamp};

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    const BODY: &[u8] = b"{}";

    fn secret(text: &str) -> WebhookSecret {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn check(
        known: &[&str],
        now: i64,
        id: &str,
        timestamp: &str,
        signature: &str,
    ) -> Result<(), VerifyError> {
        let secrets = known.iter().map(|text| secret(text)).collect();
        let verifier = WebhookVerifier::new(secrets, Arc::new(ManualClock::new(at(now)))).unwrap();
        verifier.verify(&SignedHeaders { id, timestamp, signature }, BODY)
    }

    #[test]
    fn either_secret_is_believed_while_it_is_changed_and_no_other_is() {
        let both =
            format!("{} {}", secret(OLD).sign("m", at(1000), BODY), secret(NEW).sign("m", at(1000), BODY));
        assert_eq!(check(&[OLD], 1000, "m", "1000", &both), Ok(()));
        assert_eq!(check(&[NEW], 1000, "m", "1000", &both), Ok(()));
        let old = secret(OLD).sign("m", at(1000), BODY);
        assert_eq!(check(&[NEW, OLD], 1000, "m", "1000", &old), Ok(()));
        assert_eq!(check(&[NEW], 1000, "m", "1000", &old), Err(VerifyError::Unsigned));
        assert!(WebhookVerifier::new(Vec::new(), Arc::new(ManualClock::new(at(0)))).is_err());
    }

    #[test]
    fn a_message_is_believed_for_five_minutes_to_either_side() {
        let good = secret(OLD).sign("m", at(1000), BODY);
        for (now, expect) in [
            (1300, Ok(())),
            (1301, Err(VerifyError::Untimely)),
            (700, Ok(())),
            (699, Err(VerifyError::Untimely)),
        ] {
            assert_eq!(check(&[OLD], now, "m", "1000", &good), expect, "{now}");
        }
    }

    #[test]
    fn what_is_signed_cannot_be_read_in_another_way() {
        // "a" at 1000 over "1001.{}" has the bytes of "a.1000" at 1001 over "{}".
        let moved = secret(OLD).sign("a", at(1000), b"1001.{}");
        assert_eq!(check(&[OLD], 1000, "a.1000", "1001", &moved), Err(VerifyError::Malformed));
        let good = secret(OLD).sign("m", at(1000), BODY);
        for timestamp in ["+1000", "01000", " 1000", "1000.0", "1e3", "", "99999999999999999999"] {
            assert_eq!(
                check(&[OLD], 1000, "m", timestamp, &good),
                Err(VerifyError::Malformed),
                "{timestamp}"
            );
        }
        for signature in [
            "".to_owned(),
            good.replace("v1,", ""),
            good.replace("v1,", "v1a,"),
            good.replace("v1,", "v2,"),
            format!("{good}x"),
            format!("{}{good}", "v1,AAAA ".repeat(MOST_SIGNATURES)),
        ] {
            assert_eq!(
                check(&[OLD], 1000, "m", "1000", &signature),
                Err(VerifyError::Unsigned),
                "{signature}"
            );
        }
        assert_eq!(check(&[OLD], 1000, "n", "1000", &good), Err(VerifyError::Unsigned));
        assert_eq!(check(&[OLD], 1000, "m", "1001", &good), Err(VerifyError::Unsigned));
    }
}

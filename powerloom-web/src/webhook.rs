//! Webhooks in the form of [Standard Webhooks](https://www.standardwebhooks.com): JSON by POST, signed with HMAC-SHA-256.
//!
//! [`Webhook`] sends, and tries again; [`WebhookVerifier`] is for whoever receives; [`WebhookNotifier`] tells approvals,
//! [`WebhookAnchor`] keeps checkpoints of the audit chain.
//! A message has an id that stays the same over all tries, so a receiver drops what it has seen.
//!
//! # Examples
//! What is sent, checked at the other end:
//! ```
//! use powerloom_core::clock::{Clock, SystemClock};
//! use powerloom_web::webhook::{SignedHeaders, WebhookSecret, WebhookVerifier};
//! use std::sync::Arc;
//!
//! let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! let body = br#"{"type":"approval.requested"}"#;
//! let now = SystemClock.now();
//! let (timestamp, signature) = (now.as_micros() / 1_000_000, secret.sign("req_1-requested-1", now, body));
//!
//! let verifier = WebhookVerifier::new(vec![secret], Arc::new(SystemClock))?;
//! let headers = SignedHeaders {
//!     id: "req_1-requested-1",
//!     timestamp: &timestamp.to_string(),
//!     signature: &signature,
//! };
//! assert!(verifier.verify(&headers, body).is_ok());
//! assert!(verifier.verify(&headers, b"{}").is_err());
//! # Ok::<(), powerloom_core::invalid::Invalid>(())
//! ```

mod anchor;
mod builder;
mod error;
mod notifier;
mod secret;
mod sender;
mod verifier;

pub use anchor::WebhookAnchor;
pub use builder::WebhookBuilder;
pub use error::WebhookError;
pub use notifier::WebhookNotifier;
pub use secret::WebhookSecret;
pub use sender::{Delivered, MAX_BODY, Webhook};
pub use verifier::{SignedHeaders, TOLERANCE, VerifyError, WebhookVerifier};

/// The message's id; the same over all tries.
pub const ID_HEADER: &str = "webhook-id";
/// When this try was made, in whole seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// One signature per secret, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// Most secrets at once, at either end.
pub const MAX_SECRETS: usize = 4;

/// Whether `id` can name a message: visible ASCII without `.`, which separates it from what follows when it is signed.
fn is_message_id(id: &str) -> bool {
    (1..=256).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

//! The sender: it signs a message, posts it, and tries again.

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::fetch_error::FetchError;
use crate::webhook::builder::{Config, WebhookBuilder};
use crate::webhook::error::WebhookError;
use crate::webhook::secret::seconds;
use crate::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, is_message_id};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use powerloom_core::clock::Timestamp;
use powerloom_core::invalid::Invalid;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Longest body of a message: 256 KiB.
pub const MAX_BODY: usize = 256 * 1024;
/// How much of a good answer is read, so that its connection can be used again; what it says does not matter.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Sends messages to one URL. Cheap to clone: clones share their connections.
///
/// # What is tried again
/// A connection that fails or breaks, a time-out, and the statuses 408, 425, 429 and 5xx. Anything else would be
/// answered the same again. Each try has its own timestamp and signatures, so that a receiver may refuse old ones, and
/// the same id, so that it may drop doubles.
#[derive(Debug, Clone)]
pub struct Webhook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    config: Config,
}

/// A message that its receiver took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// How often it was tried, the good one counted.
    pub attempts: u32,
}

impl Webhook {
    /// Collects options; a secret is needed, all else has a default.
    pub fn builder(url: impl Into<String>) -> WebhookBuilder {
        WebhookBuilder::new(url)
    }

    pub(crate) fn new(client: Client, config: Config) -> Self {
        Self(Arc::new(Inner { client, config }))
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.0.config.endpoint
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// Sends `payload` as JSON under `id`, until it is taken or the bounds on tries and time are reached.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] for an id that is not 1 to 256 visible ASCII characters without `.`, or a payload that
    /// is no JSON or longer than [`MAX_BODY`]; [`WebhookError::Undelivered`] with what the last try met.
    ///
    /// # Cancel safety
    /// Dropped, the message has been delivered or not; sent again under the same id, its receiver can tell.
    ///
    /// # Examples
    /// ```no_run
    /// use powerloom_web::webhook::Webhook;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let webhook = Webhook::builder("https://hooks.example.com/powerloom")
    ///     .secret(std::env::var("WEBHOOK_SECRET")?.parse()?)
    ///     .build()?;
    /// webhook.send("req_1-requested-1", &serde_json::json!({ "type": "approval.requested" })).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send<T: Serialize + Sync>(&self, id: &str, payload: &T) -> Result<Delivered, WebhookError> {
        if !is_message_id(id) {
            return Err(Invalid::new("id", id, "1 to 256 visible ASCII characters without `.`").into());
        }
        let body =
            serde_json::to_vec(payload).map_err(|e| Invalid::new("payload", e, "what JSON can hold"))?;
        if body.len() > MAX_BODY {
            return Err(Invalid::new("payload", body.len(), format!("at most {MAX_BODY} bytes")).into());
        }
        self.deliver(id, &Bytes::from(body)).await
    }

    async fn deliver(&self, id: &str, body: &Bytes) -> Result<Delivered, WebhookError> {
        let config = &self.0.config;
        let end = Instant::now() + config.total_time;
        let attempts = AtomicU32::new(0);
        let backoff = ExponentialBuilder::new()
            .with_min_delay(config.first_wait)
            .with_max_delay(config.longest_wait)
            .with_max_times(usize::try_from(config.attempts.saturating_sub(1)).unwrap_or_default())
            .with_jitter();
        let attempt = || async {
            attempts.fetch_add(1, Ordering::Relaxed);
            self.attempt(id, body, end).await
        };
        let done = attempt
            .retry(backoff)
            .when(FetchError::is_retryable)
            .adjust(|error, wait| next_wait(error, wait, end.saturating_duration_since(Instant::now())))
            .notify(|error, wait| {
                tracing::debug!(message = id, %error, ?wait, "a webhook message is tried again");
            })
            .await;
        let attempts = attempts.load(Ordering::Relaxed);
        match done {
            Ok(()) => Ok(Delivered { attempts }),
            Err(source) => Err(WebhookError::Undelivered { id: id.to_owned(), attempts, source }),
        }
    }

    async fn attempt(&self, id: &str, body: &Bytes, end: Instant) -> Result<(), FetchError> {
        let Inner { client, config } = &*self.0;
        let now = config.clock.now();
        let signatures: Vec<_> = config.secrets.iter().map(|secret| secret.sign(id, now, body)).collect();
        let request = client
            .http()
            .post(config.endpoint.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, seconds(now))
            .header(SIGNATURE_HEADER, signatures.join(" "))
            .body(body.clone());
        let limit = config.attempt_timeout.min(end.saturating_duration_since(Instant::now()));
        match client.send(request, limit, ANSWER_LIMIT, now).await {
            // It took the message, and talks too much.
            Ok(_) | Err(FetchError::TooLong { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How long to wait before the next try: what the answer asks for, if that is more than the back-off's own `wait`;
/// never into the time that is not `left` any more.
fn next_wait(error: &FetchError, wait: Option<Duration>, left: Duration) -> Option<Duration> {
    let asked = match error {
        FetchError::Status { retry_after, .. } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    wait.map(|wait| wait.max(asked)).filter(|wait| *wait < left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_the_longer_of_both_and_ends_with_the_time_or_the_tries() {
        let s = Duration::from_secs;
        let busy = |asked: Option<u64>| FetchError::Status { status: 429, retry_after: asked.map(s) };
        let check = |error: &FetchError, own: Option<u64>, left: u64, expect: Option<u64>| {
            assert_eq!(next_wait(error, own.map(s), s(left)), expect.map(s));
        };
        check(&busy(None), Some(2), 60, Some(2));
        check(&busy(Some(7)), Some(2), 60, Some(7));
        check(&busy(Some(1)), Some(2), 60, Some(2));
        check(&busy(Some(60)), Some(2), 60, None);
        check(&busy(Some(7)), None, 60, None);
        check(&FetchError::Timeout { limit: s(1) }, Some(2), 60, Some(2));
    }
}

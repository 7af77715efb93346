//! What a sender needs to know: where to, with which secrets, and how often and how long.

use crate::client::Client;
use crate::endpoint::{Cleartext, Endpoint};
use crate::webhook::MAX_SECRETS;
use crate::webhook::error::WebhookError;
use crate::webhook::secret::WebhookSecret;
use crate::webhook::sender::Webhook;
use powerloom_core::clock::{Clock, SystemClock};
use powerloom_core::invalid::Invalid;
use std::sync::Arc;
use std::time::Duration;

/// Most tries of one message.
const MOST_ATTEMPTS: u32 = 20;
/// Longest that may be waited for anything: one day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Collects what a [`Webhook`] needs; [`build`](Self::build) checks it.
#[derive(Debug, Clone)]
#[must_use]
pub struct WebhookBuilder {
    url: String,
    cleartext: Cleartext,
    secrets: Vec<WebhookSecret>,
    pub(crate) attempts: u32,
    pub(crate) attempt_timeout: Duration,
    pub(crate) total_time: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
    clock: Arc<dyn Clock>,
}

/// What was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) endpoint: Endpoint,
    pub(crate) secrets: Vec<WebhookSecret>,
    pub(crate) attempts: u32,
    pub(crate) attempt_timeout: Duration,
    pub(crate) total_time: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

impl WebhookBuilder {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            cleartext: Cleartext::default(),
            secrets: Vec::new(),
            attempts: 5,
            attempt_timeout: Duration::from_secs(10),
            total_time: Duration::from_secs(120),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }

    /// Signs with this secret too. At least one is needed, [`MAX_SECRETS`] at most: while a receiver changes from one
    /// to the other, both sign.
    pub fn secret(mut self, secret: WebhookSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Where a message may go unencrypted. Default: [`Cleartext::Loopback`].
    pub fn cleartext(mut self, allowed: Cleartext) -> Self {
        self.cleartext = allowed;
        self
    }

    /// How often a message is tried in all, 1 to 20. Default: 5.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long one try may take. Default: 10 s.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// How long all tries of a message and the waits between them may take. Default: 120 s.
    pub fn total_time(mut self, limit: Duration) -> Self {
        self.total_time = limit;
        self
    }

    /// The wait after the first try that failed; it doubles from try to try, up to `longest`, and up to as much again
    /// is added at random. A longer `retry-after` is obeyed. Default: 500 ms, up to 30 s.
    pub fn waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first_wait = first;
        self.longest_wait = longest;
        self
    }

    /// The clock of the timestamps that are signed. Default: the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the options and sets up the sender. Nothing is sent.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] names the option that cannot work; [`WebhookError::Setup`] if TLS cannot be set up.
    pub fn build(self) -> Result<Webhook, WebhookError> {
        let endpoint = Endpoint::parse("url", &self.url, self.cleartext)?;
        if !(1..=MAX_SECRETS).contains(&self.secrets.len()) {
            let allowed = format!("1 to {MAX_SECRETS} secrets");
            return Err(Invalid::new("secrets", self.secrets.len(), allowed).into());
        }
        if !(1..=MOST_ATTEMPTS).contains(&self.attempts) {
            return Err(Invalid::new("attempts", self.attempts, format!("1 to {MOST_ATTEMPTS}")).into());
        }
        for (field, span) in [
            ("attempt_timeout", self.attempt_timeout),
            ("total_time", self.total_time),
            ("first_wait", self.first_wait),
            ("longest_wait", self.longest_wait),
        ] {
            if span.is_zero() || span > LONGEST {
                let allowed = "more than zero and at most one day";
                return Err(Invalid::new(field, format!("{span:?}"), allowed).into());
            }
        }
        let client = Client::to(&endpoint).map_err(|source| WebhookError::Setup { source })?;
        let config = Config {
            endpoint,
            secrets: self.secrets,
            attempts: self.attempts,
            attempt_timeout: self.attempt_timeout,
            total_time: self.total_time,
            first_wait: self.first_wait,
            longest_wait: self.longest_wait,
            clock: self.clock,
        };
        Ok(Webhook::new(client, config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> WebhookBuilder {
        Webhook::builder("https://hooks.example.com/T0/hush")
            .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap())
    }

    fn refused(builder: WebhookBuilder) -> String {
        match builder.build() {
            Err(WebhookError::Invalid(invalid)) => invalid.field,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn every_option_that_cannot_work_is_refused_by_name() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(refused(Webhook::builder("https://x.example.com")), "secrets");
        assert_eq!(refused((0..MAX_SECRETS).fold(builder(), |b, _| b.secret(secret.clone()))), "secrets");
        assert_eq!(refused(Webhook::builder("http://x.example.com").secret(secret)), "url");
        assert_eq!(refused(builder().attempts(0)), "attempts");
        assert_eq!(refused(builder().attempts(21)), "attempts");
        assert_eq!(refused(builder().attempt_timeout(Duration::ZERO)), "attempt_timeout");
        assert_eq!(refused(builder().total_time(Duration::MAX)), "total_time");
        assert_eq!(refused(builder().waits(Duration::ZERO, LONGEST)), "first_wait");
    }

    #[test]
    fn debug_shows_neither_secret_nor_path() {
        let shown = format!("{:?}", builder().build().unwrap());
        assert!(!shown.contains("hush") && !shown.contains("MfKQ"), "{shown}");
    }
}

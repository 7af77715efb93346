//! How a router is set up: who is believed, and every bound of the face.

use crate::checkpoints::Checkpoints;
use powerloom_core::token::TokenService;
use powerloom_core::token::external::ExternalTokens;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How a router is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Mints and verifies our own tokens.
    pub tokens: TokenService,
    /// Verifies the tokens of identity providers, if any are believed.
    pub external: Option<ExternalTokens>,
    /// The bounds.
    pub bounds: Bounds,
    /// Web pages of these origins may call (CORS), and open a session's stream: none unless said otherwise. Pages of the server's
    /// own host need not be listed, unless what stands before it gives it another `Host` than the browser asked for.
    pub cors_origins: Vec<String>,
    /// Whether a session's stream may also be watched, read-only and by any number, with a bearer instead of a ticket. Off
    /// unless said otherwise; it needs `session:stream`.
    pub viewers: bool,
    /// Who signs checkpoints of the audit chains, and who keeps them: nobody unless said otherwise.
    pub checkpoints: Option<Checkpoints>,
    /// What requests have begun and must not be cut, such as a plan that is being applied: it goes on when its client is gone.
    ///
    /// Whoever serves the router themselves keeps a clone, and in the end, after cancelling `stopping`, closes it and waits for
    /// it before the runtime and the loops end; `Server` does so. An application ends soon then: it begins no further step.
    pub work: TaskTracker,
}

impl Config {
    /// Believes the tokens of `tokens`, and nobody else's.
    #[must_use]
    pub fn new(tokens: TokenService) -> Self {
        Self {
            tokens,
            external: None,
            bounds: Bounds::default(),
            cors_origins: Vec::new(),
            viewers: false,
            checkpoints: None,
            work: TaskTracker::new(),
        }
    }

    /// Also believes these issuers.
    #[must_use]
    pub fn external(mut self, external: ExternalTokens) -> Self {
        self.external = Some(external);
        self
    }

    /// Other bounds.
    #[must_use]
    pub const fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Lets web pages of these origins call, such as `https://console.acme.com`.
    #[must_use]
    pub fn cors_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.cors_origins = origins.into_iter().collect();
        self
    }

    /// Lets checkpoints of the audit chains be asked for and looked at; `Server` also makes them when they are due, of every
    /// organization.
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Lets a session's stream be watched by others than its one client.
    #[must_use]
    pub const fn viewers(mut self) -> Self {
        self.viewers = true;
        self
    }
}

/// Every bound of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// How many bytes a request's body may have: 4 MiB.
    pub body_bytes: usize,
    /// How many bytes the upload of a skill version may have, or a plan that is sent back: 32 MiB.
    ///
    /// Those above 1 MiB, or of unknown length, together may have eight times as many at once, in this process: one more waits
    /// until there is room, within its own time.
    pub upload_bytes: usize,
    /// How long a request may take: 60 seconds. Streams, invocations that wait for their end, and plans that are applied, are not
    /// bound by it.
    pub request_timeout: Duration,
    /// How many requests a principal may make per second over time; `None` for no limit. Counted in this process alone:
    /// behind two replicas it is twice as many.
    pub requests_per_second: Option<NonZeroU32>,
    /// How many of them at once.
    pub burst: NonZeroU32,
    /// How many API tokens and tickets that turn out not to be good are looked up in the store per second, whoever presents them;
    /// one more is answered 429 before the store is asked: 200. API tokens that were good before are not concerned, and signed
    /// tokens never: they are verified without the store. `None` for no limit. Counted in this process alone: behind two
    /// replicas it is twice as many.
    pub guesses_per_second: Option<NonZeroU32>,
    /// How long a WebSocket may be silent before it is asked whether it lives: 20 seconds. Without an answer within as
    /// long again it is closed.
    pub ping_every: Duration,
    /// How many frames may wait for a slow reader before its stream is closed with 4408: 1024 (sem. 2.7).
    pub stream_queue: usize,
    /// How long a write to a reader may take before it counts as slow: 30 seconds.
    pub stream_write: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            upload_bytes: 32 << 20,
            request_timeout: Duration::from_secs(60),
            requests_per_second: NonZeroU32::new(200),
            burst: NonZeroU32::new(400).unwrap_or(NonZeroU32::MIN),
            guesses_per_second: NonZeroU32::new(200),
            ping_every: Duration::from_secs(20),
            stream_queue: 1024,
            stream_write: Duration::from_secs(30),
        }
    }
}

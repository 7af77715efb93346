//! The bounds of a server: its connections, and its end.

use std::time::Duration;

/// The bounds of connections and of the end of a server.
///
/// A request with more headers, or longer ones, is answered 431 by the HTTP library, before any handler sees it: that answer
/// has no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerBounds {
    /// How many connections there may be at once, streams among them: 10 000. One more waits in the system's queue.
    pub connections: usize,
    /// How many requests at once on one connection of HTTP/2: 128.
    pub requests_per_connection: u32,
    /// How many headers a request may have: 100.
    pub headers: usize,
    /// How many bytes the head of a request may have, its first line included: 32 KiB, at least 8 KiB.
    pub head_bytes: usize,
    /// How long a client may take to send the head of a request, and how long a connection may be idle before it: 30 seconds.
    pub head_read: Duration,
    /// How long a connection of HTTP/2 may have no stream before it is closed, though it answers pings: 2 minutes.
    pub idle: Duration,
    /// How long a write may wait for a client that reads nothing: 60 seconds; once the server is about to end, at most 5. Then
    /// the connection is cut. A stream can be resumed; a client that only is slow is not concerned.
    pub write: Duration,
    /// How long a TLS handshake may take: 10 seconds.
    pub handshake: Duration,
    /// How long connections are still accepted after `/readyz` has begun to say no, for a load balancer to notice: zero.
    pub linger: Duration,
    /// How long requests under way may take once no more are accepted: 30 seconds. Then again as long what they have begun and
    /// must not be cut, such as the step that an application is at.
    pub drain: Duration,
    /// How long the loops may take to finish and to give their claims back: 30 seconds.
    pub loops: Duration,
}

impl Default for ServerBounds {
    fn default() -> Self {
        Self {
            connections: 10_000,
            requests_per_connection: 128,
            headers: 100,
            head_bytes: 32 << 10,
            head_read: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            write: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            linger: Duration::ZERO,
            drain: Duration::from_secs(30),
            loops: Duration::from_secs(30),
        }
    }
}

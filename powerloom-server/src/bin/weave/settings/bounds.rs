//! The bounds, as they are written: numbers with their unit in the name.

use anyhow::bail;
use powerloom_server::{Bounds, ServerBounds};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// The bounds that can be set.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BoundsSettings {
    /// How many bytes the body of a request may have [default: 4194304]
    #[arg(long, value_name = "BYTES", env = "POWERLOOM_BODY_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_bytes: Option<usize>,

    /// How many bytes the upload of a skill version may have [default: 33554432]
    #[arg(long, value_name = "BYTES", env = "POWERLOOM_UPLOAD_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upload_bytes: Option<usize>,

    /// How long a request may take, streams and calls that wait for a session's end apart [default: 60]
    #[arg(long, value_name = "SECONDS", env = "POWERLOOM_REQUEST_TIMEOUT_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_timeout_seconds: Option<u64>,

    /// How many requests a principal may make per second over time; 0 for no limit [default: 200]
    #[arg(long, value_name = "NUMBER", env = "POWERLOOM_REQUESTS_PER_SECOND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second: Option<u32>,

    /// How many of them at once [default: 400]
    #[arg(long, value_name = "NUMBER", env = "POWERLOOM_BURST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<NonZeroU32>,

    /// How many connections there may be at once, streams among them [default: 10000]
    #[arg(long, value_name = "NUMBER", env = "POWERLOOM_CONNECTIONS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<usize>,

    /// How long connections are still accepted after /readyz has begun to say no [default: 0]
    #[arg(long, value_name = "SECONDS", env = "POWERLOOM_LINGER_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linger_seconds: Option<u64>,

    /// How long requests under way may take at the end [default: 30]
    #[arg(long, value_name = "SECONDS", env = "POWERLOOM_DRAIN_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain_seconds: Option<u64>,
}

impl BoundsSettings {
    /// Says everything that has a usual value.
    pub(crate) fn complete(&mut self) {
        let (of_requests, of_server) = (Bounds::default(), ServerBounds::default());
        self.body_bytes.get_or_insert(of_requests.body_bytes);
        self.upload_bytes.get_or_insert(of_requests.upload_bytes);
        self.request_timeout_seconds.get_or_insert(of_requests.request_timeout.as_secs());
        self.requests_per_second.get_or_insert(of_requests.requests_per_second.map_or(0, NonZeroU32::get));
        self.burst.get_or_insert(of_requests.burst);
        self.connections.get_or_insert(of_server.connections);
        self.linger_seconds.get_or_insert(of_server.linger.as_secs());
        self.drain_seconds.get_or_insert(of_server.drain.as_secs());
    }

    /// Refuses bounds nothing fits in.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let zero = [
            ("body_bytes", self.body_bytes == Some(0)),
            ("upload_bytes", self.upload_bytes == Some(0)),
            ("request_timeout_seconds", self.request_timeout_seconds == Some(0)),
            ("connections", self.connections == Some(0)),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((field, _)) => bail!("`bounds.{field}` is `0`, which is not allowed: expected at least 1"),
            None => Ok(()),
        }
    }

    /// The bounds of requests.
    pub(crate) fn of_requests(&self) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.body_bytes = self.body_bytes.unwrap_or(bounds.body_bytes);
        bounds.upload_bytes = self.upload_bytes.unwrap_or(bounds.upload_bytes);
        bounds.request_timeout = seconds(self.request_timeout_seconds).unwrap_or(bounds.request_timeout);
        if let Some(rate) = self.requests_per_second {
            bounds.requests_per_second = NonZeroU32::new(rate);
        }
        bounds.burst = self.burst.unwrap_or(bounds.burst);
        bounds
    }

    /// The bounds of connections and of the end.
    pub(crate) fn of_server(&self) -> ServerBounds {
        let mut bounds = ServerBounds::default();
        bounds.connections = self.connections.unwrap_or(bounds.connections);
        bounds.linger = seconds(self.linger_seconds).unwrap_or(bounds.linger);
        bounds.drain = seconds(self.drain_seconds).unwrap_or(bounds.drain);
        bounds
    }
}

fn seconds(number: Option<u64>) -> Option<Duration> {
    number.map(Duration::from_secs)
}

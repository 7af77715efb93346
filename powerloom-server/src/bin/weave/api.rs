//! The REST API as a client sees it: one way to call, whether a server answers or a router in this process.

pub(crate) mod call;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod in_process;
pub(crate) mod pages;

use crate::api::call::Call;
use async_trait::async_trait;
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::time::Duration;

/// What carries requests to whoever answers them.
#[async_trait]
pub(crate) trait Transport: fmt::Debug + Send + Sync {
    /// Sends one request. Its path is absolute and without a host; the bearer is added here.
    async fn send(&self, request: Request<Bytes>) -> Result<Incoming, Broken>;

    /// Who answers, for people: a host, or the URL of a store.
    fn host(&self) -> &str;
}

/// An answer whose body has yet to arrive.
pub(crate) struct Incoming {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, in pieces.
    pub(crate) body: BoxStream<'static, Result<Bytes, Broken>>,
}

/// A request got no answer, or only a part of one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Broken {
    /// What happened.
    pub(crate) message: String,
    /// It certainly never arrived: the same again does no harm, whatever it is.
    pub(crate) never_sent: bool,
    /// Why.
    #[source]
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The REST API.
#[derive(Debug)]
pub(crate) struct Api {
    transport: Box<dyn Transport>,
    limit: Duration,
}

/// How long a call may take. A server gives up after 60 seconds unless told otherwise, and says so.
const LIMIT: Duration = Duration::from_secs(75);

impl Api {
    /// Over a transport.
    pub(crate) fn over(transport: Box<dyn Transport>) -> Self {
        Self { transport, limit: LIMIT }
    }

    /// With another time limit for each call.
    #[must_use]
    pub(crate) const fn hasty(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Who answers, for people.
    pub(crate) fn host(&self) -> &str {
        self.transport.host()
    }

    /// Reads.
    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        Call::new(self.transport.as_ref(), self.limit, Method::GET, path.into())
    }

    /// Creates, or asks with a body.
    pub(crate) fn post(&self, path: impl Into<String>) -> Call<'_> {
        Call::new(self.transport.as_ref(), self.limit, Method::POST, path.into())
    }

    /// Removes.
    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        Call::new(self.transport.as_ref(), self.limit, Method::DELETE, path.into())
    }
}

/// A part of a path, with everything escaped that would end it.
pub(crate) fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    match text {
        // These two would be taken for steps up or none.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(text, KEPT).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_part_of_a_path_never_leads_elsewhere() {
        assert_eq!(segment("req_0190"), "req_0190");
        assert_eq!(segment("a/../b?c=d#e"), "a%2F..%2Fb%3Fc%3Dd%23e");
        assert_eq!((segment("."), segment("..")), ("%2E".into(), "%2E%2E".into()));
    }
}

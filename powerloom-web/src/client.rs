//! One call over HTTP: bounded in time and in what is read, never redirected.

use crate::endpoint::Endpoint;
use crate::fetch_error::{Cause, FetchError};
use bytes::{Bytes, BytesMut};
use powerloom_core::clock::Timestamp;
use reqwest::{RequestBuilder, Response};
use std::time::Duration;

/// How long a connection may take, within the limit of the whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends calls to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn to(endpoint: &Endpoint) -> Result<Self, Cause> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("powerloom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        // What is unencrypted because it stays on the machine must not go to a proxy.
        if endpoint.is_loopback() {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()? })
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends `request` and reads at most `most` bytes of a good answer, all within `limit`.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        limit: Duration,
        most: usize,
        now: Timestamp,
    ) -> Result<Bytes, FetchError> {
        let answer = async {
            let response = request.send().await.map_err(broken)?;
            let status = response.status();
            if status.is_redirection() {
                return Err(FetchError::Redirect { status: status.as_u16() });
            }
            if !status.is_success() {
                let retry_after = wait_asked(&response, now);
                return Err(FetchError::Status { status: status.as_u16(), retry_after });
            }
            read(response, most).await
        };
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(FetchError::Timeout { limit }))
    }
}

#[cfg(feature = "webhook")]
fn wait_asked(response: &Response, now: Timestamp) -> Option<Duration> {
    crate::retry_after::retry_after(response.headers(), now)
}

#[cfg(not(feature = "webhook"))]
fn wait_asked(_: &Response, _: Timestamp) -> Option<Duration> {
    None
}

fn broken(error: reqwest::Error) -> FetchError {
    let connect = error.is_connect();
    let source = Box::new(error.without_url());
    if connect { FetchError::Connect { source } } else { FetchError::Cut { source } }
}

async fn read(mut response: Response, most: usize) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(FetchError::TooLong { limit: most });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

//! A server on the network.

use crate::api::call::Sent;
use crate::api::{Broken, Incoming, Transport};
use crate::failure::Usage;
use anyhow::Context;
use async_trait::async_trait;
use axum::http::{HeaderValue, Request, header};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many bytes of a body are sent at a time where somebody wants to hear of it.
const PIECE: usize = 64 * 1024;

/// A server on the network.
pub(crate) struct Http {
    client: reqwest::Client,
    base: reqwest::Url,
    host: String,
    token: Option<Zeroizing<String>>,
}

impl Http {
    /// The server at `url`, as the bearer of `token`; certificates are those the system believes, and the one in `ca_cert`.
    ///
    /// # Errors
    /// [`Usage`] for what is no URL of a server; a certificate that cannot be read.
    pub(crate) fn new(
        url: &str,
        token: Option<Zeroizing<String>>,
        ca_cert: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let refused = || {
            Usage(format!("`{}` is no server: expected a URL such as `https://loom.acme.com`", shown(url)))
        };
        let mut base: reqwest::Url = url.parse().map_err(|_| refused())?;
        let host = base.host_str().map(str::to_owned).filter(|_| matches!(base.scheme(), "http" | "https"));
        let mut host = host.ok_or_else(refused)?;
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(Usage("the URL of a server holds no user, password or query".to_owned()).into());
        }
        if let Some(port) = base.port() {
            host.push_str(&format!(":{port}"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // A stream may be silent for long, and an invocation may wait for its end: only connecting has a time limit.
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("weave/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        if let Some(path) = ca_cert {
            let pem = std::fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("`{}` holds no certificates in PEM", path.display()))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().context("the network cannot be used")?;
        Ok(Self { client, base, host, token })
    }
}

/// A server's URL for people: without what may be a password.
pub(crate) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // All up to the last `@`: a password that is not escaped may hold any character.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

/// Whether what is sent there can be read on the way.
pub(crate) fn is_in_the_clear(url: &str) -> bool {
    url.parse::<reqwest::Url>().is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
}

fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, request: Request<Bytes>) -> Result<Incoming, Broken> {
        let (mut parts, body) = request.into_parts();
        if let Some(token) = &self.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| Broken {
                message: "the token holds what no token holds".to_owned(),
                never_sent: false,
                source: None,
            })?;
            value.set_sensitive(true);
            parts.headers.insert(header::AUTHORIZATION, value);
        }
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), parts.uri.path().trim_start_matches('/')));
        url.set_query(parts.uri.query());
        let mut request = self.client.request(parts.method, url).headers(parts.headers);
        request = match parts.extensions.remove::<Sent>() {
            Some(sent) => request.header(header::CONTENT_LENGTH, body.len()).body(told(body, sent)),
            None => request.body(body),
        };
        let response = request.send().await.map_err(|error| self.broken(error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let host = self.host.clone();
        let body = response.bytes_stream().map_err(move |error| broken(&host, error)).boxed();
        Ok(Incoming { status, headers, body })
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl Http {
    fn broken(&self, error: reqwest::Error) -> Broken {
        broken(&self.host, error)
    }
}

/// A body in pieces, which tells how much of it was taken to be sent.
fn told(body: Bytes, sent: Sent) -> reqwest::Body {
    let pieces = futures::stream::iter((0..body.len()).step_by(PIECE).map(move |at| {
        let end = body.len().min(at + PIECE);
        sent.tell(end as u64);
        Ok::<_, std::io::Error>(body.slice(at..end))
    }));
    reqwest::Body::wrap_stream(pieces)
}

fn broken(host: &str, error: reqwest::Error) -> Broken {
    let never_sent = error.is_connect();
    let message = if never_sent {
        format!("`{host}` cannot be reached")
    } else {
        format!("`{host}` did not answer to its end")
    };
    Broken { message, never_sent, source: Some(Box::new(error.without_url())) }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("host", &self.host).finish_non_exhaustive()
    }
}

//! The client: it sends a call and reads the answer. What can be called is in the files of the resources.

use crate::cma::api_error::ApiError;
use crate::cma::call::{Body, Call};
use crate::cma::config::{CmaClientBuilder, Config, HeaderGeneration};
use crate::cma::error::{CmaError, WaitedFor};
use crate::cma::secret::Secret;
use bytes::{Bytes, BytesMut};
use powerloom_core::invalid::Invalid;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Largest answer that is read: 32 MiB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// How much of an error's body is read: 64 KiB.
const ERROR_LIMIT: usize = 64 * 1024;
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");
const WORKSPACE: HeaderName = HeaderName::from_static("anthropic-workspace-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A client of Claude Managed Agents.
///
/// Cheap to clone: clones share their connections. Each resource has its own handle: [`agents`](CmaClient::agents),
/// [`environments`](CmaClient::environments), [`sessions`](CmaClient::sessions), [`events`](CmaClient::events),
/// [`vaults`](CmaClient::vaults), [`credentials`](CmaClient::credentials), [`skills`](CmaClient::skills),
/// [`skill_versions`](CmaClient::skill_versions), [`files`](CmaClient::files).
///
/// # Retries
///
/// None: every call is sent once, and a redirect is not followed. Whoever calls decides what to do with a failure by
/// its [`class`](CmaError::class), and whether to look before it creates again by
/// [`maybe_applied`](CmaError::maybe_applied).
///
/// # Cancel safety
///
/// Dropping a call closes or returns its connection. A call that changes something may have been carried out.
///
/// # Limits
///
/// A request body of JSON and an answer hold at most 32 MiB each; times are set on the builder.
#[derive(Debug, Clone)]
pub struct CmaClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    config: Config,
}

impl CmaClientBuilder {
    /// Checks the options and sets up the client. Nothing is sent.
    ///
    /// # Errors
    /// [`CmaError::Invalid`] names the option that cannot work; [`CmaError::Setup`] if TLS cannot be set up.
    pub fn build(self) -> Result<CmaClient, CmaError> {
        let config = self.validated()?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("powerloom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if !config.system_proxy {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| CmaError::Setup { source: Box::new(error) })?;
        Ok(CmaClient(Arc::new(Inner { http, config })))
    }
}

impl CmaClient {
    /// Collects options; an API key is needed, all else has a default.
    ///
    /// ```
    /// # use powerloom_runtime::cma::CmaClient;
    /// let client = CmaClient::builder().base_url("http://127.0.0.1:8080").api_key("sk-ant-example").build()?;
    /// # Ok::<(), powerloom_runtime::cma::CmaError>(())
    /// ```
    pub fn builder() -> CmaClientBuilder {
        CmaClientBuilder::default()
    }

    /// A client with the environment's `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.
    ///
    /// # Errors
    /// Those of [`CmaClientBuilder::build`].
    pub fn from_env() -> Result<Self, CmaError> {
        CmaClientBuilder::from_env().build()
    }

    /// Sends `call` and reads an object from the answer; `what` names it should that fail.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        call: Call,
        what: &'static str,
    ) -> Result<T, CmaError> {
        let changes = call.changes();
        let body = self.bytes(call, what).await?;
        serde_json::from_slice(&body).map_err(|error| CmaError::Decode {
            what,
            maybe_applied: changes,
            source: Box::new(error),
        })
    }

    /// Sends `call` and reads the whole answer.
    pub(crate) async fn bytes(&self, call: Call, what: &'static str) -> Result<Bytes, CmaError> {
        let (changes, limit) = (call.changes(), self.0.config.request_timeout);
        let answer = async {
            let response = self.open(call).await?;
            match read(response, ANSWER_LIMIT).await {
                Ok(Some(body)) => Ok(body),
                Ok(None) => {
                    let source = "the answer is larger than 32 MiB".into();
                    Err(CmaError::Decode { what, maybe_applied: changes, source })
                }
                Err(error) => Err(cut(error, changes)),
            }
        };
        within(limit, changes, answer).await
    }

    /// Sends `call` and hands over the answer once its head is there, for a stream.
    pub(crate) async fn stream(&self, call: Call) -> Result<Response, CmaError> {
        let (changes, limit) = (call.changes(), self.0.config.request_timeout);
        within(limit, changes, self.open(call)).await
    }

    /// How long a stream may be silent.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.0.config.idle_timeout
    }

    /// The key, to strike it out of messages.
    pub(crate) fn api_key(&self) -> &Secret {
        &self.0.config.api_key
    }

    /// Sends `call`; an answer other than success is an error.
    async fn open(&self, call: Call) -> Result<Response, CmaError> {
        let Config { base_url, generation, api_key, clock, connect_timeout, .. } = &self.0.config;
        let changes = call.changes();
        let legacy = *generation == HeaderGeneration::Legacy && call.needs_beta;
        let url = call.url(base_url, if legacy { &[("beta", "true")] } else { &[] });
        let path = url.path().to_owned();
        let mut request =
            self.0.http.request(call.method.clone(), url).headers(self.headers(call.needs_beta)?);
        request = match call.body {
            // Some proxies refuse a POST that does not say its length.
            Body::Empty if call.method == Method::POST => request.header(CONTENT_LENGTH, "0"),
            Body::Empty => request,
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes),
            Body::Form(form) => request.multipart(*form),
        };
        let response =
            request.send().await.map_err(|error| match (error.is_connect(), error.is_timeout()) {
                (true, true) => CmaError::Timeout {
                    waited_for: WaitedFor::Connection,
                    limit: *connect_timeout,
                    maybe_applied: false,
                },
                (true, false) => CmaError::Connect { source: Box::new(error.without_url()) },
                _ => cut(error, changes),
            })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let request_id = headers.get("request-id").and_then(|id| id.to_str().ok());
        tracing::debug!(method = %call.method, path, status = status.as_u16(), request_id, "answered");
        if status.is_success() {
            return Ok(response);
        }
        // The status is known: a body that cannot be read takes nothing away from it.
        let body = read_some(response, ERROR_LIMIT).await;
        Err(ApiError::from_answer(status.as_u16(), &headers, &body, clock.now(), api_key, changes).into())
    }

    fn headers(&self, needs_beta: bool) -> Result<HeaderMap, CmaError> {
        let Config { generation, api_key, workspace_id, beta, .. } = &self.0.config;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        match generation {
            HeaderGeneration::Current => {
                headers.insert(AUTHORIZATION, secret_header(&format!("Bearer {}", api_key.reveal()))?);
                headers.insert(VERSION, HeaderValue::from_static("2026-10-21"));
            }
            HeaderGeneration::Legacy => {
                headers.insert(API_KEY, secret_header(api_key.reveal())?);
                headers.insert(VERSION, HeaderValue::from_static("2023-06-01"));
            }
        }
        if needs_beta {
            headers.insert(BETAS, header("beta", beta)?);
        }
        if let Some(id) = workspace_id {
            headers.insert(WORKSPACE, header("workspace_id", id)?);
        }
        Ok(headers)
    }
}

fn header(field: &'static str, text: &str) -> Result<HeaderValue, Invalid> {
    HeaderValue::from_str(text).map_err(|_| Invalid::new(field, text, "visible ASCII characters"))
}

fn secret_header(text: &str) -> Result<HeaderValue, Invalid> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| Invalid::hidden("api_key", "visible ASCII characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The answer, or a time-out after `limit`.
async fn within<T>(
    limit: Duration,
    changes: bool,
    answer: impl Future<Output = Result<T, CmaError>>,
) -> Result<T, CmaError> {
    let late = |_| CmaError::Timeout { waited_for: WaitedFor::Answer, limit, maybe_applied: changes };
    tokio::time::timeout(limit, answer).await.map_err(late)?
}

fn cut(error: reqwest::Error, maybe_applied: bool) -> CmaError {
    CmaError::Cut { maybe_applied, source: Box::new(error.without_url()) }
}

/// The whole body, or `None` if it is longer than `limit`.
async fn read(mut response: Response, limit: usize) -> Result<Option<Bytes>, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// The beginning of the body, as much of it as can be had.
async fn read_some(mut response: Response, limit: usize) -> BytesMut {
    let mut body = BytesMut::new();
    while let (true, Ok(Some(chunk))) = (body.len() < limit, response.chunk().await) {
        body.extend_from_slice(&chunk);
    }
    body.truncate(limit);
    body
}

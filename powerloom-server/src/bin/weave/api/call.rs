//! One request: what it says, when it is sent again, and what was answered.

use crate::api::{Broken, Incoming, Transport, segment};
use crate::failure::Refusal;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How often a request is sent at most.
const MOST_TRIES: u32 = 4;
/// How long to wait before the second try; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait that a server may ask for.
const MOST_WAIT: Duration = Duration::from_secs(10);

const REQUEST_ID: &str = "request-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Under which terms a change is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Why, in the caller's words.
    pub(crate) justification: Option<String>,
}

/// One request in the making.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    transport: &'a dyn Transport,
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    repeatable: bool,
    limit: Option<Duration>,
    sent: Option<Sent>,
}

/// Hears how many bytes of a body are on their way.
#[derive(Clone)]
pub(crate) struct Sent(Arc<dyn Fn(u64) + Send + Sync>);

impl Sent {
    /// So many are.
    pub(crate) fn tell(&self, bytes: u64) {
        (self.0)(bytes);
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent").finish_non_exhaustive()
    }
}

/// What was answered, all of it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) bytes: Bytes,
}

/// A change that waits for somebody's approval.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Pending {
    /// The request, `req_…`.
    pub(crate) request_id: String,
    /// What happens now.
    #[serde(default)]
    pub(crate) message: String,
}

impl<'a> Call<'a> {
    pub(super) fn new(transport: &'a dyn Transport, limit: Duration, method: Method, path: String) -> Self {
        let repeatable = method == Method::GET;
        let (headers, body, limit) = (HeaderMap::new(), Bytes::new(), Some(limit));
        let mut call = Self {
            transport,
            method,
            path,
            query: String::new(),
            headers,
            body,
            repeatable,
            limit,
            sent: None,
        };
        call = call.header(REQUEST_ID, &uuid::Uuid::now_v7().to_string());
        call.header("accept", "application/json")
    }

    /// Adds a parameter.
    #[must_use]
    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(&format!("{name}={}", segment(&value.to_string())));
        self
    }

    /// Adds a parameter, if there is one.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds a header. What cannot be in a header is left out; the values here are made by ourselves.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Carries JSON.
    #[must_use]
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Bytes::from(body.to_string());
        self.header("content-type", "application/json")
    }

    /// It changes something once however often it is sent: an idempotency key says so.
    #[must_use]
    pub(crate) fn once(mut self) -> Self {
        self.repeatable = true;
        let key = format!("weave-{}", uuid::Uuid::now_v7());
        self.header(IDEMPOTENCY_KEY, &key)
    }

    /// It asks and changes nothing, though it has a body.
    #[must_use]
    pub(crate) const fn harmless(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// How many bytes its body has.
    pub(crate) fn size(&self) -> u64 {
        self.body.len() as u64
    }

    /// Tells how much of its body is on its way, from the beginning each time that it is sent.
    #[must_use]
    pub(crate) fn telling(mut self, tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.sent = Some(Sent(Arc::new(tell)));
        self
    }

    /// However long it takes: its answer waits for something that may.
    #[must_use]
    pub(crate) const fn patient(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Under these terms.
    #[must_use]
    pub(crate) fn terms(mut self, terms: &Terms) -> Self {
        if let Some(why) = &terms.justification {
            self = self.header("powerloom-justification", &segment(why));
        }
        self
    }

    /// Only if the resource still has this version.
    #[must_use]
    pub(crate) fn expecting(self, version: Option<u64>) -> Self {
        match version {
            Some(version) => self.header("if-match", &format!("\"{version}\"")),
            None => self,
        }
    }

    /// Sends it and takes the whole answer. It is sent again, after a pause, if it never arrived; and if the answer was lost or
    /// the server is not available for the moment, but only where that does no harm.
    ///
    /// # Errors
    /// A [`Refusal`] for every answer that says no; [`Broken`] for no answer, or none within the time limit, which is for all
    /// tries together.
    pub(crate) async fn send(self) -> anyhow::Result<Answer> {
        self.within(self.tries()).await?
    }

    async fn tries(&self) -> anyhow::Result<Answer> {
        let mut tried = 0;
        loop {
            tried += 1;
            let wait = match self.whole().await {
                Ok(answer) if is_success(answer.status) => return Ok(answer),
                Ok(answer) => match self.again_after(&answer) {
                    Some(wait) if tried < MOST_TRIES => wait.unwrap_or_else(|| pause(tried)),
                    _ => return Err(answer.refusal().into()),
                },
                Err(broken) if (self.repeatable || broken.never_sent) && tried < MOST_TRIES => pause(tried),
                Err(broken) => return Err(broken.into()),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends it once and takes whatever is answered, a refusal too.
    ///
    /// # Errors
    /// [`Broken`] for no answer.
    pub(crate) async fn probe(self) -> Result<Answer, Broken> {
        self.within(self.whole()).await?
    }

    /// Sends it once and hands over the answer as it arrives.
    ///
    /// # Errors
    /// As [`send`](Self::send); the time limit is for its beginning.
    pub(crate) async fn stream(self) -> anyhow::Result<Incoming> {
        self.within(self.begin()).await?
    }

    async fn begin(&self) -> anyhow::Result<Incoming> {
        let incoming = self.transport.send(self.request()).await?;
        if is_success(incoming.status) {
            return Ok(incoming);
        }
        Err(Answer::take(incoming).await?.refusal().into())
    }

    /// What this comes to within the time limit.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Broken> {
        let Some(limit) = self.limit else { return Ok(work.await) };
        tokio::time::timeout(limit, work).await.map_err(|_| Broken {
            message: format!("`{}` did not answer within {} s", self.transport.host(), limit.as_secs()),
            never_sent: false,
            source: None,
        })
    }

    /// Whether, and when if the server says so, the same request may be sent again after this answer.
    fn again_after(&self, answer: &Answer) -> Option<Option<Duration>> {
        let refused_unheard = answer.status == 429;
        if !(refused_unheard || (answer.status == 503 && self.repeatable)) {
            return None;
        }
        let seconds = answer.header(header::RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        Some(seconds.map(|seconds| Duration::from_secs(seconds).min(MOST_WAIT)))
    }

    async fn whole(&self) -> Result<Answer, Broken> {
        Answer::take(self.transport.send(self.request()).await?).await
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(sent) = &self.sent {
            request.extensions_mut().insert(sent.clone());
        }
        // A path made of segments and a query made of the same is always a URI; anything else asks for nothing.
        *request.uri_mut() = format!("{}{}", self.path, self.query).parse().unwrap_or_default();
        request
    }
}

/// Whether it was done. Where a request is sent elsewhere, nothing was: a redirect is not followed, as the token would follow it.
const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

fn pause(tried: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(1))
}

impl Answer {
    async fn take(mut incoming: Incoming) -> Result<Self, Broken> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = incoming.body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(Self { status: incoming.status, headers: incoming.headers, bytes: bytes.freeze() })
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// For what is no JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        self.read()
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// For what is none.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        use anyhow::Context;
        serde_json::from_slice(&self.bytes)
            .context("the server answered something this program does not know")
    }

    /// The request for approval it waits for, if the change waits for one.
    ///
    /// # Errors
    /// For an answer that says so without naming it.
    pub(crate) fn pending(&self) -> anyhow::Result<Option<Pending>> {
        if self.status == 202 { self.read().map(Some) } else { Ok(None) }
    }

    fn refusal(&self) -> Refusal {
        if matches!(self.status, 300..=399) {
            return Refusal::redirected(self.status, self.header(header::LOCATION.as_str()));
        }
        Refusal::read(self.status, self.header(REQUEST_ID).map(str::to_owned), &self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;
    use std::future::pending;

    /// Accepts everything and never answers.
    #[derive(Debug)]
    struct Silent;

    #[async_trait::async_trait]
    impl Transport for Silent {
        async fn send(&self, _: Request<Bytes>) -> Result<Incoming, Broken> {
            pending().await
        }

        fn host(&self) -> &str {
            "loom.acme.com"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let api = Api::over(Box::new(Silent));
        let begun = tokio::time::Instant::now();
        let told = api.get("/agents").send().await.unwrap_err();
        assert_eq!(told.to_string(), "`loom.acme.com` did not answer within 75 s");
        assert_eq!(begun.elapsed().as_secs(), 75, "all tries together");
        assert!(api.get("/agents").stream().await.is_err());
        let hasty = Api::over(Box::new(Silent)).hasty(Duration::from_secs(10));
        assert!(hasty.get("/healthz").probe().await.unwrap_err().to_string().contains("within 10 s"));
        let hour = Duration::from_secs(3600);
        let patient = tokio::time::timeout(hour, api.post("/agents/a/invoke").patient().send()).await;
        assert!(patient.is_err(), "it waits as long as it takes");
    }
}

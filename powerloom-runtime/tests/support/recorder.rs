//! A server on the loopback that writes down every request and answers what it is told.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use powerloom_runtime::cma::{CmaClient, CmaClientBuilder};
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// The key every test sends.
pub(crate) const KEY: &str = "sk-ant-test-key";

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Recorded {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn query(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.raw_query.as_bytes()).into_owned().collect()
    }

    pub(crate) async fn parts(&self) -> Vec<Part> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.headers_mut() = self.headers.clone();
        let mut form = Multipart::from_request(request, &()).await.unwrap();
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.unwrap() {
            parts.push(Part {
                name: field.name().unwrap().to_owned(),
                filename: field.file_name().map(str::to_owned),
                content_type: field.content_type().map(str::to_owned),
                bytes: field.bytes().await.unwrap().to_vec(),
            });
        }
        parts
    }
}

/// The server; it ends with the test's runtime.
pub(crate) struct Recorder {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    /// Answers every request with what `answer` makes of it.
    pub(crate) async fn start<R: IntoResponse>(
        answer: impl Fn(&Recorded) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::<Mutex<Vec<Recorded>>>::default();
        let seen = Arc::clone(&requests);
        let handle = move |uri: Uri, request: Request| async move {
            let (head, body) = request.into_parts();
            let recorded = Recorded {
                method: head.method.to_string(),
                path: uri.path().to_owned(),
                raw_query: uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
            };
            let response: Response = answer(&recorded).into_response();
            seen.lock().unwrap().push(recorded);
            response
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
        Self { url, requests }
    }

    /// Answers every request with `json`.
    pub(crate) async fn answering(json: Value) -> Self {
        Self::start(move |_| Json(json.clone())).await
    }

    /// Options for a client of this server.
    pub(crate) fn builder(&self) -> CmaClientBuilder {
        CmaClient::builder().base_url(&self.url).api_key(KEY).without_proxy()
    }

    /// Every request so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }
}

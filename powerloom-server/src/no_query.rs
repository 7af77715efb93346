//! A query where none is read is refused like an unknown parameter anywhere else: what does nothing is a mistake.

use crate::failure::Failure;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use powerloom_core::invalid::{Invalid, shown};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// The operations that read no query, by the method in lower case and the path of the OpenAPI document.
#[derive(Debug, Clone)]
pub(crate) struct NoQuery(Arc<HashSet<(String, String)>>);

impl NoQuery {
    /// Those the document says so of.
    pub(crate) fn of(document: &Value) -> Self {
        let mut found = HashSet::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let parameters = operation.get("parameters").and_then(Value::as_array);
                let mut places = parameters.into_iter().flatten().filter_map(|it| it.get("in")?.as_str());
                if !places.any(|place| place == "query") {
                    found.insert((method.clone(), path.clone()));
                }
            }
        }
        Self(Arc::new(found))
    }
}

/// Lets through what has no query, and what reads one.
pub(crate) async fn refuse_query(State(none): State<NoQuery>, request: Request, next: Next) -> Response {
    if let Some(query) = request.uri().query().filter(|query| !query.is_empty())
        && let Some(path) = request.extensions().get::<MatchedPath>()
    {
        let method = match request.method() {
            &Method::HEAD => Method::GET,
            method => method.clone(),
        };
        if none.0.contains(&(method.as_str().to_lowercase(), path.as_str().to_owned())) {
            let first = query.split(['=', '&']).next().unwrap_or_default();
            return Failure::from(Invalid::hidden(shown(first), "no query: nothing is read from it here"))
                .into_response();
        }
    }
    next.run(request).await
}

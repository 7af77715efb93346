//! What an operation does not read is refused where it would be missed: a query, and a condition on the version. A parameter
//! that does nothing is a mistake, and a change whose condition nobody looks at is worse.

use crate::failure::Failure;
use axum::extract::{MatchedPath, NestedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use powerloom_core::invalid::{Invalid, shown};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What each operation reads, by its method in lower case and its path in the OpenAPI document, which says so.
#[derive(Debug, Clone)]
pub(crate) struct Unread(Arc<HashMap<(String, String), Reads>>);

#[derive(Debug, Default)]
struct Reads {
    query: bool,
    condition: bool,
}

impl Unread {
    /// As the document says.
    pub(crate) fn of(document: &Value) -> Self {
        let mut operations = HashMap::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let mut reads = Reads::default();
                for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                    let says = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
                    reads.query |= says("in") == "query";
                    reads.condition |= says("name").eq_ignore_ascii_case(header::IF_MATCH.as_str());
                }
                operations.insert((method.clone(), path.clone()), reads);
            }
        }
        Self(Arc::new(operations))
    }

    fn refuse(&self, request: &Request) -> Result<(), Invalid> {
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        // Nested in another router, the path that matched begins with where that is.
        let nested = request.extensions().get::<NestedPath>();
        let path = nested.and_then(|at| path.as_str().strip_prefix(at.as_str())).unwrap_or(path.as_str());
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let operation = (method.as_str().to_lowercase(), path.to_owned());
        let Some(reads) = self.0.get(&operation) else { return Ok(()) };
        let query = request.uri().query().filter(|query| !reads.query && !query.is_empty());
        if let Some(query) = query {
            let first = query.split(['=', '&']).next().unwrap_or_default();
            return Err(Invalid::hidden(shown(first), "no query: nothing is read from it here"));
        }
        if !reads.condition && !method.is_safe() && request.headers().contains_key(header::IF_MATCH) {
            let allowed = "no such header: this is not judged by a version";
            return Err(Invalid::hidden(header::IF_MATCH.as_str(), allowed));
        }
        Ok(())
    }
}

/// Lets through what asks for nothing that is not read.
pub(crate) async fn refuse_unread(State(unread): State<Unread>, request: Request, next: Next) -> Response {
    match unread.refuse(&request) {
        Ok(()) => next.run(request).await,
        Err(invalid) => Failure::from(invalid).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use serde_json::json;
    use tower::ServiceExt as _;

    /// A router of ours may be a part of an application: then the paths that match are longer than those of the document.
    #[tokio::test]
    async fn a_query_nobody_reads_is_refused_wherever_the_router_is_nested() {
        let paths = json!({ "/agents/{id}": { "get": {} }, "/agents": { "get": { "parameters": [{ "in": "query" }] } } });
        let unread = Unread::of(&json!({ "paths": paths }));
        let routes = Router::new().route("/agents", get(async || ())).route("/agents/{id}", get(async || ()));
        let ours: Router = routes.route_layer(from_fn_with_state(unread, refuse_unread));
        let nested = Router::new().nest("/loom", ours.clone());
        let as_service = Router::new().nest("/a", Router::new().nest_service("/loom", ours.clone()));
        for (app, at) in [(ours, ""), (nested, "/loom"), (as_service, "/a/loom")] {
            for (path, status) in [("/agents/7", 200), ("/agents/7?x=1", 400), ("/agents?x=1", 200)] {
                let request = Request::get(format!("{at}{path}")).body(Body::empty()).unwrap();
                let answer = app.clone().oneshot(request).await.unwrap();
                assert_eq!(answer.status(), status, "{at}{path}");
            }
        }
    }
}

//! The OpenAPI 3.1 document: what the handlers say of themselves, what the collections are made of, and the refusals that are
//! the same everywhere.

use crate::app::App;
use crate::resource::schema::{components, form, others};
use crate::resource::wire::{COLLECTIONS, Collection};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use powerloom_core::resource::catalogue::Catalogue;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

pub(crate) mod operations;
mod tidy;

/// The parts of the document.
pub(crate) struct Document {
    anonymous: OpenApi,
    governed: OpenApi,
}

/// Serves the finished document.
pub(crate) fn route(document: Value) -> Router<App> {
    let text = bytes::Bytes::from(document.to_string());
    Router::new().route(
        "/openapi.json",
        get(async move || ([(header::CONTENT_TYPE, "application/json")], text.clone())),
    )
}

impl Document {
    pub(crate) const fn new(anonymous: OpenApi, governed: OpenApi) -> Self {
        Self { anonymous, governed }
    }

    /// Puts the document together.
    pub(crate) fn finish(self, catalogue: &Catalogue) -> Value {
        let mut paths = Map::new();
        let mut schemas = Map::new();
        for (part, anonymous) in [(self.anonymous, true), (self.governed, false)] {
            let mut part = serde_json::to_value(part).unwrap_or_default();
            for (path, mut item) in object(part.get_mut("paths").map(Value::take)) {
                for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
                    operations::complete(operation, anonymous);
                }
                merge(&mut paths, path, item);
            }
            schemas.extend(object(part.pointer_mut("/components/schemas").map(Value::take)));
        }
        for of in &COLLECTIONS {
            schemas.extend(components(of, catalogue));
            for (path, item) in described(of) {
                merge(&mut paths, path, item);
            }
        }
        operations::may_show_less(&mut paths);
        schemas.extend(others(catalogue));
        schemas.extend(form::components());
        schemas.extend(operations::shared_schemas());
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Powerloom",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "A governed control plane for AI agents.",
                "license": { "name": "MIT OR Apache-2.0" },
            },
            "security": [{ "bearer": [] }],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "An access token, an API token, or a token of a configured identity provider.",
                    },
                    "ticket": {
                        "type": "apiKey",
                        "in": "query",
                        "name": "ticket",
                        "description": "Opens the stream of one session, once, within a minute.",
                    },
                },
            },
        });
        tidy::tidy(&mut document);
        document
    }
}

fn described(of: &Collection) -> [(String, Value); 2] {
    let mut many = operations::many(of);
    let mut one = operations::one(of);
    for item in [&mut many, &mut one] {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            operations::complete(operation, false);
        }
    }
    [(of.path.to_owned(), many), (format!("{}/{{id}}", of.path), one)]
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn merge(paths: &mut Map<String, Value>, path: String, item: Value) {
    let operations = object(Some(item));
    match paths.get_mut(&path).and_then(Value::as_object_mut) {
        Some(present) => present.extend(operations),
        None => {
            paths.insert(path, Value::Object(operations));
        }
    }
}

//! Everything the caller may read, as documents.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Nothing, Params};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use powerloom_core::manifest::{Through, to_yaml};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Documents.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Documents {
    /// One per resource, by kind and name.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
}

/// Write what the caller may read as documents that would declare it, by kind and name: YAML if `accept` prefers it, else JSON.
///
/// Applying them to the same organization changes nothing. What a resource refers to and the caller may not read is named by its
/// id: such a document cannot be applied.
#[utoipa::path(get, path = "/manifests/export", tag = "manifests", operation_id = "exportManifests",
    params(("accept" = Option<String>, Header, description = "`application/yaml` for one stream of YAML documents.")),
    responses((status = 200, description = "The documents.", content((Documents = "application/json"), (String = "application/yaml")))))]
pub(super) async fn export(
    State(app): State<App>,
    By(caller): By,
    Params(Nothing {}): Params<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let items = Through::new(&app.loom, &caller).export().await?;
    if prefers_yaml(&headers) {
        let text = to_yaml(&items)?;
        return Ok(([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], text).into_response());
    }
    Ok(Json(Documents { items }).into_response())
}

/// Whether a YAML type has a higher weight than JSON among what the client accepts (RFC 9110, 12.5.1).
fn prefers_yaml(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut yaml, mut json) = (0.0, 0.0_f32);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight: f32 = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        match kind.as_str() {
            "application/yaml" | "application/x-yaml" | "text/yaml" => yaml = weight.max(yaml),
            "application/json" | "application/*" | "*/*" => json = weight.max(json),
            _ => {}
        }
    }
    yaml > 0.0 && yaml >= json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_for_whoever_prefers_it() {
        for (accept, yaml) in [
            ("application/yaml", true),
            ("text/yaml, */*;q=0.1", true),
            ("Application/YAML; q=0.5, application/json; q=0.4", true),
            ("application/json, application/yaml;q=0.9", false),
            ("application/yaml;q=0", false),
            ("*/*", false),
            ("text/html", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(prefers_yaml(&headers), yaml, "{accept}");
        }
        assert!(!prefers_yaml(&HeaderMap::new()));
    }
}

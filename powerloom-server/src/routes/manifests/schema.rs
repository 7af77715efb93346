//! The JSON Schema of a manifest, for editors.

use crate::app::App;
use crate::authenticate::By;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

/// The JSON Schema (2020-12) of one document of a manifest, for an editor: of every kind there is, an embedder's own too.
#[utoipa::path(get, path = "/manifests/schema", tag = "manifests", operation_id = "getManifestSchema",
    responses((status = 200, description = "The schema.", body = Value)))]
pub(super) async fn schema(State(app): State<App>, By(_): By) -> Json<Value> {
    Json(powerloom_core::manifest::schema(app.loom.catalogue()))
}

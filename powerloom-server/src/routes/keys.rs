//! The public keys our tokens are verified by (RFC 7517).

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use powerloom_core::token::Jwks;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(jwks))
}

/// List the public keys our tokens are verified by.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "operations", operation_id = "jwks",
    responses((status = 200, description = "A JSON Web Key Set.", body = serde_json::Value)))]
async fn jwks(State(app): State<App>) -> ([(HeaderName, &'static str); 1], Json<Jwks>) {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.config.tokens.jwks()))
}

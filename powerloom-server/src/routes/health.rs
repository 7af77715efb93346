//! Whether the process lives, and whether it can serve.

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(healthz)).routes(routes!(readyz))
}

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, or why not.
    status: &'static str,
}

/// Say that the process lives. It asks nobody.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "healthz",
    responses((status = 200, description = "It lives.", body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Say whether requests can be served: the store answers, and the process is not about to end. The store is asked at most once a
/// second.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readyz",
    responses((status = 200, description = "It serves.", body = Health),
        (status = 503, description = "It does not.", body = Health)))]
async fn readyz(State(app): State<App>) -> (StatusCode, Json<Health>) {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "stopping" }));
    }
    // A slug nobody has: it costs the store one look-up, and tells nothing.
    let answers = async {
        match app.loom.store().org_by_slug("-").await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "the store cannot be asked");
                false
            }
        }
    };
    if app.readiness.ask(answers).await {
        (StatusCode::OK, Json(Health { status: "ok" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "store" }))
    }
}

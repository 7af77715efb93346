//! Figures of this process for Prometheus.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use powerloom_core::error::Error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(metrics))
}

/// The figures, in the text format of OpenMetrics. They are the process's, not an organization's: whoever may read their own
/// organization may read them.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text")))]
async fn metrics(State(app): State<App>, By(caller): By) -> Result<Response, Failure> {
    app.loom.organization(&caller).await?;
    let text = app
        .metrics
        .text()
        .map_err(|_| Error::Internal { message: "the figures cannot be written".to_owned() })?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

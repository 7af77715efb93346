//! Sealed secrets after a rotation of the master key (sem. 2.6).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Terms, TermsHeaders};
use crate::resource::answer::{Pending, pending};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(rewrap))
}

/// What one pass came to.
#[derive(Debug, Serialize, ToSchema)]
struct Rewrapped {
    /// Whether there were any: go on until it is `false`.
    rewrapped: bool,
    /// What speaks against the change just made: policies of mode `warn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Bring up to 100 sealed secrets under the present master key; what they hold stays as it is.
#[utoipa::path(post, path = "/secrets/rewrap", tag = "secrets", operation_id = "rewrapSecrets",
    params(TermsHeaders),
    responses((status = 200, description = "Whether there were any.", body = Rewrapped), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn rewrap(State(app): State<App>, By(caller): By, Terms(terms): Terms) -> Result<Response, Failure> {
    let outcome = app.loom.submit_with(&caller, Action::RewrapSecrets {}, &terms).await?;
    Ok(match outcome {
        Outcome::Pending { request_id } => pending(request_id),
        Outcome::Applied(applied) => {
            Json(Rewrapped { rewrapped: true, warnings: applied.warnings }).into_response()
        }
        Outcome::Unchanged { .. } => {
            Json(Rewrapped { rewrapped: false, warnings: Vec::new() }).into_response()
        }
    })
}

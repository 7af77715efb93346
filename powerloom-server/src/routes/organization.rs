//! The caller's organization.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use axum::Json;
use axum::extract::State;
use powerloom_core::store::OrgRow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(organization))
}

/// Read the caller's organization, and whether its reconciling rests because the runtime refuses the key.
#[utoipa::path(get, path = "/organization", tag = "operations", operation_id = "getOrganization",
    responses((status = 200, description = "The organization.", body = OrgRow)))]
async fn organization(State(app): State<App>, By(caller): By) -> Result<Json<OrgRow>, Failure> {
    Ok(Json(app.loom.organization(&caller).await?))
}

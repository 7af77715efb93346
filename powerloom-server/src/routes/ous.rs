//! Moving an OU with all below it (sem. 2.1).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, IfMatch, IfMatchHeader, Terms, TermsHeaders};
use crate::resource::answer::{Done, Pending, answer};
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(move_ou))
}

/// Where an OU is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveOu {
    /// The OU it will be below.
    to_ou_id: ResourceId,
}

/// Move an OU, with all below it, under another. What the move gives to others, the caller must hold.
#[utoipa::path(post, path = "/ous/{id}/move", tag = "ous", operation_id = "moveOu",
    params(("id" = Uuid, Path, description = "The OU."), TermsHeaders, IfMatchHeader),
    request_body = MoveOu,
    responses(
        (status = 200, description = "The OU where it is now.", body = ref("#/components/schemas/Ou"), headers(("ETag" = String, description = "Its version."))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn move_ou(
    State(app): State<App>,
    By(caller): By,
    At(ou): At<ResourceId>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
    Body(body): Body<MoveOu>,
) -> Result<Response, Failure> {
    let action = Action::MoveOu { ou, to: body.to_ou_id, expect };
    let outcome = app.loom.submit_with(&caller, action, &terms).await.map_err(|error| match error {
        Error::Invalid(mut invalid) => {
            match invalid.field.as_str() {
                "to" => invalid.field = "to_ou_id".to_owned(),
                "ou" => invalid.field = "id".to_owned(),
                _ => {}
            }
            Error::Invalid(invalid)
        }
        error => error,
    })?;
    answer(&app, &caller, outcome, Done::Changed).await
}

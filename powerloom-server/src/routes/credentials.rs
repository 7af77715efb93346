//! A new bearer for a credential (sem. 2.6).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, IfMatch, IfMatchHeader, Terms, TermsHeaders};
use crate::resource::answer::{Done, Pending, answer};
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::ResourceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(rotate))
}

/// Give a credential a new bearer: it is minted here and pushed to the runtime, and nobody sees it. The old one dies there.
#[utoipa::path(post, path = "/credentials/{id}/rotate", tag = "credentials", operation_id = "rotateCredential",
    params(("id" = Uuid, Path, description = "The credential."), TermsHeaders, IfMatchHeader),
    responses(
        (status = 200, description = "The credential.", body = ref("#/components/schemas/Credential"), headers(("ETag" = String, description = "Its version."))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn rotate(
    State(app): State<App>,
    By(caller): By,
    At(credential): At<ResourceId>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let outcome =
        app.loom.submit_with(&caller, Action::RotateCredential { credential, expect }, &terms).await?;
    answer(&app, &caller, outcome, Done::Changed).await
}

//! The end of a managed MCP server (row P108).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, IfMatch, IfMatchHeader, Terms, TermsHeaders};
use crate::resource::answer::{Done, Pending, answer};
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::ResourceId;
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::mcp_deployment::McpDeployment;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(destroy))
}

/// Tear a deployment down, with the registration it owns: the same as `DELETE /mcp-deployments/{id}`.
#[utoipa::path(post, path = "/mcp-deployments/{id}/destroy", tag = "mcp-deployments", operation_id = "destroyMcpDeployment",
    params(("id" = Uuid, Path, description = "The deployment."), TermsHeaders, IfMatchHeader),
    responses((status = 204, description = "It is gone."), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn destroy(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ResourceId>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let action = Action::Archive { target: ResourceKey::of::<McpDeployment>(id), expect };
    let outcome = app.loom.submit_with(&caller, action, &terms).await?;
    answer(&app, &caller, outcome, Done::Gone).await
}

//! Since when somebody may, or may not.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Body, Place, Whom};
use axum::Json;
use axum::extract::State;
use powerloom_core::answers::History;
use powerloom_core::id::ResourceId;
use powerloom_core::ou_path::OuPath;
use powerloom_core::permission::Permission;
use powerloom_core::principal::{Principal, PrincipalRef};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(history))
}

/// Since when?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzHistory)]
struct Asked {
    /// What for.
    permission: Permission,
    /// Where: the OU's id, or else `ou_path`.
    ou_id: Option<ResourceId>,
    /// Where: the OU's path. One that is gone is named by its id.
    ou_path: Option<OuPath>,
    /// Who, whether or not they still exist; the caller, unless `principal_ref` names somebody.
    principal: Option<Principal>,
    /// Who, as they are written now. Not both.
    principal_ref: Option<PrincipalRef>,
    /// The audit entry at which the history begins: 1, unless said otherwise.
    #[schema(minimum = 1, default = 1)]
    from_seq: Option<u64>,
}

/// Tell since when somebody may, or may not, do something at an OU, with the audit entries that changed it. It needs
/// `audit:read` and `binding:read` at the root, and looks at up to 1000 changes of authorization.
#[utoipa::path(post, path = "/authz/history", tag = "authz", operation_id = "accessHistory", request_body = Asked,
    responses((status = 200, description = "Stretches of time with one answer, oldest first.", body = History)))]
async fn history(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<Asked>,
) -> Result<Json<History>, Failure> {
    let whom = Whom::of(asked.principal, asked.principal_ref)?;
    let ou = Place::of(asked.ou_id, asked.ou_path)?.resolve_past(&app, &caller).await?;
    let (answers, from) = (app.loom.answers(&caller), asked.from_seq.unwrap_or(1));
    Ok(Json(answers.history_of(whom.about(), asked.permission, ou, from).await?))
}

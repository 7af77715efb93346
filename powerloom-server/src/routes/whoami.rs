//! Who the caller is, and where.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use axum::Json;
use axum::extract::State;
use powerloom_core::door::caller::TokenKind;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(whoami))
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Identity {
    /// The organization's id.
    #[schema(format = Uuid)]
    organization_id: String,
    /// The path of its root OU: `/acme`.
    root_ou_path: Option<String>,
    /// The root OU's id.
    #[schema(format = Uuid)]
    root_ou_id: Option<String>,
    /// The principal whose permissions count: `user:<id>`.
    principal: String,
    /// The principal as people write it: `user:ada@acme.com`.
    principal_ref: Option<String>,
    /// What it was authenticated by: `access`, `api`, `delegated` or `embedded`.
    token: String,
    /// The session on whose behalf the call is made.
    #[schema(format = Uuid)]
    delegated_from_session: Option<String>,
}

/// Say who the caller is: what every client shows before it changes anything.
#[utoipa::path(get, path = "/whoami", tag = "operations", operation_id = "whoami",
    responses((status = 200, description = "The caller.", body = Identity)))]
async fn whoami(State(app): State<App>, By(caller): By) -> Result<Json<Identity>, Failure> {
    let snapshot = app.loom.authz(caller.org).await?;
    let root = snapshot.root();
    Ok(Json(Identity {
        organization_id: caller.org.to_string(),
        root_ou_path: root.and_then(|root| snapshot.ou_path(root)).map(ToString::to_string),
        root_ou_id: root.map(|root| root.to_string()),
        principal: caller.principal.to_string(),
        principal_ref: snapshot.written(&caller.principal).map(|label| label.as_str().to_owned()),
        token: match caller.token {
            TokenKind::Access => "access",
            TokenKind::Api => "api",
            TokenKind::Delegated => "delegated",
            TokenKind::Embedded => "embedded",
        }
        .to_owned(),
        delegated_from_session: caller.delegated_from_session.map(|session| session.to_string()),
    }))
}

//! What some changes would do to what people may, without making them.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::Body;
use crate::page::limit;
use axum::Json;
use axum::extract::State;
use powerloom_core::answers::{Consequences, WhatIf};
use powerloom_core::door::mutation::Mutation;
use powerloom_core::id::ResourceId;
use powerloom_core::permission::PermissionSet;
use powerloom_core::principal::{Principal, PrincipalRef};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(what_if))
}

/// What if?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzWhatIf)]
struct Asked {
    /// The changes, made one after the other. A later one names what an earlier one makes by
    /// `706c616e-6e65-8000-8000-0000000000NN`, where `NN` is the earlier one's place in hexadecimal, from `00` on.
    #[schema(max_items = 50)]
    mutations: Vec<Mutation>,
    /// What changes for these principals only; with neither this nor `principal_refs`, for everybody.
    principals: Option<Vec<Principal>>,
    /// The same as people write them; both together name all of them.
    principal_refs: Option<Vec<PrincipalRef>>,
    /// These permissions only; patterns such as `agent:*` are read as well.
    permissions: Option<PermissionSet>,
    /// At exactly these OUs; everywhere else, told where a change begins.
    ous: Option<Vec<ResourceId>>,
    /// Tell at most so many changes: 100, unless said otherwise.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
}

/// Tell what some changes would come to, and which decisions they would change. Nothing is written.
///
/// Each passes the real door in the caller's name. It needs `binding:read` at every OU a change touches.
#[utoipa::path(post, path = "/authz/what-if", tag = "authz", operation_id = "whatIf", request_body = Asked,
    responses((status = 200, description = "What would become of each change, and of whose permissions.",
        body = Consequences)))]
async fn what_if(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<Asked>,
) -> Result<Json<Consequences>, Failure> {
    let mut ask = WhatIf::default().limit(limit(asked.limit)?);
    ask.permissions = asked.permissions;
    ask.ous = asked.ous;
    if asked.principals.is_some() || asked.principal_refs.is_some() {
        let mut principals = asked.principals.unwrap_or_default();
        for written in asked.principal_refs.iter().flatten() {
            principals.push(app.loom.principal(&caller, written).await?);
        }
        ask.principals = Some(principals);
    }
    Ok(Json(app.loom.answers(&caller).what_if(&asked.mutations, &ask).await?))
}

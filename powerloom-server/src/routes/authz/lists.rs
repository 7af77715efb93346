//! Who can do something, and what somebody can do.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Body, Place, Whom};
use crate::page::{Page, limit, read_cursor, write_cursor};
use axum::Json;
use axum::extract::State;
use powerloom_core::answers::{PermissionList, Subject, SubjectQuery};
use powerloom_core::authz::Label;
use powerloom_core::id::ResourceId;
use powerloom_core::ou_path::OuPath;
use powerloom_core::permission::Permission;
use powerloom_core::principal::{Principal, PrincipalRef};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(who_can)).routes(routes!(what_can))
}

/// Who can?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzWhoCan)]
struct WhoAsked {
    /// What.
    permission: Permission,
    /// Where: the OU's id, or else `ou_path`.
    ou_id: Option<ResourceId>,
    /// Where: the OU's path.
    ou_path: Option<OuPath>,
    /// At most this many: 100, unless said otherwise.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List who may do something at an OU: users, agents, services, and the groups and OUs to whom it is given, with the
/// bindings that give it. It needs `binding:read` there.
#[utoipa::path(post, path = "/authz/who-can", tag = "authz", operation_id = "whoCan", request_body = WhoAsked,
    responses((status = 200, description = "A page, by the written form.", body = Page<Subject>)))]
async fn who_can(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<WhoAsked>,
) -> Result<Json<Page<Subject>>, Failure> {
    let mut query = SubjectQuery::default().limit(limit(asked.limit)?);
    query.after = asked.cursor.as_deref().map(read_cursor::<Label>).transpose()?;
    let ou = Place::of(asked.ou_id, asked.ou_path)?.resolve(&app, &caller).await?;
    let page = app.loom.answers(&caller).list_subjects(asked.permission, ou, &query).await?;
    Ok(Json(Page { items: page.subjects, next_cursor: page.next.as_ref().and_then(write_cursor) }))
}

/// What can somebody?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzWhatCan)]
struct WhatAsked {
    /// Who; the caller, unless `principal_ref` names somebody.
    principal: Option<Principal>,
    /// Who, as people write it. Not both.
    principal_ref: Option<PrincipalRef>,
    /// Where: the OU's id, or else `ou_path`.
    ou_id: Option<ResourceId>,
    /// Where: the OU's path.
    ou_path: Option<OuPath>,
}

/// List what somebody may do at an OU with the bindings that give each permission, and what is withheld by what. About
/// others it needs `binding:read` there.
#[utoipa::path(post, path = "/authz/what-can", tag = "authz", operation_id = "whatCan", request_body = WhatAsked,
    responses((status = 200, description = "What is allowed and what is withheld.", body = PermissionList)))]
async fn what_can(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<WhatAsked>,
) -> Result<Json<PermissionList>, Failure> {
    let whom = Whom::of(asked.principal, asked.principal_ref)?;
    let ou = Place::of(asked.ou_id, asked.ou_path)?.resolve(&app, &caller).await?;
    Ok(Json(app.loom.answers(&caller).list_permissions(whom.about(), ou).await?))
}

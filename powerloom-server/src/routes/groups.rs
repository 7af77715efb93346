//! Who is in a group (sem. 2.1): memberships, by their group.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, IfMatch, IfMatchHeader, Params, Terms, TermsHeaders};
use crate::page::{Page, Paging};
use crate::resource::answer::{Done, Pending, answer};
use crate::resource::collection::{Filter, create, list_within};
use crate::resource::given::flat;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::record::{ResourceKey, Schema};
use powerloom_core::resource::group::{Group, GroupMembership};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_members, add_member)).routes(routes!(remove_member))
}

/// List the memberships of a group.
#[utoipa::path(get, path = "/groups/{id}/members", tag = "groups", operation_id = "listGroupMembers",
    params(("id" = Uuid, Path, description = "The group."), Paging),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/GroupMembershipPage"))))]
async fn list_members(
    State(app): State<App>,
    By(caller): By,
    At(group): At<ResourceId>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<Value>>, Failure> {
    app.loom.get(&caller, &ResourceKey::of::<Group>(group)).await?;
    let filter = Filter { limit: paging.limit, cursor: paging.cursor, ..Filter::default() };
    list_within(&app, &caller, &GroupMembership::KIND, Some(group), filter).await
}

/// Put somebody into a group: a user, an agent, a service, or another group.
#[utoipa::path(post, path = "/groups/{id}/members", tag = "groups", operation_id = "addGroupMember",
    params(("id" = Uuid, Path, description = "The group."), TermsHeaders),
    request_body(content = ref("#/components/schemas/GroupMember"), content_type = "application/json"),
    responses(
        (status = 201, description = "The membership.", body = ref("#/components/schemas/GroupMembership"),
            headers(("ETag" = String, description = "Its version."), ("Location" = String, description = "Where it is.")),
            links(("remove" = (operation_id = "removeGroupMember", parameters(("id" = "$response.body#/group_id"), ("membership_id" = "$response.body#/id")))))),
        (status = 200, description = "It was so already.", body = ref("#/components/schemas/GroupMembership")),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn add_member(
    State(app): State<App>,
    By(caller): By,
    At(group): At<ResourceId>,
    Terms(terms): Terms,
    Body(mut body): Body<Map<String, Value>>,
) -> Result<Response, Failure> {
    if body.insert("group_id".to_owned(), json!(group)).is_some() {
        return Err(Invalid::hidden("group_id", "a body without it: the path names the group").into());
    }
    let mutation = create(&app, &caller, &GroupMembership::KIND, body).await?;
    let outcome = app.loom.submit_with(&caller, mutation, &terms).await;
    let outcome = outcome.map_err(|error| flat(&app, &GroupMembership::KIND, error))?;
    answer(&app, &caller, outcome, Done::Created("/group-memberships")).await
}

/// Take somebody out of a group.
#[utoipa::path(delete, path = "/groups/{id}/members/{membership_id}", tag = "groups", operation_id = "removeGroupMember",
    params(("id" = Uuid, Path, description = "The group."), ("membership_id" = Uuid, Path, description = "The membership."), TermsHeaders, IfMatchHeader),
    responses((status = 204, description = "It is gone."), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn remove_member(
    State(app): State<App>,
    By(caller): By,
    At((group, id)): At<(ResourceId, ResourceId)>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let target = ResourceKey::of::<GroupMembership>(id);
    let terms = terms.belonging_to(group);
    let outcome = app.loom.submit_with(&caller, Action::Archive { target, expect }, &terms).await?;
    answer(&app, &caller, outcome, Done::Gone).await
}

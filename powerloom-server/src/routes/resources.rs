//! Resources of any kind by the kind's name, those of the embedder's own kinds included.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, IfMatch, IfMatchHeader, NotAgain, Params, Terms, TermsHeaders};
use crate::page::Page;
use crate::resource::answer::{Done, Pending, answer, created};
use crate::resource::collection::{Filter, create, list, shown, update};
use crate::resource::given::flat;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::record::{KindName, ResourceKey};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_resources, create_resource)).routes(routes!(
        get_resource,
        update_resource,
        archive_resource
    ))
}

/// List the resources of a kind that the caller may read, by name.
#[utoipa::path(get, path = "/resources/{kind}", tag = "resources", operation_id = "listResources",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "The kind, such as `Agent`."), Filter),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/ResourcePage"))))]
async fn list_resources(
    State(app): State<App>,
    By(caller): By,
    At(kind): At<KindName>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Value>>, Failure> {
    app.loom.catalogue().kind(&kind)?;
    if filter.agent_id.is_some() {
        return Err(Invalid::hidden("agent_id", "a parameter of this list").into());
    }
    list(&app, &caller, &kind, filter).await
}

/// Create a resource of a kind.
#[utoipa::path(post, path = "/resources/{kind}", tag = "resources", operation_id = "createResource",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "The kind, such as `Agent`."), TermsHeaders),
    request_body(content = ref("#/components/schemas/ResourceFields"), content_type = "application/json"),
    responses(
        (status = 201, description = "It was created.", body = ref("#/components/schemas/Resource"),
            headers(("ETag" = String, description = "Its version."), ("Location" = String, description = "Where it is.")),
            links(("get" = (operation_id = "getResource", parameters(("kind" = "$response.body#/kind"), ("id" = "$response.body#/id")))))),
        (status = 200, description = "It was so already.", body = ref("#/components/schemas/Resource")),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn create_resource(
    State(app): State<App>,
    By(caller): By,
    At(kind): At<KindName>,
    Terms(terms): Terms,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Failure> {
    let mutation = create(&app, &caller, &kind, body).await?;
    let outcome = app.loom.submit_with(&caller, mutation, &terms).await;
    let outcome = outcome.map_err(|error| flat(&app, &kind, error))?;
    created(&app, &caller, outcome, |row| format!("/resources/{}/{}", row.kind, row.meta.id)).await
}

/// Read a resource.
#[utoipa::path(get, path = "/resources/{kind}/{id}", tag = "resources", operation_id = "getResource",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "Its kind."), ("id" = Uuid, Path, description = "Its id."),
        ("if-none-match" = Option<String>, Header, description = "Answer 304 if the client has this version.")),
    responses(
        (status = 200, description = "The resource.", body = ref("#/components/schemas/Resource"), headers(("ETag" = String, description = "Its version."))),
        (status = 304, description = "The client has this version.")))]
async fn get_resource(
    State(app): State<App>,
    By(caller): By,
    At((kind, id)): At<(KindName, ResourceId)>,
    known: NotAgain,
) -> Result<Response, Failure> {
    app.loom.catalogue().kind(&kind)?;
    let row = app.loom.get(&caller, &ResourceKey { kind, id }).await?;
    shown(&app, &caller, &row, &known).await
}

/// Change a resource: absent fields stay as they are, `null` clears.
#[utoipa::path(patch, path = "/resources/{kind}/{id}", tag = "resources", operation_id = "updateResource",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "Its kind."), ("id" = Uuid, Path, description = "Its id."), TermsHeaders, IfMatchHeader),
    request_body(content = ref("#/components/schemas/ResourceFields"), content_type = "application/json"),
    responses(
        (status = 200, description = "It is as wanted now.", body = ref("#/components/schemas/Resource"), headers(("ETag" = String, description = "Its version."))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn update_resource(
    State(app): State<App>,
    By(caller): By,
    At((kind, id)): At<(KindName, ResourceId)>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Failure> {
    let target = ResourceKey { kind: kind.clone(), id };
    let mutation = update(&app, &caller, target, expect, body).await?;
    let outcome = app.loom.submit_with(&caller, mutation, &terms).await;
    let outcome = outcome.map_err(|error| flat(&app, &kind, error))?;
    answer(&app, &caller, outcome, Done::Changed).await
}

/// Archive a resource; it stays in the audit trail.
#[utoipa::path(delete, path = "/resources/{kind}/{id}", tag = "resources", operation_id = "archiveResource",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "Its kind."), ("id" = Uuid, Path, description = "Its id."), TermsHeaders, IfMatchHeader),
    responses((status = 204, description = "It is archived, or being archived."), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn archive_resource(
    State(app): State<App>,
    By(caller): By,
    At((kind, id)): At<(KindName, ResourceId)>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let action = Action::Archive { target: ResourceKey { kind, id }, expect };
    let outcome = app.loom.submit_with(&caller, action, &terms).await?;
    answer(&app, &caller, outcome, Done::Gone).await
}

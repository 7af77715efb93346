//! The versions of a skill (rows P49–P51): uploaded, listed and read; never changed.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, NotAgain, Params, Terms, TermsHeaders};
use crate::page::{Page, Paging, write_cursor};
use crate::resource::answer::{Pending, created};
use crate::resource::collection::shown;
use crate::resource::view::views;
use crate::upload::{Archive, Files, Form, Upload};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{ResourceKey, Schema};
use powerloom_core::resource::skill_version::SkillVersion;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_versions, publish)).routes(routes!(get_version))
}

/// List the versions of a skill, the newest first.
#[utoipa::path(get, path = "/skills/{id}/versions", tag = "skills", operation_id = "listSkillVersions",
    params(("id" = Uuid, Path, description = "The skill."), Paging),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/SkillVersionPage"))))]
async fn list_versions(
    State(app): State<App>,
    By(caller): By,
    At(skill): At<ResourceId>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<Value>>, Failure> {
    let most = paging.limit()?;
    let rows = app.loom.skill_versions(&caller, skill, paging.after()?, most).await?;
    let last = rows.last().filter(|_| rows.len() == most).and_then(|row| row.spec.get("number")?.as_u64());
    let next_cursor = last.as_ref().and_then(write_cursor);
    Ok(Json(Page { items: views(&app, &caller, &rows).await?, next_cursor }))
}

/// Upload a version of a skill: all of its files, among them `SKILL.md`, which names the skill. The same files again are the
/// same version; those of an older version make it the current one again.
#[utoipa::path(post, path = "/skills/{id}/versions", tag = "skills", operation_id = "publishSkillVersion",
    params(("id" = Uuid, Path, description = "The skill."), TermsHeaders),
    request_body(content((Form = "multipart/form-data"), (Files = "application/json"), (Archive = "application/zip"))),
    responses(
        (status = 201, description = "It was made, and is the current version.", body = ref("#/components/schemas/SkillVersion"),
            headers(("ETag" = String, description = "Its version as a record."), ("Location" = String, description = "Where it is.")),
            links(("get" = (operation_id = "getSkillVersion", parameters(("id" = "$response.body#/skill_id"), ("version_id" = "$response.body#/id")))))),
        (status = 200, description = "These files are a version already; it is the current one now, or was.", body = ref("#/components/schemas/SkillVersion")),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn publish(
    State(app): State<App>,
    By(caller): By,
    At(skill): At<ResourceId>,
    Terms(terms): Terms,
    Upload(files, _held): Upload,
) -> Result<Response, Failure> {
    let outcome = app.loom.submit_with(&caller, Action::PublishSkillVersion { skill, files }, &terms).await?;
    created(&app, &caller, outcome, |row| format!("/skills/{skill}/versions/{}", row.meta.id)).await
}

/// Read a version of a skill, with the list of its files.
#[utoipa::path(get, path = "/skills/{id}/versions/{version_id}", tag = "skills", operation_id = "getSkillVersion",
    params(("id" = Uuid, Path, description = "The skill."), ("version_id" = Uuid, Path, description = "The version."),
        ("if-none-match" = Option<String>, Header, description = "Answer 304 if the client has this version.")),
    responses(
        (status = 200, description = "The version.", body = ref("#/components/schemas/SkillVersion"), headers(("ETag" = String, description = "Its version as a record."))),
        (status = 304, description = "The client has it.")))]
async fn get_version(
    State(app): State<App>,
    By(caller): By,
    At((skill, id)): At<(ResourceId, ResourceId)>,
    known: NotAgain,
) -> Result<Response, Failure> {
    let row = app.loom.get(&caller, &ResourceKey::of::<SkillVersion>(id)).await?;
    if row.spec.get("skill") != Some(&json!(skill)) {
        // As if it did not exist: below this skill, it does not.
        let what = SkillVersion::KIND.to_string();
        return Err(Error::NotFound { what, reference: id.to_string() }.into());
    }
    shown(&app, &caller, &row, &known).await
}

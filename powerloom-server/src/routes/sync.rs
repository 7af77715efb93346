//! Where resources stand on the runtime (rows P30, P42, P44).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Params, Terms, TermsHeaders};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::resource::answer::{Pending, changed, pending};
use crate::resource::view::sync_view;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use powerloom_core::authz::AuthzSnapshot;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::reconcile::state::{SyncState, SyncStatus};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::store::{MAX_PAGE, RecordCursor, RecordQuery};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_sync)).routes(routes!(get_sync)).routes(routes!(reset_sync))
}

/// Which resources a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of this status; `archived` shows what is gone from the runtime.
    #[param(pattern = "^(pending|dirty|syncing|synced|backing_off|parked|blocked|archiving|archived)$")]
    status: Option<String>,
    /// Only those of this kind.
    kind: Option<String>,
    /// At most this many: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The kinds that are on the runtime, by name, or the one that is asked for.
fn kinds(app: &App, asked: Option<&str>) -> Result<Vec<KindName>, Invalid> {
    let mut touching: Vec<KindName> = Vec::new();
    touching.extend(app.loom.catalogue().kinds().filter(|kind| kind.on_runtime()).map(|kind| kind.name()));
    let Some(asked) = asked else { return Ok(touching) };
    match touching.iter().find(|kind| kind.as_str() == asked) {
        Some(kind) => Ok(vec![kind.clone()]),
        None => {
            let known: Vec<&str> = touching.iter().map(KindName::as_str).collect();
            Err(Invalid::new("kind", asked, format!("one of {}", known.join(", "))))
        }
    }
}

fn item(authz: &AuthzSnapshot, row: &RecordRow, state: Option<&(SyncState, SyncStatus)>) -> Value {
    let mut shown = state.map_or_else(Map::new, |(state, status)| sync_view(state, status));
    shown.insert("kind".into(), json!(row.kind));
    shown.insert("id".into(), json!(row.meta.id));
    shown.insert("name".into(), json!(row.meta.name));
    shown.insert("ou_id".into(), json!(row.meta.ou));
    shown.insert("ou_path".into(), json!(authz.ou_path(row.meta.ou)));
    Value::Object(shown)
}

/// List where resources stand on the runtime: those the caller may read, by kind and name. A page may be shorter
/// than asked for, or empty, and yet not be the last: go on until `next_cursor` is null.
#[utoipa::path(get, path = "/sync", tag = "sync", operation_id = "listSync",
    params(Filter),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/SyncItemPage"))))]
async fn list_sync(
    State(app): State<App>,
    By(caller): By,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Value>>, Failure> {
    let most = limit(filter.limit)?;
    let mut after: Option<RecordCursor> = filter.cursor.as_deref().map(read_cursor).transpose()?;
    if let Some(status) = filter.status.as_deref().filter(|status| !SyncStatus::WORDS.contains(status)) {
        let allowed = format!("one of {}", SyncStatus::WORDS.join(", "));
        return Err(Invalid::new("status", status, allowed).into());
    }
    let mut kinds = kinds(&app, filter.kind.as_deref())?;
    if let Some(after) = &after {
        if !kinds.contains(&after.kind) {
            let allowed = "the `next_cursor` of an earlier page of this list";
            return Err(Invalid::hidden("cursor", allowed).into());
        }
        kinds.retain(|kind| *kind >= after.kind);
    }
    let authz = app.loom.authz(caller.org).await?;
    let archived = filter.status.as_deref() == Some(SyncStatus::Archived.word());
    let mut items: Vec<Value> = Vec::new();
    for kind in kinds {
        let query = RecordQuery {
            after: after.take().filter(|after| after.kind == kind),
            kind: Some(kind),
            archived,
            // Not all that may be read are shown: more is read than is asked for.
            limit: MAX_PAGE,
            ..RecordQuery::default()
        };
        let found = app.loom.list_page(&caller, &query).await?;
        let states = app.loom.sync_states(&caller, &found.rows).await?;
        for row in &found.rows {
            let Some(state) = states.get(&row.meta.id) else { continue };
            if filter.status.as_deref().is_some_and(|status| status != state.1.word()) {
                continue;
            }
            items.push(item(&authz, row, Some(state)));
            if items.len() == most {
                return Ok(Json(Page { items, next_cursor: write_cursor(&RecordCursor::of(row)) }));
            }
        }
        if let Some(next) = &found.next {
            return Ok(Json(Page { items, next_cursor: write_cursor(next) }));
        }
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Read where a resource stands on the runtime.
#[utoipa::path(get, path = "/sync/{kind}/{id}", tag = "sync", operation_id = "getSync",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "Its kind, such as `Agent`."), ("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "Where it stands.", body = ref("#/components/schemas/SyncItem"))))]
async fn get_sync(
    State(app): State<App>,
    By(caller): By,
    At((kind, id)): At<(KindName, ResourceId)>,
) -> Result<Json<Value>, Failure> {
    app.loom.catalogue().kind(&kind)?;
    let key = ResourceKey { kind, id };
    let row = app.loom.get(&caller, &key).await?;
    let state = app.loom.sync_state(&caller, &key).await?;
    Ok(Json(item(&*app.loom.authz(caller.org).await?, &row, Some(&state))))
}

/// Try a parked resource again; it also ends the organization's pause. Without `sync:read`, the answer does not say where the
/// resource stands; to whoever may not read the resource, it only names it.
#[utoipa::path(post, path = "/sync/{kind}/{id}/reset", tag = "sync", operation_id = "resetSync",
    params(("kind" = String, Path, pattern = "^[A-Z][A-Za-z0-9]{0,62}$", description = "Its kind, such as `Agent`."), ("id" = Uuid, Path, description = "Its id."), TermsHeaders),
    responses(
        (status = 200, description = "Where it stands now.", body = ref("#/components/schemas/SyncItem")),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn reset_sync(
    State(app): State<App>,
    By(caller): By,
    At((kind, id)): At<(KindName, ResourceId)>,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    app.loom.catalogue().kind(&kind)?;
    let action = Action::ResetSync { target: ResourceKey { kind, id } };
    let row = match app.loom.submit_with(&caller, action, &terms).await? {
        Outcome::Pending { request_id } => return Ok(pending(request_id)),
        Outcome::Applied(applied) => applied.record,
        Outcome::Unchanged { record } => record,
    };
    let row = row.ok_or_else(|| Error::Internal { message: "what was reset is no record".to_owned() })?;
    if !app.loom.may_read(&caller, &row).await? {
        return Ok(Json(changed(&row)).into_response());
    }
    let states = app.loom.sync_states(&caller, std::slice::from_ref(row.as_ref())).await?;
    let authz = app.loom.authz(caller.org).await?;
    Ok(Json(item(&authz, &row, states.get(&row.meta.id))).into_response())
}

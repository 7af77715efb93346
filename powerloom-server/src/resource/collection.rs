//! The routes of a collection: list, create, read, change, archive (rows P102–P109), written once for every kind.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, IfMatch, NotAgain, Params, Terms};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::resource::answer::{Done, answer, set_tag, tag, tagged};
use crate::resource::given::{flat, spec, take, take_labels};
use crate::resource::view::{view_of, views};
use crate::resource::wire::Collection;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::{Action, MUTATION_VERSION, Mutation};
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::store::{RecordCursor, RecordQuery};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

/// Which resources a list shows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those this OU governs itself.
    #[param(value_type = Option<Uuid>)]
    pub(crate) ou_id: Option<ResourceId>,
    /// Only those of this name.
    pub(crate) name: Option<String>,
    /// Archived ones too.
    pub(crate) archived: Option<bool>,
    /// Only those of this agent, in the lists that know it.
    #[param(ignore)]
    pub(crate) agent_id: Option<ResourceId>,
    /// At most this many: 100.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u16>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// `GET` and `POST` of the collection itself.
pub(crate) fn many(of: &'static Collection) -> MethodRouter<App> {
    get(async move |State(app): State<App>, By(caller): By, Params(filter): Params<Filter>| {
        if filter.agent_id.is_some() && !of.by_agent {
            return Err(Failure::from(Invalid::hidden("agent_id", "a parameter of this list")));
        }
        list(&app, &caller, &of.kind, filter).await
    })
    .post(
        async move |State(app): State<App>,
                    By(caller): By,
                    Terms(terms): Terms,
                    Body(body): Body<Map<String, Value>>| {
            let action = create(&app, &caller, &of.kind, body).await?;
            let outcome = app.loom.submit_with(&caller, action, &terms).await;
            let outcome = outcome.map_err(|error| flat(&app, &of.kind, error))?;
            answer(&app, &caller, outcome, Done::Created(of.path)).await
        },
    )
}

/// `GET`, `PATCH` and `DELETE` of one of them.
pub(crate) fn one(of: &'static Collection) -> MethodRouter<App> {
    let routes =
        get(async move |State(app): State<App>, By(caller): By, At(id): At<ResourceId>, known: NotAgain| {
            let key = ResourceKey { kind: of.kind.clone(), id };
            let row = app.loom.get(&caller, &key).await?;
            shown(&app, &caller, &row, &known).await
        })
        .merge(delete(
            async move |State(app): State<App>,
                        By(caller): By,
                        At(id): At<ResourceId>,
                        IfMatch(expect): IfMatch,
                        Terms(terms): Terms| {
                let target = ResourceKey { kind: of.kind.clone(), id };
                let outcome =
                    app.loom.submit_with(&caller, Action::Archive { target, expect }, &terms).await?;
                answer(&app, &caller, outcome, Done::Gone).await
            },
        ));
    if !of.patch {
        return routes;
    }
    routes.patch(
        async move |State(app): State<App>,
                    By(caller): By,
                    At(id): At<ResourceId>,
                    IfMatch(expect): IfMatch,
                    Terms(terms): Terms,
                    Body(body): Body<Map<String, Value>>| {
            let target = ResourceKey { kind: of.kind.clone(), id };
            let mutation = update(&app, &caller, target, expect, body).await?;
            let outcome = app.loom.submit_with(&caller, mutation, &terms).await;
            let outcome = outcome.map_err(|error| flat(&app, &of.kind, error))?;
            answer(&app, &caller, outcome, Done::Changed).await
        },
    )
}

/// A page of the resources of a kind that the caller may read, by name. A page may be shorter than asked for, or empty,
/// and yet not be the last.
pub(crate) async fn list(
    app: &App,
    caller: &Caller,
    kind: &KindName,
    filter: Filter,
) -> Result<Json<Page<Value>>, Failure> {
    list_within(app, caller, kind, filter.agent_id, filter).await
}

/// The same, only of those that belong to `owner`, if one is named.
pub(crate) async fn list_within(
    app: &App,
    caller: &Caller,
    kind: &KindName,
    owner: Option<ResourceId>,
    filter: Filter,
) -> Result<Json<Page<Value>>, Failure> {
    let most = limit(filter.limit)?;
    let after: Option<RecordCursor> = filter.cursor.as_deref().map(read_cursor).transpose()?;
    if after.as_ref().is_some_and(|after| after.kind != *kind) {
        return Err(Invalid::hidden("cursor", "the `next_cursor` of an earlier page of this list").into());
    }
    let archived = filter.archived.unwrap_or(false);
    let kind = Some(kind.clone());
    let query =
        RecordQuery { kind, ou: filter.ou_id, archived, after, limit: most, ..RecordQuery::default() };
    let found = match (owner, filter.name.as_deref()) {
        (Some(owner), _) => app.loom.list_page_belonging(caller, owner, &query).await?,
        (None, Some(name)) => app.loom.list_page_named(caller, name, &query).await?,
        (None, None) => app.loom.list_page(caller, &query).await?,
    };
    let mut rows = found.rows;
    if let Some(name) = &filter.name {
        rows.retain(|row| row.meta.name == *name);
    }
    let next_cursor = found.next.as_ref().and_then(write_cursor);
    Ok(Json(Page { items: views(app, caller, &rows).await?, next_cursor }))
}

/// What a body asks to be created.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    kind: &KindName,
    mut body: Map<String, Value>,
) -> Result<Mutation, Failure> {
    let ou = take(&mut body, "ou_id", "a UUID")?;
    let name = take(&mut body, "name", "a text")?;
    let labels = take_labels(&mut body)?;
    // What is null is not said: nobody is looked for, and the kind has its own defaults.
    body.retain(|name, value| !(value.is_null() && name.ends_with("_ref")));
    let mut spec = spec(app, caller, kind, body).await?;
    spec.retain(|_, value| !value.is_null());
    let action = Action::Create { kind: kind.clone(), ou, name, spec };
    Ok(Mutation { v: MUTATION_VERSION, labels, managed: None, action })
}

/// What a body asks to be changed.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    target: ResourceKey,
    expect: Option<u64>,
    mut body: Map<String, Value>,
) -> Result<Mutation, Failure> {
    let labels = take_labels(&mut body)?;
    let patch = spec(app, caller, &target.kind, body).await?;
    Ok(Mutation {
        v: MUTATION_VERSION,
        labels,
        managed: None,
        action: Action::Update { target, expect, patch },
    })
}

/// One resource, or 304 if the client has what would be shown.
pub(crate) async fn shown(
    app: &App,
    caller: &Caller,
    row: &RecordRow,
    known: &NotAgain,
) -> Result<Response, Failure> {
    let view = view_of(app, caller, row).await?;
    let tag = tag(&view, row.meta.version);
    if known.has(&tag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        set_tag(&mut response, &tag);
        return Ok(response);
    }
    Ok(tagged(view, &tag))
}

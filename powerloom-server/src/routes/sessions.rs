//! Sessions: which there are, what happened in one, and stopping it (rows P9, P76–P95).

use crate::app::App;
use crate::authenticate::{By, bearer};
use crate::failure::Failure;
use crate::input::{At, Params, Terms, TermsHeaders, last_event_id, wants_events};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::resource::answer::{Pending, pending};
use crate::stream::sse;
use crate::vary::by_accept;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::invalid::Invalid;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::SessionQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(read))
        .merge(OpenApiRouter::default().routes(routes!(events)).layer(map_response(by_accept)))
        .routes(routes!(cancel))
}

/// Which sessions a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only this agent's.
    agent_id: Option<ResourceId>,
    /// `true`: only those that have not settled.
    active: Option<bool>,
    /// At most this many: 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List sessions, newest first: the caller's own, and those of others where it holds `session:list_all`.
#[utoipa::path(get, path = "/sessions", tag = "sessions", operation_id = "listSessions", params(Which),
    responses((status = 200, description = "A page, newest first.", body = Page<SessionRecord>)))]
async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(which): Params<Which>,
) -> Result<Json<Page<SessionRecord>>, Failure> {
    let most = limit(which.limit)?;
    let query = SessionQuery {
        agent: which.agent_id,
        active: which.active.unwrap_or(false),
        after: which.cursor.as_deref().map(read_cursor).transpose()?,
        limit: most,
    };
    let found = app.loom.sessions_page(&caller, &query).await?;
    let next_cursor = found.next.as_ref().and_then(write_cursor);
    Ok(Json(Page { items: found.rows, next_cursor }))
}

/// Read one session (row P95). Whoever started it may; others need `session:read` where its agent is.
#[utoipa::path(get, path = "/sessions/{id}", tag = "sessions", operation_id = "getSession",
    params(("id" = SessionId, Path, description = "The session.")),
    responses((status = 200, description = "The session.", body = SessionRecord)))]
async fn read(
    State(app): State<App>,
    By(caller): By,
    At(id): At<SessionId>,
) -> Result<Json<SessionRecord>, Failure> {
    Ok(Json(app.loom.session(&caller, id).await?))
}

/// Which events of a session.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Span {
    /// Only those behind this number.
    after: Option<EventSeq>,
    /// At most this many: 100 unless said otherwise. Not for a stream.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// `next_cursor` of the page before, instead of `after`. Not for a stream.
    cursor: Option<String>,
}

/// Events of a session, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEventPage)]
struct Events {
    /// The events.
    items: Vec<SessionEvent>,
    /// Where the next page begins; `null` if the log reaches no further now.
    next_cursor: Option<String>,
    /// What to present as `after` for what comes next, now or later.
    next_after: EventSeq,
}

/// Read what happened in a session; with `Accept: text/event-stream`, follow it to its end.
///
/// As a page it needs what reading the session needs; as a stream, unless the caller started it, `session:stream`. Any number
/// may follow at once. A stream's events have the number as `id`, the type as `event` and `{"seq", "type", "payload"}` as
/// `data`; `Last-Event-ID` resumes behind a number, and counts before `after`. A stream that resumes behind the last event of a
/// settled session is answered with 204, so that browsers do not come back. Whether the caller may follow is asked again every ten
/// seconds: a stream ends with a comment once its token has ended or was revoked, its user is disabled, or the permission is gone.
#[utoipa::path(get, path = "/sessions/{id}/events", tag = "sessions", operation_id = "sessionEvents",
    params(("id" = SessionId, Path, description = "The session."), Span,
        ("last-event-id" = Option<EventSeq>, Header, description = "Of a stream: the `id` of the last event the client has.")),
    responses(
        (status = 200, description = "A page, or the stream.",
            content((Events = "application/json"), (String = "text/event-stream"))),
        (status = 204, description = "There is nothing to resume: the session has settled, and the client has all of it.")))]
async fn events(
    State(app): State<App>,
    By(caller): By,
    At(id): At<SessionId>,
    Params(span): Params<Span>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if wants_events(&headers) {
        follow(&app, &caller, id, span, &headers).await
    } else {
        page(&app, &caller, id, span).await
    }
}

async fn page(app: &App, caller: &Caller, id: SessionId, span: Span) -> Result<Response, Failure> {
    let most = limit(span.limit)?;
    let after = match (span.after, span.cursor.as_deref()) {
        (Some(_), Some(_)) => return Err(Invalid::hidden("cursor", "either `cursor` or `after`").into()),
        (after, None) => after.unwrap_or(EventSeq::START),
        (None, Some(cursor)) => read_cursor(cursor)?,
    };
    let items = app.loom.session_events(caller, id, after, most).await?;
    let next_after = items.last().map_or(after, |last| last.seq);
    let next_cursor = if items.len() < most { None } else { write_cursor(&next_after) };
    Ok(Json(Events { items, next_cursor, next_after }).into_response())
}

async fn follow(
    app: &App,
    caller: &Caller,
    id: SessionId,
    span: Span,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    for (field, given) in [("limit", span.limit.is_some()), ("cursor", span.cursor.is_some())] {
        if given {
            return Err(Invalid::hidden(field, "a parameter of the page; a stream has `after`").into());
        }
    }
    let resumed = last_event_id(headers)?;
    let after = resumed.or(span.after).unwrap_or(EventSeq::START);
    let stream = app.loom.follow(caller, id, after).await?;
    if resumed.is_some() && stream.was_over() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let token = Zeroizing::new(bearer(headers)?.to_owned());
    Ok(sse::respond(app, id, stream, token))
}

/// A session that is to be stopped.
#[derive(Debug, Serialize, ToSchema)]
struct Cancelling {
    /// The session.
    session_id: SessionId,
    /// Always `true`: it is stopped soon, and not yet.
    cancel_requested: bool,
}

/// Ask to stop a session: whoever started it may, others need `session:cancel`. It is stopped soon; a turn that ends before the
/// stop arrives ends as it would have.
#[utoipa::path(post, path = "/sessions/{id}/cancel", tag = "sessions", operation_id = "cancelSession",
    params(("id" = SessionId, Path, description = "The session."), TermsHeaders),
    responses(
        (status = 200, description = "It will be stopped.", body = Cancelling,
            links(("session" = (operation_id = "getSession", parameters(("id" = "$response.body#/session_id")))))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn cancel(
    State(app): State<App>,
    By(caller): By,
    At(id): At<SessionId>,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    match app.loom.submit_with(&caller, Action::CancelSession { session: id }, &terms).await? {
        Outcome::Pending { request_id } => Ok(pending(request_id)),
        Outcome::Applied(_) | Outcome::Unchanged { .. } => {
            Ok(Json(Cancelling { session_id: id, cancel_requested: true }).into_response())
        }
    }
}

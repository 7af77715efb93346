//! What a change came to, as an answer: 201, 200, 204, or 202 while it waits for approval (row P97).

use crate::app::App;
use crate::failure::Failure;
use crate::resource::view::view_of;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::record::RecordRow;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A change that waits for somebody's approval (rows P97, M34).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pending {
    /// The request, `req_…`.
    pub(crate) request_id: String,
    /// Always `pending_approval`.
    pub(crate) status: &'static str,
    /// Where it can be looked at: `/approvals/req_…`.
    pub(crate) inbox: String,
    /// What happens now, for people.
    pub(crate) message: String,
}

impl Pending {
    /// What waits under this request.
    pub(crate) fn of(request_id: String) -> Self {
        Self::then(request_id, "it will be made once approved")
    }

    /// What waits under this request, and what happens once it is approved.
    pub(crate) fn then(request_id: String, then: &str) -> Self {
        let inbox = format!("/approvals/{request_id}");
        let message = format!("it waits for approval: see {inbox}; {then}");
        Self { request_id, status: "pending_approval", inbox, message }
    }
}

/// 202 with the request's id.
pub(crate) fn pending(request_id: String) -> Response {
    waiting(Pending::of(request_id))
}

/// 202 with what waits.
pub(crate) fn waiting(body: Pending) -> Response {
    let location = body.inbox.clone();
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    set_location(&mut response, &location);
    response
}

/// How a change that happened is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// 201, with the new resource and where it is below this path.
    Created(&'static str),
    /// 200, with the resource as it is now.
    Changed,
    /// 204.
    Gone,
}

/// Answers what a creation came to, of a resource that is where `at` says.
pub(crate) async fn created(
    app: &App,
    caller: &Caller,
    outcome: Outcome,
    at: impl FnOnce(&RecordRow) -> String,
) -> Result<Response, Failure> {
    let location = match &outcome {
        Outcome::Applied(applied) if applied.created => applied.record.as_deref().map(at),
        Outcome::Applied(_) | Outcome::Unchanged { .. } | Outcome::Pending { .. } => None,
    };
    let mut response = answer(app, caller, outcome, Done::Changed).await?;
    if let Some(location) = location {
        set_created(&mut response, &location);
    }
    Ok(response)
}

/// Makes an answer a 201 that says where the new thing is.
pub(crate) fn set_created(response: &mut Response, location: &str) {
    *response.status_mut() = StatusCode::CREATED;
    set_location(response, location);
}

/// Answers what a change of a resource came to.
pub(crate) async fn answer(
    app: &App,
    caller: &Caller,
    outcome: Outcome,
    done: Done,
) -> Result<Response, Failure> {
    let (row, warnings, applied) = match outcome {
        Outcome::Pending { request_id } => return Ok(pending(request_id)),
        Outcome::Applied(applied) => (applied.record, applied.warnings, true),
        Outcome::Unchanged { record } => (record, Vec::new(), false),
    };
    let Some(row) = row.filter(|_| done != Done::Gone) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut view = if app.loom.may_read(caller, &row).await? {
        view_of(app, caller, &row).await?
    } else {
        // Whoever may change it need not be able to read it.
        changed(&row)
    };
    // Of what is there, not of what is said about this change: a client that reads it later has this already.
    let tag = tag(&view, row.meta.version);
    if let (Some(view), false) = (view.as_object_mut(), warnings.is_empty()) {
        view.insert("warnings".into(), warnings.into());
    }
    let mut response = tagged(view, &tag);
    if let (Done::Created(path), true) = (done, applied) {
        set_created(&mut response, &format!("{path}/{}", row.meta.id));
    }
    Ok(response)
}

/// What of a resource is answered to somebody who may not read it.
pub(crate) fn changed(row: &RecordRow) -> Value {
    json!({ "id": row.meta.id, "kind": row.kind, "name": row.meta.name, "version": row.meta.version })
}

/// 200 with a body and its ETag.
pub(crate) fn tagged(view: Value, tag: &str) -> Response {
    let mut response = Json(view).into_response();
    set_tag(&mut response, tag);
    response
}

/// The ETag of a view: the version, which is what `If-Match` reads, and a digest of all that is shown, for some of it
/// changes without the version.
pub(crate) fn tag(view: &Value, version: u64) -> String {
    format!("\"{version}-{:.16}\"", Digest::of(view.to_string().as_bytes()))
}

/// Names what is answered, for this caller alone; it may be kept, but is asked for again before it is used.
pub(crate) fn set_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Names where what is answered can be looked at.
pub(crate) fn set_location(response: &mut Response, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// Names the version of what is answered.
pub(crate) fn set_etag(response: &mut Response, version: u64) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

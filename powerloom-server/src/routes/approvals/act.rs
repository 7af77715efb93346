//! Voting on requests, and taking them back.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, BodyOr, Terms, TermsHeaders};
use crate::resource::answer::pending;
use crate::routes::approvals::view::{RequestView, view_of};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use powerloom_core::approval::{ApprovalId, ApprovalRequest, Ballot, InboxFilter};
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{KindName, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(vote)).routes(routes!(cancel)).routes(routes!(cancel_many))
}

/// A vote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalVoteCast)]
struct Cast {
    /// For it or against it.
    ballot: Ballot,
    /// The request's `payload_hash`: what the voter has seen. Another one is refused.
    payload_hash: Digest,
    /// Why, in the voter's own words.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"
    )]
    comment: Option<String>,
    /// The policies whose requirements it is for; left out: all that name the voter.
    #[serde(default)]
    requirements: Vec<ResourceId>,
}

/// Vote on a request, in person. The vote that meets the last requirement also makes the change; until then a later vote
/// takes the place of an earlier one.
///
/// Nobody votes on what they asked for themselves, nor by a token of a program or of a session.
#[utoipa::path(post, path = "/approvals/{id}/votes", tag = "approvals", operation_id = "voteOnApproval",
    params(("id" = String, Path, pattern = "^req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description = "The request, `req_…`."), TermsHeaders), request_body = Cast,
    responses((status = 200, description = "The vote counts; the request as it is now.", body = RequestView, links(
        ("request" = (operation_id = "getApproval", parameters(("id" = "$response.body#/id")))),
    ))))]
async fn vote(
    State(app): State<App>,
    By(caller): By,
    At(request): At<ApprovalId>,
    Terms(terms): Terms,
    Body(cast): Body<Cast>,
) -> Result<Response, Failure> {
    let Cast { ballot, payload_hash, comment, requirements } = cast;
    let vote = Action::Vote { request, ballot, payload_hash, comment, requirements };
    let outcome = app.loom.submit_with(&caller, vote, &terms).await?;
    shown(&app, &caller, request, outcome).await
}

/// Why something is taken back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalCancel)]
struct Cancel {
    /// Why.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"
    )]
    reason: Option<String>,
}

/// Take a request back: whoever asked for it, or who holds `approval:cancel` at its OU. A review cannot be taken back.
#[utoipa::path(post, path = "/approvals/{id}/cancel", tag = "approvals", operation_id = "cancelApproval",
    params(("id" = String, Path, pattern = "^req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description = "The request, `req_…`."), TermsHeaders), request_body = Option<Cancel>,
    responses((status = 200, description = "It is taken back.", body = RequestView)))]
async fn cancel(
    State(app): State<App>,
    By(caller): By,
    At(request): At<ApprovalId>,
    Terms(terms): Terms,
    BodyOr(cancel): BodyOr<Cancel>,
) -> Result<Response, Failure> {
    let action = Action::CancelApproval { request, reason: cancel.reason };
    let outcome = app.loom.submit_with(&caller, action, &terms).await?;
    shown(&app, &caller, request, outcome).await
}

/// Which pending requests are taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalCancelMany)]
struct CancelMany {
    /// Only about this kind.
    resource_kind: Option<KindName>,
    /// Only judged in this OU or below it.
    ou_id: Option<ResourceId>,
    /// Why.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"
    )]
    reason: Option<String>,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalsCancelled)]
struct CancelledMany {
    /// Each that the caller may take back, newest first.
    items: Vec<CancelledOne>,
}

/// What became of one request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalCancelled)]
struct CancelledOne {
    /// Which.
    id: ApprovalId,
    /// Whether it was taken back.
    cancelled: bool,
    /// Why not: `code`, `message` and `detail`, as every error has them.
    #[schema(required)]
    error: Option<Value>,
}

/// Take back every pending request that fits and that the caller may take back, each on its own: some may be taken back
/// and some not. `{}` fits all. Asked again, it takes back what is pending by then.
#[utoipa::path(post, path = "/approvals/cancel", tag = "approvals", operation_id = "cancelApprovals",
    params(TermsHeaders), request_body = CancelMany,
    responses((status = 200, description = "What became of each.", body = CancelledMany)))]
async fn cancel_many(
    State(app): State<App>,
    By(caller): By,
    Terms(terms): Terms,
    Body(asked): Body<CancelMany>,
) -> Result<Json<CancelledMany>, Failure> {
    let mut filter = InboxFilter::default();
    filter.resource_kind = asked.resource_kind;
    filter.ou = asked.ou_id;
    let done = app.loom.approvals(&caller).cancel_all_with(&filter, asked.reason, &terms).await?;
    let items = done.into_iter().map(|one| CancelledOne {
        id: one.request,
        cancelled: one.result.is_ok(),
        error: one.result.err().map(|error| error_body(&error)),
    });
    Ok(Json(CancelledMany { items: items.collect() }))
}

/// What stands inside the envelope.
fn error_body(error: &Error) -> Value {
    error.envelope().get_mut("error").map(Value::take).unwrap_or_default()
}

/// The request as it is after what was done about it.
async fn shown(app: &App, caller: &Caller, id: ApprovalId, outcome: Outcome) -> Result<Response, Failure> {
    let request = match outcome {
        Outcome::Pending { request_id } => return Ok(pending(request_id)),
        outcome => match outcome.record() {
            Some(row) => Record::<ApprovalRequest>::read(row).map_err(Error::from)?,
            None => app.loom.approvals(caller).get(id).await?,
        },
    };
    Ok(Json(view_of(app, caller, request).await?).into_response())
}

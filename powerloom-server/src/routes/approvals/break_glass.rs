//! Making a change now that waits for approval, and answering for it afterwards.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, Terms, TermsHeaders};
use crate::resource::answer::{Pending, pending};
use crate::routes::approvals::view::{RequestView, view_of};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use powerloom_core::approval::{ApprovalId, Base, BrokenGlass, TakenBack};
use powerloom_core::door::outcome::{Applied, Outcome};
use powerloom_core::id::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(break_glass))
}

/// Why the glass is broken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalBreakGlass)]
struct Why {
    /// Why it cannot wait, for those who will judge it.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"
    )]
    justification: String,
}

/// What breaking the glass came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalGlassBroken)]
struct Broken {
    /// The record that was made or changed.
    #[schema(required)]
    applied: Option<Base>,
    /// The session that was started or stopped.
    #[schema(required)]
    session: Option<SessionId>,
    /// What speaks against it though nothing held it back.
    warnings: Vec<String>,
    /// The review that was opened: people decide it afterwards. `null` if nothing held the change back any more, and in an
    /// answer that is repeated.
    #[schema(required)]
    review_id: Option<ApprovalId>,
    /// Whether the request was taken back.
    taken_back: bool,
    /// Why it was not: it still waits, and somebody should cancel it.
    #[schema(required)]
    note: Option<String>,
    /// The request as it is now.
    request: RequestView,
}

/// Make the change a pending request is for, now and as the caller, by break-glass; then take the request back, if the
/// caller may.
///
/// It needs the permission for the change itself and `approval:break_glass` wherever it touches. A review is opened, and
/// until it is decided no glass is broken again in the same OU. Plans and reviews are refused. The body's justification is
/// the one that counts.
#[utoipa::path(post, path = "/approvals/{id}/break-glass", tag = "approvals", operation_id = "breakGlass",
    params(("id" = String, Path, pattern = "^req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description = "The request, `req_…`."), TermsHeaders), request_body = Why,
    responses((status = 200, description = "The change is made.", body = Broken, links(
        ("review" = (operation_id = "getApproval", parameters(("id" = "$response.body#/review_id")))),
    )), (status = 202, description = "Something else holds it back.", body = Pending)))]
async fn break_glass(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ApprovalId>,
    Terms(terms): Terms,
    Body(why): Body<Why>,
) -> Result<Response, Failure> {
    let approvals = app.loom.approvals(&caller);
    let broken = approvals.break_glass_with(id, &terms.justification(why.justification)).await?;
    let BrokenGlass { outcome, review, request, .. } = broken;
    let record = outcome.record().map(|row| Base { key: row.key(), version: row.meta.version });
    let (session, warnings) = match outcome {
        Outcome::Pending { request_id } => return Ok(pending(request_id)),
        Outcome::Applied(Applied { session, warnings, .. }) => (session, warnings),
        Outcome::Unchanged { .. } => (None, Vec::new()),
    };
    let note = match request {
        TakenBack::Done => None,
        TakenBack::Not(error) => Some(format!("the request still waits: {error}")),
        TakenBack::NotMade => Some("the request still waits: the change was not made".to_owned()),
    };
    let request = view_of(&app, &caller, approvals.get(id).await?).await?;
    let taken_back = note.is_none();
    Ok(Json(Broken { applied: record, session, warnings, review_id: review, taken_back, note, request })
        .into_response())
}

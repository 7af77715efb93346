//! A plan through the door: step by step now, or as one request that others approve first.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{LongBody, Terms};
use crate::patience::Patience;
use crate::resource::answer::{Pending, waiting};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures::FutureExt as _;
use powerloom_core::approval::ApprovalId;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::{Error, Result as CoreResult};
use powerloom_core::invalid::Invalid;
use powerloom_core::manifest::{ApplyOptions, Plan, Report, Through};
use serde::{Deserialize, Serialize};
use std::panic::AssertUnwindSafe;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use utoipa::ToSchema;

/// Which plan is to be carried out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyRequest {
    /// The plan, as `/manifests/plan` made it.
    plan: Plan,
    /// The plan must have this digest, or nothing of it is done: keep it apart from the plan.
    digest: Option<Digest>,
    /// Replacing is allowed: it destroys credentials and history on the runtime.
    #[serde(default)]
    allow_replace: bool,
    /// It is the plan of this approved request. The header `powerloom-under-plan` says the same.
    under: Option<ApprovalId>,
}

/// What became of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppliedPlan {
    /// What became of each step.
    #[serde(flatten)]
    report: Report,
    /// Every resource is now as wanted.
    is_complete: bool,
}

/// Carry a plan out, step by step, as the caller: every step is authorized, gated and audited by itself.
///
/// The answer is 200 whatever became of the steps: each line says whether its step was made, waits for approval, was refused, or
/// was not tried because of another. `is_complete` says whether all is as wanted. A plan that is unfit as a whole (of another
/// version or organization, or another than `digest` names) is refused as a whole.
///
/// It goes on when its client is gone, to the last step: no step is left half done, and a replacement, which may wait up to 30
/// seconds for the runtime, is not left without its second half. To learn what became of it, send it again with the same
/// `idempotency-key`: what was made is answered as it was. The same key for another plan is refused.
///
/// However long it takes, it is answered. If the server is about to end it stops after the step it is at; each step that is left
/// fails as `unavailable`, and the same plan with the same key goes on where it stopped.
#[utoipa::path(post, path = "/manifests/apply", tag = "manifests", operation_id = "applyPlan",
    request_body = ApplyRequest,
    params(
        ("idempotency-key" = Option<String>, Header, description = "The same key with the same plan answers for each step what was answered, for 24 hours."),
        ("powerloom-justification" = Option<String>, Header, description = "Why, of every step: percent-encoded UTF-8, 1 to 2000 characters."),
        ("powerloom-under-plan" = Option<String>, Header, description = "It is the plan of this approved request."),
    ),
    responses((status = 200, description = "What became of each step, also of those that failed.", body = AppliedPlan)))]
pub(super) async fn apply(
    State(app): State<App>,
    By(caller): By,
    Terms(terms): Terms,
    patience: Patience,
    LongBody(request, held): LongBody<ApplyRequest>,
) -> Result<Json<AppliedPlan>, Failure> {
    not_at_once(&terms)?;
    let under = same("under", request.under, terms.under)?;
    // The plan bounds it: so many steps, each of which ends.
    patience.lift();
    // A task of its own: dropped between the halves of a replacement, there would be neither the old one nor the new one. The
    // server waits for it in the end.
    let tasks = app.config.work.clone();
    let work = async move {
        let _held = held;
        let work = carried_out(&app.loom, &app.stopping, &caller, &request, under, &terms);
        // Told here: there may be nobody left who would hear of it.
        let done = AssertUnwindSafe(work).catch_unwind().await;
        done.map_err(|panic| Failure::of_panic(panic.as_ref(), "applying a plan"))
    };
    let done = tasks.spawn(work.in_current_span()).await;
    let report = done.map_err(|error| Failure::of_task(error, "applying a plan"))???;
    let is_complete = report.is_complete();
    Ok(Json(AppliedPlan { report, is_complete }))
}

async fn carried_out(
    loom: &ControlPlane,
    stopping: &CancellationToken,
    caller: &Caller,
    request: &ApplyRequest,
    under: Option<ApprovalId>,
    terms: &SubmitOptions,
) -> CoreResult<Report> {
    let mut through = Through::new(loom, caller).until(stopping);
    if let Some(under) = under {
        through = through.under(under);
    }
    if let Some(why) = &terms.justification {
        through = through.justification(why);
    }
    if let Some(key) = &terms.idempotency_key {
        through = through.idempotency_key(key);
    }
    let mut options = ApplyOptions::default().allow_replace(request.allow_replace);
    options.digest = request.digest;
    through.apply(&request.plan, options).await
}

/// For which plan approval is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitPlanRequest {
    /// The plan, as `/manifests/plan` made it.
    plan: Plan,
    /// Why. The header `powerloom-justification` says the same.
    justification: Option<String>,
}

/// Ask for approval of a whole plan at once: the policies its steps will meet make one request, and its approvers sign the plan's
/// digest.
///
/// Approving makes nothing by itself: apply the plan `under` the request then. The same plan again is the same request. A plan
/// that no policy holds back is refused with `nothing_to_approve`: apply it.
#[utoipa::path(post, path = "/manifests/submit", tag = "manifests", operation_id = "submitPlan",
    request_body = SubmitPlanRequest,
    params(
        ("idempotency-key" = Option<String>, Header, description = "The same key with the same plan is answered once, for 24 hours."),
        ("powerloom-justification" = Option<String>, Header, description = "Why: percent-encoded UTF-8, 1 to 2000 characters."),
    ),
    responses((status = 202, description = "It waits for approval.", body = Pending)))]
pub(super) async fn submit(
    State(app): State<App>,
    By(caller): By,
    Terms(mut terms): Terms,
    LongBody(request, _held): LongBody<SubmitPlanRequest>,
) -> Result<Response, Failure> {
    not_at_once(&terms)?;
    if let Some(under) = terms.under {
        return Err(Invalid::new("powerloom-under-plan", under, "absent: asking is no step of a plan").into());
    }
    let justification = same("justification", request.justification, terms.justification.take())?;
    let action = Action::SubmitPlan { plan: Box::new(request.plan), justification };
    match app.loom.submit_with(&caller, action, &terms).await? {
        Outcome::Pending { request_id } => {
            let then = format!("once approved, apply the plan under {request_id}");
            Ok(waiting(Pending::then(request_id, &then)))
        }
        other => {
            Err(Error::Internal { message: format!("a plan that was submitted does not wait: {other:?}") }
                .into())
        }
    }
}

/// The glass is broken for one change, which somebody answers for: never for a list of them.
fn not_at_once(terms: &SubmitOptions) -> Result<(), Invalid> {
    if terms.break_glass {
        return Err(Invalid::new(
            "powerloom-break-glass",
            true,
            "absent: it is for a single change, not for a plan",
        ));
    }
    Ok(())
}

/// What the body and a header say, who may say the same.
fn same<T: PartialEq>(field: &str, body: Option<T>, header: Option<T>) -> Result<Option<T>, Invalid> {
    match (body, header) {
        (Some(body), Some(header)) if body != header => {
            Err(Invalid::hidden(field, "what the header says, or one of the two alone"))
        }
        (body, header) => Ok(body.or(header)),
    }
}

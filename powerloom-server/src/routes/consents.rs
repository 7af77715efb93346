//! Standing consents: what somebody confirms in advance for themselves (sem. 2.8).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, Params, Terms, TermsHeaders};
use crate::page::{Page, Paging, write_cursor};
use crate::resource::answer::{Pending, pending, set_etag, set_location};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use powerloom_core::approval::{StandingConsent, StandingConsentSpec};
use powerloom_core::authz::{AuthzSnapshot, Label};
use powerloom_core::clock::Timestamp;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::ou_path::OuPath;
use powerloom_core::principal::Principal;
use powerloom_core::record::{Record, RecordRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list, grant)).routes(routes!(revoke))
}

/// A standing consent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consent)]
struct ConsentView {
    /// Its id.
    id: ResourceId,
    #[serde(flatten)]
    spec: StandingConsentSpec,
    /// The user as people write it; `null` if they are gone.
    #[schema(required)]
    user_ref: Option<Label>,
    /// How often it was used.
    used: u32,
    /// Where it counts, with all below.
    ou_id: ResourceId,
    /// That OU's path.
    #[schema(required, value_type = Option<String>)]
    ou_path: Option<OuPath>,
    /// When it was given.
    created_at: Timestamp,
    /// Raised by every use; its ETag.
    version: u64,
}

fn view(authz: &AuthzSnapshot, consent: Record<StandingConsent>) -> ConsentView {
    let Record { meta, spec, status } = consent;
    ConsentView {
        id: meta.id,
        user_ref: authz.written(&Principal::User(spec.user)).cloned(),
        spec,
        used: status.used,
        ou_id: meta.ou,
        ou_path: authz.ou_path(meta.ou).cloned(),
        created_at: meta.created_at,
        version: meta.version,
    }
}

/// List the caller's own consents that are neither used up nor taken back, newest first.
#[utoipa::path(get, path = "/consents", tag = "approvals", operation_id = "listConsents", params(Paging),
    responses((status = 200, description = "A page, newest first.", body = Page<ConsentView>)))]
async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<ConsentView>>, Failure> {
    let (most, after) = (paging.limit()?, paging.after::<ResourceId>()?);
    let mut consents = app.loom.approvals(&caller).consents().await?;
    consents.sort_unstable_by_key(|consent| std::cmp::Reverse(consent.meta.id));
    consents.retain(|consent| after.is_none_or(|after| consent.meta.id < after));
    let more = consents.len() > most;
    consents.truncate(most);
    let last = consents.last().filter(|_| more).map(|consent| consent.meta.id);
    let next_cursor = last.as_ref().and_then(write_cursor);
    let authz = app.loom.authz(caller.org).await?;
    Ok(Json(Page { items: consents.into_iter().map(|consent| view(&authz, consent)).collect(), next_cursor }))
}

/// What is confirmed in advance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConsentCreate)]
struct Given {
    /// Where, with all below.
    ou_id: ResourceId,
    /// For these verbs, such as `agent.update`.
    #[schema(min_items = 1, max_items = 50)]
    verbs: Vec<String>,
    /// How often.
    #[schema(minimum = 1, maximum = 1000)]
    uses: u32,
    /// From this moment on it does not count: at most 90 days ahead.
    expires_at: Timestamp,
    /// Whether it also counts for what is done in the caller's name and not in person.
    #[serde(default)]
    delegated: bool,
}

/// Confirm in advance what the caller will do themselves, for policies with `allow_self` that name them. In person only.
#[utoipa::path(post, path = "/consents", tag = "approvals", operation_id = "createConsent", params(TermsHeaders),
    request_body = Given,
    responses((status = 201, description = "It is given.", body = ConsentView, links(
        ("revoke" = (operation_id = "revokeConsent", parameters(("id" = "$response.body#/id")))),
    )), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn grant(
    State(app): State<App>,
    By(caller): By,
    Terms(terms): Terms,
    Body(given): Body<Given>,
) -> Result<Response, Failure> {
    let Given { ou_id: ou, verbs, uses, expires_at, delegated } = given;
    let action = Action::GrantConsent { ou, verbs, uses, expires_at, delegated };
    let outcome = app.loom.submit_with(&caller, action, &terms).await?;
    if let Outcome::Pending { request_id } = outcome {
        return Ok(pending(request_id));
    }
    let row: &RecordRow = outcome
        .record()
        .ok_or_else(|| Error::Internal { message: "a consent was given and is not there".to_owned() })?;
    let consent = Record::<StandingConsent>::read(row).map_err(Error::from)?;
    let view = view(&*app.loom.authz(caller.org).await?, consent);
    let (location, version) = (format!("/consents/{}", view.id), view.version);
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    set_location(&mut response, &location);
    set_etag(&mut response, version);
    Ok(response)
}

/// Take a consent back: whoever gave it, or who holds `consent:decide` at its OU.
#[utoipa::path(delete, path = "/consents/{id}", tag = "approvals", operation_id = "revokeConsent",
    params(("id" = uuid::Uuid, Path, description = "The consent."), TermsHeaders),
    responses((status = 204, description = "It does not count any more.")))]
async fn revoke(
    State(app): State<App>,
    By(caller): By,
    At(consent): At<ResourceId>,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    match app.loom.submit_with(&caller, Action::RevokeConsent { consent }, &terms).await? {
        Outcome::Pending { request_id } => Ok(pending(request_id)),
        Outcome::Applied(_) | Outcome::Unchanged { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

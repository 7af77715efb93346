//! Approval requests: the inbox, one of them, and what is done about them (rows P97–P101, M34).

mod act;
mod break_glass;
mod view;

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Params};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::routes::approvals::view::{RequestView, view_of, views};
use axum::Json;
use axum::extract::State;
use powerloom_core::approval::{ApprovalId, ApprovalState, InboxFilter, Purpose, Whose};
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::Mutation;
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::manifest::Plan;
use powerloom_core::record::KindName;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(change))
        .merge(act::routes())
        .merge(break_glass::routes())
}

/// Whose requests a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum View {
    /// Those that wait for the caller's decision.
    #[default]
    Inbox,
    /// Those the caller asked for.
    Mine,
    /// All the caller may read.
    All,
}

/// Which requests a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Whose: those that wait for the caller (`inbox`), those the caller asked for (`mine`), or all the caller may read.
    #[serde(default)]
    #[param(inline, default = "inbox")]
    view: View,
    /// Only in this state. In the inbox there are only pending ones.
    #[param(inline)]
    state: Option<ApprovalState>,
    /// Only about this kind.
    #[param(inline)]
    resource_kind: Option<KindName>,
    /// Only judged in this OU or below it.
    #[param(inline)]
    ou_id: Option<ResourceId>,
    /// At most this many: 1 to 1000, 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List approval requests, newest first: those that wait for the caller, unless asked otherwise.
#[utoipa::path(get, path = "/approvals", tag = "approvals", operation_id = "listApprovals", params(Listed),
    responses((status = 200, description = "A page, newest first.", body = Page<RequestView>)))]
async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(listed): Params<Listed>,
) -> Result<Json<Page<RequestView>>, Failure> {
    let most = limit(listed.limit)?;
    if let (View::Inbox, Some(state)) = (listed.view, listed.state)
        && state != ApprovalState::Pending
    {
        let allowed = "`pending`: the inbox holds what waits; ask for `view=mine` or `view=all`";
        return Err(Invalid::new("state", state, allowed).into());
    }
    let mut filter = InboxFilter::default().limit(most);
    filter.state = listed.state;
    filter.resource_kind = listed.resource_kind;
    filter.ou = listed.ou_id;
    filter.after = listed.cursor.as_deref().map(read_cursor::<ApprovalId>).transpose()?;
    let whose = match listed.view {
        View::Inbox => Whose::ToDecide,
        View::Mine => Whose::Mine,
        View::All => Whose::Readable,
    };
    let found = app.loom.approvals(&caller).page(&filter, whose).await?;
    let next_cursor = found.next.as_ref().and_then(write_cursor);
    Ok(Json(Page { items: views(&app, &caller, found.rows).await?, next_cursor }))
}

/// Read an approval request: whoever asked for it, may decide it, or holds `approval:read` at its OU.
#[utoipa::path(get, path = "/approvals/{id}", tag = "approvals", operation_id = "getApproval",
    params(("id" = String, Path, pattern = "^req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description = "The request, `req_…`.")),
    responses((status = 200, description = "The request, with its votes.", body = RequestView, links(
        ("change" = (operation_id = "getApprovalChange", parameters(("id" = "$response.body#/id")))),
        ("cancel" = (operation_id = "cancelApproval", parameters(("id" = "$response.body#/id")))),
    ))))]
async fn read(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ApprovalId>,
) -> Result<Json<RequestView>, Failure> {
    let request = app.loom.approvals(&caller).get(id).await?;
    Ok(Json(view_of(&app, &caller, request).await?))
}

/// What a request is for, exactly as it would be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApprovalChange)]
struct Asked {
    /// What it is for.
    purpose: Purpose,
    /// What a vote on it signs.
    payload_hash: Digest,
    /// The change; `null` of a plan. What a secret is recognized by is zeros.
    #[schema(required)]
    mutation: Option<Mutation>,
    /// The plan; `null` of one change.
    #[schema(required)]
    plan: Option<Plan>,
}

/// Read the change itself that a request is for, or the plan.
#[utoipa::path(get, path = "/approvals/{id}/change", tag = "approvals", operation_id = "getApprovalChange",
    params(("id" = String, Path, pattern = "^req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description = "The request, `req_…`.")),
    responses((status = 200, description = "What it is for, exactly as it would be made.", body = Asked)))]
async fn change(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ApprovalId>,
) -> Result<Json<Asked>, Failure> {
    let approvals = app.loom.approvals(&caller);
    let request = approvals.get(id).await?;
    let (purpose, payload_hash) = (request.spec.purpose, request.spec.payload_hash);
    let (mutation, plan) = match purpose {
        Purpose::Plan => (None, Some(approvals.plan(id).await?)),
        Purpose::Change | Purpose::Review => (Some(approvals.change(id).await?.shown()), None),
    };
    Ok(Json(Asked { purpose, payload_hash, mutation, plan }))
}

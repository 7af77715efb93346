//! May somebody do something somewhere, and why or why not.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Body, Place, Whom};
use axum::Json;
use axum::extract::State;
use powerloom_core::answers::{GivenBy, Why};
use powerloom_core::authz::Decision;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::ResourceId;
use powerloom_core::ou_path::OuPath;
use powerloom_core::permission::Permission;
use powerloom_core::principal::{Principal, PrincipalRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(check)).routes(routes!(explain))
}

/// May somebody?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzCheck)]
struct CheckAsked {
    /// What for.
    permission: Permission,
    /// Where: the OU's id, or else `ou_path`.
    ou_id: Option<ResourceId>,
    /// Where: the OU's path.
    ou_path: Option<OuPath>,
    /// Who; the caller, unless `principal_ref` names somebody.
    principal: Option<Principal>,
    /// Who, as people write it. Not both.
    principal_ref: Option<PrincipalRef>,
    /// As it was right after this audit entry; as it is now, unless given. It needs `audit:read` and `binding:read` at the
    /// root. An OU that is gone since is named by its id, and whoever is written is who was called so then.
    #[schema(minimum = 1)]
    as_of_seq: Option<u64>,
}

/// Yes or no, and by what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuthzChecked)]
struct Checked {
    /// Whether the answer is yes.
    allowed: bool,
    /// The answer with the bindings it rests on.
    decision: Decision,
    /// The moment of the past it is about; `null` for the present.
    #[schema(required)]
    as_of: Option<Then>,
}

/// A moment of the past.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuthzThen)]
struct Then {
    /// The audit entry after which it would have been decided so.
    seq: u64,
    /// When that was.
    at: Timestamp,
    /// Who had made the bindings, in the order of the decision.
    given_by: Vec<GivenBy>,
}

/// Say whether somebody may do something at an OU. About others it needs `binding:read` there.
///
/// It is answered from memory, at most a second behind what other replicas have changed.
#[utoipa::path(post, path = "/authz/check", tag = "authz", operation_id = "checkAccess", request_body = CheckAsked,
    responses((status = 200, description = "Yes or no, and by what.", body = Checked)))]
async fn check(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<CheckAsked>,
) -> Result<Json<Checked>, Failure> {
    let whom = Whom::of(asked.principal, asked.principal_ref)?;
    let place = Place::of(asked.ou_id, asked.ou_path)?;
    let answers = app.loom.answers(&caller);
    let Some(seq) = asked.as_of_seq else {
        let ou = place.resolve(&app, &caller).await?;
        let decision = answers.check(whom.about(), asked.permission, ou).await?;
        return Ok(Json(Checked { allowed: decision.is_allowed(), decision, as_of: None }));
    };
    let ou = place.resolve_past(&app, &caller).await?;
    let judged = answers.decide_as_of(seq, whom.about(), asked.permission, ou).await?;
    Ok(Json(Checked {
        allowed: judged.decision.is_allowed(),
        as_of: Some(Then { seq: judged.seq, at: judged.at, given_by: judged.given_by }),
        decision: judged.decision,
    }))
}

/// Why, or why not?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthzExplain)]
struct ExplainAsked {
    /// What for.
    permission: Permission,
    /// Where: the OU's id, or else `ou_path`.
    ou_id: Option<ResourceId>,
    /// Where: the OU's path.
    ou_path: Option<OuPath>,
    /// Who; the caller, unless `principal_ref` names somebody.
    principal: Option<Principal>,
    /// Who, as people write it. Not both.
    principal_ref: Option<PrincipalRef>,
}

/// Why, or why not, and what would permit it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuthzExplained)]
struct Explained {
    #[serde(flatten)]
    why: Why,
    /// All of it in one sentence, for people (row M33).
    text: String,
}

/// Explain why somebody may or may not do something at an OU and, if not, the smallest thing that would permit it and who
/// could do that. About others it needs `binding:read` there.
#[utoipa::path(post, path = "/authz/explain", tag = "authz", operation_id = "explainAccess",
    request_body = ExplainAsked,
    responses((status = 200, description = "The decision, and the way out of a denial.", body = Explained)))]
async fn explain(
    State(app): State<App>,
    By(caller): By,
    Body(asked): Body<ExplainAsked>,
) -> Result<Json<Explained>, Failure> {
    let whom = Whom::of(asked.principal, asked.principal_ref)?;
    let ou = Place::of(asked.ou_id, asked.ou_path)?.resolve(&app, &caller).await?;
    let why = app.loom.answers(&caller).why(whom.about(), asked.permission, ou).await?;
    Ok(Json(Explained { text: why.text(), why }))
}

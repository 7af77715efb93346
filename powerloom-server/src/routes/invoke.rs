//! Asking an agent (rows P69–P75).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, Terms, TermsHeaders};
use crate::patience::Patience;
use crate::resource::answer::{Pending, pending};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use powerloom_core::id::ResourceId;
use powerloom_core::session::invoke::{Invocation, Invoke, Invoked};
use powerloom_core::session::record::InvokeMode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(invoke))
}

/// What is asked of an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentInvoke)]
struct Ask {
    /// What is asked: 1 to 100 000 characters.
    #[schema(min_length = 1, max_length = 100_000)]
    prompt: String,
    /// How the caller waits: not at all unless said otherwise.
    #[serde(default = "not_at_all")]
    #[schema(default = "fire_and_forget")]
    mode: InvokeMode,
    /// What the caller calls the session.
    #[schema(min_length = 1, max_length = 255)]
    title: Option<String>,
    /// How long it may run; absent: as the agent says, or ten minutes.
    #[schema(minimum = 1, maximum = 86_400)]
    timeout_seconds: Option<u32>,
}

const fn not_at_all() -> InvokeMode {
    InvokeMode::FireAndForget
}

/// Start a session of an agent.
///
/// In mode `fire_and_forget` it is answered at once, with a ticket that opens the session's stream once, within a minute. In
/// mode `sync` it is answered when the session has settled; if the server is about to end, earlier, with where it is then. A
/// client that goes away stops nothing: with an idempotency key, asking again finds the session.
#[utoipa::path(post, path = "/agents/{id}/invoke", tag = "sessions", operation_id = "invokeAgent",
    params(("id" = ResourceId, Path, description = "The agent."), TermsHeaders), request_body = Ask,
    responses(
        (status = 201, description = "A session was started (`fire_and_forget`).", body = Invoked,
            headers(("location" = String, description = "The session: `/sessions/{id}`.")),
            links(
                ("session" = (operation_id = "getSession", parameters(("id" = "$response.body#/session_id")))),
                ("events" = (operation_id = "sessionEvents", parameters(("id" = "$response.body#/session_id")))),
                ("ticket" = (operation_id = "createStreamTicket", parameters(("id" = "$response.body#/session_id")))),
                ("cancel" = (operation_id = "cancelSession", parameters(("id" = "$response.body#/session_id")))),
            )),
        (status = 200, description = "The session has settled (`sync`).", body = Invoked),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn invoke(
    State(app): State<App>,
    By(caller): By,
    At(agent): At<ResourceId>,
    Terms(terms): Terms,
    patience: Patience,
    Body(ask): Body<Ask>,
) -> Result<Response, Failure> {
    if ask.mode == InvokeMode::Sync {
        // The session bounds the wait.
        patience.lift();
    }
    let mut invoke = Invoke::new(agent, ask.prompt);
    invoke.mode = ask.mode;
    invoke.title = ask.title;
    invoke.timeout_seconds = ask.timeout_seconds;
    match app.loom.invoke_with(&caller, invoke, &terms, app.stopping.cancelled()).await? {
        Invocation::Pending { request_id } => Ok(pending(request_id)),
        Invocation::Started(invoked) => Ok(started(&invoked)),
    }
}

fn started(invoked: &Invoked) -> Response {
    let status = match invoked.mode {
        InvokeMode::FireAndForget => StatusCode::CREATED,
        InvokeMode::Sync => StatusCode::OK,
    };
    let mut response = (status, Json(invoked)).into_response();
    let headers = response.headers_mut();
    // A ticket is in it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::from_str(&format!("/sessions/{}", invoked.session_id))
    {
        headers.insert(header::LOCATION, location);
    }
    response
}

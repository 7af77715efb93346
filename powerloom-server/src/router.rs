//! All routes under one roof: what is anonymous, what is behind a bearer, and what every answer goes through.

use crate::app::App;
use crate::authenticate::authenticate;
use crate::config::Config;
use crate::failure::Failure;
use crate::layers;
use crate::openapi::{self, Document};
use crate::resource::collection::{many, one};
use crate::resource::wire::COLLECTIONS;
use crate::routes;
use crate::unread::{Unread, refuse_unread};
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use powerloom_core::control_plane::ControlPlane;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

/// The whole face over one control plane, to be served as it is or nested in an application of one's own.
///
/// Nothing is anonymous but `/healthz`, `/readyz`, `/.well-known/jwks.json`, `/openapi.json`, and a session's WebSocket, which
/// its ticket opens. Its loops (reconciling, sessions) are not part of it: run them beside it, or use `Server`.
///
/// Nested below a path, what an answer says of other paths (`location`, `ws_url`, the OpenAPI document) is without that path.
///
/// `stopping` is cancelled when the program is about to end: from then on `/readyz` answers 503 and every stream is closed so
/// that its reader can go on elsewhere, and a plan that is being applied stops after the step it is at. Wait for
/// [`Config::work`] then, before the runtime and the loops end.
///
/// # Examples
/// Below a path of an application of one's own:
/// ```
/// # use axum::{body::Body, http::Request, routing::get};
/// # use powerloom_core::control_plane::ControlPlane;
/// # use powerloom_core::entropy::SystemEntropy;
/// # use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
/// # use powerloom_server::Config;
/// # use std::sync::Arc;
/// # use tokio_util::sync::CancellationToken;
/// # use tower::ServiceExt as _;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy)?));
/// let options = TokenOptions::new("https://acme.com/loom", "https://acme.com/loom");
/// let tokens = TokenService::new(&loom, Arc::new(keys), options)?;
///
/// let stopping = CancellationToken::new();
/// let face = powerloom_server::router(loom, Config::new(tokens), stopping.clone());
/// let app = axum::Router::new().route("/", get(async || "a page of ours")).nest("/loom", face);
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let ask = |path: &str| app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
/// # assert_eq!((ask("/").await?.status(), ask("/loom/readyz").await?.status()), (200.try_into()?, 200.try_into()?));
/// # assert_eq!(ask("/loom/whoami").await?.status(), 401);
/// # stopping.cancel();
/// axum::serve(listener, app).with_graceful_shutdown(stopping.cancelled_owned()).await?;
/// # Ok(())
/// # }
/// ```
pub fn router(loom: ControlPlane, config: Config, stopping: CancellationToken) -> Router {
    let app = App::new(loom, config, stopping);
    let (anonymous, governed, document) = assemble(&app);
    let governed = governed
        .route_layer(from_fn_with_state(Unread::of(&document), refuse_unread))
        .route_layer(from_fn_with_state(app.clone(), authenticate));
    let routes = anonymous.merge(governed).merge(openapi::route(document));
    let routes = routes.fallback(unknown_path).method_not_allowed_fallback(unknown_method);
    layers::around(routes, &app).with_state(app)
}

/// The OpenAPI 3.1 document of a control plane's face, as `/openapi.json` serves it.
#[must_use]
pub fn openapi_document(loom: &ControlPlane) -> serde_json::Value {
    let (_, document) = described();
    document.finish(loom.catalogue())
}

fn described() -> ((Router<App>, Router<App>), Document) {
    let (anonymous, open) = OpenApiRouter::<App>::default().merge(routes::anonymous()).split_for_parts();
    let (governed, closed) = OpenApiRouter::<App>::default().merge(routes::governed()).split_for_parts();
    let governed = COLLECTIONS.iter().fold(governed, |router, of| {
        router.route(of.path, many(of)).route(&format!("{}/{{id}}", of.path), one(of))
    });
    ((anonymous, governed), Document::new(open, closed))
}

fn assemble(app: &App) -> (Router<App>, Router<App>, serde_json::Value) {
    let ((anonymous, governed), document) = described();
    (anonymous, governed, document.finish(app.loom.catalogue()))
}

async fn unknown_path(request: Request) -> Failure {
    Failure::Path { path: powerloom_core::invalid::shown(request.uri().path()) }
}

async fn unknown_method(path: Option<MatchedPath>, request: Request) -> Response {
    let mut response = Failure::Method { method: request.method().to_string() }.into_response();
    // `CONNECT` begins a WebSocket over HTTP/2, and is no method that can be asked with: the document cannot have it.
    if path.is_some_and(|path| path.as_str() == routes::STREAM) {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    }
    response
}

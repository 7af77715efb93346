//! API tokens: made, listed, revoked (sem. 2.10). The text of one is shown once, by the answer that makes it.

mod create;
mod view;

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Params, Terms, TermsHeaders};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::resource::answer::{Pending, pending, set_etag};
use crate::routes::tokens::view::{TokenView, view};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::id::ResourceId;
use powerloom_core::record::Schema;
use powerloom_core::resource::api_token::ApiToken;
use powerloom_core::store::{RecordCursor, RecordQuery};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list, create::create)).routes(routes!(read, revoke))
}

/// Which tokens a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Revoked ones too.
    #[serde(default)]
    revoked: bool,
    /// At most this many: 1 to 1000, 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Where the next page of tokens begins.
type Cursor = (String, ResourceId);

/// List API tokens: one's own, and those where the caller holds `token:read`. Never their text.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "listTokens", params(Listed),
    responses((status = 200, description = "A page, by principal and name.", body = Page<TokenView>)))]
async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(listed): Params<Listed>,
) -> Result<Json<Page<TokenView>>, Failure> {
    let most = limit(listed.limit)?;
    let after = listed.cursor.as_deref().map(read_cursor::<Cursor>).transpose()?;
    let query = RecordQuery {
        archived: listed.revoked,
        after: after.map(|(name, id)| RecordCursor { kind: ApiToken::KIND, name, id }),
        limit: most,
        ..RecordQuery::default()
    };
    let found = app.config.tokens.api_tokens_page(&caller, &query).await?;
    let next_cursor = found.next.and_then(|next| write_cursor(&(next.name, next.id)));
    let authz = app.loom.authz(caller.org).await?;
    Ok(Json(Page { items: found.rows.into_iter().map(|token| view(&authz, token)).collect(), next_cursor }))
}

/// Read an API token: one's own, or with `token:read` where it lives. Never its text.
#[utoipa::path(get, path = "/tokens/{id}", tag = "tokens", operation_id = "getToken",
    params(("id" = uuid::Uuid, Path, description = "The token.")),
    responses((status = 200, description = "What is known of it.", body = TokenView)))]
async fn read(State(app): State<App>, By(caller): By, At(id): At<ResourceId>) -> Result<Response, Failure> {
    let token = app.config.tokens.api_token(&caller, id).await?;
    let version = token.meta.version;
    let view = view(&*app.loom.authz(caller.org).await?, token);
    let mut response = Json(view).into_response();
    set_etag(&mut response, version);
    Ok(response)
}

/// Revoke an API token, for good: it is worthless at once. One's own in person, others' with `token:revoke`.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revokeToken",
    params(("id" = uuid::Uuid, Path, description = "The token."), TermsHeaders),
    responses((status = 204, description = "It is worthless now."),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn revoke(
    State(app): State<App>,
    By(caller): By,
    At(token): At<ResourceId>,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    match app.loom.submit_with(&caller, Action::RevokeApiToken { token }, &terms).await? {
        Outcome::Pending { request_id } => Ok(pending(request_id)),
        Outcome::Applied(_) | Outcome::Unchanged { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

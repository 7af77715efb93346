//! Making an API token, and showing its text: once.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Body, Terms, TermsHeaders, Whom};
use crate::resource::answer::{Pending, set_etag, set_location};
use crate::routes::tokens::view::{TokenView, view};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use powerloom_core::clock::Timestamp;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::permission::PermissionPattern;
use powerloom_core::principal::{Principal, PrincipalRef};
use powerloom_core::record::Record;
use powerloom_core::resource::api_token::ApiToken;
use powerloom_core::token::{ApiTokenCreation, ApiTokenRequest, ApiTokenText, Expiry, NewApiToken};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// What is asked of a new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenCreate)]
pub(super) struct Wanted {
    /// Whose it is: `user:<id>` or `service:<name>`; the caller's, unless `principal_ref` names somebody.
    principal: Option<Principal>,
    /// The same as people write it. Not both.
    principal_ref: Option<PrincipalRef>,
    /// What people know it by, unique among the principal's tokens that are not revoked.
    #[schema(min_length = 1, max_length = 63)]
    name: String,
    /// What it may do at most; of that, the principal's own permissions decide.
    #[schema(min_items = 1, max_items = 128)]
    scopes: Vec<PermissionPattern>,
    /// The first moment at which it is no longer good.
    expires_at: Option<Timestamp>,
    /// How long it is good. Not together with `expires_at`; with neither it is 30 days, or less where the installation
    /// allows less.
    #[schema(minimum = 1)]
    lifetime_seconds: Option<u64>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenCreated)]
pub(super) struct Created {
    /// The text its bearer presents. It is shown now and never again. `null` where the same request was answered before.
    #[schema(required, value_type = Option<String>)]
    token: Option<Shown>,
    #[serde(flatten)]
    view: TokenView,
}

/// A new token that is not good yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenPending)]
pub(super) struct Awaited {
    /// The text: it is good once the request is approved, and is never shown again. `null` where the same request was
    /// answered before.
    #[schema(required, value_type = Option<String>)]
    token: Option<Shown>,
    /// The id it will have. `null` where the same request was answered before.
    #[schema(required)]
    id: Option<ResourceId>,
    #[serde(flatten)]
    pending: Pending,
}

/// A text on its way to its bearer. Nothing else shows it.
struct Shown(Zeroizing<String>);

impl Shown {
    fn of(text: &ApiTokenText) -> Self {
        Self(text.reveal())
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(redacted)")
    }
}

/// Make an API token. Its text is in this answer, and nowhere else.
///
/// One's own needs only oneself, in person. That of others needs `token:create` at their home OU, and nothing is in its
/// scopes that the caller could not give.
///
/// If the answer was lost, so was the text. Sent again with the same `Idempotency-Key`, the request makes no second token
/// and answers 200 with `token: null`: revoke that one and make another. Without a key it answers `name_taken`.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "createToken", params(TermsHeaders),
    request_body = Wanted,
    responses((status = 201, description = "It is good at once.", body = Created, links(
        ("get" = (operation_id = "getToken", parameters(("id" = "$response.body#/id")))),
        ("revoke" = (operation_id = "revokeToken", parameters(("id" = "$response.body#/id")))),
    )), (status = 200, description = "The same request was answered before: which token it made.", body = Created),
        (status = 202, description = "It is good once it is approved.", body = Awaited)))]
pub(super) async fn create(
    State(app): State<App>,
    By(caller): By,
    Terms(terms): Terms,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Failure> {
    let Wanted { principal, principal_ref, name, scopes, expires_at, lifetime_seconds } = wanted;
    let expires = expiry(expires_at, lifetime_seconds)?;
    let principal = Whom::of(principal, principal_ref)?.resolve(&app, &caller).await?;
    let request = ApiTokenRequest { principal, name, scopes, expires };
    let creation = app.config.tokens.create_api_token_with(&caller, request, &terms).await;
    let creation = creation.map_err(|error| named(error, lifetime_seconds))?;
    let (text, outcome) = match creation {
        ApiTokenCreation::New(NewApiToken { text, outcome, .. }) => (Some(text), outcome),
        ApiTokenCreation::Repeated(outcome) => (None, outcome),
    };
    let token = text.as_ref().map(Shown::of);
    let mut response = match outcome {
        Outcome::Pending { request_id } => {
            let pending = Pending::of(request_id);
            let inbox = pending.inbox.clone();
            let awaited = Awaited { token, id: text.map(|text| text.token), pending };
            let mut response = (StatusCode::ACCEPTED, Json(awaited)).into_response();
            set_location(&mut response, &inbox);
            response
        }
        outcome => {
            let row = outcome.record().ok_or_else(|| Error::Internal {
                message: "an API token was made and is not there".to_owned(),
            })?;
            let record = Record::<ApiToken>::read(row).map_err(Error::from)?;
            let view = view(&*app.loom.authz(caller.org).await?, record);
            let status = if token.is_some() { StatusCode::CREATED } else { StatusCode::OK };
            let (location, version) = (format!("/tokens/{}", view.id), view.version);
            let mut response = (status, Json(Created { token, view })).into_response();
            set_location(&mut response, &location);
            set_etag(&mut response, version);
            response
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn expiry(at: Option<Timestamp>, lifetime_seconds: Option<u64>) -> Result<Expiry, Invalid> {
    match (at, lifetime_seconds) {
        (None, None) => Ok(Expiry::Usual),
        (Some(at), None) => Ok(Expiry::At(at)),
        (None, Some(seconds)) => Ok(Expiry::After(Duration::from_secs(seconds))),
        (Some(_), Some(seconds)) => {
            let allowed = "either `expires_at` or `lifetime_seconds`, not both";
            Err(Invalid::new("lifetime_seconds", seconds, allowed))
        }
    }
}

/// Says of a refusal of the core which field of the body it is about.
fn named(error: Error, lifetime_seconds: Option<u64>) -> Error {
    let Error::Invalid(mut invalid) = error else { return error };
    if let Some(field) = invalid.field.strip_prefix("spec.") {
        invalid.field = field.to_owned();
    }
    if let ("expires_at", Some(seconds)) = (invalid.field.as_str(), lifetime_seconds) {
        invalid = Invalid::new("lifetime_seconds", seconds, format!("seconds until {}", invalid.allowed));
    }
    invalid.into()
}

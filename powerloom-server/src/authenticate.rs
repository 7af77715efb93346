//! Who asks: a bearer, verified before any handler sees the request.

use crate::app::App;
use crate::failure::Failure;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use powerloom_core::door::caller::Caller;
use powerloom_core::error::Error;
use powerloom_core::token::ApiTokenText;
use zeroize::Zeroizing;

/// The authenticated caller, in a handler behind [`authenticate`].
#[derive(Debug, Clone)]
pub(crate) struct By(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // Absent only on a route that is not behind the layer: then nobody is let in.
        parts.extensions.get::<Self>().cloned().ok_or(Failure::NoBearer)
    }
}

/// Lets through who presents a good bearer, and not too often.
pub(crate) async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // Taken out first: a request cannot be shared between threads while its body is not read.
    let token = match bearer(request.headers()) {
        Ok(token) => Zeroizing::new(token.to_owned()),
        Err(failure) => return failure.into_response(),
    };
    let caller = match identify(&app, &token).await {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    request.extensions_mut().insert(By(caller));
    next.run(request).await
}

/// Whose token this is, if they do not ask too often.
pub(crate) async fn identify(app: &App, token: &str) -> Result<Caller, Failure> {
    let caller = caller(app, token).await?;
    tracing::Span::current().record("principal", tracing::field::display(&caller.principal));
    app.limit.count(caller.org, &caller.principal)?;
    Ok(caller)
}

/// The token of `Authorization: Bearer <token>` (RFC 6750, 2.1); the scheme's case does not matter.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Failure::NoBearer) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Failure::NoBearer)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Failure::NoBearer) }
}

/// Whose token this is: ours first, then those of the issuers we believe.
///
/// # Errors
/// [`Failure::RateLimited`] for an API token that was not good before, while too many are not: the store is not asked.
pub(crate) async fn caller(app: &App, token: &str) -> Result<Caller, Failure> {
    // Only the store knows it, and anybody can make one up.
    if ApiTokenText::parse(token).is_err() {
        return believed(app, token).await;
    }
    let known = app.guesses.knows(token);
    if !known {
        app.guesses.take()?;
    }
    let caller = believed(app, token).await;
    match &caller {
        Ok(_) if !known => {
            app.guesses.back();
            app.guesses.remember(token);
        }
        Err(Failure::Core(Error::Unauthenticated(_))) => app.guesses.forget(token),
        // Nothing was learned from a store that cannot be asked.
        Err(_) if !known => app.guesses.back(),
        _ => {}
    }
    caller
}

async fn believed(app: &App, token: &str) -> Result<Caller, Failure> {
    let ours = app.config.tokens.authenticate(token).await;
    match (ours, &app.config.external) {
        (Err(Error::Unauthenticated(_)), Some(external)) => Ok(external.authenticate(token).await?.caller),
        (ours, _) => Ok(ours?),
    }
}

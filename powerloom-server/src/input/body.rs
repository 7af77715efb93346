//! The JSON body of a request.

use crate::app::App;
use crate::failure::Failure;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use powerloom_core::invalid::Invalid;
use serde::de::DeserializeOwned;
use std::error::Error as _;

/// A JSON body, read as `T`.
///
/// The content type may be `application/json`, `application/*+json`, absent, or `application/x-www-form-urlencoded`: that is
/// what `curl -d` says of a JSON body unless told otherwise, as in the deployment guide. It opens no way around the origin
/// checks of browsers, as nothing here is authenticated by what a browser sends by itself.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        is_json(&request)?;
        let bytes = read_body(request.into_body(), app.config.bounds.body_bytes).await?;
        parse(&bytes).map(Self)
    }
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn read_body(body: HttpBody, most: usize) -> Result<Bytes, Failure> {
    axum::body::to_bytes(body, most).await.map_err(|error| {
        let too_long = error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if too_long {
            Failure::TooLong { most }
        } else {
            Invalid::hidden("body", "a body that arrives whole").into()
        }
    })
}

fn is_json(request: &Request) -> Result<(), Failure> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json" || subtype.ends_with("+json") || subtype == "x-www-form-urlencoded"
    });
    if json {
        return Ok(());
    }
    Err(Failure::MediaType { found: powerloom_core::invalid::shown(text), allowed: "`application/json`" })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let refused = |path: String, error: &serde_json::Error| {
        let field = if path == "." { "body".to_owned() } else { path };
        Invalid::hidden(field, format!("what the schema says: {error}"))
    };
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refused(error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| refused(".".to_owned(), &error))?;
    Ok(value)
}

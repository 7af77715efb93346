//! The JSON body of a request.

use crate::app::App;
use crate::failure::Failure;
use crate::input::json::Unambiguous;
use crate::input::said;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use powerloom_core::invalid::{Invalid, shown};
use serde::de::{DeserializeOwned, DeserializeSeed};
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
        read_json(request, app.config.bounds.body_bytes).await.map(Self)
    }
}

/// A JSON body that may be as long as an upload: what was made here and is sent back, such as a plan.
#[derive(Debug)]
pub(crate) struct LongBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for LongBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        read_json(request, app.config.bounds.upload_bytes).await.map(Self)
    }
}

/// A JSON body that may be left out, or `null`: then it is the default of `T`.
#[derive(Debug)]
pub(crate) struct BodyOr<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<App> for BodyOr<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let bytes = read_bytes(request, app.config.bounds.body_bytes).await?;
        if bytes.is_empty() {
            Ok(Self(T::default()))
        } else {
            parse::<Option<T>>(&bytes).map(|given| Self(given.unwrap_or_default()))
        }
    }
}

async fn read_json<T: DeserializeOwned>(request: Request, most: usize) -> Result<T, Failure> {
    parse(&read_bytes(request, most).await?)
}

async fn read_bytes(request: Request, most: usize) -> Result<Bytes, Failure> {
    let found = media_type(request.headers());
    if !is_json(found.as_deref()) {
        let found = shown(&found.unwrap_or_default());
        return Err(Failure::MediaType { found, allowed: "`application/json`" });
    }
    read_body(request.into_body(), most).await
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

/// The media type a request says its body has, in lower case and without parameters; `None` if it says nothing.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a body of this media type is read as JSON.
pub(crate) fn is_json(media_type: Option<&str>) -> bool {
    let Some(media_type) = media_type else { return true };
    media_type.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json" || subtype.ends_with("+json") || subtype == "x-www-form-urlencoded"
    })
}

/// The field that is missing: the reader stands at its parent then.
fn missing(error: &str) -> Option<&str> {
    Some(error.strip_prefix("missing field `")?.split_once('`')?.0)
}

/// Reads JSON as `T`: nothing twice, nothing after it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let refused = |path: String, error: &serde_json::Error| {
        let text = said(error);
        let field = match (path.as_str(), missing(&text)) {
            (".", Some(field)) => shown(field),
            (".", None) => "body".to_owned(),
            (_, Some(field)) => shown(&format!("{path}.{field}")),
            (_, None) => shown(&path),
        };
        Invalid::hidden(field, format!("what the schema says: {text}"))
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Unambiguous.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value = value.map_err(|error| refused(".".to_owned(), &error))?;
    Ok(serde_path_to_error::deserialize(value)
        .map_err(|error| refused(error.path().to_string(), error.inner()))?)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde::Deserialize;
    use serde_json::Value;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        limit: u8,
    }

    #[test]
    fn a_refused_body_names_the_field_also_one_that_is_missing() {
        for (body, field) in [
            ("{}", "inner"),
            ("{\"inner\":{}}", "inner.limit"),
            ("{\"inner\":{\"limit\":256}}", "inner.limit"),
            ("{\"inner\":{\"limit\":1},\"more\":2}", "more"),
            ("[", "body"),
            ("", "body"),
        ] {
            let refused = parse::<Outer>(body.as_bytes()).unwrap_err();
            let crate::failure::Failure::Core(error) = refused else { panic!("{refused:?}") };
            assert_eq!(error.envelope()["error"]["detail"]["field"], Value::from(field), "{body}");
        }
    }
}

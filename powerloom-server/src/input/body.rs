//! The JSON body of a request.

use crate::app::App;
use crate::failure::Failure;
use crate::input::json::checked;
use crate::input::room::{Held, SHORT};
use crate::input::said;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use powerloom_core::invalid::{Invalid, shown};
use serde::de::DeserializeOwned;
use std::error::Error as _;

/// A JSON body, read as `T`.
///
/// The content type may be `application/json`, `application/*+json`, absent, or `application/x-www-form-urlencoded`: that is
/// what `curl -d` says of a JSON body unless told otherwise, as in the deployment guide. It opens no way around the origin
/// checks of browsers, as nothing here is authenticated by what a browser sends by itself.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let bytes = read_bytes(request, app.config.bounds.body_bytes).await?;
        Ok(Self(parse_aside(bytes, Held::default()).await?.0))
    }
}

/// A JSON body that may be as long as an upload: what was made here and is sent back, such as a plan. With the room it takes,
/// to be held as long as what was read.
#[derive(Debug)]
pub(crate) struct LongBody<T>(pub(crate) T, pub(crate) Held);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for LongBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let most = app.config.bounds.upload_bytes;
        let held = app.room.take(request.headers(), most).await?;
        let (read, held) = parse_aside(read_bytes(request, most).await?, held).await?;
        Ok(Self(read, held))
    }
}

/// A JSON body that may be left out, or `null`: then it is the default of `T`.
#[derive(Debug)]
pub(crate) struct BodyOr<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + Send + 'static> FromRequest<App> for BodyOr<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let bytes = read_bytes(request, app.config.bounds.body_bytes).await?;
        if bytes.is_empty() {
            Ok(Self(T::default()))
        } else {
            let (given, _) = parse_aside::<Option<T>>(bytes, Held::default()).await?;
            Ok(Self(given.unwrap_or_default()))
        }
    }
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

/// The same as [`parse`], of a long text not on a thread that others wait for. The room of the text is held until it is read,
/// also when nobody waits for that any more.
pub(crate) async fn parse_aside<T: DeserializeOwned + Send + 'static>(
    bytes: Bytes,
    held: Held,
) -> Result<(T, Held), Failure> {
    if bytes.len() <= SHORT {
        return Ok((parse(&bytes)?, held));
    }
    let read = tokio::task::spawn_blocking(move || (parse(&bytes), held)).await;
    let (read, held) = read.map_err(|error| Failure::of_task(error, "reading a body"))?;
    Ok((read?, held))
}

/// Reads JSON as `T`: nothing twice, nothing after it. It is read straight into `T`, with nothing of any shape in between.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
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
    let text = checked(bytes).map_err(|error| refused(".".to_owned(), &error))?;
    let mut reader = serde_json::Deserializer::from_slice(&text);
    Ok(serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refused(error.path().to_string(), error.inner()))?)
}

#[cfg(test)]
mod tests {
    use super::{Held, parse, parse_aside};
    use crate::input::room::SHORT;
    use serde::Deserialize;
    use serde_json::Value;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        limit: u8,
    }

    /// A value of any shape in between would be many times as large as the body, and know nothing of the place.
    #[test]
    fn a_body_is_read_straight_from_its_text() {
        let refused = parse::<Outer>(b"{\"inner\":\n{\"limit\":true}}").unwrap_err().to_string();
        assert!(refused.contains("invalid type: boolean `true`, expected u8 at line 2 column"), "{refused}");
        for whole in ["2.0", "2e0", "0.2E+1"] {
            let body = format!("{{\"inner\":{{\"limit\":{whole}}}}}");
            assert_eq!(parse::<Outer>(body.as_bytes()).unwrap().inner.limit, 2, "{whole}");
        }
        let broken = parse::<Outer>(b"{\"inner\":{\"limit\":2.5}}").unwrap_err().to_string();
        assert!(broken.contains("inner.limit") && broken.contains("2.5"), "{broken}");
    }

    #[tokio::test]
    async fn a_long_body_is_read_as_a_short_one_is() {
        let padding = " ".repeat(SHORT);
        let good = format!("{{\"inner\":{padding}{{\"limit\":7}}}}");
        let (read, _) = parse_aside::<Outer>(good.into(), Held::default()).await.unwrap();
        assert_eq!(read.inner.limit, 7);
        let twice = format!("{{\"inner\":{padding}{{\"limit\":7,\"limit\":7}}}}");
        let refused = parse_aside::<Outer>(twice.into(), Held::default()).await.unwrap_err().to_string();
        assert!(refused.contains("`limit` is there twice"), "{refused}");
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

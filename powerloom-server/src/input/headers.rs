//! Headers that say under which terms a change is made: an expected version, an idempotency key, a reason.

use crate::failure::Failure;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode_str;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::invalid::Invalid;
use utoipa::IntoParams;

/// Answers the same request once (sem. 2.14): 1 to 255 visible ASCII characters.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Why, in the caller's words: percent-encoded UTF-8, 1 to 2000 characters.
pub(crate) const JUSTIFICATION: &str = "powerloom-justification";
/// `true` makes a change at once that policies would hold back.
pub(crate) const BREAK_GLASS: &str = "powerloom-break-glass";
/// The change is a step of this approved plan, `req_…`; empty is as good as absent.
pub(crate) const UNDER_PLAN: &str = "powerloom-under-plan";

/// Under which terms a change is submitted.
#[derive(Debug)]
pub(crate) struct Terms(pub(crate) SubmitOptions);

impl<S: Sync> FromRequestParts<S> for Terms {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut options = SubmitOptions::default();
        options.idempotency_key = one(&parts.headers, IDEMPOTENCY_KEY)?.map(str::to_owned);
        if let Some(text) = one(&parts.headers, JUSTIFICATION)? {
            let refused = || Invalid::hidden(JUSTIFICATION, "percent-encoded UTF-8");
            options.justification = Some(decoded(text).ok_or_else(refused)?);
        }
        options.break_glass = match one(&parts.headers, BREAK_GLASS)? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(Invalid::new(BREAK_GLASS, other, "`true` or `false`").into()),
        };
        options.under =
            one(&parts.headers, UNDER_PLAN)?.filter(|text| !text.is_empty()).map(str::parse).transpose()?;
        Ok(Self(options))
    }
}

/// What [`Terms`] reads, for the OpenAPI document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes; `Terms` reads")]
pub(crate) struct TermsHeaders {
    /// The same key with the same request is answered once, for 24 hours.
    #[param(rename = "idempotency-key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
    /// Why: percent-encoded UTF-8, 1 to 2000 characters.
    #[param(
        rename = "powerloom-justification",
        min_length = 1,
        max_length = 2000,
        pattern = "^[!-$&-~]([\\t -$&-~]|%[2-6][0-9A-Fa-f]|%7[0-9A-Ea-e]|%C[3-9A-Fa-f]%[89ABab][0-9A-Fa-f])*$"
    )]
    justification: Option<String>,
    /// Make a change at once that policies would hold back.
    #[param(rename = "powerloom-break-glass")]
    break_glass: Option<bool>,
    /// The change is a step of this approved plan.
    #[param(
        rename = "powerloom-under-plan",
        pattern = "^(req_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$"
    )]
    under_plan: Option<String>,
}

/// What [`IfMatch`] reads, for the OpenAPI document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes; `IfMatch` reads")]
pub(crate) struct IfMatchHeader {
    /// Only if the resource has this version: its ETag, or the number before the `-` in it alone. `*` is no condition.
    #[param(rename = "if-match")]
    if_match: Option<String>,
}

/// The version of `If-Match` (RFC 9110, 13.1.1): `"3"`, or the ETag of an answer, `"3-5f2c…"`, whose end says what else was
/// shown and is no condition of a change; `*` and an absent header are no condition. A tag that is none of ours
/// matches nothing. Of several, the newest counts.
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) Option<u64>);

/// A version no record has.
const NO_VERSION: u64 = 0;

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        if !parts.headers.contains_key(header::IF_MATCH) {
            return Ok(Self(None));
        }
        let tags = tags(&parts.headers, header::IF_MATCH);
        if tags.contains(&"*") {
            return Ok(Self(None));
        }
        Ok(Self(Some(tags.into_iter().filter_map(version).max().unwrap_or(NO_VERSION))))
    }
}

/// `If-None-Match` (RFC 9110, 13.1.2): what the client has already. The whole tag counts: what is shown of a resource may
/// change though its version does not, such as where it stands on the runtime.
#[derive(Debug)]
pub(crate) struct NotAgain(Vec<String>);

impl<S: Sync> FromRequestParts<S> for NotAgain {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // Here a weak tag is as good as a strong one, and one that is none of ours matches nothing.
        let tags = tags(&parts.headers, header::IF_NONE_MATCH);
        Ok(Self(tags.into_iter().map(|tag| tag.trim_start_matches("W/").to_owned()).collect()))
    }
}

impl NotAgain {
    /// Whether the client has what this tag names.
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == tag)
    }
}

/// Percent-encoded UTF-8; a `%` without two hexadecimal digits behind it is a mistake of whoever wrote it.
fn decoded(text: &str) -> Option<String> {
    let is_code = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    let whole = text.split('%').skip(1).all(is_code);
    whole.then(|| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned))?
}

/// The tags of a header, as they are written.
fn tags(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split(',')).map(str::trim).collect()
}

/// The version in a strong ETag: all of it, or what is before the `-`.
fn version(tag: &str) -> Option<u64> {
    let inside = tag.strip_prefix('"')?.strip_suffix('"')?;
    let digits = inside.split_once('-').map_or(inside, |(digits, _)| digits);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The one value of a header, if it is there.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Invalid> {
    let refused = || Invalid::hidden(name, "one value of visible ASCII characters");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(refused());
    }
    first.map(|value| value.to_str().map_err(|_| refused())).transpose()
}

#[cfg(test)]
mod tests {
    use super::{decoded, version};

    #[test]
    fn a_percent_sign_alone_is_a_mistake() {
        assert_eq!(decoded("gr%C3%BCn%20%25").as_deref(), Some("grün %"));
        for other in ["100%", "%4", "%zz", "%ff"] {
            assert_eq!(decoded(other), None, "{other}");
        }
    }

    #[test]
    fn only_a_strong_tag_with_a_number_is_a_version() {
        assert_eq!(version("\"3\""), Some(3));
        assert_eq!(version("\"3-5f2c\""), Some(3));
        for other in
            ["\"-5f2c\"", "W/\"3-5f2c\"", "3", "W/\"3\"", "\"\"", "\"x\"", "\"3", "\"3\", \"4\"", "\"+3\""]
        {
            assert_eq!(version(other), None, "{other}");
        }
    }
}

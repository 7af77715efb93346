//! An error the service itself answered with.

use crate::cma::error_class::ErrorClass;
use crate::cma::retry_after::retry_after;
use crate::cma::secret::Secret;
use powerloom_core::clock::Timestamp;
use powerloom_core::error_kind::ErrorKind;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// Longest message that is kept, in characters.
const MESSAGE: usize = 500;
/// Longest machine-read word that is kept, in characters.
const WORD: usize = 100;
/// Codes of a 400 that fail every call of the key alike.
const ORGANIZATION_CODES: [&str; 3] =
    ["organization_on_hold", "organization_not_enrolled_in_beta", "claude_code_key_creator_not_member"];

/// The service's answer to a call it did not carry out.
///
/// Branch on `status`, then `error_code`, then `error_type`; the wording of `message` is not stable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status; inside a stream, where there is none, the one that `error_type` stands for.
    pub status: u16,
    /// `error.type`; empty where the answer is not the service's envelope (a proxy's page, say).
    pub error_type: String,
    /// `error.message`, or the beginning of an answer that is not the envelope: at most 500 characters, control
    /// characters escaped, the API key struck out.
    pub message: String,
    /// `error.details.error_code`, a stable word where the service gives one.
    pub error_code: Option<String>,
    /// The id to name when asking the vendor about this call.
    pub request_id: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// What the header `x-should-retry` says.
    pub should_retry: Option<bool>,
    /// Whether the service may have done what was asked all the same: a 5xx or 408 to a call that changes something.
    pub maybe_applied: bool,
}

impl ApiError {
    /// The error in an answer with a status other than success.
    pub(crate) fn from_answer(
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
        key: &Secret,
        changes: bool,
    ) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let envelope = serde_json::from_slice::<Envelope>(body).ok();
        let fallback = || Envelope::from_text(&String::from_utf8_lossy(body));
        let mut error = envelope.unwrap_or_else(fallback).into_error(status, key);
        error.request_id = header("request-id").map(|id| kept(id, WORD)).or(error.request_id);
        error.retry_after = retry_after(headers, now);
        error.should_retry = header("x-should-retry").and_then(|value| value.trim().parse().ok());
        error.maybe_applied = changes && (status >= 500 || status == 408);
        error
    }

    /// The error in a frame of a stream.
    pub(crate) fn from_frame(data: &str, key: &Secret) -> Self {
        let envelope = serde_json::from_str::<Envelope>(data).unwrap_or_else(|_| Envelope::from_text(data));
        let status = status_of(&envelope.error.kind);
        envelope.into_error(status, key)
    }

    /// What the caller can do; the table stands at [`ErrorClass`].
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        let organization = self.status == 400
            && self.error_code.as_deref().is_some_and(|code| ORGANIZATION_CODES.contains(&code));
        match (self.status, self.retry_after, self.should_retry) {
            (401..=403, ..) => ErrorClass::AuthFailed,
            _ if organization => ErrorClass::AuthFailed,
            (429, Some(retry_after), _) => ErrorClass::RateLimited { retry_after },
            (409 | 429, ..) | (_, _, Some(true)) => ErrorClass::Transient,
            (_, _, Some(false)) => ErrorClass::Permanent,
            (408 | 425 | 500.., ..) => ErrorClass::Transient,
            _ => ErrorClass::Permanent,
        }
    }

    /// The kind every crate of Powerloom answers with.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            400 | 413 | 422 => ErrorKind::Invalid,
            401 => ErrorKind::Unauthenticated,
            402 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            412 => ErrorKind::VersionMismatch,
            429 => ErrorKind::RateLimited,
            408 | 425 | 500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service answered {}", self.status)?;
        if !self.error_type.is_empty() {
            write!(f, " `{}`", self.error_type)?;
        }
        if let Some(code) = &self.error_code {
            write!(f, " (`{code}`)")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request `{id}`)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

#[derive(Deserialize)]
struct Envelope {
    error: EnvelopeError,
    #[serde(default)]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct EnvelopeError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<serde_json::Value>,
}

impl Envelope {
    fn from_text(text: &str) -> Self {
        let error = EnvelopeError { kind: String::new(), message: text.trim().to_owned(), details: None };
        Self { error, request_id: None }
    }

    fn into_error(self, status: u16, key: &Secret) -> ApiError {
        let struck = self.error.message.replace(key.reveal(), "[api key]");
        let code = self.error.details.as_ref().and_then(|details| details.get("error_code")?.as_str());
        ApiError {
            status,
            error_type: kept(&self.error.kind, WORD),
            message: kept(&struck, MESSAGE),
            error_code: code.map(|code| kept(code, WORD)),
            request_id: self.request_id.map(|id| kept(&id, WORD)),
            retry_after: None,
            should_retry: None,
            maybe_applied: false,
        }
    }
}

/// The status an error type is answered with outside a stream.
fn status_of(error_type: &str) -> u16 {
    match error_type {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

/// At most `limit` characters of `text`, control characters escaped.
fn kept(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == limit {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ApiError {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = Timestamp::from_micros(0);
        ApiError::from_answer(status, &headers, body.as_bytes(), now, &Secret::new("sk-ant-1"), true)
    }

    #[test]
    fn each_status_has_its_class() {
        let classes = [
            (ErrorClass::Permanent, vec![302, 400, 404, 405, 412, 413, 422, 431, 499]),
            (ErrorClass::AuthFailed, vec![401, 402, 403]),
            (ErrorClass::Transient, vec![408, 409, 425, 429, 500, 501, 502, 503, 504, 529]),
        ];
        for (class, statuses) in classes {
            for status in statuses {
                assert_eq!(answer(status, &[], "").class(), class, "{status}");
            }
        }
    }

    #[test]
    fn headers_and_codes_refine_the_class() {
        let wait = Duration::from_secs(3);
        let class = |status, headers: &[_], body| answer(status, headers, body).class();
        assert_eq!(
            class(429, &[("retry-after", "3"), ("x-should-retry", "false")], ""),
            ErrorClass::RateLimited { retry_after: wait }
        );
        assert_eq!(class(400, &[("x-should-retry", "true")], ""), ErrorClass::Transient);
        assert_eq!(class(500, &[("x-should-retry", "false")], ""), ErrorClass::Permanent);
        assert_eq!(class(409, &[("x-should-retry", "false")], ""), ErrorClass::Transient);
        assert_eq!(class(401, &[("x-should-retry", "true")], ""), ErrorClass::AuthFailed);
        let held = r#"{"error":{"details":{"error_code":"organization_on_hold"}}}"#;
        assert_eq!(class(400, &[], held), ErrorClass::AuthFailed);
        assert_eq!(answer(503, &[("retry-after", "3")], "").retry_after, Some(wait));
    }

    #[test]
    fn the_envelope_is_read_and_unknown_parts_are_tolerated() {
        let error = answer(
            400,
            &[],
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"no","details":{"error_code":"environment_archived","x":1}},"request_id":"req_1","more":[]}"#,
        );
        assert_eq!(error.error_type, "invalid_request_error");
        assert_eq!(error.error_code.as_deref(), Some("environment_archived"));
        assert_eq!(
            error.to_string(),
            "the service answered 400 `invalid_request_error` (`environment_archived`): no (request `req_1`)"
        );
        assert_eq!(answer(404, &[("request-id", "req_2")], "{}").request_id.as_deref(), Some("req_2"));
    }

    #[test]
    fn a_page_of_a_proxy_is_kept_short_and_the_key_is_struck_out() {
        let error = answer(413, &[], &format!("<html>\u{1b}sk-ant-1{}", "x".repeat(10_000)));
        assert!(error.error_type.is_empty() && error.message.chars().count() <= MESSAGE + 10, "{error}");
        assert!(!error.to_string().contains("sk-ant-1") && !error.to_string().contains('\u{1b}'), "{error}");
    }

    #[test]
    fn only_an_answer_that_leaves_room_for_doubt_may_have_applied() {
        for (status, doubt) in
            [(400, false), (404, false), (408, true), (409, false), (429, false), (504, true)]
        {
            assert_eq!(answer(status, &[], "").maybe_applied, doubt, "{status}");
        }
    }

    #[test]
    fn an_error_frame_takes_the_status_its_type_stands_for() {
        let error = ApiError::from_frame(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#,
            &Secret::new("k"),
        );
        assert_eq!((error.status, error.class()), (529, ErrorClass::Transient));
    }
}

//! Fresh tokens for `mcp_oauth` credentials (RFC 6749, section 6).

use crate::emulator::fields::{field, set, text};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the token endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no fresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshError {
    /// The endpoint answered with this status, or with 200 and no token.
    Refused(u16),
    /// The endpoint cannot be reached.
    Unreachable,
}

/// The token to send to the MCP server.
pub(crate) fn bearer(auth: &Value) -> Option<String> {
    let token = auth.get("token").or_else(|| auth.get("access_token"));
    token.and_then(Value::as_str).map(str::to_owned)
}

/// Whether the token has expired and a fresh one can be had.
pub(crate) fn is_stale(auth: &Value) -> bool {
    let expires = text(auth, "expires_at").parse::<Timestamp>();
    field(auth, "refresh").is_object() && expires.is_ok_and(|at| at <= Timestamp::now())
}

/// Asks the token endpoint of `auth` for fresh tokens and returns `auth` with them.
pub(crate) async fn refresh(http: &reqwest::Client, auth: &Value) -> Result<Value, RefreshError> {
    let own = field(auth, "refresh");
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", text(own, "refresh_token")),
        ("client_id", text(own, "client_id")),
    ];
    form.extend(
        ["scope", "resource"]
            .map(|key| (key, text(own, key)))
            .into_iter()
            .filter(|(_, value)| !value.is_empty()),
    );
    let client = field(own, "token_endpoint_auth");
    let secret = text(client, "client_secret");
    let mut request = http.post(text(own, "token_endpoint")).timeout(PATIENCE);
    match text(client, "type") {
        "client_secret_basic" => request = request.basic_auth(text(own, "client_id"), Some(secret)),
        "client_secret_post" => form.push(("client_secret", secret)),
        _ => {}
    }
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json");
    let response = request.body(body).send().await.map_err(|_| RefreshError::Unreachable)?;
    let status = response.status().as_u16();
    let answer: Value = response.json().await.unwrap_or_default();
    if status != 200 || text(&answer, "access_token").is_empty() {
        return Err(RefreshError::Refused(status));
    }
    let mut fresh = auth.clone();
    set(&mut fresh, "access_token", text(&answer, "access_token"));
    if let Some(seconds) = field(&answer, "expires_in").as_i64() {
        let at =
            Timestamp::now().saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        set(&mut fresh, "expires_at", json!(at));
    }
    let rotated = text(&answer, "refresh_token");
    if let Some(refresh) = fresh.get_mut("refresh").filter(|_| !rotated.is_empty()) {
        set(refresh, "refresh_token", rotated);
    }
    Ok(fresh)
}

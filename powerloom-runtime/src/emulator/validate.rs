//! `POST …/mcp_oauth_validate`: tries a credential on its server.

use crate::emulator::credentials::{self, store_tokens};
use crate::emulator::fields::{archived, field, text};
use crate::emulator::mcp::{Link, LinkError};
use crate::emulator::oauth::{RefreshError, bearer, is_stale, refresh};
use crate::emulator::refusal::Refusal;
use crate::emulator::world::World;
use serde_json::{Value, json};

/// Connects to the MCP server with the stored access token and tells how it went.
///
/// A token that has expired or is refused is refreshed first, if it can be; the fresh one is stored.
pub(crate) async fn validate(world: &World, vault: &str, id: &str) -> Result<Value, Refusal> {
    let mut auth = {
        let db = world.db();
        let row = credentials::find(&db, vault, id)?;
        if text(field(&row.public, "auth"), "type") != "mcp_oauth" || archived(&row.public) {
            return Err(Refusal::invalid("only an active mcp_oauth credential can be validated"));
        }
        row.hidden.clone()
    };
    let has_refresh = field(&auth, "refresh").is_object();
    let mut tried = probe(world, &auth).await;
    let mut outcome = Value::Null;
    if is_stale(&auth) || (has_refresh && matches!(tried, Err(LinkError::Refused))) {
        outcome = match refresh(&world.http, &auth).await {
            Ok(fresh) => {
                store_tokens(&mut world.db(), id, &fresh)?;
                auth = fresh;
                tried = probe(world, &auth).await;
                json!({"status": "succeeded", "http_response": response(200)})
            }
            Err(RefreshError::Refused(status)) => {
                json!({"status": "failed", "http_response": response(status)})
            }
            Err(RefreshError::Unreachable) => json!({"status": "connect_error", "http_response": null}),
        };
    } else if !has_refresh {
        outcome = json!({"status": "no_refresh_token", "http_response": null});
    }
    let (status, answer) = match tried {
        Ok(_) => ("valid", response(200)),
        Err(LinkError::Refused) => ("invalid", response(401)),
        Err(LinkError::Unreachable(_)) => ("unknown", Value::Null),
    };
    Ok(json!({
        "type": "vault_credential_validation", "credential_id": id, "vault_id": vault, "status": status,
        "validated_at": world.db().now(), "has_refresh_token": has_refresh,
        "mcp_probe": {"method": "initialize", "http_response": answer}, "refresh": outcome,
    }))
}

async fn probe(world: &World, auth: &Value) -> Result<Link, LinkError> {
    Link::open(&world.http, "probe", text(auth, "mcp_server_url"), bearer(auth)).await
}

/// What is told of an answer; its body is not.
fn response(status: u16) -> Value {
    json!({"status_code": status, "body": "", "body_truncated": true, "content_type": "application/json"})
}

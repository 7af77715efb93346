//! `POST …/mcp_oauth_validate`: tries a credential on its server.

use crate::emulator::credentials;
use crate::emulator::fields::{archived, field, text};
use crate::emulator::mcp::{Link, LinkError};
use crate::emulator::refusal::Refusal;
use crate::emulator::world::World;
use serde_json::{Value, json};

/// Connects to the MCP server with the stored access token and tells how it went. Tokens are not refreshed.
pub(crate) async fn validate(world: &World, vault: &str, id: &str) -> Result<Value, Refusal> {
    let auth = {
        let db = world.db();
        let row = credentials::find(&db, vault, id)?;
        if text(field(&row.public, "auth"), "type") != "mcp_oauth" || archived(&row.public) {
            return Err(Refusal::invalid("only an active mcp_oauth credential can be validated"));
        }
        row.hidden.clone()
    };
    let token = text(&auth, "access_token").to_owned();
    let tried = Link::open(&world.http, "probe", text(&auth, "mcp_server_url"), Some(token)).await;
    let (status, answer) = match tried {
        Ok(_) => ("valid", Some(200)),
        Err(LinkError::Refused) => ("invalid", Some(401)),
        Err(LinkError::Unreachable(_)) => ("unknown", None),
    };
    let response = answer.map(|code| {
        json!({"status_code": code, "body": "", "body_truncated": false, "content_type": "application/json"})
    });
    let has_refresh = field(&auth, "refresh").is_object();
    let refresh =
        if has_refresh { Value::Null } else { json!({"status": "no_refresh_token", "http_response": null}) };
    Ok(json!({
        "type": "vault_credential_validation", "credential_id": id, "vault_id": vault, "status": status,
        "validated_at": world.db().now(), "has_refresh_token": has_refresh,
        "mcp_probe": {"method": "initialize", "http_response": response}, "refresh": refresh,
    }))
}

//! `/v1/vaults/{id}/credentials`: secrets that go in and never come out.

use crate::emulator::call::Call;
use crate::emulator::fields::{Body, Sent, archived, field, list as array, metadata, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Commit, Db, Row, Table};
use crate::emulator::vaults;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

const FIELDS: [&str; 3] = ["auth", "display_name", "metadata"];
/// Where each secret lies in `auth`.
const SECRETS: [&str; 5] = [
    "/token",
    "/access_token",
    "/refresh/refresh_token",
    "/refresh/token_endpoint_auth/client_secret",
    "/secret_value",
];
/// What can never change after the credential was made.
const FIXED: [&str; 5] =
    ["/type", "/mcp_server_url", "/secret_name", "/refresh/token_endpoint", "/refresh/client_id"];

/// `POST /v1/vaults/{id}/credentials`
pub(crate) fn create(db: &mut Db, call: &Call, vault: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    vaults::find_active(db, vault)?;
    let name = body.optional("display_name", 255)?;
    let sent = body.get("auth").unwrap_or(&Value::Null);
    check_expiry(sent)?;
    let auth = resolve(sent)?;
    let metadata = metadata(&json!({}), body.get("metadata"), false)?;
    let active = || db.children(Table::Credentials, vault).filter(|(_, row)| !archived(&row.public));
    if active().any(|(_, row)| key_of(field(&row.public, "auth")) == key_of(&auth)) {
        return Err(Refusal::conflict(format!("the vault has an active credential for `{}`", key_of(&auth))));
    }
    if active().count() >= 20 {
        return Err(Refusal::invalid("a vault holds at most 20 credentials"));
    }
    let (id, now) = (new_id("vcrd"), db.now());
    let credential = json!({
        "type": "vault_credential", "id": id, "vault_id": vault, "metadata": metadata, "auth": without_secrets(&auth),
        "display_name": if let Sent::Text(name) = name { json!(name) } else { Value::Null },
        "created_at": now, "updated_at": now, "archived_at": null,
    });
    db.insert(Table::Credentials, &id, vault, credential, auth)
}

/// `GET /v1/vaults/{id}/credentials/{id}`
pub(crate) fn find<'a>(db: &'a Db, vault: &str, id: &str) -> Result<&'a Row, Refusal> {
    vaults::find(db, vault)?;
    let row = db.get(Table::Credentials, id).filter(|row| row.parent == vault);
    row.ok_or_else(|| Refusal::not_found(format!("no credential `{id}` in this vault")))
}

/// `GET /v1/vaults/{id}/credentials`
pub(crate) fn list(db: &Db, call: &Call, vault: &str) -> Result<Value, Refusal> {
    vaults::find(db, vault)?;
    let hidden = !call.query.flag("include_archived")?;
    let rows = db.children(Table::Credentials, vault).filter(|(_, row)| !(hidden && archived(&row.public)));
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    page(rows, &call.query, PageRules::newest(100), vault, Value::clone)
}

/// `POST /v1/vaults/{id}/credentials/{id}`: rotates secrets; what names the credential cannot change.
pub(crate) fn update(db: &mut Db, call: &Call, vault: &str, id: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    let row = find(db, vault, id)?.clone();
    if archived(&row.public) {
        return Err(Refusal::invalid(format!("the credential `{id}` is archived")));
    }
    let (mut public, mut auth) = (row.public.clone(), row.hidden.clone());
    if let Some(patch) = body.get("auth").filter(|patch| !patch.is_null()) {
        if text(patch, "type") != text(&auth, "type") {
            return Err(Refusal::invalid("auth.type: must repeat the stored type"));
        }
        let changed =
            |path: &&str| patch.pointer(path).is_some_and(|value| Some(value) != auth.pointer(path));
        if let Some(path) = FIXED.into_iter().find(changed) {
            return Err(Refusal::invalid(format!("auth{}: cannot be changed", path.replace('/', "."))));
        }
        check_expiry(patch)?;
        merge(&mut auth, patch);
        auth = resolve(&auth)?;
    }
    match body.optional("display_name", 255)? {
        Sent::Absent => {}
        Sent::Null => set(&mut public, "display_name", Value::Null),
        Sent::Text(name) => set(&mut public, "display_name", name),
    }
    set(&mut public, "metadata", metadata(field(&row.public, "metadata"), body.get("metadata"), false)?);
    set(&mut public, "auth", without_secrets(&auth));
    if public == row.public && auth == row.hidden {
        return Ok(public);
    }
    set(&mut public, "updated_at", db.now());
    let mut commit = Commit::default();
    commit.put(Table::Credentials, id, Row { public: public.clone(), hidden: auth, ..row });
    db.commit(commit)?;
    Ok(public)
}

/// `POST /v1/vaults/{id}/credentials/{id}/archive`: purges the secret and frees the key.
pub(crate) fn archive(db: &mut Db, vault: &str, id: &str) -> Result<Value, Refusal> {
    let mut row = find(db, vault, id)?.clone();
    if archived(&row.public) {
        return Ok(row.public);
    }
    let now = db.now();
    set(&mut row.public, "archived_at", now.as_str());
    set(&mut row.public, "updated_at", now);
    let public = row.public.clone();
    let mut commit = Commit::default();
    commit.put(Table::Credentials, id, Row { hidden: Value::Null, ..row });
    db.commit(commit)?;
    Ok(public)
}

/// `DELETE /v1/vaults/{id}/credentials/{id}`
pub(crate) fn delete(db: &mut Db, vault: &str, id: &str) -> Result<Value, Refusal> {
    find(db, vault, id)?;
    db.remove(Table::Credentials, id)?;
    Ok(json!({"id": id, "type": "vault_credential_deleted"}))
}

/// The id and the secrets of the credential for the MCP server at `url`: the first match in the order of `vaults` wins.
pub(crate) fn credential_for(db: &Db, vaults: &[Value], url: &str) -> Option<(String, Value)> {
    let wanted = normal_url(url);
    vaults.iter().filter_map(Value::as_str).find_map(|vault| {
        let matches = |row: &Row| {
            let own = text(field(&row.public, "auth"), "mcp_server_url");
            !archived(&row.public) && !own.is_empty() && normal_url(own) == wanted
        };
        let (id, row) = db.children(Table::Credentials, vault).find(|(_, row)| matches(row))?;
        Some((id.to_owned(), row.hidden.clone()))
    })
}

/// Stores new tokens of the credential `id`, if it is still there and active.
pub(crate) fn store_tokens(db: &mut Db, id: &str, auth: &Value) -> Result<(), Refusal> {
    let row = db.get(Table::Credentials, id).filter(|row| !archived(&row.public));
    let Some(mut row) = row.cloned() else { return Ok(()) };
    set(&mut row.public, "auth", without_secrets(auth));
    row.hidden = auth.clone();
    let mut commit = Commit::default();
    commit.put(Table::Credentials, id, row);
    db.commit(commit)
}

/// Scheme and host in lower case, without default port and without trailing slash.
fn normal_url(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.as_str().trim_end_matches('/').to_owned())
}

fn key_of(auth: &Value) -> String {
    match text(auth, "mcp_server_url") {
        "" => format!("secret_name {}", text(auth, "secret_name")),
        url => normal_url(url),
    }
}

fn without_secrets(auth: &Value) -> Value {
    let mut public = auth.clone();
    for path in SECRETS {
        if let Some((parent, key)) = path.rsplit_once('/')
            && let Some(parent) = public.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            parent.remove(key);
        }
    }
    public
}

fn merge(auth: &mut Value, patch: &Value) {
    let (Some(auth), Some(patch)) = (auth.as_object_mut(), patch.as_object()) else { return };
    for (key, value) in patch {
        match (key.as_str(), value) {
            ("refresh" | "token_endpoint_auth" | "injection_location", Value::Object(_)) => {
                merge(auth.entry(key.clone()).or_insert_with(|| json!({})), value);
            }
            ("scope", Value::String(scope)) if scope.is_empty() => {
                auth.remove(key);
            }
            _ => {
                auth.insert(key.clone(), value.clone());
            }
        }
    }
}

fn resolve(auth: &Value) -> Result<Value, Refusal> {
    let need = |key: &str| match auth.get(key).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(json!(text)),
        _ => Err(Refusal::invalid(format!("auth.{key}: field required"))),
    };
    let server = || {
        let parsed = Url::parse(text(auth, "mcp_server_url")).ok();
        match parsed.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(_) => need("mcp_server_url"),
            None => Err(Refusal::invalid("auth.mcp_server_url: must be an http(s) URL")),
        }
    };
    let mut resolved = Map::new();
    let mut put = |key: &str, value: Value| resolved.insert(key.to_owned(), value);
    put("type", json!(text(auth, "type")));
    match text(auth, "type") {
        "static_bearer" => {
            put("mcp_server_url", server()?);
            put("token", need("token")?);
        }
        "mcp_oauth" => {
            put("mcp_server_url", server()?);
            put("access_token", need("access_token")?);
            if let Some(expires) = auth.get("expires_at").filter(|at| !at.is_null()) {
                if expires.as_str().and_then(|at| at.parse::<Timestamp>().ok()).is_none() {
                    return Err(Refusal::invalid("auth.expires_at: must be an RFC 3339 time"));
                }
                put("expires_at", expires.clone());
            }
            if let Some(refresh) = auth.get("refresh").filter(|refresh| !refresh.is_null()) {
                check_refresh(refresh)?;
                put("refresh", refresh.clone());
            }
        }
        "environment_variable" => {
            put("secret_name", need("secret_name")?);
            put("secret_value", need("secret_value")?);
            let networking = field(auth, "networking");
            let limited =
                text(networking, "type") == "limited" && array(networking, "allowed_hosts").len() <= 16;
            if text(networking, "type") != "unrestricted" && !limited {
                return Err(Refusal::invalid(
                    "auth.networking: must be unrestricted, or limited to at most 16 hosts",
                ));
            }
            put("networking", networking.clone());
            put("injection_location", injection(auth.get("injection_location"))?);
        }
        other => return Err(Refusal::invalid(format!("auth.type: unknown type `{other}`"))),
    }
    Ok(Value::Object(resolved))
}

/// A new expiry must lie in the future; a stored one may have passed.
fn check_expiry(sent: &Value) -> Result<(), Refusal> {
    match text(sent, "expires_at").parse::<Timestamp>() {
        Ok(at) if at <= Timestamp::now() => Err(Refusal::invalid("auth.expires_at: must be in the future")),
        _ => Ok(()),
    }
}

fn check_refresh(refresh: &Value) -> Result<(), Refusal> {
    for key in ["token_endpoint", "client_id", "refresh_token"] {
        if text(refresh, key).is_empty() {
            return Err(Refusal::invalid(format!("auth.refresh.{key}: field required")));
        }
    }
    let auth = field(refresh, "token_endpoint_auth");
    match text(auth, "type") {
        "none" => Ok(()),
        "client_secret_basic" | "client_secret_post" if !text(auth, "client_secret").is_empty() => Ok(()),
        _ => Err(Refusal::invalid("auth.refresh.token_endpoint_auth: unknown type, or no client_secret")),
    }
}

fn injection(sent: Option<&Value>) -> Result<Value, Refusal> {
    let Some(sent) = sent else { return Ok(json!({"header": true, "body": true})) };
    let on = |key: &str| sent.get(key).and_then(Value::as_bool).unwrap_or(false);
    match (on("header"), on("body")) {
        (false, false) => Err(Refusal::invalid("auth.injection_location: header or body must be true")),
        (header, body) => Ok(json!({"header": header, "body": body})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_match_whatever_their_case_port_and_slash() {
        assert_eq!(normal_url("HTTPS://MCP.Example.com:443/Orders/"), "https://mcp.example.com/Orders");
        assert_ne!(normal_url("https://mcp.example.com:8443/a"), normal_url("https://mcp.example.com/a"));
        assert_ne!(normal_url("https://mcp.example.com/A"), normal_url("https://mcp.example.com/a"));
    }

    #[test]
    fn no_kind_of_credential_shows_a_secret() {
        let oauth = json!({"type": "mcp_oauth", "mcp_server_url": "https://a.test", "access_token": "hush",
            "refresh": {"token_endpoint": "https://a.test/t", "client_id": "c", "refresh_token": "hush",
                "token_endpoint_auth": {"type": "client_secret_post", "client_secret": "hush"}}});
        let variable = json!({"type": "environment_variable", "secret_name": "N", "secret_value": "hush",
            "networking": {"type": "unrestricted"}});
        let bearer = json!({"type": "static_bearer", "mcp_server_url": "https://a.test", "token": "hush"});
        for auth in [oauth, variable, bearer] {
            let shown = without_secrets(&resolve(&auth).unwrap());
            assert!(!shown.to_string().contains("hush"), "{shown}");
        }
    }

    #[test]
    fn an_injection_location_is_all_or_exactly_what_was_said() {
        assert_eq!(injection(None).unwrap(), json!({"header": true, "body": true}));
        assert_eq!(
            injection(Some(&json!({"header": true}))).unwrap(),
            json!({"header": true, "body": false})
        );
        assert!(injection(Some(&json!({"header": false}))).is_err());
        assert!(injection(Some(&Value::Null)).is_err());
    }
}

//! `/v1/environments`: where sessions run. Not versioned.

use crate::emulator::call::Call;
use crate::emulator::fields::{Body, Sent, archived, field, list as array, metadata, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use serde_json::{Map, Value, json};

const FIELDS: [&str; 5] = ["name", "config", "description", "metadata", "scope"];
const PACKAGES: [&str; 6] = ["apt", "cargo", "gem", "go", "npm", "pip"];

/// `POST /v1/environments`
pub(crate) fn create(db: &mut Db, call: &Call) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    let name = body.required("name", 1, 256)?;
    let description = match body.optional("description", 2048)? {
        Sent::Text(text) => json!(text),
        _ => Value::Null,
    };
    let config = resolve_config(body.get("config").unwrap_or(&Value::Null), &Value::Null)?;
    let metadata = metadata(&json!({}), body.get("metadata"), true)?;
    let scope = resolve_scope(&body)?.unwrap_or("organization");
    let (id, now) = (new_id("env"), db.now());
    let environment = json!({
        "type": "environment", "id": id, "name": name, "description": description, "config": config,
        "metadata": metadata, "scope": scope, "created_at": now, "updated_at": now, "archived_at": null,
    });
    db.insert(Table::Environments, &id, "", environment, Value::Null)
}

/// `GET /v1/environments/{id}`
pub(crate) fn find<'a>(db: &'a Db, id: &str) -> Result<&'a Value, Refusal> {
    let row = db.get(Table::Environments, id);
    let missing = || Refusal::not_found(format!("no environment `{id}`")).with_code("environment_not_found");
    row.map(|row| &row.public).ok_or_else(missing)
}

/// `POST /v1/environments/{id}`
pub(crate) fn update(db: &mut Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    let old = find(db, id)?.clone();
    if archived(&old) {
        let message = format!("the environment `{id}` is archived");
        return Err(Refusal::invalid(message).with_code("environment_archived"));
    }
    let mut new = old.clone();
    if body.get("name").is_some_and(|name| !name.is_null()) {
        set(&mut new, "name", body.required("name", 1, 256)?);
    }
    match body.optional("description", 2048)? {
        Sent::Absent => {}
        Sent::Null => set(&mut new, "description", Value::Null),
        Sent::Text(text) => set(&mut new, "description", text),
    }
    if let Some(sent) = body.get("config").filter(|config| !config.is_null()) {
        set(&mut new, "config", resolve_config(sent, field(&old, "config"))?);
    }
    if let Some(scope) = resolve_scope(&body)? {
        set(&mut new, "scope", scope);
    }
    set(&mut new, "metadata", metadata(field(&old, "metadata"), body.get("metadata"), true)?);
    if new == old {
        return Ok(old);
    }
    set(&mut new, "updated_at", db.now());
    db.update(Table::Environments, id, new)
}

/// `GET /v1/environments`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let hidden = !call.query.flag("include_archived")?;
    let rows = db.top(Table::Environments).filter(|(_, row)| !(hidden && archived(&row.public)));
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    page(rows, &call.query, PageRules::newest(100), "environments", Value::clone)
}

/// `POST /v1/environments/{id}/archive`
pub(crate) fn archive(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    let mut environment = find(db, id)?.clone();
    if archived(&environment) {
        return Ok(environment);
    }
    let now = db.now();
    set(&mut environment, "archived_at", now.as_str());
    set(&mut environment, "updated_at", now);
    db.update(Table::Environments, id, environment)
}

/// `DELETE /v1/environments/{id}`: refused with 409 while a session refers to it.
pub(crate) fn delete(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    find(db, id)?;
    if db.top(Table::Sessions).any(|(_, row)| text(&row.public, "environment_id") == id) {
        return Err(Refusal::conflict(format!("sessions still refer to the environment `{id}`")));
    }
    db.remove(Table::Environments, id)?;
    Ok(json!({"id": id, "type": "environment_deleted"}))
}

/// Whether a sandbox of this environment may reach the MCP server at `host`.
pub(crate) fn reaches_mcp(environment: &Value, host: &str) -> bool {
    let networking = environment.pointer("/config/networking").unwrap_or(&Value::Null);
    if text(networking, "type") != "limited" || field(networking, "allow_mcp_servers") == &json!(true) {
        return true;
    }
    array(networking, "allowed_hosts").iter().filter_map(Value::as_str).any(|allowed| {
        match allowed.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|left| left.ends_with('.')),
            None => allowed.eq_ignore_ascii_case(host),
        }
    })
}

fn resolve_scope(body: &Body) -> Result<Option<&str>, Refusal> {
    match body.get("scope") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(scope)) if scope == "organization" => Ok(Some(scope)),
        Some(_) => Err(Refusal::invalid("scope: must be organization")),
    }
}

fn resolve_config(sent: &Value, old: &Value) -> Result<Value, Refusal> {
    let old_type = text(old, "type");
    let kind = match text(sent, "type") {
        "" if !old.is_null() => old_type,
        "" => "cloud",
        kind => kind,
    };
    if !old.is_null() && kind != old_type {
        let message = format!("config.type: is `{old_type}` and cannot change");
        return Err(Refusal::invalid(message).with_code("invalid_config_type_change"));
    }
    match kind {
        "self_hosted" => Ok(json!({"type": "self_hosted"})),
        "cloud" => {
            let networking = resolve_networking(field(sent, "networking"), field(old, "networking"))?;
            let packages = resolve_packages(field(sent, "packages"), field(old, "packages"))?;
            let installs = PACKAGES.iter().any(|manager| !array(&packages, manager).is_empty());
            let may = text(&networking, "type") != "limited"
                || field(&networking, "allow_package_managers") == &json!(true);
            if installs && !may {
                return Err(Refusal::invalid("config: packages need networking.allow_package_managers"));
            }
            Ok(json!({"type": "cloud", "networking": networking, "packages": packages}))
        }
        other => Err(Refusal::invalid(format!("config.type: unknown type `{other}`"))),
    }
}

fn resolve_networking(sent: &Value, old: &Value) -> Result<Value, Refusal> {
    let kind = match text(sent, "type") {
        "" if !old.is_null() => text(old, "type"),
        "" => "unrestricted",
        kind => kind,
    };
    match kind {
        "unrestricted" => Ok(json!({"type": "unrestricted"})),
        "limited" => {
            let part = |key: &str, empty: Value| {
                let value = sent.get(key).filter(|value| !value.is_null()).or_else(|| old.get(key));
                value.cloned().unwrap_or(empty)
            };
            let hosts = part("allowed_hosts", json!([]));
            let bare =
                |host: &Value| host.as_str().is_some_and(|host| !host.is_empty() && !host.contains('/'));
            if !hosts.as_array().is_some_and(|hosts| hosts.iter().all(bare)) {
                return Err(Refusal::invalid("config.networking.allowed_hosts: must be bare host names"));
            }
            let (mcp, packages) =
                (part("allow_mcp_servers", json!(false)), part("allow_package_managers", json!(false)));
            if !mcp.is_boolean() || !packages.is_boolean() {
                return Err(Refusal::invalid("config.networking: allow_… must be booleans"));
            }
            Ok(json!({"type": "limited", "allowed_hosts": hosts, "allow_mcp_servers": mcp,
                "allow_package_managers": packages}))
        }
        other => Err(Refusal::invalid(format!("config.networking.type: unknown type `{other}`"))),
    }
}

fn resolve_packages(sent: &Value, old: &Value) -> Result<Value, Refusal> {
    let mut resolved = Map::new();
    for manager in PACKAGES {
        let value = sent.get(manager).filter(|value| !value.is_null()).or_else(|| old.get(manager));
        let value = value.cloned().unwrap_or(json!([]));
        if !value.as_array().is_some_and(|names| names.iter().all(Value::is_string)) {
            return Err(Refusal::invalid(format!("config.packages.{manager}: must be an array of strings")));
        }
        resolved.insert(manager.to_owned(), value);
    }
    Ok(Value::Object(resolved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_config_is_completed_and_its_parts_are_kept_on_update() {
        let limited =
            json!({"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["*.example.com"]}});
        let config = resolve_config(&limited, &Value::Null).unwrap();
        assert_eq!(config["networking"]["allow_mcp_servers"], false);
        assert_eq!(config["packages"]["pip"], json!([]));
        let patch = json!({"type": "cloud", "networking": {"type": "limited", "allow_mcp_servers": true}});
        let config = resolve_config(&patch, &config).unwrap();
        assert_eq!(config["networking"]["allowed_hosts"], json!(["*.example.com"]));
        assert!(resolve_config(&json!({"type": "self_hosted"}), &config).is_err());
        let packages = json!({"type": "cloud", "packages": {"pip": ["x"]}});
        assert!(resolve_config(&packages, &config).is_err());
    }

    #[test]
    fn a_limited_network_reaches_only_the_hosts_it_names() {
        let with = |networking: Value| json!({"config": {"type": "cloud", "networking": networking}});
        let hosts = with(json!({"type": "limited", "allowed_hosts": ["*.example.com", "mcp.test"]}));
        assert!(reaches_mcp(&hosts, "a.example.com") && reaches_mcp(&hosts, "mcp.test"));
        assert!(!reaches_mcp(&hosts, "example.com") && !reaches_mcp(&hosts, "evil.test"));
        assert!(reaches_mcp(&with(json!({"type": "limited", "allow_mcp_servers": true})), "evil.test"));
        assert!(reaches_mcp(&with(json!({"type": "unrestricted"})), "evil.test"));
    }
}

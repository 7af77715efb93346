//! The tools of an agent: checked, and resolved to the form in which the service gives them back.

use crate::emulator::fields::{list, objects, set, text};
use crate::emulator::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The tools that come with the service.
pub(crate) const BUILT_IN: [&str; 8] =
    ["bash", "read", "write", "edit", "glob", "grep", "web_fetch", "web_search"];
/// The toolset that holds them.
pub(crate) const AGENT_TOOLSET: &str = "agent_toolset_20260401";

/// Resolves `tools` as sent: defaults are filled in, and an MCP toolset asks always unless told otherwise.
pub(crate) fn resolve_tools(sent: &Value) -> Result<Value, Refusal> {
    let sent = objects(sent, "tools")?;
    let mut count = 0;
    let mut resolved = Vec::new();
    for (index, tool) in sent.iter().enumerate() {
        let at = format!("tools[{index}]");
        let (tool, size) = match text(tool, "type") {
            AGENT_TOOLSET => (toolset(tool, &at, "always_allow", true)?, BUILT_IN.len()),
            "mcp_toolset" => (toolset(tool, &at, "always_ask", false)?, 1 + list(tool, "configs").len()),
            "custom" => (custom(tool, &at)?, 1),
            other => return Err(Refusal::invalid(format!("{at}.type: unknown tool type `{other}`"))),
        };
        count += size;
        resolved.push(tool);
    }
    if count > 256 {
        return Err(Refusal::invalid(format!("tools: at most 256 tools in total, not {count}")));
    }
    let mut seen = BTreeSet::new();
    for tool in &resolved {
        let name = (text(tool, "type"), text(tool, "name"), text(tool, "mcp_server_name"));
        if !seen.insert(name) {
            return Err(Refusal::invalid(format!("tools: `{}{}{}` is there twice", name.0, name.1, name.2)));
        }
    }
    Ok(Value::Array(resolved))
}

/// Resolves `mcp_servers` as sent.
pub(crate) fn resolve_servers(sent: &Value) -> Result<Value, Refusal> {
    let servers = objects(sent, "mcp_servers")?;
    if servers.len() > 20 {
        return Err(Refusal::invalid(format!("mcp_servers: at most 20, not {}", servers.len())));
    }
    let mut names = BTreeSet::new();
    let mut resolved = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        let (name, url) = (text(server, "name"), text(server, "url"));
        if text(server, "type") != "url" {
            return Err(Refusal::invalid(format!("mcp_servers[{index}].type: must be `url`")));
        }
        if name.is_empty() || name.chars().count() > 255 {
            return Err(Refusal::invalid(format!(
                "mcp_servers[{index}].name: must have 1 to 255 characters"
            )));
        }
        let scheme = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if scheme.is_none() || url.chars().count() > 2048 {
            return Err(Refusal::invalid(format!("mcp_servers[{index}].url: must be an http(s) URL")));
        }
        let known = ["type", "name", "url"];
        if let Some(key) =
            server.as_object().and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())))
        {
            return Err(Refusal::invalid(format!(
                "mcp_servers[{index}].{key}: extra inputs are not permitted"
            )));
        }
        if !names.insert(name) {
            return Err(Refusal::invalid(format!("mcp_servers: the name `{name}` is there twice")));
        }
        resolved.push(json!({"type": "url", "name": name, "url": url}));
    }
    Ok(Value::Array(resolved))
}

/// Refuses servers without a toolset and toolsets without a server.
pub(crate) fn check_servers(tools: &Value, servers: &Value) -> Result<(), Refusal> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let declared: BTreeSet<String> =
        items(servers).iter().map(|server| text(server, "name").to_owned()).collect();
    let toolsets = items(tools).into_iter().filter(|tool| text(tool, "type") == "mcp_toolset");
    let used: BTreeSet<String> = toolsets.map(|tool| text(&tool, "mcp_server_name").to_owned()).collect();
    if let Some(name) = used.difference(&declared).next() {
        return Err(Refusal::invalid(format!("tools: mcp_toolset names the undeclared server `{name}`")));
    }
    if let Some(name) = declared.difference(&used).next() {
        return Err(Refusal::invalid(format!("mcp_servers: no mcp_toolset in tools refers to `{name}`")));
    }
    Ok(())
}

/// Refuses skills without an enabled `read` tool.
pub(crate) fn check_skills(tools: &Value, skills: &Value) -> Result<(), Refusal> {
    let none = skills.as_array().is_none_or(Vec::is_empty);
    let can_read = tools.as_array().is_some_and(|tools| {
        tools.iter().any(|tool| text(tool, "type") == AGENT_TOOLSET && tool_setting(tool, "read").0)
    });
    if none || can_read {
        return Ok(());
    }
    Err(Refusal::invalid("skills: the `read` tool must be enabled to use skills"))
}

/// Whether the tool `name` of a resolved toolset is enabled, and its permission policy.
pub(crate) fn tool_setting(toolset: &Value, name: &str) -> (bool, String) {
    let config = list(toolset, "configs").iter().find(|config| text(config, "name") == name);
    let setting = config.or_else(|| toolset.get("default_config")).unwrap_or(&Value::Null);
    let enabled = setting.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let policy = setting.get("permission_policy").map(|policy| text(policy, "type")).unwrap_or_default();
    (enabled, policy.to_owned())
}

fn toolset(tool: &Value, at: &str, policy: &str, built_in: bool) -> Result<Value, Refusal> {
    let sent = tool.get("default_config").cloned().unwrap_or(Value::Null);
    let fallback = json!({"enabled": true, "permission_policy": {"type": policy}});
    let default_config = setting(&sent, &fallback, &format!("{at}.default_config"))?;
    let mut names = BTreeSet::new();
    let mut configs = Vec::new();
    for config in objects(tool.get("configs").unwrap_or(&Value::Null), &format!("{at}.configs"))? {
        let name = text(config, "name");
        let allowed =
            if built_in { BUILT_IN.contains(&name) } else { (1..=128).contains(&name.chars().count()) };
        if !allowed || !names.insert(name) {
            return Err(Refusal::invalid(format!(
                "{at}.configs: the tool `{name}` is unknown or there twice"
            )));
        }
        let mut entry = setting(config, &default_config, &format!("{at}.configs.{name}"))?;
        set(&mut entry, "name", name);
        if built_in {
            set(&mut entry, "type", name);
            web_options(config, &mut entry, name, at)?;
        }
        configs.push(entry);
    }
    let mut resolved =
        json!({"type": text(tool, "type"), "default_config": default_config, "configs": configs});
    if !built_in {
        let server = text(tool, "mcp_server_name");
        if server.is_empty() {
            return Err(Refusal::invalid(format!("{at}.mcp_server_name: field required")));
        }
        set(&mut resolved, "mcp_server_name", server);
    }
    Ok(resolved)
}

fn setting(sent: &Value, fallback: &Value, at: &str) -> Result<Value, Refusal> {
    let enabled = match sent.get("enabled") {
        None | Some(Value::Null) => fallback.get("enabled").cloned(),
        Some(Value::Bool(enabled)) => Some(json!(enabled)),
        Some(_) => return Err(Refusal::invalid(format!("{at}.enabled: must be a boolean"))),
    };
    let policy = match sent.get("permission_policy") {
        None | Some(Value::Null) => fallback.get("permission_policy").cloned(),
        Some(policy) if ["always_allow", "always_ask", "auto"].contains(&text(policy, "type")) => {
            Some(json!({"type": text(policy, "type")}))
        }
        Some(_) => return Err(Refusal::invalid(format!("{at}.permission_policy: unknown policy"))),
    };
    Ok(json!({"enabled": enabled, "permission_policy": policy}))
}

fn web_options(config: &Value, entry: &mut Value, name: &str, at: &str) -> Result<(), Refusal> {
    if !name.starts_with("web_") {
        return Ok(());
    }
    let domains: Vec<&str> = ["allowed_domains", "blocked_domains"]
        .into_iter()
        .filter(|key| config.get(*key).is_some_and(|value| !value.is_null()))
        .collect();
    let fits = |key: &&str| (1..=64).contains(&list(config, key).len());
    if domains.len() > 1 || !domains.iter().all(fits) {
        return Err(Refusal::invalid(format!(
            "{at}.{name}: one list of 1 to 64 domains, allowed or blocked"
        )));
    }
    for key in ["allowed_domains", "blocked_domains", "max_content_tokens", "url_sources", "user_location"] {
        if let Some(value) = config.get(key) {
            set(entry, key, value.clone());
        }
    }
    if name == "web_fetch" && entry.get("url_sources").is_none() {
        set(entry, "url_sources", Value::Null);
    }
    Ok(())
}

fn custom(tool: &Value, at: &str) -> Result<Value, Refusal> {
    let name = text(tool, "name");
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=128).contains(&name.len()) || !name.chars().all(named) {
        return Err(Refusal::invalid(format!("{at}.name: 1 to 128 of letters, digits, `_` and `-`")));
    }
    let schema = tool.get("input_schema").unwrap_or(&Value::Null);
    if text(tool, "description").is_empty() || text(schema, "type") != "object" {
        return Err(Refusal::invalid(format!(
            "{at}: a description and an input_schema of type object are required"
        )));
    }
    Ok(
        json!({"type": "custom", "name": name, "description": text(tool, "description"), "input_schema": schema}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in_and_mcp_asks_always() {
        let sent = json!([
            {"type": AGENT_TOOLSET, "configs": [{"name": "web_fetch", "enabled": false}]},
            {"type": "mcp_toolset", "mcp_server_name": "orders"},
        ]);
        let resolved = resolve_tools(&sent).unwrap();
        let allow = json!({"enabled": true, "permission_policy": {"type": "always_allow"}});
        assert_eq!(resolved[0]["default_config"], allow);
        let fetch = json!({"name": "web_fetch", "type": "web_fetch", "enabled": false, "url_sources": null,
            "permission_policy": {"type": "always_allow"}});
        assert_eq!(resolved[0]["configs"], json!([fetch]));
        assert_eq!(resolved[1]["default_config"]["permission_policy"]["type"], "always_ask");
        assert_eq!(resolved[1]["configs"], json!([]));
        assert_eq!(resolve_tools(&resolved).unwrap(), resolved, "resolving twice changes nothing");
    }

    #[test]
    fn servers_and_toolsets_must_name_each_other() {
        let servers = json!([{"type": "url", "name": "orders", "url": "https://mcp.example.com"}]);
        let tools = json!([{"type": "mcp_toolset", "mcp_server_name": "orders"}]);
        assert!(check_servers(&tools, &servers).is_ok());
        assert!(check_servers(&json!([]), &servers).is_err());
        assert!(check_servers(&tools, &json!([])).is_err());
    }

    #[test]
    fn skills_need_the_read_tool() {
        let skills = json!([{"type": "anthropic", "skill_id": "xlsx"}]);
        let tools = resolve_tools(&json!([{"type": AGENT_TOOLSET, "default_config": {"enabled": false},
            "configs": [{"name": "read", "enabled": true}]}]));
        assert!(check_skills(&tools.unwrap(), &skills).is_ok());
        assert!(check_skills(&json!([]), &skills).is_err());
        assert!(check_skills(&json!([]), &json!([])).is_ok());
    }
}

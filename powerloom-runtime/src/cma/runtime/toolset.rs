//! What an agent may use: the built-in tools and one toolset for each MCP server, every one of them allowed.
//!
//! The service's own default for MCP tools is to ask, which stops a session at its first call; so the policy is
//! always said (sem. 2.5). Who may do what is decided before, by the permissions of this control plane.

use crate::cma::tool::{McpServer, PermissionPolicy, Tool, ToolConfig, ToolDefaults};
use powerloom_core::runtime::AgentMcpServerPayload;
use serde_json::Value;
use std::collections::BTreeSet;

/// The servers of the payload in the service's form.
pub(crate) fn servers(wanted: &[AgentMcpServerPayload]) -> Vec<McpServer> {
    wanted.iter().map(|server| McpServer::url(&server.name, &server.url)).collect()
}

/// The toolsets that go with the servers of the payload. Skills need `read`, which is one of the built-in tools.
pub(crate) fn tools(wanted: &[AgentMcpServerPayload]) -> Vec<Tool> {
    let allowed = || Some(ToolDefaults::new(true, PermissionPolicy::AlwaysAllow));
    let built_in = Tool::AgentToolset { default_config: allowed(), configs: Vec::new() };
    let of_server = |server: &AgentMcpServerPayload| Tool::McpToolset {
        mcp_server_name: server.name.clone(),
        default_config: allowed(),
        configs: Vec::new(),
    };
    std::iter::once(built_in).chain(wanted.iter().map(of_server)).collect()
}

/// In what the observed tools differ from [`tools`] of the observed `servers`; empty if in nothing.
pub(crate) fn deviations(observed: &[Tool], servers: &[AgentMcpServerPayload]) -> BTreeSet<String> {
    let mut missing: BTreeSet<Option<&str>> =
        servers.iter().map(|server| Some(server.name.as_str())).chain([None]).collect();
    let mut deviations = BTreeSet::new();
    for tool in observed {
        let (server, defaults, configs) = match tool {
            Tool::AgentToolset { default_config, configs } => (None, default_config, configs),
            Tool::McpToolset { mcp_server_name, default_config, configs } => {
                (Some(mcp_server_name.as_str()), default_config, configs)
            }
            Tool::Custom { name, .. } => {
                deviations.insert(format!("the custom tool `{name}`"));
                continue;
            }
            Tool::Other(other) => {
                deviations.insert(format!("a tool of type `{}`", kind(other)));
                continue;
            }
        };
        // The service fills in every default; one that is not said is not known to be ours.
        let allowed = defaults.as_ref().is_some_and(|defaults| {
            defaults.enabled == Some(true)
                && defaults.permission_policy == Some(PermissionPolicy::AlwaysAllow)
        });
        if !missing.remove(&server) || !allowed || !configs.iter().all(says_nothing) {
            deviations.insert(format!("the tools of {}", owner(server)));
        }
    }
    deviations.extend(missing.into_iter().map(|server| format!("no tools of {}", owner(server))));
    deviations
}

/// Whether the entry leaves its tool as the default has it.
fn says_nothing(config: &ToolConfig) -> bool {
    let settings = config.settings.iter().all(|(name, value)| name == "type" || value.is_null());
    config.enabled != Some(false)
        && settings
        && config.permission_policy.as_ref().is_none_or(|policy| *policy == PermissionPolicy::AlwaysAllow)
}

fn owner(server: Option<&str>) -> String {
    server.map_or_else(|| "the runtime".to_owned(), |server| format!("`{server}`"))
}

fn kind(other: &Value) -> &str {
    other.get("type").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn orders() -> Vec<AgentMcpServerPayload> {
        vec![AgentMcpServerPayload { name: "orders".to_owned(), url: "https://mcp.example.com".to_owned() }]
    }

    fn observed(tools: Value) -> Vec<Tool> {
        serde_json::from_value(tools).unwrap()
    }

    #[test]
    fn what_is_pushed_does_not_deviate_even_with_harmless_entries_filled_in() {
        assert!(deviations(&tools(&orders()), &orders()).is_empty());
        let allow = json!({"type": "always_allow"});
        let resolved = observed(json!([
            {"type": "mcp_toolset", "mcp_server_name": "orders", "configs": [],
             "default_config": {"enabled": true, "permission_policy": allow}},
            {"type": "agent_toolset_20260401", "default_config": {"enabled": true, "permission_policy": allow},
             "configs": [{"type": "web_fetch", "name": "web_fetch", "enabled": true, "permission_policy": allow,
                          "url_sources": null}]},
        ]));
        assert!(deviations(&resolved, &orders()).is_empty());
    }

    #[test]
    fn every_other_policy_tool_or_lack_deviates() {
        let allow = json!({"enabled": true, "permission_policy": {"type": "always_allow"}});
        let ask = json!({"enabled": true, "permission_policy": {"type": "always_ask"}});
        let built_in = json!({"type": "agent_toolset_20260401", "default_config": allow, "configs": []});
        let of = |name: &str, defaults: &Value, configs: Value| json!({"type": "mcp_toolset", "mcp_server_name": name, "default_config": defaults, "configs": configs});
        let good = of("orders", &allow, json!([]));
        for tools in [
            json!([]),
            json!([built_in]),
            json!([good]),
            json!([built_in, of("orders", &ask, json!([]))]),
            json!([built_in, of("orders", &json!(null), json!([]))]),
            json!([built_in, of("orders", &allow, json!([{"name": "refund", "enabled": false}]))]),
            json!([
                built_in,
                of("orders", &allow, json!([{"name": "refund", "permission_policy": {"type": "auto"}}]))
            ]),
            json!([built_in, good, good]),
            json!([built_in, good, {"type": "custom", "name": "x", "description": "", "input_schema": {}}]),
            json!([built_in, good, {"type": "from_the_future"}]),
        ] {
            assert!(!deviations(&observed(tools.clone()), &orders()).is_empty(), "{tools}");
        }
    }
}

//! Agents, environments, vaults, credentials and files.

use crate::api::{Api, id};
use reqwest::Method;
use serde_json::{Value, json};

const TOOLSET: &str = "agent_toolset_20260401";

#[tokio::test]
async fn an_agent_comes_back_with_every_key_and_every_default() {
    let api = Api::start().await;
    let agent = api
        .agent(json!({
            "tools": [{"type": TOOLSET}, {"type": "mcp_toolset", "mcp_server_name": "orders"}],
            "mcp_servers": [{"type": "url", "name": "orders", "url": "https://mcp.example.com/orders"}],
        }))
        .await;
    assert_eq!(agent["version"], 1);
    assert_eq!(
        agent["model"],
        json!({"id": "claude-opus-5", "effort": {"type": "high"}, "speed": "standard"})
    );
    assert_eq!(agent["tools"][0]["default_config"]["permission_policy"]["type"], "always_allow");
    assert_eq!(agent["tools"][1]["default_config"]["permission_policy"]["type"], "always_ask");
    for (key, value) in [
        ("system", Value::Null),
        ("description", Value::Null),
        ("skills", json!([])),
        ("metadata", json!({})),
        ("multiagent", Value::Null),
        ("execution_identity", json!({"type": "service_account"})),
        ("archived_at", Value::Null),
    ] {
        assert_eq!(agent.get(key), Some(&value), "{key}");
    }
}

#[tokio::test]
async fn an_update_makes_a_version_only_if_something_changes_and_never_over_a_newer_one() {
    let api = Api::start().await;
    let path = format!(
        "/v1/agents/{}",
        id(&api.agent(json!({"system": "one", "metadata": {"a": "1", "b": "2"}})).await)
    );
    assert_eq!(api.post(&path, json!({"system": "one", "name": "a"})).await["version"], 1);
    let patch = json!({"version": 1, "system": null, "metadata": {"a": null, "c": "3"}});
    let second = api.post(&path, patch.clone()).await;
    assert_eq!((&second["version"], &second["system"]), (&json!(2), &Value::Null));
    assert_eq!(second["metadata"], json!({"b": "2", "c": "3"}));
    let (status, body) = api.call(Method::POST, &path, Some(patch)).await;
    assert_eq!((status, &body["error"]["type"]), (409, &json!("conflict_error")));
    assert_eq!(api.refused(&path, json!({"version": 1})).await, 409, "even if nothing would change");
    assert_eq!(api.get(&format!("{path}?version=1")).await["system"], "one");
    assert_eq!(api.call(Method::GET, &format!("{path}?version=9"), None).await.0, 404);
    let versions = api.get(&format!("{path}/versions")).await;
    let versions: Vec<&Value> =
        versions["data"].as_array().unwrap().iter().map(|agent| &agent["version"]).collect();
    assert_eq!(versions, [2, 1]);
}

#[tokio::test]
async fn agents_outside_of_the_limits_are_refused() {
    let api = Api::start().await;
    let server = |index: usize| json!({"type": "url", "name": format!("s{index}"), "url": "https://a.test"});
    let toolset = |index: usize| json!({"type": "mcp_toolset", "mcp_server_name": format!("s{index}")});
    let many = |count: usize| {
        let servers: Vec<Value> = (0..count).map(server).collect();
        json!({"mcp_servers": servers, "tools": (0..count).map(toolset).collect::<Vec<_>>()})
    };
    api.agent(many(20)).await;
    for fields in [
        many(21),
        json!({"name": ""}),
        json!({"name": "x".repeat(257)}),
        json!({"description": "x".repeat(2049)}),
        json!({"system": "x".repeat(100_001)}),
        json!({"mcp_servers": [server(1)]}),
        json!({"tools": [toolset(1)]}),
        json!({"mcp_servers": [server(1), server(1)], "tools": [toolset(1)]}),
        json!({"tools": [{"type": "made_up"}]}),
        json!({"tools": [{"type": "custom", "name": "with space", "description": "d", "input_schema": {"type": "object"}}]}),
        json!({"skills": [{"type": "anthropic", "skill_id": "xlsx"}]}),
        json!({"metadata": {"k": 1}}),
    ] {
        let mut body = json!({"name": "a", "model": "m"});
        fields.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        assert_eq!(api.refused("/v1/agents", body).await, 400, "{fields}");
    }
    assert_eq!(api.refused("/v1/agents", json!({"model": "m"})).await, 400);
    assert_eq!(api.refused("/v1/agents", json!({"name": "a"})).await, 400);
}

#[tokio::test]
async fn an_archived_agent_is_hidden_read_only_and_starts_no_session() {
    let api = Api::start().await;
    let agent = id(&api.agent(json!({})).await);
    let archived = api.poke(&format!("/v1/agents/{agent}/archive")).await;
    assert!(archived["archived_at"].is_string());
    assert_eq!(api.poke(&format!("/v1/agents/{agent}/archive")).await, archived, "twice is once");
    assert_eq!(api.get("/v1/agents").await["data"], json!([]));
    assert_eq!(api.get("/v1/agents?include_archived=true").await["data"][0]["id"], json!(agent));
    assert_eq!(api.refused(&format!("/v1/agents/{agent}"), json!({"name": "b"})).await, 400);
    let environment = id(&api.post("/v1/environments", json!({"name": "e"})).await);
    assert_eq!(
        api.refused("/v1/sessions", json!({"agent": agent, "environment_id": environment})).await,
        400
    );
}

#[tokio::test]
async fn an_environment_is_completed_updated_archived_and_deleted_by_its_rules() {
    let api = Api::start().await;
    let environment = api.post("/v1/environments", json!({"name": "e"})).await;
    assert_eq!(environment["config"]["networking"], json!({"type": "unrestricted"}));
    assert_eq!(environment["config"]["packages"].as_object().unwrap().len(), 6);
    let path = format!("/v1/environments/{}", id(&environment));
    let (_, body) = api.call(Method::POST, &path, Some(json!({"config": {"type": "self_hosted"}}))).await;
    assert_eq!(body["error"]["details"]["error_code"], "invalid_config_type_change");
    let updated = api.post(&path, json!({"description": "", "metadata": {"a": "1"}})).await;
    assert_eq!((&updated["description"], &updated["metadata"]), (&json!(""), &json!({"a": "1"})));
    assert_eq!(api.post(&path, json!({"metadata": {"a": ""}})).await["metadata"], json!({}));

    let agent = id(&api.agent(json!({})).await);
    let session =
        id(&api.post("/v1/sessions", json!({"agent": agent, "environment_id": id(&environment)})).await);
    assert_eq!(api.call(Method::DELETE, &path, None).await.0, 409, "a session refers to it");
    api.poke(&format!("{path}/archive")).await;
    let (status, body) = api.call(Method::POST, &path, Some(json!({"name": "x"}))).await;
    assert_eq!((status, &body["error"]["details"]["error_code"]), (400, &json!("environment_archived")));
    assert_eq!(
        api.refused("/v1/sessions", json!({"agent": agent, "environment_id": id(&environment)})).await,
        400
    );
    api.delete(&format!("/v1/sessions/{session}")).await;
    assert_eq!(api.delete(&path).await, json!({"id": id(&environment), "type": "environment_deleted"}));
    assert_eq!(api.call(Method::GET, &path, None).await.0, 404);
}

fn bearer(url: &str) -> Value {
    json!({"auth": {"type": "static_bearer", "mcp_server_url": url, "token": "hush-hush"}})
}

#[tokio::test]
async fn no_call_ever_shows_a_secret() {
    let api = Api::start().await;
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let path = format!("/v1/vaults/{vault}/credentials");
    let oauth = json!({"display_name": "slack", "auth": {"type": "mcp_oauth", "mcp_server_url": "http://127.0.0.1:9/mcp",
        "access_token": "hush-hush", "expires_at": "2099-12-31T23:59:59+00:00",
        "refresh": {"token_endpoint": "https://a.test/t", "client_id": "c", "scope": "s", "refresh_token": "hush-hush",
            "token_endpoint_auth": {"type": "client_secret_post", "client_secret": "hush-hush"}}}});
    let variable = json!({"auth": {"type": "environment_variable", "secret_name": "N", "secret_value": "hush-hush",
        "networking": {"type": "limited", "allowed_hosts": ["a.test"]}}});
    let mut shown = Vec::new();
    for body in [bearer("https://b.test/mcp"), oauth, variable] {
        let credential = api.post(&path, body).await;
        let own = format!("{path}/{}", id(&credential));
        shown.push(api.get(&own).await);
        shown.push(api.post(&own, json!({"display_name": "new"})).await);
        shown.push(credential);
    }
    let oauth = format!("{path}/{}", id(&shown[5]));
    let validation = api.poke(&format!("{oauth}/mcp_oauth_validate")).await;
    assert_eq!((&validation["status"], &validation["has_refresh_token"]), (&json!("unknown"), &json!(true)));
    shown.push(validation);
    let rotated =
        api.post(&oauth, json!({"auth": {"type": "mcp_oauth", "access_token": "hush-hush-2"}})).await;
    assert_eq!(rotated["auth"]["expires_at"], "2099-12-31T23:59:59+00:00", "the old expiry stays");
    shown.push(rotated);
    shown.push(api.get(&path).await);
    shown.push(api.emulator.state());
    shown.push(api.get("/_emulator/state").await);
    shown.push(api.poke(&format!("{oauth}/archive")).await);
    shown.push(api.delete(&oauth).await);
    for value in shown {
        assert!(!value.to_string().contains("hush"), "{value}");
    }
}

#[tokio::test]
async fn an_active_credential_is_alone_with_its_key_and_archiving_frees_it() {
    let api = Api::start().await;
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let path = format!("/v1/vaults/{vault}/credentials");
    let first = id(&api.post(&path, bearer("https://mcp.test/a")).await);
    assert_eq!(api.refused(&path, bearer("HTTPS://MCP.test:443/a/")).await, 409);
    api.poke(&format!("{path}/{first}/archive")).await;
    api.post(&path, bearer("https://mcp.test/a")).await;
    assert_eq!(api.get(&path).await["data"].as_array().unwrap().len(), 1);
    assert_eq!(api.get(&format!("{path}?include_archived=true")).await["data"].as_array().unwrap().len(), 2);
    assert_eq!(api.refused(&format!("{path}/{first}"), json!({"display_name": "x"})).await, 400);
}

#[tokio::test]
async fn what_names_a_credential_cannot_change_and_a_vault_holds_twenty() {
    let api = Api::start().await;
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let path = format!("/v1/vaults/{vault}/credentials");
    let own = format!("{path}/{}", id(&api.post(&path, bearer("https://mcp.test/0")).await));
    let auth = |auth: Value| json!({"auth": auth});
    assert_eq!(api.refused(&own, auth(json!({"type": "mcp_oauth", "access_token": "x"}))).await, 400);
    let expired = json!({"type": "mcp_oauth", "mcp_server_url": "https://mcp.test/o", "access_token": "x",
        "expires_at": "2020-01-01T00:00:00Z"});
    assert_eq!(api.refused(&path, auth(expired)).await, 400);
    let moved = json!({"type": "static_bearer", "mcp_server_url": "https://other.test"});
    assert_eq!(api.refused(&own, auth(moved)).await, 400);
    api.post(&own, auth(json!({"type": "static_bearer", "token": "new"}))).await;
    for index in 1..20 {
        api.post(&path, bearer(&format!("https://mcp.test/{index}"))).await;
    }
    assert_eq!(api.refused(&path, bearer("https://mcp.test/20")).await, 400);
}

#[tokio::test]
async fn archiving_a_vault_archives_its_credentials_and_deleting_it_deletes_them() {
    let api = Api::start().await;
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v", "metadata": {"a": "1"}})).await);
    let path = format!("/v1/vaults/{vault}");
    let credential = id(&api.post(&format!("{path}/credentials"), bearer("https://mcp.test")).await);
    assert_eq!(api.post(&path, json!({"metadata": {"a": null}})).await["metadata"], json!({}));
    api.poke(&format!("{path}/archive")).await;
    let shown = api.get(&format!("{path}/credentials/{credential}")).await;
    assert!(shown["archived_at"].is_string());
    assert_eq!(api.refused(&format!("{path}/credentials"), bearer("https://x.test")).await, 400);
    let agent = id(&api.agent(json!({})).await);
    let environment = id(&api.post("/v1/environments", json!({"name": "e"})).await);
    let session = |vault: &str| json!({"agent": agent, "environment_id": environment, "vault_ids": [vault]});
    assert_eq!(api.refused("/v1/sessions", session(&vault)).await, 400);
    assert_eq!(api.refused("/v1/sessions", session("vlt_none")).await, 404);
    assert_eq!(api.delete(&path).await["type"], "vault_deleted");
    assert_eq!(api.call(Method::GET, &format!("{path}/credentials/{credential}"), None).await.0, 404);
}

#[tokio::test]
async fn a_file_goes_up_is_listed_and_is_deleted() {
    let api = Api::start().await;
    let part =
        reqwest::multipart::Part::bytes(b"a,b\n1,2\n".as_slice()).file_name("data.csv").mime_str("text/csv");
    let form = reqwest::multipart::Form::new().part("file", part.unwrap());
    let response = api.request(Method::POST, "/v1/files").multipart(form).send().await.unwrap();
    let file: Value = response.json().await.unwrap();
    assert_eq!((&file["filename"], &file["size_bytes"]), (&json!("data.csv"), &json!(8)));
    let path = format!("/v1/files/{}", id(&file));
    assert_eq!(api.get("/v1/files").await["data"], json!([file]));
    assert_eq!(api.get(&format!("/v1/files?ids%5B%5D={}", id(&file))).await["data"], json!([file]));
    assert_eq!(api.call(Method::GET, &format!("{path}/content"), None).await.0, 400, "an upload stays");
    assert_eq!(api.call(Method::GET, "/v1/files?scope_id=sesn_1", None).await.0, 400, "the beta is missing");
    assert_eq!(api.delete(&path).await["type"], "file_deleted");
}

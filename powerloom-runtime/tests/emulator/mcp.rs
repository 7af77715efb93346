//! Real MCP calls with credentials from vaults.

use crate::api::{Api, id, of_kind};
use crate::mcp_server::McpServer;
use serde_json::{Value, json};

fn agent(url: &str, policy: &str) -> Value {
    let config = json!({"enabled": true, "permission_policy": {"type": policy}});
    json!({
        "mcp_servers": [{"type": "url", "name": "orders", "url": url}],
        "tools": [
            {"type": "agent_toolset_20260401"},
            {"type": "mcp_toolset", "mcp_server_name": "orders", "default_config": config},
        ],
    })
}

/// A vault with a bearer for `url`; the path of the credential comes along.
async fn vault(api: &Api, url: &str, token: &str) -> (String, String) {
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let auth = json!({"auth": {"type": "static_bearer", "mcp_server_url": url, "token": token}});
    let credential = id(&api.post(&format!("/v1/vaults/{vault}/credentials"), auth).await);
    (vault.clone(), format!("/v1/vaults/{vault}/credentials/{credential}"))
}

#[tokio::test]
async fn a_tool_the_prompt_names_is_really_called() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let wrong = vault(&api, "https://elsewhere.test/mcp", "wrong").await.0;
    let right = vault(&api, &format!("{}/", server.url.replace("http://", "HTTP://")), "right").await.0;
    let later = vault(&api, &server.url, "wrong").await.0;
    let vaults = json!({"vault_ids": [wrong, right, later]});
    let session = api.session(agent(&server.url, "always_allow"), vaults).await;
    let events = api.turn(&session, "Please get_order \"A-7\" for me.").await;
    let (used, result) =
        (of_kind(&events, "agent.mcp_tool_use")[0], of_kind(&events, "agent.mcp_tool_result")[0]);
    assert_eq!((&used["mcp_server_name"], &used["name"]), (&json!("orders"), &json!("get_order")));
    assert_eq!(
        (&used["input"], &used["evaluated_permission"]),
        (&json!({"order_id": "A-7"}), &json!("allow"))
    );
    assert_eq!((&result["mcp_tool_use_id"], &result["is_error"]), (&used["id"], &json!(false)));
    assert_eq!(result["content"], json!([{"type": "text", "text": "order A-7 is shipped"}]));
    assert!(json!(of_kind(&events, "agent.message")).to_string().contains("get_order: order A-7 is shipped"));
    assert_eq!(server.calls(), ["get_order A-7"]);
    assert!(of_kind(&events, "session.error").is_empty());
}

#[tokio::test]
async fn without_or_with_a_refused_credential_the_session_goes_on_with_basic_tools() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let refused = vault(&api, &server.url, "wrong").await.0;
    for more in [json!({}), json!({"vault_ids": [refused]})] {
        let session = api.session(agent(&server.url, "always_allow"), more).await;
        let events = api.turn(&session, "Please get_order \"A-7\".").await;
        let error = &of_kind(&events, "session.error")[0]["error"];
        assert_eq!(error["type"], "mcp_authentication_failed_error", "{error}");
        assert_eq!(
            (&error["mcp_server_name"], &error["retry_status"]["type"]),
            (&json!("orders"), &json!("retrying"))
        );
        assert_eq!(of_kind(&events, "agent.tool_use")[0]["name"], "bash");
        assert!(of_kind(&events, "agent.mcp_tool_use").is_empty());
        assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
    }
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_or_not_allowed_is_a_failed_connection() {
    let api = Api::start().await;
    let session = api.session(agent("http://127.0.0.1:9/mcp", "always_allow"), json!({})).await;
    let events = api.turn(&session, "hello").await;
    assert_eq!(of_kind(&events, "session.error")[0]["error"]["type"], "mcp_connection_failed_error");

    let server = McpServer::start("right").await;
    let agent_id = id(&api.agent(agent(&server.url, "always_allow")).await);
    let limited = json!({"type": "cloud", "networking": {"type": "limited"}});
    let environment = id(&api.post("/v1/environments", json!({"name": "e", "config": limited})).await);
    let vaults = [vault(&api, &server.url, "right").await.0];
    let body = json!({"agent": agent_id, "environment_id": environment, "vault_ids": vaults});
    let session = id(&api.post("/v1/sessions", body).await);
    let events = api.turn(&session, "call orders.get_order {\"order_id\": \"A\"}").await;
    assert_eq!(of_kind(&events, "session.error")[0]["error"]["type"], "mcp_connection_failed_error");
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_rotated_credential_reaches_a_running_session_at_its_next_turn() {
    let (api, server) = (Api::start().await, McpServer::start("old").await);
    let (vault, credential) = vault(&api, &server.url, "old").await;
    let session = api.session(agent(&server.url, "always_allow"), json!({"vault_ids": [vault]})).await;
    let call = "call orders.get_order {\"order_id\": \"A\"}";
    assert!(of_kind(&api.turn(&session, call).await, "session.error").is_empty());
    server.rotate("new");
    assert_eq!(of_kind(&api.turn(&session, call).await, "session.error").len(), 1);
    let auth = json!({"auth": {"type": "static_bearer", "token": "new"}});
    api.post(&credential, auth).await;
    assert!(of_kind(&api.turn(&session, call).await, "session.error").is_empty());
    assert_eq!(server.calls().len(), 2);
    api.poke(&format!("{credential}/archive")).await;
    assert_eq!(of_kind(&api.turn(&session, call).await, "session.error").len(), 1);
}

#[tokio::test]
async fn an_mcp_tool_asks_unless_it_is_allowed() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let vaults = json!({"vault_ids": [vault(&api, &server.url, "right").await.0]});
    let mut fields = agent(&server.url, "always_ask");
    fields["tools"][1].as_object_mut().unwrap().remove("default_config");
    let session = api.session(fields, vaults).await;
    let calls = "call orders.get_order {\"order_id\": \"A\"}\ncall orders.refund_order {\"order_id\": \"A\"}";
    let events = api.turn(&session, calls).await;
    let used = of_kind(&events, "agent.mcp_tool_use")[0];
    assert_eq!(
        (&used["evaluated_permission"], &used["evaluation"]["type"]),
        (&json!("ask"), &json!("always_ask"))
    );
    assert_eq!(
        events.last().unwrap()["stop_reason"],
        json!({"type": "requires_action", "event_ids": [used["id"]]})
    );
    assert!(server.calls().is_empty(), "nothing is called before the answer");
    let path = format!("/v1/sessions/{session}/events");
    let answer = |used: &Value, result: &str| json!({"events": [{"type": "user.tool_confirmation", "tool_use_id": used["id"], "result": result}]});
    let mut stream = api.stream(&session).await;
    api.post(&path, answer(used, "allow")).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(server.calls(), ["get_order A"]);
    let used = of_kind(&events, "agent.mcp_tool_use")[0];
    api.post(&path, answer(used, "deny")).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&events, "agent.mcp_tool_result")[0]["is_error"], true);
    assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
    assert_eq!(server.calls(), ["get_order A"]);
}

#[tokio::test]
async fn an_interrupt_stops_a_call_that_hangs() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let vaults = json!({"vault_ids": [vault(&api, &server.url, "right").await.0]});
    let session = api.session(agent(&server.url, "always_allow"), vaults).await;
    let mut stream = api.stream(&session).await;
    api.say(&session, "call orders.slow").await;
    stream.until("agent.mcp_tool_use").await;
    let interrupt = json!({"events": [{"type": "user.interrupt"}]});
    api.post(&format!("/v1/sessions/{session}/events"), interrupt).await;
    let events = stream.until("session.status_idle").await;
    assert_eq!(of_kind(&events, "agent.mcp_tool_result")[0]["is_error"], true);
    assert_eq!(events.last().unwrap()["stop_reason"]["type"], "end_turn");
}

#[tokio::test]
async fn an_oauth_credential_is_tried_on_its_server() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let path = format!("/v1/vaults/{vault}/credentials");
    let auth = json!({"type": "mcp_oauth", "mcp_server_url": server.url, "access_token": "right"});
    let own = format!("{path}/{}", id(&api.post(&path, json!({"auth": auth})).await));
    assert_eq!(api.poke(&format!("{own}/mcp_oauth_validate")).await["status"], "valid");
    server.rotate("other");
    assert_eq!(api.poke(&format!("{own}/mcp_oauth_validate")).await["status"], "invalid");
}

/// A token endpoint that gives `right` for the refresh token `first`, and only with the client's secret.
async fn token_endpoint() -> String {
    let answer = async |headers: axum::http::HeaderMap, body: String| {
        let basic = headers.get("authorization").is_some_and(|value| value == "Basic YzpzM2NyM3Q=");
        if !basic || !body.contains("grant_type=refresh_token") || !body.contains("refresh_token=first") {
            return (axum::http::StatusCode::BAD_REQUEST, "{}".to_owned());
        }
        let tokens = json!({"access_token": "right", "refresh_token": "second", "expires_in": 3600});
        (axum::http::StatusCode::OK, tokens.to_string())
    };
    let router = axum::Router::new().route("/token", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_token_that_expired_is_refreshed_and_stays_secret() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let path = format!("/v1/vaults/{vault}/credentials");
    let refresh = |token: &str, endpoint: &str| {
        json!({"token_endpoint": endpoint, "client_id": "c", "refresh_token": token,
            "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "s3cr3t"}})
    };
    let auth = json!({"type": "mcp_oauth", "mcp_server_url": server.url, "access_token": "stale",
        "refresh": refresh("first", &token_endpoint().await)});
    let own = format!("{path}/{}", id(&api.post(&path, json!({"auth": auth})).await));
    let validation = api.poke(&format!("{own}/mcp_oauth_validate")).await;
    assert_eq!(
        (&validation["status"], &validation["refresh"]["status"]),
        (&json!("valid"), &json!("succeeded"))
    );
    let shown = api.get(&own).await;
    assert!(shown["auth"]["expires_at"].is_string());
    assert!(!shown.to_string().contains("right") && !shown.to_string().contains("second"), "{shown}");
    let session = api.session(agent(&server.url, "always_allow"), json!({"vault_ids": [vault]})).await;
    assert!(of_kind(&api.turn(&session, "hello").await, "session.error").is_empty());
    server.rotate("newer");
    let validation = api.poke(&format!("{own}/mcp_oauth_validate")).await;
    assert_eq!(
        (&validation["status"], &validation["refresh"]["status"]),
        (&json!("invalid"), &json!("failed"))
    );
}

#[tokio::test]
async fn a_session_connects_with_a_fresh_token() {
    let (api, server) = (Api::start().await, McpServer::start("right").await);
    let vault = id(&api.post("/v1/vaults", json!({"display_name": "v"})).await);
    let soon = jiff::Timestamp::now() + std::time::Duration::from_millis(200);
    let auth = json!({"type": "mcp_oauth", "mcp_server_url": server.url, "access_token": "stale", "expires_at": soon,
        "refresh": {"token_endpoint": token_endpoint().await, "client_id": "c", "refresh_token": "first",
            "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "s3cr3t"}}});
    api.post(&format!("/v1/vaults/{vault}/credentials"), json!({"auth": auth})).await;
    let session = api.session(agent(&server.url, "always_allow"), json!({"vault_ids": [vault]})).await;
    while jiff::Timestamp::now() <= soon {
        tokio::task::yield_now().await;
    }
    let events = api.turn(&session, "call orders.get_order {\"order_id\": \"A\"}").await;
    assert!(of_kind(&events, "session.error").is_empty(), "{events:?}");
    assert_eq!(server.calls(), ["get_order A"]);
}

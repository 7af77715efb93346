//! What every request has in common.

use crate::api::{Api, BETA};
use powerloom_runtime::emulator::Emulator;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn both_generations_of_headers_work_and_the_beta_query_is_ignored() {
    let api = Api::start().await;
    let url = format!("{}/v1/agents?beta=true", api.emulator.url());
    let request = api.http.get(url).header("x-api-key", "k").header("anthropic-version", "2023-06-01");
    let response = request.header("anthropic-beta", BETA).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let (status, _) = api.call(Method::GET, "/v1/agents", None).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_request_without_key_beta_or_a_known_beta_is_refused() {
    let api = Api::over(Emulator::builder().api_key("right")).await;
    let url = format!("{}/v1/agents", api.emulator.url());
    let send = async |key: &str, beta: &str| {
        let mut request = api.http.get(&url).header("anthropic-version", "2026-10-21");
        if !key.is_empty() {
            request = request.header("x-api-key", key);
        }
        if !beta.is_empty() {
            request = request.header("anthropic-beta", beta);
        }
        let response = request.send().await.unwrap();
        assert!(response.headers().contains_key("request-id"));
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        (status, body["error"]["type"].as_str().unwrap_or_default().to_owned(), body)
    };
    assert_eq!(send("", BETA).await.1, "authentication_error");
    assert_eq!(send("wrong", BETA).await.0, 401);
    assert_eq!(send("right", "").await.0, 400);
    let (status, kind, body) = send("right", &format!("{BETA},made-up-2020-01-01")).await;
    assert_eq!((status, kind.as_str()), (400, "invalid_request_error"));
    assert!(body["error"]["message"].as_str().unwrap().contains("made-up-2020-01-01"));
    assert_eq!(send("right", BETA).await.0, 200);
}

#[tokio::test]
async fn unknown_paths_methods_and_ids_are_not_found() {
    let api = Api::start().await;
    for (method, path) in [
        (Method::GET, "/v1/nothing"),
        (Method::PUT, "/v1/agents"),
        (Method::GET, "/v1/agents/agent_1"),
        (Method::GET, "/v1/environments/env_1"),
        (Method::GET, "/v1/vaults/vlt_1/credentials"),
        (Method::GET, "/v1/sessions/sesn_1/events"),
        (Method::GET, "/v1/sessions/sesn_1/events/stream"),
        (Method::GET, "/v1/skills/skill_1/versions/latest"),
        (Method::GET, "/v1/files/file_1"),
    ] {
        let (status, body) = api.call(method, path, None).await;
        assert_eq!((status, &body["error"]["type"]), (404, &json!("not_found_error")), "{path}");
    }
    let (_, body) = api.call(Method::GET, "/v1/environments/env_1", None).await;
    assert_eq!(body["error"]["details"]["error_code"], "environment_not_found");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_not_json_is_refused() {
    let api = Api::start().await;
    let large = json!({"name": "a", "model": "m", "system": "x".repeat(33 * 1024 * 1024)});
    let (status, body) = api.call(Method::POST, "/v1/agents", Some(large)).await;
    assert_eq!((status, &body["error"]["type"]), (413, &json!("request_too_large")));
    for body in ["{", "[]", "{\"name\": \"a\", \"model\": \"m\", \"surprise\": 1}"] {
        let request = api.request(Method::POST, "/v1/agents").header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), 400, "{body}");
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_with_bound_cursors() {
    let api = Api::start().await;
    for index in 0..5 {
        api.agent(json!({"name": format!("a{index}")})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|agent| agent["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = api.get("/v1/agents?limit=3").await;
    assert_eq!(names(&first), ["a4", "a3", "a2"]);
    assert!(first.get("prev_page").is_none());
    let cursor = first["next_page"].as_str().unwrap();
    let second = api.get(&format!("/v1/agents?limit=3&page={cursor}")).await;
    assert_eq!(
        (names(&second), &second["next_page"]),
        (vec!["a1".to_owned(), "a0".to_owned()], &Value::Null)
    );
    for query in ["limit=101", "limit=0", "limit=x", "page=nonsense", &format!("page={cursor}&order=asc")] {
        let (status, _) = api.call(Method::GET, &format!("/v1/agents?{query}"), None).await;
        assert_eq!(status, 400, "{query}");
    }
}

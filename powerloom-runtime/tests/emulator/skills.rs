//! Skills, in both shapes.

use crate::api::{Api, id};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const OLD: &str = "skills-2025-10-02";

fn form(name: &str) -> Form {
    let text = format!("---\nname: {name}\ndescription: How to handle refunds.\n---\n# Refunds\n");
    let part = |content: String, path: String| Part::bytes(content.into_bytes()).file_name(path);
    Form::new()
        .part("files[]", part(text, format!("{name}/SKILL.md")))
        .part("files[]", part("print(1)".to_owned(), format!("{name}/scripts/refund.py")))
}

async fn send(api: &Api, method: Method, path: &str, form: Option<Form>, beta: &str) -> (u16, Value) {
    let mut request = api.request(method, path);
    if let Some(form) = form {
        request = request.multipart(form);
    }
    if !beta.is_empty() {
        request = request.header("anthropic-beta", beta);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_skill_has_two_shapes_by_the_beta_header() {
    let api = Api::start().await;
    let (status, skill) = send(&api, Method::POST, "/v1/skills", Some(form("refunds")), "").await;
    assert_eq!(status, 200, "{skill}");
    assert!(skill["latest_version_id"].as_str().unwrap().starts_with("skver_"));
    assert_eq!((&skill["source"], &skill["display_name"]), (&json!({"type": "custom"}), &json!("refunds")));
    let path = format!("/v1/skills/{}", id(&skill));
    let (_, old) = send(&api, Method::GET, &path, None, OLD).await;
    assert_eq!((&old["source"], &old["display_title"]), (&json!("custom"), &json!("refunds")));
    let number = old["latest_version"].as_str().unwrap();
    assert!(number.parse::<i64>().unwrap() > 1_700_000_000_000_000);
    let (_, version) = send(&api, Method::GET, &format!("{path}/versions/{number}"), None, OLD).await;
    assert_eq!((&version["version"], &version["directory"]), (&json!(number), &json!("refunds")));
    let latest = api.get(&format!("{path}/versions/latest")).await;
    assert_eq!((&latest["id"], latest.get("version")), (&skill["latest_version_id"], None));
}

#[tokio::test]
async fn versions_are_snapshots_under_one_name_and_come_back_as_a_zip() {
    let api = Api::start().await;
    let (_, skill) = send(&api, Method::POST, "/v1/skills", Some(form("refunds")), "").await;
    let path = format!("/v1/skills/{}/versions", id(&skill));
    assert_eq!(send(&api, Method::POST, &path, Some(form("others")), "").await.0, 400);
    let (_, second) = send(&api, Method::POST, &path, Some(form("refunds")), "").await;
    let listed = api.get(&path).await;
    let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|version| &version["id"]).collect();
    assert_eq!(ids, [&second["id"], &skill["latest_version_id"]], "newest first");
    let (_, old) = send(&api, Method::GET, &path, None, OLD).await;
    assert_eq!((&old["data"][0]["id"], &old["has_more"]), (&skill["latest_version_id"], &json!(false)));
    let content = api.request(Method::GET, &format!("{path}/latest/content")).send().await.unwrap();
    assert_eq!(content.headers()["content-type"], "application/zip");
    let bytes = content.bytes().await.unwrap();
    let part = Part::bytes(bytes.to_vec()).file_name("refunds.zip");
    let (status, third) = send(&api, Method::POST, &path, Some(Form::new().part("files[]", part)), "").await;
    assert_eq!((status, &third["description"]), (200, &second["description"]), "a zip can be sent back");
}

#[tokio::test]
async fn deleting_follows_the_rules_of_each_shape() {
    let api = Api::start().await;
    let (_, skill) = send(&api, Method::POST, "/v1/skills", Some(form("refunds")), "").await;
    let path = format!("/v1/skills/{}", id(&skill));
    let only = format!("{path}/versions/{}", skill["latest_version_id"].as_str().unwrap());
    assert_eq!(send(&api, Method::DELETE, &only, None, "").await.0, 400, "the only version");
    assert_eq!(send(&api, Method::DELETE, &path, None, OLD).await.0, 400, "versions exist");
    assert_eq!(send(&api, Method::DELETE, &only, None, OLD).await.0, 200);
    assert_eq!(send(&api, Method::DELETE, &path, None, OLD).await.1["type"], "skill_deleted");
    assert_eq!(api.call(Method::GET, &path, None).await.0, 404);
}

#[tokio::test]
async fn an_agent_pins_the_version_of_a_skill() {
    let api = Api::start().await;
    let (_, skill) = send(&api, Method::POST, "/v1/skills", Some(form("refunds")), "").await;
    let tools = json!([{"type": "agent_toolset_20260401"}]);
    let skills = json!([{"type": "custom", "skill_id": skill["id"]}]);
    let agent = api.agent(json!({"tools": tools, "skills": skills})).await;
    assert_eq!(agent["skills"][0]["version"], skill["latest_version_id"]);
    let unknown = json!([{"type": "custom", "skill_id": skill["id"], "version": "skver_none"}]);
    let body = json!({"name": "a", "model": "m", "tools": tools, "skills": unknown});
    assert_eq!(api.refused("/v1/agents", body).await, 404);
}

//! Manifests over REST (rows P20–P29; sem. 2.3).

mod applying;
mod planning;
mod refusals;

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

pub const EXAMPLES: [(&str, &str); 5] = [
    ("platform.yaml", include_str!("../../../examples/manifests/platform.yaml")),
    ("python-lint.yaml", include_str!("../../../examples/manifests/python-lint.yaml")),
    ("code-reviewer.yaml", include_str!("../../../examples/manifests/code-reviewer.yaml")),
    ("code-reviewer-skills.yaml", include_str!("../../../examples/manifests/code-reviewer-skills.yaml")),
    ("pg-analytics.yaml", include_str!("../../../examples/manifests/pg-analytics.yaml")),
];

pub fn documents(sources: &[(&str, &str)]) -> Value {
    let documents = sources.iter().map(|(name, text)| json!({ "name": name, "text": text }));
    json!({ "documents": documents.collect::<Vec<_>>() })
}

pub fn skills(names: &[&str]) -> String {
    let skill = |name: &&str| format!("{{kind: Skill, metadata: {{name: {name}, ou_path: /acme}}}}");
    names.iter().map(skill).collect::<Vec<_>>().join("\n---\n")
}

pub async fn plan(world: &World, text: &str) -> Value {
    world.post("/manifests/plan", documents(&[("test.yaml", text)])).await.expect(200).body
}

pub async fn apply(world: &World, plan: &Value) -> Answer {
    world.post("/manifests/apply", json!({ "plan": plan })).await
}

pub async fn declare(world: &World, text: &str) {
    let planned = plan(world, text).await;
    let applied = apply(world, &planned["plan"]).await.expect(200);
    assert_eq!(applied.body["is_complete"], true, "{}", applied.text);
}

/// Sends a body under the header's terms.
pub async fn under(world: &World, path: &str, header: (&str, &str), body: Value) -> Answer {
    world
        .send(
            world
                .request(Method::POST, path)
                .bearer_auth(&world.admin)
                .header(header.0, header.1)
                .json(&body),
        )
        .await
}

pub fn results(report: &Value) -> Vec<&str> {
    report["lines"].as_array().unwrap().iter().map(|line| line["result"].as_str().unwrap()).collect()
}

/// The versions of what there is: what changes if anything changes.
pub async fn export(world: &World) -> Value {
    world.get("/manifests/export").await.expect(200).body
}

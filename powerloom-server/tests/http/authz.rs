//! Questions about permissions over REST (sem. 2.2 rules 4–10; row M33).

#[path = "authz/asking.rs"]
mod asking;
#[path = "authz/past.rs"]
mod past;
#[path = "authz/what_if.rs"]
mod what_if;

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

/// `/acme` with `/acme/eng` in it. Ada builds agents in `eng` because she is a reviewer, and is denied to archive them.
pub struct Tree {
    pub w: World,
    pub eng: String,
    pub ada: String,
    pub ada_id: String,
    /// Ada's binding, through the group.
    pub grant: String,
    /// What denies her.
    pub deny: String,
    /// Somebody with no binding at all.
    pub eve: String,
}

pub async fn tree() -> Tree {
    let w = World::start().await;
    let root = w.acme.root_ou;
    let made = async |path: &str, body: Value| w.post(path, body).await.expect(201).id().to_owned();
    let eng = made("/ous", json!({ "ou_id": root, "name": "eng" })).await;
    let (ada_id, ada) = w.person("ada@acme.com", &[]).await;
    let (_, eve) = w.person("eve@acme.com", &[]).await;
    let group = made("/groups", json!({ "ou_id": root, "name": "reviewers" })).await;
    made("/group-memberships", json!({ "group_id": group, "member_ref": "user:ada@acme.com" })).await;
    let bind = json!({ "ou_id": eng, "principal": format!("group:{group}"), "role": "AgentBuilder" });
    let grant = made("/role-bindings", bind).await;
    let role = json!({ "ou_id": root, "name": "no-archiving", "permissions": ["agent:archive"] });
    let role = format!("role:{}", made("/roles", role).await);
    let deny = json!({ "ou_id": eng, "principal_ref": "user:ada@acme.com", "role": role, "effect": "deny" });
    let deny = made("/role-bindings", deny).await;
    Tree { w, eng, ada, ada_id: ada_id.to_string(), grant, deny, eve }
}

impl Tree {
    pub async fn ask(&self, token: &str, question: &str, body: Value) -> Answer {
        self.w.as_of(token, Method::POST, &format!("/authz/{question}"), Some(body)).await
    }

    /// As the administrator.
    pub async fn asked(&self, question: &str, body: Value) -> Value {
        self.ask(&self.w.admin, question, body).await.expect(200).body
    }
}

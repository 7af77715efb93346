//! Approvals over REST: what waits, who decides, and what is made when (sem. 2.8; rows P96–P101, M34).

#[path = "approvals/break_glass.rs"]
mod break_glass;
#[path = "approvals/cancel.rs"]
mod cancel;
#[path = "approvals/consents.rs"]
mod consents;
#[path = "approvals/flow.rs"]
mod flow;
#[path = "approvals/input.rs"]
mod input;
#[path = "approvals/votes.rs"]
mod votes;

use crate::world::{Answer, World};
use powerloom_core::clock::ManualClock;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::id::ResourceId;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

/// An organization in which new and changed agents of `/acme/production` wait for an approver.
pub struct Gated {
    pub w: World,
    pub clock: Arc<ManualClock>,
    pub production: String,
    /// May create agents in production.
    pub ada: String,
    pub ada_id: ResourceId,
    /// May decide everywhere.
    pub grace: String,
}

pub async fn gated(more: Value) -> Gated {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let builder = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap());
    let w = World::over(builder.clock(clock.clone()).build(), |config| config).await;
    let ou = w.post("/ous", json!({ "ou_id": w.acme.root_ou, "name": "production" })).await.expect(201);
    let production = ou.id().to_owned();
    let (ada_id, ada) = w.person("ada@acme.com", &["AgentBuilder"]).await;
    let binding = json!({ "ou_id": production, "principal": format!("user:{ada_id}"), "role": "OUAdmin" });
    w.post("/role-bindings", binding).await.expect(201);
    let (_, grace) = w.person("grace@acme.com", &["Approver"]).await;
    let mut policy = json!({
        "name": "two-eyes", "ou_id": production, "approvers": ["role:Approver"],
        "match": { "resource_kinds": ["Agent"], "actions": ["create", "update"] },
    });
    for (field, value) in more.as_object().unwrap() {
        policy[field] = value.clone();
    }
    w.post("/approval-policies", policy).await.expect(201);
    Gated { w, clock, production, ada, ada_id, grace }
}

impl Gated {
    pub fn agent(&self, name: &str) -> Value {
        json!({
            "name": name, "ou_id": self.production, "model": "claude-sonnet-4-6", "system_prompt": "Be concise.",
            "agent_kind": "user", "owner_principal_ref": "user:ada@acme.com",
        })
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.w.as_of(token, Method::POST, path, Some(body)).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.w.as_of(token, Method::GET, path, None).await
    }

    /// Ada asks for an agent; what she is answered, and the request as she sees it.
    pub async fn asked(&self, name: &str) -> Value {
        let pending = self.post(&self.ada, "/agents", self.agent(name)).await.expect(202);
        let inbox = pending.body["inbox"].as_str().unwrap();
        self.get(&self.ada, inbox).await.expect(200).body
    }

    pub async fn vote(&self, token: &str, request: &Value, ballot: &str) -> Answer {
        let body = json!({ "ballot": ballot, "payload_hash": request["payload_hash"] });
        self.post(token, &format!("/approvals/{}/votes", id(request)), body).await
    }

    /// The names of the live agents.
    pub async fn agents(&self) -> Vec<String> {
        let list = self.w.get("/agents").await.expect(200);
        let items = list.body["items"].as_array().unwrap().clone();
        items.iter().map(|agent| agent["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The ids of a list of requests.
    pub async fn ids(&self, token: &str, path: &str) -> Vec<String> {
        let list = self.get(token, path).await.expect(200);
        let items = list.body["items"].as_array().unwrap().clone();
        items.iter().map(|request| id(request).to_owned()).collect()
    }
}

pub fn id(request: &Value) -> &str {
    request["id"].as_str().unwrap_or_else(|| panic!("no id in {request}"))
}

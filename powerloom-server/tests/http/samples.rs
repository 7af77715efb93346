//! One resource of every collection.

use crate::world::World;
use powerloom_core::bootstrap::Organization;
use reqwest::Method;
use serde_json::{Value, json};

/// A resource of a collection.
#[derive(Debug)]
pub struct Sample {
    /// Its collection.
    pub path: &'static str,
    /// What a resource is called in the OpenAPI document.
    pub name: &'static str,
    pub id: String,
    /// What another one like it can be made of.
    pub body: Value,
}

/// Makes one resource of every collection.
pub async fn everything(world: &World, org: &Organization, token: &str) -> Vec<Sample> {
    let ou = org.root_ou;
    let mut samples: Vec<Sample> = Vec::new();
    let mut made = async |path: &'static str, name: &'static str, first: Value, next: Value| -> String {
        let made = world.as_of(token, Method::POST, path, Some(first)).await.expect(201);
        let id = made.id().to_owned();
        samples.push(Sample { path, name, id: id.clone(), body: next });
        id
    };
    let named = |name: &str| json!({ "ou_id": ou, "name": name });
    made("/ous", "Ou", named("engineering"), named("sales")).await;
    let mail = |mail: &str| json!({ "ou_id": ou, "email": mail });
    let ada = made("/users", "User", mail("ada@acme.com"), mail("grace@acme.com")).await;
    let group = made("/groups", "Group", named("reviewers"), named("writers")).await;
    let seat = |member: String| json!({ "group_id": group, "member": member });
    let (first, next) = (seat(format!("user:{ada}")), seat("service:ci".to_owned()));
    made("/group-memberships", "GroupMembership", first, next).await;
    let role = |name: &str| json!({ "ou_id": ou, "name": name, "permissions": ["agent:read"] });
    made("/roles", "Role", role("reader"), role("other-reader")).await;
    let bound = |role: &str| json!({ "ou_id": ou, "principal": format!("user:{ada}"), "role": role });
    made("/role-bindings", "RoleBinding", bound("AgentViewer"), bound("AgentBuilder")).await;
    let skill = made("/skills", "Skill", named("python-lint"), named("rust-lint")).await;
    let grant = |to: String| json!({ "skill_id": skill, "principal": to });
    let (first, next) = (grant(format!("user:{ada}")), grant(format!("ou:{ou}")));
    made("/skill-grants", "SkillAccessGrant", first, next).await;
    let server =
        |name: &str| json!({ "ou_id": ou, "name": name, "url": format!("https://{name}.acme.com/mcp") });
    let pg = made("/mcp-servers", "McpServer", server("pg"), server("slack")).await;
    let run = |name: &str| json!({ "ou_id": ou, "name": name, "template_kind": "echo" });
    made("/mcp-deployments", "McpDeployment", run("echo"), run("echo-too")).await;
    let agent = |name: &str| {
        json!({
            "ou_id": ou, "name": name, "model": "claude-sonnet-4-6", "agent_kind": "user",
            "owner_principal_id": org.admin,
        })
    };
    let reviewer = made("/agents", "Agent", agent("code-reviewer"), agent("code-writer")).await;
    let credential = |server: &str| json!({ "agent_id": reviewer, "mcp_server_id": server });
    made("/credentials", "Credential", credential(&pg), credential(&pg)).await;
    // It is about nothing that these tests change.
    let policy = |name: &str| {
        json!({
            "ou_id": ou, "name": name, "approvers": ["role:OrgAdmin"],
            "match": { "resource_kinds": ["Environment"], "actions": ["archive"] },
        })
    };
    made("/approval-policies", "ApprovalPolicy", policy("careful"), policy("more-careful")).await;
    samples
}

impl World {
    /// One resource of every collection, of acme.
    pub async fn everything(&self) -> Vec<Sample> {
        everything(self, &self.acme, &self.admin).await
    }
}

/// The id of one of them.
pub fn id<'s>(samples: &'s [Sample], path: &str) -> &'s str {
    &samples.iter().find(|sample| sample.path == path).unwrap().id
}

//! The table: a real path and a good body for each operation, in an order in which an administrator can do all of it.

use crate::every_route::house::{Fixtures, STREAM};
use reqwest::Method;
use serde_json::{Value, json};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// It reads.
    Reads,
    /// It changes something: through the one door, with a row in the trail, whether it is done or refused.
    Changes,
    /// It looks like a change, and does not pass the door, for this reason.
    Aside(&'static str),
}

/// One operation, as somebody asks for it.
#[derive(Debug)]
pub(crate) struct Row {
    /// As the document writes it, such as `POST /agents/{id}/skills`.
    pub(crate) operation: String,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) does: Does,
}

impl Row {
    pub(crate) fn method(&self) -> Method {
        self.operation.split_once(' ').unwrap().0.parse().unwrap()
    }

    /// The path as the document writes it.
    pub(crate) fn template(&self) -> &str {
        self.operation.split_once(' ').unwrap().1
    }
}

/// A question is asked by `POST` because it is too long for a URL.
const QUESTION: Does = Does::Aside("it asks, and by `POST` only because what it asks is too long for a URL");
const TICKET: Does = Does::Aside("it grants nothing the caller has not: the right to read, for a minute");
const CHECKPOINT: Does =
    Does::Aside("it signs what the trail says already; a row would itself want to be signed");

#[derive(Default)]
struct Table(Vec<Row>);

impl Table {
    fn row(&mut self, operation: &str, path: impl Into<String>, body: Option<Value>, does: Does) {
        self.0.push(Row { operation: operation.to_owned(), path: path.into(), body, does });
    }

    fn reads(&mut self, template: &str, path: impl Into<String>) {
        self.row(&format!("GET {template}"), path, None, Does::Reads);
    }

    fn posts(&mut self, template: &str, path: impl Into<String>, body: impl Into<Option<Value>>) {
        self.row(&format!("POST {template}"), path, body.into(), Does::Changes);
    }

    fn deletes(&mut self, template: &str, path: impl Into<String>) {
        self.row(&format!("DELETE {template}"), path, None, Does::Changes);
    }

    fn aside(&mut self, template: &str, path: impl Into<String>, body: impl Into<Option<Value>>, why: Does) {
        self.row(&format!("POST {template}"), path, body.into(), why);
    }
}

pub(crate) fn rows(of: &Fixtures) -> Vec<Row> {
    let mut table = Table::default();
    service(&mut table);
    audit(&mut table);
    collections(&mut table, of);
    below(&mut table, of);
    sessions(&mut table, of);
    approvals(&mut table, of);
    questions(&mut table, of);
    manifests(&mut table, of);
    archives(&mut table, of);
    table.0
}

fn service(table: &mut Table) {
    for path in [
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/whoami",
        "/kinds",
        "/organization",
        "/metrics",
        "/sync",
        "/tokens",
        "/consents",
        "/sessions",
        "/approvals",
    ] {
        table.reads(path, path);
    }
    // The master key was rotated before: see where it is asked for.
    table.posts("/secrets/rewrap", "/secrets/rewrap", None);
}

fn audit(table: &mut Table) {
    table.reads("/audit", "/audit");
    table.reads("/audit/{seq}", "/audit/1");
    table.reads("/audit/export", "/audit/export");
    table.reads("/audit/tree", "/audit/tree");
    table.reads("/audit/proofs/inclusion", "/audit/proofs/inclusion?seq=1&size=1");
    table.reads("/audit/proofs/consistency", "/audit/proofs/consistency?from=1&to=1");
    table.reads("/audit/checkpoints", "/audit/checkpoints");
    table.aside("/audit/checkpoints", "/audit/checkpoints", None, CHECKPOINT);
    table.aside("/audit/verify", "/audit/verify", json!({}), QUESTION);
    table.posts("/audit/{seq}/erase", "/audit/2/erase", None);
}

fn collections(table: &mut Table, of: &Fixtures) {
    for sample in &of.samples {
        let (many, one) = (sample.path, format!("{}/{{id}}", sample.path));
        let path = format!("{many}/{}", sample.id);
        table.reads(many, many);
        table.reads(&one, &path);
        let mut body = sample.body.clone();
        if many == "/credentials" {
            // An agent has one bearer for a server.
            body["agent_id"] = json!(of.clerk);
        }
        table.posts(many, many, body);
        let fixed = ["/credentials", "/group-memberships", "/role-bindings", "/skill-grants"];
        if !fixed.contains(&many) {
            let label = json!({ "labels": { "team": "search" } });
            table.row(&format!("PATCH {one}"), path, Some(label), Does::Changes);
        }
    }
    let one = format!("/resources/OU/{}", of.spare);
    table.reads("/resources/{kind}", "/resources/OU");
    table.posts("/resources/{kind}", "/resources/OU", json!({ "ou_id": of.root, "name": "generic" }));
    table.reads("/resources/{kind}/{id}", &one);
    let label = json!({ "labels": { "team": "search" } });
    table.row("PATCH /resources/{kind}/{id}", one, Some(label), Does::Changes);
}

fn below(table: &mut Table, of: &Fixtures) {
    let (agent, skill, server) = (of.id("/agents"), of.id("/skills"), of.id("/mcp-servers"));
    let versions = format!("/skills/{skill}/versions");
    let text = "LS0tCm5hbWU6IHB5dGhvbi1saW50CmRlc2NyaXB0aW9uOiBMaW50IGZpbGVzLgotLS0KVHdvLgo=";
    let files = json!({ "files": [{ "path": "SKILL.md", "content": text }] });
    table.reads("/skills/{id}/versions", &versions);
    table.reads("/skills/{id}/versions/{version_id}", format!("{versions}/{}", of.version));
    table.posts("/skills/{id}/versions", &versions, files);
    for (below, field, what, id) in
        [("skills", "skill_id", skill, "{skill_id}"), ("mcp-servers", "mcp_server_id", server, "{reg_id}")]
    {
        let (many, path) = (format!("/agents/{{id}}/{below}"), format!("/agents/{agent}/{below}"));
        table.reads(&many, &path);
        table.posts(&many, &path, json!({ field: what }));
        table.reads(&format!("{many}/{id}"), format!("{path}/{what}"));
        table.deletes(&format!("{many}/{id}"), format!("{path}/{what}"));
    }
    let members = format!("/groups/{}/members", of.id("/groups"));
    table.reads("/groups/{id}/members", &members);
    table.posts("/groups/{id}/members", &members, json!({ "member": "service:cron" }));
    table.deletes("/groups/{id}/members/{membership_id}", format!("{members}/{}", of.membership));
    let ou = of.id("/ous");
    table.posts("/ous/{id}/move", format!("/ous/{ou}/move"), json!({ "to_ou_id": of.production }));
    let rotate = format!("/credentials/{}/rotate", of.id("/credentials"));
    table.posts("/credentials/{id}/rotate", rotate, None);
    table.posts("/mcp-deployments/{id}/destroy", format!("/mcp-deployments/{}/destroy", of.deployment), None);
    let state = format!("/sync/Agent/{}", of.clerk);
    table.reads("/sync/{kind}/{id}", &state);
    table.posts("/sync/{kind}/{id}/reset", format!("{state}/reset"), None);
    // Of a program: everybody may have one for themselves.
    let mut wanted = json!({ "name": "ci", "scopes": ["agent:read"], "lifetime_seconds": 3600 });
    wanted["principal"] = json!("service:ci");
    table.posts("/tokens", "/tokens", wanted);
    table.reads("/tokens/{id}", format!("/tokens/{}", of.token));
    table.deletes("/tokens/{id}", format!("/tokens/{}", of.token));
}

fn sessions(table: &mut Table, of: &Fixtures) {
    let one = format!("/sessions/{}", of.session);
    table.posts("/agents/{id}/invoke", format!("/agents/{}/invoke", of.clerk), json!({ "prompt": "Hello" }));
    table.reads("/sessions/{id}", &one);
    table.reads("/sessions/{id}/events", format!("{one}/events"));
    table.row(STREAM, format!("{one}/stream"), None, Does::Reads);
    table.aside("/sessions/{id}/ticket", format!("{one}/ticket"), None, TICKET);
    table.posts("/sessions/{id}/cancel", format!("{one}/cancel"), None);
}

fn approvals(table: &mut Table, of: &Fixtures) {
    let at = |index: usize| format!("/approvals/{}", of.requests[index]["id"].as_str().unwrap());
    let vote = json!({ "ballot": "reject", "payload_hash": of.requests[0]["payload_hash"] });
    table.reads("/approvals/{id}", at(0));
    table.reads("/approvals/{id}/change", at(0) + "/change");
    table.posts("/approvals/{id}/votes", at(0) + "/votes", vote);
    table.posts("/approvals/{id}/cancel", at(1) + "/cancel", json!({ "reason": "not needed" }));
    let why = json!({ "justification": "production is down" });
    table.posts("/approvals/{id}/break-glass", at(2) + "/break-glass", why);
    table.posts("/approvals/cancel", "/approvals/cancel", json!({ "resource_kind": "Agent" }));
    let consent = json!({
        "ou_id": of.production, "verbs": ["agent.create"], "uses": 1, "expires_at": of.an_hour_ahead,
    });
    table.posts("/consents", "/consents", consent);
    table.deletes("/consents/{id}", format!("/consents/{}", of.consent));
}

fn questions(table: &mut Table, of: &Fixtures) {
    let (admin, ou) = (format!("user:{}", of.admin), &of.root);
    let about = json!({ "permission": "agent:read", "principal": admin, "ou_id": ou });
    for question in ["check", "explain", "history"] {
        table.aside(&format!("/authz/{question}"), format!("/authz/{question}"), about.clone(), QUESTION);
    }
    let who = json!({ "permission": "agent:read", "ou_id": ou });
    table.aside("/authz/who-can", "/authz/who-can", who, QUESTION);
    let what = json!({ "principal": admin, "ou_id": ou });
    table.aside("/authz/what-can", "/authz/what-can", what, QUESTION);
    let change = json!({ "v": 1, "action": "archive", "target": { "kind": "RoleBinding", "id": of.id("/role-bindings") } });
    table.aside("/authz/what-if", "/authz/what-if", json!({ "mutations": [change] }), QUESTION);
}

fn manifests(table: &mut Table, of: &Fixtures) {
    let text = "{kind: OU, metadata: {name: planned, ou_path: /acme}}";
    let documents = json!({ "documents": [{ "name": "test.yaml", "text": text }] });
    table.reads("/manifests/export", "/manifests/export");
    table.reads("/manifests/schema", "/manifests/schema");
    table.aside("/manifests/plan", "/manifests/plan", documents, QUESTION);
    table.posts("/manifests/apply", "/manifests/apply", json!({ "plan": of.plan }));
    table.posts("/manifests/submit", "/manifests/submit", json!({ "plan": of.held_plan }));
}

/// At the end, and what refers to others first.
fn archives(table: &mut Table, of: &Fixtures) {
    table.deletes("/resources/{kind}/{id}", format!("/resources/OU/{}", of.spare));
    for sample in of.samples.iter().rev() {
        table.deletes(&format!("{}/{{id}}", sample.path), format!("{}/{}", sample.path, sample.id));
    }
}

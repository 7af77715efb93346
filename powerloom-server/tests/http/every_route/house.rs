//! An organization with one of everything, so that each operation has something to be about.

use crate::every_route::rows::{Row, rows};
use crate::samples::{Sample, id};
use crate::sessions::stage::Stage;
use crate::sessions::wire::{Head, Wire, good};
use crate::world::{Answer, World};
use powerloom_core::audit::AuditEntry;
use powerloom_core::audit::signer::Ed25519Signer;
use powerloom_core::clock::{Clock, ManualClock, SystemClock};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::secret::MemoryKeys;
use powerloom_server::Checkpoints;
use powerloom_store::anchor::FileAnchor;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

/// The session's stream: opened by a ticket, or here by a bearer too, with a handshake. What holds for its ticket is tested where
/// sessions are.
pub(crate) const STREAM: &str = "GET /sessions/{id}/stream";

/// An organization with one of everything.
pub(crate) struct House {
    pub(crate) stage: Stage,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) rows: Vec<Row>,
    /// What master keys wrap secrets; one that was rotated leaves something to do.
    pub(crate) master: Arc<MemoryKeys>,
    /// Where checkpoints are kept.
    pub(crate) anchor: TempDir,
}

/// What the rows are about.
pub(crate) struct Fixtures {
    pub(crate) samples: Vec<Sample>,
    pub(crate) root: String,
    pub(crate) admin: String,
    /// An agent on the runtime.
    pub(crate) clerk: String,
    /// Another OU, for the generic routes.
    pub(crate) spare: String,
    pub(crate) deployment: String,
    pub(crate) membership: String,
    pub(crate) version: String,
    pub(crate) token: String,
    pub(crate) consent: String,
    /// Requests of somebody else: `id` and `payload_hash`.
    pub(crate) requests: Vec<Value>,
    /// Where new agents wait for approval.
    pub(crate) production: String,
    pub(crate) session: SessionId,
    /// A plan of an OU, which nothing holds back.
    pub(crate) plan: Value,
    /// A plan that waits for approval.
    pub(crate) held_plan: Value,
    pub(crate) an_hour_ahead: Value,
}

impl Fixtures {
    pub(crate) fn id(&self, path: &str) -> &str {
        id(&self.samples, path)
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let master = Arc::new(MemoryKeys::generate(&SystemEntropy));
        let anchor = tempfile::tempdir().unwrap();
        let signer = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32]).unwrap());
        let checkpoints = Checkpoints::new(signer, Arc::new(FileAnchor::new(anchor.path()))).unwrap();
        let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap())
            .clock(clock.clone())
            .keys(master.clone())
            .build();
        let stage = Stage::over(loom, |mut config| {
            // One person asks more here than anybody should.
            config.bounds.requests_per_second = None;
            config.checkpoints(checkpoints).viewers()
        })
        .await;
        let rows = rows(&furnish(&stage, &clock).await);
        Self { stage, clock, rows, master, anchor }
    }

    pub(crate) fn world(&self) -> &World {
        &self.stage.world
    }

    /// As somebody with this token.
    pub(crate) async fn ask(&self, token: &str, row: &Row) -> Answer {
        self.world().as_of(token, row.method(), &row.path, row.body.clone()).await
    }

    /// The rows but the stream's, which takes a handshake.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.operation != STREAM)
    }

    /// Shakes hands for a session's stream, as somebody with this token.
    pub(crate) async fn watch(&self, token: &str, path: &str) -> Head {
        let mut headers = good();
        headers.push(("authorization", format!("Bearer {token}")));
        Wire::shake(&self.stage, path, &headers).await.1
    }

    /// The row of the stream.
    pub(crate) fn stream(&self) -> &Row {
        self.rows.iter().find(|row| row.operation == STREAM).unwrap()
    }

    /// What would be other if anything had changed: the heads of both trails, all documents, sessions, requests and tokens.
    pub(crate) async fn print(&self) -> Vec<String> {
        let world = self.world();
        let mut print = Vec::new();
        for org in [world.acme.id, world.other.id] {
            print.push(format!("{:?}", world.loom.store().audit_head(org).await.unwrap()));
        }
        for path in [
            "/manifests/export",
            "/sessions",
            "/approvals?view=all",
            "/tokens?revoked=true",
            "/consents",
            "/sync",
        ] {
            print.push(world.get(path).await.expect(200).text);
        }
        print
    }

    /// The rows of a trail behind this place.
    pub(crate) async fn trail_behind(&self, org: OrgId, seq: u64) -> Vec<AuditEntry> {
        self.world().loom.store().audit_rows(org, seq, 100).await.unwrap()
    }
}

async fn furnish(stage: &Stage, clock: &ManualClock) -> Fixtures {
    let w = &stage.world;
    let root = w.acme.root_ou;
    let made = async |path: &str, body: Value| w.post(path, body).await.expect(201);
    let ou = async |name: &str| made("/ous", json!({ "ou_id": root, "name": name })).await.id().to_owned();
    let session = stage.running().await;
    let samples = w.everything().await;
    let (spare, production, staging) = (ou("spare").await, ou("production").await, ou("staging").await);
    let deployment = json!({ "ou_id": root, "name": "echo-spare", "template_kind": "echo" });
    let deployment = made("/mcp-deployments", deployment).await.id().to_owned();
    let members = format!("/groups/{}/members", id(&samples, "/groups"));
    let membership = made(&members, json!({ "member": "service:spare" })).await.id().to_owned();
    let version = w.publish(id(&samples, "/skills"), "python-lint", "One.").await.expect(201).id().to_owned();
    let token = json!({ "name": "spare", "scopes": ["agent:read"], "lifetime_seconds": 3600 });
    let token = made("/tokens", token).await.id().to_owned();

    // Somebody else asks for agents in production, and the administrator is one of those who decide.
    let (builder, as_builder) = w.person("builder@acme.com", &["AgentBuilder"]).await;
    let (_, _) = w.person("approver@acme.com", &["Approver"]).await;
    let bind = |ou: &str, user: String, role: &str| json!({ "ou_id": ou, "principal": user, "role": role });
    made("/role-bindings", bind(&production, format!("user:{builder}"), "OUAdmin")).await;
    made("/role-bindings", bind(&root.to_string(), format!("user:{}", w.acme.admin), "Approver")).await;
    for (ou, kind) in [(&production, "Agent"), (&staging, "Skill")] {
        let policy = json!({
            "name": "two-eyes", "ou_id": ou, "approvers": ["role:Approver"],
            "match": { "resource_kinds": [kind], "actions": ["create"] },
        });
        made("/approval-policies", policy).await;
    }
    let mut requests = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let agent = json!({
            "name": name, "ou_id": production, "model": "claude-sonnet-4-6", "agent_kind": "user",
            "owner_principal_ref": "user:builder@acme.com",
        });
        let waiting = w.as_of(&as_builder, reqwest::Method::POST, "/agents", Some(agent)).await.expect(202);
        requests.push(w.get(waiting.body["inbox"].as_str().unwrap()).await.expect(200).body);
    }
    let an_hour_ahead = json!(clock.now() + std::time::Duration::from_secs(3600));
    let consent = json!({
        "ou_id": production, "verbs": ["agent.create"], "uses": 1, "expires_at": an_hour_ahead,
    });
    let consent = made("/consents", consent).await.id().to_owned();
    let planned = async |text: &str| {
        let body = json!({ "documents": [{ "name": "test.yaml", "text": text }] });
        w.post("/manifests/plan", body).await.expect(200).body["plan"].clone()
    };
    let plan = planned("{kind: OU, metadata: {name: ops, ou_path: /acme}}").await;
    let held_plan = planned("{kind: Skill, metadata: {name: held, ou_path: /acme/staging}}").await;
    Fixtures {
        samples,
        root: root.to_string(),
        admin: w.acme.admin.to_string(),
        clerk: stage.agent.clone(),
        spare,
        deployment,
        membership,
        version,
        token,
        consent,
        requests,
        production,
        session,
        plan,
        held_plan,
        an_hour_ahead,
    }
}

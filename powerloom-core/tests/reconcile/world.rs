//! A control plane, a fake runtime and a loop between them.

use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Timestamp, TokioClock};
use powerloom_core::conformance::fake_runtime::FakeRuntime;
use powerloom_core::control_plane::{ControlPlane, ControlPlaneBuilder};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::{Action, UploadedFile};
use powerloom_core::entropy::{SeededEntropy, SystemEntropy};
use powerloom_core::id::ResourceId;
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::report::TickReport;
use powerloom_core::reconcile::runner::{ReconcilerLoop, ReconcilerLoopBuilder};
use powerloom_core::reconcile::state::{SyncState, SyncStatus};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::MemoryKeys;
use powerloom_core::store::Store;
use powerloom_store::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct World {
    pub(crate) cp: ControlPlane,
    pub(crate) runtime: Arc<FakeRuntime>,
    pub(crate) reconciler: ReconcilerLoop,
    pub(crate) org: Organization,
    pub(crate) admin: Caller,
    pub(crate) environment: ResourceKey,
}

pub(crate) fn kind(name: &str) -> KindName {
    name.parse().unwrap()
}

pub(crate) async fn world() -> World {
    world_with(Arc::new(MemoryStore::new()), |cp| cp, |reconciler| reconciler).await
}

pub(crate) async fn world_with(
    store: Arc<dyn Store>,
    plane: impl FnOnce(ControlPlaneBuilder) -> ControlPlaneBuilder,
    reconciler: impl FnOnce(ReconcilerLoopBuilder) -> ReconcilerLoopBuilder,
) -> World {
    let start = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let builder = ControlPlane::builder(store)
        .clock(Arc::new(TokioClock::starting_at(start)))
        .entropy(Arc::new(SeededEntropy::new(7)))
        .keys(Arc::new(MemoryKeys::generate(&SystemEntropy)));
    let cp = plane(builder).build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let runtime = Arc::new(FakeRuntime::default());
    let reconciler = reconciler(ReconcilerLoop::builder(&cp, runtime.clone())).build();
    let environment = environment_of(&cp, &org).await;
    World { admin: org.admin_caller(), cp, runtime, reconciler, org, environment }
}

pub(crate) async fn environment_of(cp: &ControlPlane, org: &Organization) -> ResourceKey {
    let unique = format!("{}/default", org.root_ou);
    cp.store().record_by_unique_key(org.id, &kind("Environment"), &unique).await.unwrap().unwrap().key()
}

pub(crate) fn options(change: impl FnOnce(&mut ReconcileOptions)) -> ReconcileOptions {
    let mut options = ReconcileOptions::default();
    change(&mut options);
    options
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

impl World {
    pub(crate) async fn submit(&self, action: Action) -> RecordRow {
        self.cp.submit(&self.admin, action).await.unwrap().record().unwrap().clone()
    }

    pub(crate) async fn create(&self, of: &str, name: Option<&str>, spec: Value) -> RecordRow {
        let ou = name.map(|_| self.org.root_ou);
        let (kind, name) = (kind(of), name.map(str::to_owned));
        self.submit(Action::Create { kind, ou, name, spec: spec.as_object().cloned().unwrap() }).await
    }

    pub(crate) async fn environment(&self, name: &str) -> ResourceKey {
        self.create("Environment", Some(name), json!({})).await.key()
    }

    pub(crate) async fn agent(
        &self,
        name: &str,
        skills: &[ResourceId],
        servers: &[ResourceId],
    ) -> ResourceKey {
        let skills: Vec<Value> = skills.iter().map(|skill| json!({ "skill": skill })).collect();
        let spec = json!({
            "model": "claude-sonnet-4-6",
            "agent_kind": "user",
            "owner": self.admin.principal.to_string(),
            "skills": skills,
            "mcp_servers": servers,
        });
        self.create("Agent", Some(name), spec).await.key()
    }

    pub(crate) async fn skill(&self, name: &str) -> ResourceId {
        self.create("Skill", Some(name), json!({})).await.meta.id
    }

    pub(crate) async fn publish(&self, skill: ResourceId, name: &str, body: &str) -> ResourceKey {
        let text = format!("---\nname: {name}\ndescription: Lints.\n---\n{body}\n");
        let content = text.into_bytes();
        let files = vec![UploadedFile { path: "SKILL.md".to_owned(), executable: false, content }];
        self.submit(Action::PublishSkillVersion { skill, files }).await.key()
    }

    pub(crate) async fn server(&self, name: &str) -> ResourceId {
        let spec = json!({ "url": format!("https://{name}.example.com/mcp") });
        self.create("MCPServerRegistration", Some(name), spec).await.meta.id
    }

    pub(crate) async fn credential(&self, agent: &ResourceKey, server: ResourceId) -> RecordRow {
        self.create("Credential", None, json!({ "agent": agent.id, "mcp_server": server })).await
    }

    pub(crate) async fn update(&self, key: &ResourceKey, patch: Value) {
        let patch = patch.as_object().cloned().unwrap();
        self.submit(Action::Update { target: key.clone(), expect: None, patch }).await;
    }

    pub(crate) async fn archive(&self, key: &ResourceKey) {
        self.submit(Action::Archive { target: key.clone(), expect: None }).await;
    }

    pub(crate) async fn tick(&self) -> TickReport {
        self.reconciler.tick().await.unwrap()
    }

    pub(crate) async fn settle(&self) {
        let left = self.reconciler.until_settled(Duration::from_secs(3600)).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }

    pub(crate) async fn state(&self, key: &ResourceKey) -> SyncState {
        self.cp.store().sync_state(self.org.id, key).await.unwrap().unwrap()
    }

    pub(crate) async fn status(&self, key: &ResourceKey) -> SyncStatus {
        self.state(key).await.status(self.cp.clock().now())
    }

    pub(crate) async fn is_synced(&self, key: &ResourceKey) -> bool {
        self.status(key).await == SyncStatus::Synced
    }

    pub(crate) async fn row(&self, key: &ResourceKey) -> RecordRow {
        self.cp.store().record(self.org.id, key).await.unwrap().unwrap()
    }

    pub(crate) async fn verify(&self) {
        self.cp.verify_audit(&self.admin, None).await.unwrap().expect("the chain is whole");
    }
}

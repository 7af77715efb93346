//! An organization to act in.

use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{ManualClock, Timestamp};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::gate::Gate;
use powerloom_core::door::mutation::{Action, UploadedFile};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::entropy::{SeededEntropy, SystemEntropy};
use powerloom_core::error::{Error, Result};
use powerloom_core::id::ResourceId;
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::MemoryKeys;
use powerloom_core::store::Store;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) struct World {
    pub(crate) cp: ControlPlane,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) org: Organization,
    pub(crate) admin: Caller,
    pub(crate) keys: Arc<MemoryKeys>,
    _folder: Box<dyn std::any::Any + Send>,
}

pub(crate) async fn world() -> World {
    build(|builder| builder).await
}

pub(crate) async fn gated(gate: Arc<dyn Gate>) -> World {
    build(|builder| builder.gate(gate)).await
}

pub(crate) async fn build(
    with: impl FnOnce(
        powerloom_core::control_plane::ControlPlaneBuilder,
    ) -> powerloom_core::control_plane::ControlPlaneBuilder,
) -> World {
    let (store, folder) = crate::backend::fresh().await;
    on(store, folder, with).await
}

/// An organization over this store.
pub(crate) async fn on(
    store: Arc<dyn Store>,
    folder: Box<dyn std::any::Any + Send>,
    with: impl FnOnce(
        powerloom_core::control_plane::ControlPlaneBuilder,
    ) -> powerloom_core::control_plane::ControlPlaneBuilder,
) -> World {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
    let keys = Arc::new(MemoryKeys::generate(&SystemEntropy));
    let builder = ControlPlane::builder(store)
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(42)))
        .keys(keys.clone());
    let cp = with(builder).build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let admin = org.admin_caller();
    World { cp, clock, org, admin, keys, _folder: folder }
}

pub(crate) fn kind(name: &str) -> KindName {
    name.parse().unwrap()
}

/// The issuer and audience of every test's tokens.
pub(crate) const LOOM: &str = "https://loom.acme.com";

impl World {
    /// Tokens of this control plane, signed with a key of their own.
    pub(crate) fn tokens(&self) -> TokenService {
        let keys = KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap());
        let keys = Arc::new(MemorySigningKeys::new(keys));
        TokenService::new(&self.cp, keys, TokenOptions::new(LOOM, LOOM)).unwrap()
    }

    /// Everything a thief of the store would have, as far as it lies in files.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let Some(folder) = self._folder.downcast_ref::<tempfile::TempDir>() else { return Vec::new() };
        let files = std::fs::read_dir(folder.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    pub(crate) fn root(&self) -> ResourceId {
        self.org.root_ou
    }

    pub(crate) async fn try_create(
        &self,
        caller: &Caller,
        of: &str,
        ou: Option<ResourceId>,
        name: Option<&str>,
        spec: Value,
    ) -> Result<Outcome> {
        let spec = spec.as_object().cloned().unwrap();
        let name = name.map(str::to_owned);
        self.cp.submit(caller, Action::Create { kind: kind(of), ou, name, spec }).await
    }

    /// Declares something whose OU and name follow from the spec, as the admin.
    pub(crate) async fn derive(&self, of: &str, spec: Value) -> RecordRow {
        self.try_create(&self.admin, of, None, None, spec).await.unwrap().record().unwrap().clone()
    }

    /// A custom role of the root.
    pub(crate) async fn role(&self, name: &str, permissions: &[&str]) -> String {
        let role = self.create("Role", self.root(), name, json!({ "permissions": permissions })).await;
        format!("role:{}", role.meta.id)
    }

    /// Somebody at home in `home` who holds these permissions at the root.
    pub(crate) async fn holder(
        &self,
        home: ResourceId,
        name: &str,
        permissions: &[&str],
    ) -> (ResourceId, Caller) {
        let (id, caller) = self.user(home, &format!("{name}@acme.com")).await;
        let role = self.role(name, permissions).await;
        self.bind(format!("user:{id}"), &role, self.root()).await;
        (id, caller)
    }

    /// Declares something as the admin.
    pub(crate) async fn create(&self, of: &str, ou: ResourceId, name: &str, spec: Value) -> RecordRow {
        let outcome = self.try_create(&self.admin, of, Some(ou), Some(name), spec).await.unwrap();
        outcome.record().unwrap().clone()
    }

    pub(crate) async fn ou(&self, parent: ResourceId, name: &str) -> ResourceId {
        self.create("OU", parent, name, json!({})).await.meta.id
    }

    pub(crate) async fn user(&self, ou: ResourceId, email: &str) -> (ResourceId, Caller) {
        let outcome =
            self.try_create(&self.admin, "User", Some(ou), None, json!({ "email": email })).await.unwrap();
        let id = outcome.record().unwrap().meta.id;
        (id, Caller::user(self.org.id, id))
    }

    pub(crate) async fn try_bind(
        &self,
        caller: &Caller,
        principal: impl ToString,
        role: &str,
        scope: ResourceId,
        effect: &str,
    ) -> Result<RecordRow> {
        let spec = json!({ "principal": principal.to_string(), "role": role, "effect": effect });
        let outcome = self.try_create(caller, "RoleBinding", Some(scope), None, spec).await?;
        Ok(outcome.record().unwrap().clone())
    }

    pub(crate) async fn bind(&self, principal: impl ToString, role: &str, scope: ResourceId) -> RecordRow {
        self.try_bind(&self.admin, principal, role, scope, "allow").await.unwrap()
    }

    pub(crate) async fn agent(&self, ou: ResourceId, name: &str) -> RecordRow {
        self.create("Agent", ou, name, self.agent_spec()).await
    }

    pub(crate) fn agent_spec(&self) -> Value {
        json!({
            "model": "claude-sonnet-4-6",
            "system_prompt": "Be concise.",
            "agent_kind": "user",
            "owner": self.admin.principal.to_string(),
        })
    }

    pub(crate) async fn server(&self, ou: ResourceId, name: &str) -> RecordRow {
        self.create(
            "MCPServerRegistration",
            ou,
            name,
            json!({ "url": format!("https://{name}.example.com/mcp") }),
        )
        .await
    }

    pub(crate) async fn update(&self, caller: &Caller, row: &RecordRow, patch: Value) -> Result<Outcome> {
        let patch = patch.as_object().cloned().unwrap();
        self.cp.submit(caller, Action::Update { target: row.key(), expect: None, patch }).await
    }

    pub(crate) async fn archive(&self, caller: &Caller, key: &ResourceKey) -> Result<Outcome> {
        self.cp.submit(caller, Action::Archive { target: key.clone(), expect: None }).await
    }

    pub(crate) async fn row(&self, key: &ResourceKey) -> RecordRow {
        self.cp.store().record(self.org.id, key).await.unwrap().unwrap()
    }

    pub(crate) async fn desired(&self, key: &ResourceKey) -> String {
        self.cp.store().sync_state(self.org.id, key).await.unwrap().unwrap().desired.to_string()
    }

    /// The verbs of the audit trail with who did them and what was decided, oldest first.
    pub(crate) async fn trail(&self) -> Vec<(String, String, String)> {
        let rows = self.cp.store().audit_rows(self.org.id, 0, 1000).await.unwrap();
        rows.into_iter()
            .map(|entry| (entry.row.actor, entry.row.verb, entry.row.decision.as_str().to_owned()))
            .collect()
    }

    pub(crate) async fn verify(&self) -> u64 {
        self.cp.verify_audit(&self.admin, None).await.unwrap().expect("the chain is whole").count
    }
}

pub(crate) fn code(result: Result<Outcome>) -> String {
    match result {
        Ok(outcome) => panic!("it was not refused: {outcome:?}"),
        Err(error) => error.code().to_owned(),
    }
}

pub(crate) fn denied(result: Result<Outcome>) -> String {
    match result {
        Err(error @ Error::Denied(_)) => error.to_string(),
        other => panic!("it was not denied: {other:?}"),
    }
}

pub(crate) fn skill_files(name: &str, body: &str) -> Vec<UploadedFile> {
    let text = format!("---\nname: {name}\ndescription: Lint Python files.\n---\n{body}\n");
    vec![UploadedFile { path: "SKILL.md".to_owned(), executable: false, content: text.into_bytes() }]
}

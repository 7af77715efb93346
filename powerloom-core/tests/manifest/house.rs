//! An organization behind the real door: a control plane over a store in memory.

use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::gate::Gate;
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::manifest::{
    ApplyOptions, Document, ParseMode, Plan, PlanError, Report, SetOptions, Through, apply, parse,
};
use powerloom_core::record::RecordRow;
use powerloom_core::secret::MemoryKeys;
use powerloom_core::store::RecordQuery;
use serde_json::Value;
use std::sync::Arc;

pub struct House {
    pub cp: ControlPlane,
    pub admin: Caller,
}

impl House {
    pub async fn new() -> Self {
        Self::build(None).await
    }

    pub async fn gated(gate: Arc<dyn Gate>) -> Self {
        Self::build(Some(gate)).await
    }

    async fn build(gate: Option<Arc<dyn Gate>>) -> Self {
        let store = powerloom_store::open("memory:").await.unwrap();
        let mut builder = ControlPlane::builder(store).keys(Arc::new(MemoryKeys::generate(&SystemEntropy)));
        if let Some(gate) = gate {
            builder = builder.gate(gate);
        }
        let cp = builder.build();
        let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        Self { admin: org.admin_caller(), cp }
    }

    pub fn documents(&self, text: &str) -> Vec<Document> {
        let parsed = parse("test.yaml", text, ParseMode::Lenient, self.cp.catalogue());
        parsed.unwrap_or_else(|errors| panic!("{errors}")).documents
    }

    pub async fn try_plan(&self, caller: &Caller, text: &str) -> Result<Plan, PlanError> {
        Through::new(&self.cp, caller).plan(self.documents(text)).await
    }

    pub async fn plan(&self, text: &str) -> Plan {
        self.try_plan(&self.admin, text).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn plan_set(&self, text: &str, options: &SetOptions) -> Plan {
        let through = Through::new(&self.cp, &self.admin);
        through.plan_set(self.documents(text), options).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn apply(&self, plan: &Plan, options: ApplyOptions) -> Report {
        apply(plan, &Through::new(&self.cp, &self.admin), options).await
    }

    /// Applies; everything must succeed.
    pub async fn done(&self, plan: &Plan) -> Report {
        let report = self.apply(plan, ApplyOptions::default()).await;
        assert!(report.is_complete(), "{report}");
        report
    }

    /// Plans and applies; everything must succeed, and a second time nothing is to be done.
    pub async fn declare(&self, text: &str) {
        self.done(&self.plan(text).await).await;
        let again = self.plan(text).await;
        assert!(again.is_noop(), "{again}");
    }

    pub async fn rows(&self) -> Vec<RecordRow> {
        let query = RecordQuery { archived: true, ..RecordQuery::default() };
        self.cp.store().list_records(self.admin.org, &query).await.unwrap()
    }

    /// The live record of a kind with this name.
    pub async fn row(&self, kind: &str, name: &str) -> RecordRow {
        let mut rows = self.rows().await.into_iter();
        rows.find(|row| row.kind.as_str() == kind && row.meta.name == name && row.is_live()).expect(name)
    }

    /// Changes a record by hand, as somebody does who knows nothing of manifests.
    pub async fn change(&self, row: &RecordRow, patch: Value) {
        let patch = patch.as_object().cloned().unwrap();
        let update = Action::Update { target: row.key(), expect: None, patch };
        self.cp.submit(&self.admin, update).await.unwrap();
    }

    /// Somebody at home in the root with these permissions there.
    pub async fn holder(&self, name: &str, permissions: &str) -> Caller {
        self.declare(&format!(
            "{{kind: User, metadata: {{email: {name}@acme.com, ou_path: /acme}}}}\n---\n\
             {{kind: Role, metadata: {{name: {name}, ou_path: /acme}}, spec: {{permissions: [{permissions}]}}}}\n---\n\
             {{kind: RoleBinding, metadata: {{ou_path: /acme}}, spec: {{principal_ref: 'user:{name}@acme.com', role: {name}}}}}"
        ))
        .await;
        Caller::user(self.admin.org, self.row("User", &format!("{name}@acme.com")).await.meta.id)
    }
}

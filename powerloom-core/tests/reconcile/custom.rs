//! A kind of an embedder's own, with a reconciler of its own.

use crate::world::{kind, world_with};
use async_trait::async_trait;
use powerloom_core::permission::Permission;
use powerloom_core::reconcile::reconciler::{Reconciler, Work};
use powerloom_core::reconcile::state::{RemoteRef, SyncStatus};
use powerloom_core::record::{KindName, Record, Schema};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{
    Declared, Home, KindPermissions, ProjectError, Projection, Related, Rules,
};
use powerloom_core::runtime::{Payload, RuntimeResult};
use powerloom_store::MemoryStore;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Dashboard;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DashboardSpec {
    title: String,
}

impl Schema for Dashboard {
    const KIND: KindName = KindName::known("Dashboard");
    type Spec = DashboardSpec;
    type Status = ();
}

impl Declared for Dashboard {
    const FIELDS: &'static [Field] = &[Field::new("title", Form::Text { min: 1, max: 80 }).required()];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 90;
    const ON_RUNTIME: bool = true;

    fn project(record: &Record<Self>, _: &Related) -> Result<Option<Projection>, ProjectError> {
        let payload = Payload::Custom(json!({ "title": record.spec.title }));
        Ok(Some(Projection { payload, depends_on: Vec::new() }))
    }
}

#[derive(Debug, Default)]
struct Dashboards(Mutex<BTreeMap<String, Payload>>);

#[async_trait]
impl Reconciler for Dashboards {
    async fn reconcile(&self, work: &Work) -> RuntimeResult<RemoteRef> {
        let id = work.record.meta.name.clone();
        self.0.lock().unwrap().insert(id.clone(), work.push.payload.clone());
        Ok(RemoteRef { id, version: None, parent: None })
    }
    async fn observe(&self, work: &Work) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        let remote = work.push.remote.clone().unwrap();
        Ok(self.0.lock().unwrap().get(&remote.id).map(|payload| (payload.clone(), remote)))
    }
    async fn remove(&self, work: &Work) -> RuntimeResult<()> {
        self.0.lock().unwrap().remove(&work.record.meta.name);
        Ok(())
    }
}

/// Architecture 5: declared, pushed, kept, removed like any other kind.
#[tokio::test(start_paused = true)]
async fn a_kind_of_ones_own_converges_heals_and_leaves_through_its_own_reconciler() {
    let dashboards = Arc::new(Dashboards::default());
    let own = dashboards.clone();
    let w = world_with(
        Arc::new(MemoryStore::new()),
        |cp| cp.kind(Arc::new(Rules::<Dashboard>::default())).unwrap(),
        |reconciler| reconciler.custom(kind("Dashboard"), own),
    )
    .await;
    let key = w.create("Dashboard", Some("costs"), json!({ "title": "Costs" })).await.key();
    w.settle().await;
    assert_eq!(dashboards.0.lock().unwrap()["costs"], Payload::Custom(json!({ "title": "Costs" })));
    dashboards.0.lock().unwrap().clear();
    assert_eq!(w.reconciler.sweep().await.unwrap().drifted, 1);
    w.settle().await;
    assert_eq!(dashboards.0.lock().unwrap().len(), 1);
    w.archive(&key).await;
    w.settle().await;
    assert!(dashboards.0.lock().unwrap().is_empty());
    assert!(!w.runtime.calls().iter().any(|call| call.key == key));
}

#[tokio::test(start_paused = true)]
async fn a_kind_nobody_here_can_make_real_is_left_to_other_loops() {
    let w = world_with(
        Arc::new(MemoryStore::new()),
        |cp| cp.kind(Arc::new(Rules::<Dashboard>::default())).unwrap(),
        |reconciler| reconciler,
    )
    .await;
    let key = w.create("Dashboard", Some("costs"), json!({ "title": "Costs" })).await.key();
    let left = w.reconciler.until_settled(std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!((left.len(), w.state(&key).await.fence), (1, 0));
    assert_eq!(w.status(&key).await, SyncStatus::Pending);
}

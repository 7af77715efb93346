//! A kind of the embedder's own gets the governance for free (architecture 5).

use crate::world::kind;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use powerloom_core::invalid::Invalid;
use powerloom_core::permission::Permission;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::{KindName, Record, Schema};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{
    Declared, Home, KindPermissions, ProjectError, Projection, Related, Rules,
};
use powerloom_core::runtime::Payload;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

#[derive(Debug)]
struct Queue;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueSpec {
    depth: u32,
}

impl Schema for Queue {
    const KIND: KindName = KindName::known("Queue");
    type Spec = QueueSpec;
    type Status = ();
}

impl Declared for Queue {
    const FIELDS: &'static [Field] = &[Field::new("depth", Form::Integer { min: 1, max: 100 }).required()];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 90;
    const ON_RUNTIME: bool = true;

    fn validate(spec: &QueueSpec) -> Result<(), Invalid> {
        if spec.depth == 13 { Err(Invalid::new("depth", 13, "a lucky number")) } else { Ok(()) }
    }

    fn project(record: &Record<Self>, _: &Related) -> Result<Option<Projection>, ProjectError> {
        let payload = Payload::Custom(json!({ "depth": record.spec.depth }));
        Ok(Some(Projection { payload, depends_on: vec![] }))
    }
}

#[tokio::test]
async fn a_kind_of_ones_own_is_declared_governed_audited_and_dirty() {
    let (store, _folder) = crate::backend::fresh().await;
    let cp = ControlPlane::builder(store).kind(Arc::new(Rules::<Queue>::default())).unwrap().build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let create = |depth: u32| Action::Create {
        kind: kind("Queue"),
        ou: Some(org.root_ou),
        name: Some("jobs".to_owned()),
        spec: json!({ "depth": depth }).as_object().cloned().unwrap(),
    };
    for refused in [0, 101, 13] {
        let error = cp.submit(&org.admin_caller(), create(refused)).await.unwrap_err();
        assert!(error.to_string().contains("depth"), "{error}");
    }
    let made = cp.submit(&org.admin_caller(), create(7)).await.unwrap().record().unwrap().clone();
    assert_eq!(cp.sync_state(&org.admin_caller(), &made.key()).await.unwrap().1, SyncStatus::Pending);
    let taken = ControlPlane::builder(cp.store().clone()).kind(Arc::new(Rules::<Queue>::default())).unwrap();
    assert!(taken.kind(Arc::new(Rules::<Queue>::default())).is_err());
}

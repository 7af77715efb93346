//! What does a governed change cost: validated, authorized, held against a hundred policies, written with its audit row?
//!
//! A user's display name is changed through the door, on the store in memory; 100 policies stand in its OU and around it, of
//! which none is about it, and some need a look at the change to know. The limit is the store alone: the same row and an
//! audit row of the same size, committed by hand.
//!
//! `cargo bench --package powerloom-benches --bench door`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::audit::{AuditDecision, AuditDraft, Change};
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::store::{AuditWrite, Commit, Precondition, Write};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CHANGES: u32 = 2_000;
const POLICIES: usize = 100;

struct House {
    runtime: tokio::runtime::Runtime,
    loom: ControlPlane,
    acme: Organization,
    user: RecordRow,
}

impl House {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (loom, acme, user) = runtime.block_on(async {
            let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
            let acme = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
            let admin = acme.admin_caller();
            let declare = async |kind: &str, ou: ResourceId, name: Option<String>, spec: Value| {
                let spec = spec.as_object().cloned().unwrap();
                let change = Action::Create { kind: kind.parse().unwrap(), ou: Some(ou), name, spec };
                loom.submit(&admin, change).await.unwrap().record().unwrap().clone()
            };
            let ou = declare("OU", acme.root_ou, Some("engineering".into()), json!({})).await.meta.id;
            let user = declare("User", ou, None, json!({ "email": "ada@acme.com" })).await;
            for index in 0..POLICIES {
                let matches = match index % 4 {
                    0 => json!({ "resource_kinds": ["Agent", "Skill"] }),
                    1 => json!({ "actions": ["publish", "archive"] }),
                    2 => json!({ "resource_kinds": ["Role", "RoleBinding"], "condition": "resource.name == 'x'" }),
                    _ => json!({ "ou_depth": "exact", "resource_kinds": ["User"], "actions": ["create"] }),
                };
                let spec = json!({ "match": matches, "approvers": ["role:OrgAdmin"] });
                let place = if index % 2 == 0 { acme.root_ou } else { ou };
                declare("ApprovalPolicy", place, Some(format!("policy-{index}")), spec).await;
            }
            (loom, acme, user)
        });
        Self { runtime, loom, acme, user }
    }

    /// Through the door.
    fn governed(&self) -> Duration {
        let admin = self.acme.admin_caller();
        self.runtime.block_on(async {
            let began = Instant::now();
            for number in 0..CHANGES {
                let patch = json!({ "display_name": format!("Ada {number}") }).as_object().cloned().unwrap();
                let change = Action::Update { target: self.user.key(), expect: None, patch };
                self.loom.submit(&admin, change).await.unwrap();
            }
            began.elapsed()
        })
    }

    /// By hand: the row, its version, the audit row.
    fn bare(&self) -> Duration {
        let store = self.loom.store();
        self.runtime.block_on(async {
            let key: ResourceKey = self.user.key();
            let began = Instant::now();
            for number in 0..CHANGES {
                let row = store.record(self.acme.id, &key).await.unwrap().unwrap();
                let now = self.loom.clock().now();
                let mut next = row.clone();
                next.spec["display_name"] = json!(format!("Eva {number}"));
                next.meta.version += 1;
                let mut commit = Commit::new(self.acme.id, now);
                commit
                    .expect
                    .push(Precondition::RecordVersion { key: key.clone(), version: row.meta.version });
                commit.write.push(Write::PutRecord(Box::new(next)));
                let draft = AuditDraft {
                    ts: now,
                    actor: "user:admin@acme.com".into(),
                    verb: "user.update".into(),
                    resource_kind: "User".into(),
                    resource_id: key.id.to_string(),
                    decision: AuditDecision::Allow,
                    delegated_from_session: None,
                    approval_request_id: None,
                    change: Change {
                        before: json!({ "display_name": "Ada" }),
                        after: json!({ "display_name": "Eva" }),
                        ..Change::default()
                    },
                };
                commit.audit.push(AuditWrite { draft, salt: Some([7; 16]) });
                store.commit(commit).await.unwrap();
            }
            began.elapsed()
        })
    }
}

fn main() {
    if is_listing() {
        return;
    }
    let house = House::new();
    compare("a governed change among 100 policies", CHANGES, &mut || house.bare(), &mut || house.governed());
}

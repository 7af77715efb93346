//! The audit trail over REST (rows P10, M40–M43; sem. 2.9).

mod entries;
mod evidence;
mod refusals;

use crate::world::{Answer, World};
use powerloom_core::audit::AuditEntry;
use powerloom_core::audit::offline::{Given, verify_export};
use powerloom_core::audit::report::EvidenceReport;
use powerloom_core::audit::trust::Trust;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::{OrgId, ResourceId};
use serde_json::json;

pub async fn ou(world: &World, above: ResourceId, name: &str) -> ResourceId {
    let body = json!({ "ou_id": above, "name": name });
    world.post("/ous", body).await.expect(201).id().parse().unwrap()
}

/// Makes OUs without the way over the socket.
pub async fn grow(world: &World, many: usize) {
    let admin = world.acme.admin_caller();
    for n in 0..many {
        let name = format!("ou-{n}").parse().unwrap();
        let create = Action::create("OU".parse().unwrap(), world.acme.root_ou, &name, serde_json::Map::new());
        world.loom.submit(&admin, create).await.unwrap();
    }
}

pub fn seqs(list: &Answer) -> Vec<u64> {
    let items = list.body["items"].as_array().unwrap_or_else(|| panic!("{}", list.text));
    items.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

pub async fn kept(world: &World, org: OrgId) -> Vec<AuditEntry> {
    world.loom.store().audit_rows(org, 0, 1000).await.unwrap()
}

pub fn check(export: &str, trust: Option<Trust>) -> EvidenceReport {
    let mut given = Given::default();
    given.trust = trust;
    verify_export(export.as_bytes(), &given).unwrap()
}

pub fn uuid_of(org: OrgId) -> uuid::Uuid {
    org.as_uuid()
}

pub async fn grow_one(world: &World, n: usize) {
    ou(world, world.acme.root_ou, &format!("late-{n}")).await;
}

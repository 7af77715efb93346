//! The same through the real door: a control plane over a store in memory.

use crate::house::House;
use crate::planning::{BASE, EVERY_KIND};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::manifest::{ApplyOptions, StepResult, Verb};
use powerloom_core::record::{Schema, Stage};
use powerloom_core::resource::agent::Agent;
use powerloom_core::store::{Commit, RecordQuery, Write};
use std::time::Duration;

const EXAMPLES: [&str; 7] = [
    include_str!("../../../examples/manifests/platform.yaml"),
    include_str!("../../../examples/manifests/python-lint.yaml"),
    include_str!("../../../examples/manifests/code-reviewer.yaml"),
    include_str!("../../../examples/manifests/code-reviewer-skills.yaml"),
    include_str!("../../../examples/manifests/pg-analytics.yaml"),
    include_str!("../../../examples/manifests/custom-tools.yaml"),
    include_str!("../../../examples/manifests/pg-writer-credential.yaml"),
];

impl House {
    /// What the reconciler does once the runtime has archived an agent.
    async fn archive_on_the_runtime(&self, name: &str) {
        let store = self.cp.store();
        let query = RecordQuery { kind: Some(Agent::KIND), ..RecordQuery::default() };
        loop {
            let rows = store.list_records(self.admin.org, &query).await.unwrap();
            if let Some(mut row) = rows.into_iter().find(|row| row.meta.name == name && !row.is_live()) {
                row.meta.stage = Stage::Archived;
                row.meta.version += 1;
                let write = vec![Write::PutRecord(Box::new(row))];
                store
                    .commit(Commit { write, ..Commit::new(self.admin.org, self.cp.clock().now()) })
                    .await
                    .unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Rows P20–P29, P49, P56, P61, P63–P65, through the one door.
#[tokio::test]
async fn the_examples_apply_and_a_second_time_change_nothing() {
    let house = House::new().await;
    for text in EXAMPLES {
        house.declare(text).await;
    }
    let whole = EXAMPLES.join("\n---\n");
    assert!(house.plan(&whole).await.is_noop());
    House::new().await.declare(&whole).await;
}

#[tokio::test]
async fn one_of_every_kind_applies_and_a_second_time_changes_nothing() {
    House::new().await.declare(&format!("{BASE}---{EVERY_KIND}")).await;
}

/// Sem. 2.3.7, by the door's own versions.
#[tokio::test]
async fn what_moved_since_the_plan_is_a_version_mismatch_at_the_door() {
    let house = House::new().await;
    house.declare(BASE).await;
    let change = |text: &str| {
        format!("{{kind: Skill, metadata: {{name: lint, ou_path: /acme}}, spec: {{description: {text}}}}}")
    };
    let plan = house.plan(&change("mine")).await;
    house.declare(&change("theirs")).await;
    let report = house.apply(&plan, ApplyOptions::default()).await;
    assert!(
        matches!(report.lines[0].result, StepResult::Failed { kind: ErrorKind::VersionMismatch, .. }),
        "{report}"
    );
}

/// Sem. 2.3.6: archive and create, and what was archived with the old one is made for the new one.
#[tokio::test]
async fn a_replaced_agent_gets_its_credential_anew() {
    let house = House::new().await;
    let set = |kind: &str| {
        format!(
            "{{kind: MCPDeployment, metadata: {{name: pg, ou_path: /acme}}, spec: {{template_kind: echo}}}}\n---\n\
             {{kind: Agent, metadata: {{name: a, ou_path: /acme}}, spec: {{model: m, agent_kind: {kind}, \
             owner_principal_ref: 'user:admin@acme.com'}}}}\n---\n\
             {{kind: Credential, metadata: {{agent_path: /acme/a, mcp_registration_path: pg}}}}"
        )
    };
    house.declare(&set("user")).await;
    let plan = house.plan(&set("service")).await;
    assert_eq!((plan.count(Verb::Replace), plan.count(Verb::Create)), (1, 1), "{plan}");
    let (report, ()) = tokio::join!(
        house.apply(&plan, ApplyOptions::default().allow_replace(true)),
        house.archive_on_the_runtime("a")
    );
    assert!(report.is_complete(), "{report}");
    assert!(house.plan(&set("service")).await.is_noop());
}

/// Without a reconciler the old one keeps its name: the report says what is left to do, and nothing is made twice.
#[tokio::test(start_paused = true)]
async fn a_replacement_waits_only_so_long() {
    let house = House::new().await;
    let set = |kind: &str| {
        format!(
            "{{kind: Agent, metadata: {{name: a, ou_path: /acme}}, spec: {{model: m, agent_kind: {kind}, \
             owner_principal_ref: 'user:admin@acme.com'}}}}"
        )
    };
    house.declare(&set("user")).await;
    let plan = house.plan(&set("service")).await;
    let report = house.apply(&plan, ApplyOptions::default().allow_replace(true)).await;
    assert!(
        matches!(&report.lines[0].result, StepResult::Failed { kind: ErrorKind::Conflict, message } if message.contains("keeps the name")),
        "{report}"
    );
}

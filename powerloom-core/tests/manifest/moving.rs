//! What happens between plan and apply: nothing that moved is overwritten (sem. 2.3.7), at the real door.

use crate::house::House;
use crate::planning::BASE;
use async_trait::async_trait;
use powerloom_core::approval::{ApprovalRequest, Ballot};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::gate::{Gate, Hold, Proposal, Verdict};
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Result;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::manifest::{ApplyOptions, Plan, Report, SetOptions, StepResult};
use powerloom_core::record::{Record, Schema};
use std::sync::Arc;

const OTHER: &str = "{kind: Skill, metadata: {name: other, ou_path: /acme}}";

fn failed(report: &Report, target: &str) -> (ErrorKind, String) {
    let line = report.lines.iter().find(|line| line.target.to_string() == target);
    match line.map(|line| &line.result) {
        Some(StepResult::Failed { kind, message }) => (*kind, message.clone()),
        _ => panic!("{report}"),
    }
}

#[tokio::test]
async fn a_name_that_was_taken_meanwhile_is_not_taken_again() {
    let house = House::new().await;
    let plan = house.plan(OTHER).await;
    house.declare(OTHER).await;
    let (kind, message) = failed(&house.apply(&plan, ApplyOptions::default()).await, "Skill /acme/other");
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::Conflict, "a Skill called `other` exists there already")
    );
}

#[tokio::test]
async fn what_a_step_refers_to_and_was_archived_meanwhile_is_a_conflict() {
    let house = House::new().await;
    house.declare(BASE).await;
    house.declare(OTHER).await;
    let agent =
        "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {skills: [lint, other]}}";
    let alone = house.plan(agent).await;
    let together = house.plan(&format!("{agent}\n---\n{OTHER}")).await;
    let target = house.row("Skill", "other").await.key();
    house.cp.submit(&house.admin, Action::Archive { target, expect: None }).await.unwrap();

    let helper = "Agent /acme/eng/web/helper";
    let (kind, message) = failed(&house.apply(&alone, ApplyOptions::default()).await, helper);
    assert_eq!((kind, message.contains("`other` is archived")), (ErrorKind::Conflict, true), "{message}");
    let report = house.apply(&together, ApplyOptions::default()).await;
    assert_eq!(failed(&report, "Skill /acme/other").0, ErrorKind::Conflict);
    assert!(matches!(report.lines[1].result, StepResult::Skipped { .. }), "{report}");
    assert_eq!(house.row("Agent", "helper").await.meta.version, 1);
}

/// A plan that was kept in a file, agreed to by its digest, and met by a change of somebody else's.
#[tokio::test]
async fn a_saved_plan_names_what_moved_since() {
    let house = House::new().await;
    house.declare(BASE).await;
    let mine = "{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: mine}}";
    let plan = house.plan(mine).await;
    let agreed = plan.digest().unwrap();
    let read = Plan::load(&plan.save().unwrap()).unwrap();
    assert_eq!(read.digest().unwrap(), agreed);
    house.declare(&mine.replace("mine", "theirs")).await;
    let report = house.apply(&read, ApplyOptions::default().digest(agreed)).await;
    let (kind, message) = failed(&report, "Skill /acme/lint");
    assert_eq!(kind, ErrorKind::VersionMismatch);
    assert!(message.contains("has version 2, not 1"), "{message}");
    assert_eq!(house.row("Skill", "lint").await.spec["description"], "theirs");
}

/// Holds every skill that is created.
#[derive(Debug)]
struct HoldSkills;

#[async_trait]
impl Gate for HoldSkills {
    async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict> {
        Ok(match proposal.verb {
            "skill.create" => {
                Verdict::Hold(Hold { request_id: "req_1".into(), write: vec![], audit: vec![] })
            }
            _ => Verdict::Open,
        })
    }
}

/// Sem. 2.3.8, at the real door: a 202 skips what depends on it and nothing else.
#[tokio::test]
async fn what_waits_for_approval_at_the_door_skips_its_dependants() {
    let house = House::gated(Arc::new(HoldSkills)).await;
    let report = house.apply(&house.plan(BASE).await, ApplyOptions::default()).await;
    insta::assert_snapshot!(format!("{report}").lines().map(|line| line.split(" (").next().unwrap()).collect::<Vec<_>>().join("\n"), @r"
    OU /acme/eng: created
    OU /acme/eng/web: created
    Skill /acme/lint: waits for approval req_1
    Agent /acme/eng/web/helper: skipped: it depends on Skill /acme/lint
    ");
    assert!(house.rows().await.iter().all(|row| row.meta.name != "lint" && row.meta.name != "helper"));
}

/// Sem. 2.3.8 with an approval policy: what was approved is made as it was planned, labels and managed fields included,
/// and the same set applied again does the rest.
#[tokio::test]
async fn what_a_policy_holds_back_is_made_with_its_marks_once_it_is_approved() {
    let house = House::new().await;
    house
        .declare(
            "{kind: User, metadata: {email: grace@acme.com, ou_path: /acme}}\n---\n\
             {kind: RoleBinding, metadata: {ou_path: /acme}, spec: {role: OrgAdmin, principal_ref: 'user:grace@acme.com'}}",
        )
        .await;
    house
        .declare(
            "{kind: ApprovalPolicy, metadata: {name: two, ou_path: /acme}, \
             spec: {match: {resource_kinds: [Skill], actions: [create]}, approvers: ['user:grace@acme.com']}}",
        )
        .await;
    let options = SetOptions::new("web").unwrap();
    let plan = house.plan_set(BASE, &options).await;
    let report = house.apply(&plan, ApplyOptions::default()).await;
    assert!(matches!(report.lines[2].result, StepResult::PendingApproval { .. }), "{report}");
    assert!(matches!(report.lines[3].result, StepResult::Skipped { .. }), "{report}");

    let row = house.rows().await.into_iter().find(|row| row.kind == ApprovalRequest::KIND).unwrap();
    let request = Record::<ApprovalRequest>::read(&row).unwrap();
    let grace = Caller::user(house.admin.org, house.row("User", "grace@acme.com").await.meta.id);
    let vote = Action::Vote {
        request: request.request_id(),
        ballot: Ballot::Approve,
        payload_hash: request.spec.payload_hash,
        comment: None,
        requirements: Vec::new(),
    };
    house.cp.submit(&grace, vote).await.unwrap();
    let lint = house.row("Skill", "lint").await;
    assert_eq!(lint.meta.labels.owner(), Some("web"));
    assert_eq!(lint.meta.managed["description"], "of the root");
    house.done(&house.plan_set(BASE, &options).await).await;
    assert!(house.plan_set(BASE, &options).await.is_noop());
}

//! Plans that are kept, approved and carried out later: sem. 2.3.7.

use crate::planning::BASE;
use crate::world::World;
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::Action;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::manifest::{ApplyOptions, Plan, StepResult, Unready, Verb, apply};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// The digest is one an outsider computes from the plan's JSON alone, by a published prefix and RFC 8785.
#[tokio::test]
async fn the_digest_is_that_of_the_canonical_json_behind_a_prefix() {
    let plan = World::new().plan(BASE).await;
    let mut bytes = b"powerloom/plan/v1\n".to_vec();
    bytes.extend(serde_json_canonicalizer::to_vec(&plan).unwrap());
    assert_eq!(plan.digest().unwrap(), Digest::of(&bytes));
    assert_ne!(
        World::new().plan(&BASE.replace("m-1", "m-2")).await.digest().unwrap(),
        plan.digest().unwrap()
    );
}

#[tokio::test]
async fn a_saved_plan_reads_back_and_a_changed_one_does_not() {
    let plan = World::new().plan(BASE).await;
    let text = plan.save().unwrap();
    assert_eq!(Plan::load(&text).unwrap(), plan);
    let refused = |changed: String| {
        assert_ne!(changed, text, "the test changes nothing");
        Plan::load(&changed).unwrap_err().to_string()
    };
    assert!(refused(text.replace("m-1", "m-2")).contains("changed since it was saved"));
    assert!(refused(text.replace("\"v\": 1", "\"v\": 2")).contains("plan again"));
    assert!(refused(text.replace("\"v\": 1", "\"v\": 1, \"force\": \"hunter2\"")).contains("a saved plan"));
    assert!(!refused(text.replace("\"v\": 1", "\"v\": 1, \"hunter2\": 1")).contains("hunter2"));
    assert!(refused(text[..text.len() / 2].to_owned()).contains("a saved plan"));
}

/// Whoever was asked about one plan is not taken to have agreed to another.
#[tokio::test]
async fn only_the_plan_of_the_expected_digest_is_carried_out() {
    let world = World::new();
    let plan = world.plan(BASE).await;
    let agreed = plan.digest().unwrap();
    let mut other = plan.clone();
    other.steps[0].payload.insert("display_name".into(), "Other".into());
    let report = apply(&other, &world, ApplyOptions::default().digest(agreed)).await;
    assert!(
        report
            .lines
            .iter()
            .all(|line| matches!(line.result, StepResult::Failed { kind: ErrorKind::Conflict, .. })),
        "{report}"
    );
    assert_eq!(world.submitted(), 0, "the door was not even asked");
    assert!(apply(&plan, &world, ApplyOptions::default().digest(agreed)).await.is_complete());
}

/// What apply submits follows from the step and what was made, and from nothing else.
#[tokio::test]
async fn a_step_is_a_change_once_what_it_refers_to_is_made() {
    let world = World::new();
    let plan = world.plan(BASE).await;
    let agent = plan.steps.last().unwrap();
    let waits = agent.mutation(&BTreeMap::new()).unwrap_err();
    assert!(matches!(waits, Unready::NotMade { .. }), "{waits}");
    assert_eq!(waits.kind(), ErrorKind::Invalid);
    world.apply_plan(&plan).await;
    let made = plan.steps.iter().map(|step| {
        let name = step.target.path.rsplit('/').next().unwrap();
        (step.target.clone(), world.row(step.target.kind.as_str(), name).meta.id)
    });
    let Action::Create { ou, spec, .. } = agent.mutation(&made.collect()).unwrap().action else { panic!() };
    assert_eq!(ou, Some(world.row("OU", "web").meta.id));
    assert_eq!(spec["skills"][0]["skill"], Value::from(world.row("Skill", "lint").meta.id.to_string()));

    let again = world.plan(BASE).await;
    assert!(matches!(again.steps[0].mutation(&BTreeMap::new()), Err(Unready::Nothing { .. })));
    let mut forged = again.steps[0].clone();
    (forged.verb, forged.observed) = (Verb::Update, None);
    assert!(matches!(forged.mutation(&BTreeMap::new()), Err(Unready::Unobserved { .. })));
}

/// What was as wanted when it was planned may not be so any more: that is no success.
#[tokio::test]
async fn what_was_as_wanted_and_moved_since_is_not_called_unchanged() {
    let world = World::new();
    world.declare(BASE).await;
    let plan = world.plan(BASE).await;
    world.declare("{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: theirs}}").await;
    let report = world.apply_plan(&plan).await;
    let failed: Vec<_> = report.lines.iter().filter(|line| !line.result.is_done()).collect();
    assert_eq!(failed[0].target.to_string(), "Skill /acme/lint");
    assert!(
        matches!(failed[0].result, StepResult::Failed { kind: ErrorKind::VersionMismatch, .. }),
        "{report}"
    );
    assert!(matches!(failed[1].result, StepResult::Skipped { .. }), "the agent that has it: {report}");
}

proptest! {
    /// Whatever single byte of a saved plan changes, it is refused or still says the same.
    #[test]
    fn no_byte_of_a_saved_plan_can_be_changed(at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let plan = runtime.block_on(World::new().plan(BASE));
        let mut text = plan.save().unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = Plan::load(std::str::from_utf8(&text).unwrap()) {
            prop_assert_eq!(read, plan);
        }
    }
}

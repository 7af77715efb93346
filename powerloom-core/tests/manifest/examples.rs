//! The manifests of the product's documentation, as files of this repository, apply as they stand.

use crate::world::World;
use powerloom_core::manifest::{ApplyOptions, ParseMode, StepResult, Verb, apply, parse};
use serde_json::json;

macro_rules! example {
    ($name:literal) => {
        (concat!($name, ".yaml"), include_str!(concat!("../../../examples/manifests/", $name, ".yaml")))
    };
}

const PLATFORM: (&str, &str) = example!("platform");
const CODE_REVIEWER: (&str, &str) = example!("code-reviewer");
const PYTHON_LINT: (&str, &str) = example!("python-lint");
const CODE_REVIEWER_SKILLS: (&str, &str) = example!("code-reviewer-skills");
const PG_ANALYTICS: (&str, &str) = example!("pg-analytics");
const CUSTOM_TOOLS: (&str, &str) = example!("custom-tools");
const CREDENTIAL: (&str, &str) = example!("pg-writer-credential");
const ALL: [(&str, &str); 7] =
    [CREDENTIAL, CODE_REVIEWER_SKILLS, CODE_REVIEWER, CUSTOM_TOOLS, PG_ANALYTICS, PYTHON_LINT, PLATFORM];

/// Rows P20–P29, P49, P56, P61, P63–P65: one after the other, each as `weave apply <file>` would (row P24).
#[tokio::test]
async fn every_example_applies_on_its_own_and_a_second_time_changes_nothing() {
    let world = World::new();
    for (name, text) in
        [PLATFORM, PYTHON_LINT, CODE_REVIEWER, CODE_REVIEWER_SKILLS, PG_ANALYTICS, CUSTOM_TOOLS, CREDENTIAL]
    {
        let report = world.declare(text).await;
        assert!(!report.lines.is_empty(), "{name}");
        assert!(world.plan(text).await.is_noop(), "{name}");
    }
    let agent = world.row("Agent", "code-reviewer");
    assert_eq!(agent.spec["model"], "claude-sonnet-4-6");
    assert!(agent.spec["system_prompt"].as_str().unwrap().ends_with("Be concise.\n"));
    assert_eq!(agent.spec["owner"], json!(format!("user:{}", world.row("User", "admin@acme.com").meta.id)));
    assert_eq!(agent.spec["mcp_servers"], json!([world.row("MCPServerRegistration", "repo-files").meta.id]));
    let deployment = world.row("MCPDeployment", "pg-analytics");
    assert_eq!(
        deployment.spec["policy"],
        json!({"allowed_tables": ["metrics", "events"], "deny_mutation_keywords": true})
    );
}

/// Row P65: the credential names what a deployment of the same set makes, and waits for it.
#[tokio::test]
async fn all_examples_together_are_one_plan_in_the_order_of_their_references() {
    let world = World::new();
    let mut set = world.parse("");
    for (name, text) in ALL {
        set = set.and(parse(name, text, ParseMode::Lenient, &world.catalogue).unwrap());
    }
    // Row P26: two of the seven files say which version they are written in.
    assert_eq!(set.warnings.len(), 5);
    let plan = world.plan_parsed(set.clone()).await.unwrap();
    insta::assert_snapshot!("examples_plan", plan.to_string());

    let report = apply(&plan, &world, ApplyOptions::default()).await;
    assert!(report.lines.iter().all(|line| matches!(line.result, StepResult::Created { .. })), "{report}");
    let credential = world.rows().into_iter().find(|row| row.kind.as_str() == "Credential").unwrap();
    let registration = world.row("MCPServerRegistration", "pg-analytics");
    assert_eq!(credential.spec["mcp_server"], json!(registration.meta.id));

    let again = world.plan_parsed(set).await.unwrap();
    assert!(again.is_noop(), "{again}");
    assert_eq!(again.count(Verb::Noop), plan.steps.len());
}

/// C35: strict mode wants the version the later examples leave out.
#[test]
fn strict_mode_refuses_what_lenient_mode_warns_of() {
    let world = World::new();
    let (name, text) = PYTHON_LINT;
    let warnings = parse(name, text, ParseMode::Lenient, &world.catalogue).unwrap().warnings;
    assert_eq!(
        warnings[0].to_string(),
        "python-lint.yaml:2:1: `apiVersion` is missing: `powerloom/v1` is assumed"
    );
    let errors = parse(name, text, ParseMode::Strict, &world.catalogue).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "python-lint.yaml:2:1: Skill python-lint: `apiVersion` is missing: strict mode wants `apiVersion: powerloom/v1`"
    );
    let (name, text) = CODE_REVIEWER;
    assert!(parse(name, text, ParseMode::Strict, &world.catalogue).unwrap().warnings.is_empty());
}

//! What becomes of a plan.

use crate::planning::BASE;
use crate::world::World;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::manifest::{ApplyOptions, Report, StepResult, Target, apply};
use serde_json::json;

fn result<'r>(report: &'r Report, kind: &str, path: &str) -> &'r StepResult {
    let target = Target { kind: kind.parse().unwrap(), path: path.to_owned() };
    report.result(&target).unwrap_or_else(|| panic!("{report}"))
}

fn skipped(on: (&str, &str)) -> StepResult {
    StepResult::Skipped { dependency: Target { kind: on.0.parse().unwrap(), path: on.1.to_owned() } }
}

/// Row P29: what the plan could not know yet, the ids, is filled in on the way.
#[tokio::test]
async fn what_is_made_first_is_referred_to_by_its_id() {
    let world = World::new();
    let report = world.declare(BASE).await;
    let web = world.row("OU", "web");
    assert_eq!(*result(&report, "OU", "/acme/eng/web"), StepResult::Created { id: web.meta.id });
    assert_eq!(web.meta.ou, world.row("OU", "eng").meta.id);
    let agent = world.row("Agent", "helper");
    assert_eq!(agent.meta.ou, web.meta.id);
    let skill = world.row("Skill", "lint").meta.id;
    assert_eq!(agent.spec["skills"], json!([{ "skill": skill, "version": "current" }]));
}

/// Sem. 2.3.8: a 202 on a parent makes its dependants skipped, and nothing else.
#[tokio::test]
async fn what_waits_for_approval_keeps_its_dependants_waiting() {
    let mut world = World::new();
    world.gated.insert("Skill");
    let set = format!("{BASE}---\n{{kind: Group, metadata: {{name: g, ou_path: /acme/eng}}}}");
    let report = world.apply_plan(&world.plan(&set).await).await;
    let pending = StepResult::PendingApproval { request_id: "req_1".to_owned() };
    assert_eq!(*result(&report, "Skill", "/acme/lint"), pending);
    assert_eq!(*result(&report, "Agent", "/acme/eng/web/helper"), skipped(("Skill", "/acme/lint")));
    assert!(result(&report, "Group", "/acme/eng/g").is_done());
    assert!(!report.is_complete());
}

#[tokio::test]
async fn what_fails_keeps_its_dependants_from_being_tried() {
    let mut world = World::new();
    world.broken.insert("OU");
    let report = world.apply_plan(&world.plan(BASE).await).await;
    let StepResult::Failed { kind, message } = result(&report, "OU", "/acme/eng") else { panic!("{report}") };
    assert_eq!((*kind, message.as_str()), (ErrorKind::Unavailable, "the store cannot be used"));
    assert_eq!(*result(&report, "OU", "/acme/eng/web"), skipped(("OU", "/acme/eng")));
    assert!(matches!(result(&report, "Agent", "/acme/eng/web/helper"), StepResult::Skipped { .. }));
    assert!(result(&report, "Skill", "/acme/lint").is_done());
    world.broken.clear();
    world.declare(BASE).await;
}

/// Sem. 2.3.7.
#[tokio::test]
async fn what_moved_since_the_plan_is_not_overwritten() {
    let world = World::new();
    world.declare(BASE).await;
    let change = |text: &str| {
        format!("{{kind: Skill, metadata: {{name: lint, ou_path: /acme}}, spec: {{description: {text}}}}}")
    };
    let plan = world.plan(&change("mine")).await;
    world.declare(&change("theirs")).await;
    let report = world.apply_plan(&plan).await;
    assert!(
        matches!(
            result(&report, "Skill", "/acme/lint"),
            StepResult::Failed { kind: ErrorKind::VersionMismatch, .. }
        ),
        "{report}"
    );
    assert_eq!(world.row("Skill", "lint").spec["description"], "theirs");
}

/// Sem. 2.3.6: only with an explicit word, and then what depended on the old one gets the new one.
#[tokio::test]
async fn replacing_needs_to_be_allowed() {
    let world = World::new();
    let set = |kind: &str| {
        format!(
            "{{kind: MCPDeployment, metadata: {{name: pg, ou_path: /acme}}, spec: {{template_kind: echo}}}}\n---\n\
             {{kind: Agent, metadata: {{name: a, ou_path: /acme}}, spec: {{model: m, agent_kind: {kind}, owner_principal_ref: 'user:admin@acme.com'}}}}\n---\n\
             {{kind: Credential, metadata: {{agent_path: /acme/a, mcp_registration_path: pg}}}}"
        )
    };
    world.declare(&set("user")).await;
    let old = world.row("Agent", "a").meta.id;
    let plan = world.plan(&set("service")).await;
    insta::assert_snapshot!(plan.to_string(), @r#"
      = MCPDeployment /acme/pg
    -/+ Agent /acme/a (cannot change in place: agent_kind)
          ~ agent_kind: "user" -> "service"
      + Credential /acme/a+/acme/pg
          + agent_path: "/acme/a"
          + mcp_registration_path: "/acme/pg"
    1 to create, 0 to update, 1 to replace, 0 to archive, 1 unchanged
    "#);
    let before = world.submitted();
    let report = world.apply_plan(&plan).await;
    assert!(matches!(
        result(&report, "Agent", "/acme/a"),
        StepResult::Failed { kind: ErrorKind::Conflict, .. }
    ));
    assert_eq!(world.submitted(), before, "the door was not even asked");

    let report = apply(&plan, &world, ApplyOptions::default().allow_replace(true)).await;
    let new = world.row("Agent", "a");
    assert_eq!(*result(&report, "Agent", "/acme/a"), StepResult::Replaced { id: new.meta.id });
    assert!(new.meta.id != old && new.spec["agent_kind"] == "service" && new.spec["model"] == "m");
    assert!(world.rows().iter().any(|row| row.is_live() && row.spec["agent"] == json!(new.meta.id)));
    assert!(world.plan(&set("service")).await.is_noop());
}

/// What is on the runtime keeps its name until it is gone there; the report says what is left to do.
#[tokio::test]
async fn a_replacement_that_cannot_get_the_name_says_so() {
    let mut world = World::new();
    world.stuck = true;
    let set = |kind: &str| {
        format!(
            "{{kind: Agent, metadata: {{name: a, ou_path: /acme}}, spec: {{model: m, agent_kind: {kind}, \
             owner_principal_ref: 'user:admin@acme.com'}}}}"
        )
    };
    world.declare(&set("user")).await;
    let plan = world.plan(&set("service")).await;
    let report = apply(&plan, &world, ApplyOptions::default().allow_replace(true)).await;
    let StepResult::Failed { kind, message } = result(&report, "Agent", "/acme/a") else {
        panic!("{report}")
    };
    assert_eq!(*kind, ErrorKind::Conflict);
    assert!(message.contains("keeps the name until the runtime has archived it"), "{message}");
    let meanwhile = world.try_plan(&set("service")).await.unwrap_err();
    assert!(meanwhile.contains("it is being archived: wait until it is gone"), "{meanwhile}");
}

#[tokio::test]
async fn a_plan_of_another_version_is_refused_step_by_step() {
    let world = World::new();
    let mut plan = world.plan(BASE).await;
    plan.v = 2;
    let report = world.apply_plan(&plan).await;
    assert!(report.lines.iter().all(|line| !line.result.is_done()), "{report}");
    assert_eq!(world.submitted(), 0);
}

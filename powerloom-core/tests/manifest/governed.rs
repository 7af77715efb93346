//! What every line of a plan says of permissions, approvals and the runtime.

use crate::house::House;
use crate::planning::BASE;
use powerloom_core::manifest::{Governance, Plan, Ruling, Verb};

fn governance<'p>(plan: &'p Plan, target: &str) -> &'p Governance {
    let step = plan.steps.iter().find(|step| step.target.to_string() == target);
    step.and_then(|step| step.governance.as_ref()).unwrap_or_else(|| panic!("{plan}"))
}

/// The missing permission is named with its OU, on the line it is missing for (row M33); nothing is written, not even a
/// denial.
#[tokio::test]
async fn a_line_says_which_permission_is_missing_where() {
    let house = House::new().await;
    house.declare(BASE).await;
    let reader = house.holder("reader", "'skill:read', 'skill:create', 'agent:read'").await;
    let rows = house.cp.store().audit_rows(house.admin.org, 0, 1000).await.unwrap().len();
    let text = "
{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: other}}
---
{kind: Skill, metadata: {name: mine, ou_path: /acme/eng}}
---
kind: Agent
metadata: {name: b, ou_path: /acme/eng}
spec: {model: m-1, agent_kind: service, owner_principal_ref: 'user:reader@acme.com', skills: [mine]}
";
    let plan = house.try_plan(&reader, text).await.unwrap();
    insta::assert_snapshot!("denied_lines", plan.to_string());
    let Ruling::Denied { permission, ou, message } = &governance(&plan, "Skill /acme/lint").ruling else {
        panic!()
    };
    assert_eq!((permission.to_string().as_str(), ou.as_str()), ("skill:update", "/acme"));
    assert!(message.starts_with("insufficient permissions: you need `skill:update` on `/acme`"), "{message}");
    assert!(governance(&plan, "Skill /acme/eng/mine").is_clear());
    let agent = governance(&plan, "Agent /acme/eng/b");
    assert!(agent.is_forecast && matches!(agent.ruling, Ruling::Denied { .. }), "{agent:?}");
    assert_eq!(house.cp.store().audit_rows(house.admin.org, 0, 1000).await.unwrap().len(), rows);
}

/// What would be refused for another reason says that: here, what others still use.
#[tokio::test]
async fn a_line_says_what_the_door_would_refuse() {
    let house = House::new().await;
    house
        .declare(
            "{kind: MCPServerRegistration, metadata: {name: f, ou_path: /acme}, spec: {url: 'http://x.y/'}}",
        )
        .await;
    house.declare(&format!("{BASE}---\n{{kind: Agent, metadata: {{name: helper, ou_path: /acme/eng/web}}, spec: {{mcp_servers: [f]}}}}")).await;
    let plan = house
        .plan(
            "{kind: MCPServerRegistration, metadata: {name: f, ou_path: /acme}, spec: {url: 'http://x.z/'}}",
        )
        .await;
    assert_eq!(plan.count(Verb::Replace), 1);
    let Ruling::Refused { code, message } = &plan.steps[0].governance.as_ref().unwrap().ruling else {
        panic!("{plan}")
    };
    assert_eq!(code, "in_use");
    assert!(message.contains("Agent `helper` in /acme/eng/web"), "{message}");
}

/// Rows P33, P53: what follows from a change on the runtime is known before it is made, and a change that moves nothing
/// there says nothing.
#[tokio::test]
async fn a_line_says_what_changes_on_the_runtime() {
    let house = House::new().await;
    house.declare(&BASE.replace(", skills: [lint]", "")).await;
    let agent = |spec: &str| {
        format!("{{kind: Agent, metadata: {{name: helper, ou_path: /acme/eng/web}}, spec: {{{spec}}}}}")
    };
    let plan = house.plan(&agent("model: m-2")).await;
    assert_eq!(plan.steps[0].governance.as_ref().unwrap().dirty, [plan.steps[0].target.clone()]);
    insta::assert_snapshot!(plan.to_string(), @r#"
      ~ Agent /acme/eng/web/helper
          ~ model: "m-1" -> "m-2"
          > changes on the runtime: Agent /acme/eng/web/helper
    0 to create, 1 to update, 0 to replace, 0 to archive, 0 unchanged
    "#);

    house
        .declare(
            "{kind: MCPServerRegistration, metadata: {name: f, ou_path: /acme}, spec: {url: 'http://x.y/'}}",
        )
        .await;
    house.declare(&agent("mcp_servers: [f]")).await;
    let plan = house
        .plan(
            "{kind: MCPServerRegistration, metadata: {name: f, ou_path: /acme}, spec: {display_name: Files}}",
        )
        .await;
    let dirty = &plan.steps[0].governance.as_ref().unwrap().dirty;
    assert!(dirty.is_empty(), "what people call a server is nothing to the runtime: {plan}");
    assert!(house.plan(&agent("model: m-1")).await.steps[0].governance.as_ref().unwrap().is_clear());
}

/// A plan shows nothing its caller may not read: neither by a line of its own, nor by what a record refers to.
#[tokio::test]
async fn a_plan_shows_nothing_the_caller_may_not_read() {
    let house = House::new().await;
    house.declare(BASE).await;
    let agent = "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {skills: []}}";
    let blind = house.holder("blind", "'ou:read'").await;
    let error = house.try_plan(&blind, agent).await.unwrap_err();
    assert_eq!(error.kind(), powerloom_core::error_kind::ErrorKind::Denied);

    let partly = house.holder("partly", "'agent:read'").await;
    let plan = house.try_plan(&partly, agent).await.unwrap();
    let lint = house.row("Skill", "lint").await.meta.id;
    assert_eq!(plan.steps[0].changes[0].before, serde_json::json!([lint]), "the id, not the name: {plan}");
}

const POLICIES: &str = "
kind: ApprovalPolicy
metadata: {name: agents-need-two, ou_path: /acme}
spec:
  match: {resource_kinds: [Agent], condition: resource.spec.agent_kind == 'service'}
  approvers: ['user:admin@acme.com', 'role:OrgAdmin', 'group:/acme/eng/board']
  quorum: 2
---
{kind: ApprovalPolicy, metadata: {name: say-why, ou_path: /acme/eng}, spec: {match: {actions: [create]}, mode: require_justification}}
---
{kind: ApprovalPolicy, metadata: {name: noted, ou_path: /acme/eng}, spec: {match: {ou_depth: exact}, mode: warn}}
";

/// Sem. 2.8: every policy that will count is on the line, rehearsed and forecast alike, with whom it asks.
#[tokio::test]
async fn a_line_says_which_policies_will_ask_whom() {
    let house = House::new().await;
    house
        .declare(&format!("{BASE}---\n{{kind: Group, metadata: {{name: board, ou_path: /acme/eng}}}}"))
        .await;
    house.declare(POLICIES).await;
    let agent = |name: &str, ou: &str, kind: &str| {
        format!(
            "{{kind: Agent, metadata: {{name: {name}, ou_path: {ou}}}, spec: {{model: m, agent_kind: {kind}, \
             owner_principal_ref: 'user:admin@acme.com'}}}}\n---\n"
        )
    };
    let text = [
        agent("here", "/acme/eng", "service"),
        agent("below", "/acme/eng/new", "service"),
        agent("above", "/acme", "user"),
        "{kind: OU, metadata: {name: new, ou_path: /acme/eng}}\n---\n".to_owned(),
        "{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: other}}".to_owned(),
    ]
    .concat();
    let plan = house.plan(&text).await;
    insta::assert_snapshot!("policies", plan.to_string());
    let policies = |target: &str| {
        governance(&plan, target).asks.iter().map(|ask| ask.policy.as_str()).collect::<Vec<&str>>()
    };
    assert_eq!(policies("Agent /acme/eng/here"), ["agents-need-two", "noted", "say-why"]);
    assert!(governance(&plan, "Agent /acme/eng/new/below").is_forecast);
    assert_eq!(policies("Agent /acme/above"), [""; 0]);
    let ask = &governance(&plan, "Agent /acme/eng/here").asks[0];
    assert_eq!((ask.ou.as_str(), ask.quorum), ("/acme", 2));
    assert_eq!(ask.approvers, ["group:/acme/eng/board", "role:OrgAdmin", "user:admin@acme.com"]);
}

/// What approvers sign is what will be done: whom a policy made meanwhile asks as well is no part of it.
#[tokio::test]
async fn a_policy_made_later_changes_no_digest() {
    let house = House::new().await;
    let before = house.plan(BASE).await;
    house.declare("{kind: ApprovalPolicy, metadata: {name: all, ou_path: /acme}, spec: {match: {}, approvers: ['role:OrgAdmin']}}").await;
    let after = house.plan(BASE).await;
    assert_ne!(before, after);
    assert_eq!(before.digest().unwrap(), after.digest().unwrap());
}

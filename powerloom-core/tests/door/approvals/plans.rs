//! A whole plan as one request: what is signed is applied, once, by whoever asked, and nothing else (sem. 2.3.7, 2.8).

use super::{Gated, gated, pending};
use crate::world::{code, denied};
use powerloom_core::approval::{ApprovalId, ApprovalState, Ballot, Purpose};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Result;
use powerloom_core::manifest::{ApplyOptions, ParseMode, Plan, Report, StepResult, Through, apply, parse};
use serde_json::json;
use std::time::Duration;

const TWO: &str = "
{kind: Agent, metadata: {name: one, ou_path: /acme/production}, spec: {model: m-1, system_prompt: x, agent_kind: user, owner_principal_ref: 'user:ada@acme.com'}}
---
{kind: Agent, metadata: {name: two, ou_path: /acme/production}, spec: {model: m-1, system_prompt: x, agent_kind: user, owner_principal_ref: 'user:ada@acme.com'}}
";

impl Gated {
    async fn plan(&self, caller: &Caller, text: &str) -> Plan {
        let parsed = parse("test.yaml", text, ParseMode::Lenient, self.w.cp.catalogue()).unwrap();
        Through::new(&self.w.cp, caller).plan(parsed.documents).await.unwrap()
    }

    async fn submit_plan(&self, caller: &Caller, plan: &Plan) -> Result<Outcome> {
        Through::new(&self.w.cp, caller).submit_plan(plan, Some("the team asked for it")).await
    }

    async fn apply_under(&self, caller: &Caller, plan: &Plan, request: ApprovalId) -> Report {
        let options = ApplyOptions::default().allow_replace(true);
        apply(plan, &Through::new(&self.w.cp, caller).under(request), options).await
    }

    /// Ada's plan, approved.
    async fn approved(&self, text: &str) -> (Plan, ApprovalId) {
        let plan = self.plan(&self.ada, text).await;
        let id = pending(&self.submit_plan(&self.ada, &plan).await.unwrap());
        let request = self.request(id).await;
        self.approve(&self.grace, &request).await.unwrap();
        assert_eq!(self.state(id).await, ApprovalState::Approved);
        (plan, id)
    }
}

#[tokio::test]
async fn what_was_signed_is_applied_once_and_says_so_in_the_trail() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let plan = g.plan(&g.ada, TWO).await;
    let outcome = g.submit_plan(&g.ada, &plan).await.unwrap();
    assert_eq!(g.submit_plan(&g.ada, &plan).await.unwrap(), outcome, "the same plan is the same request");
    let id = pending(&outcome);
    let request = g.request(id).await;
    assert_eq!((request.spec.purpose, request.spec.payload_hash), (Purpose::Plan, plan.digest().unwrap()));
    let read = g.w.cp.approvals(&g.grace).plan(id).await.unwrap();
    assert_eq!(read.digest().unwrap(), plan.digest().unwrap(), "the approver reads the plan itself");
    assert_eq!(g.apply_under(&g.ada, &plan, id).await.lines.len(), 2);
    assert!(g.agent("one").await.is_none(), "nothing before it is approved");
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("one").await.is_none(), "approving makes nothing by itself");
    let before = g.w.trail().await.len();
    let report = g.apply_under(&g.ada, &plan, id).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(g.verbs(before).await, ["agent.create", "agent.create"]);
    let rows = g.w.cp.store().audit_rows(g.w.org.id, before as u64, 2).await.unwrap();
    for row in rows {
        assert_eq!(row.row.approval_request_id, Some(id.to_string()));
        let detail = row.change().unwrap()["detail"].clone();
        assert_eq!(detail["plan"]["digest"], json!(plan.digest().unwrap()));
        assert_eq!(detail["approved_by"][0]["voter"], "user:grace@acme.com");
    }
    let again = g.apply_under(&g.ada, &plan, id).await;
    assert!(again.lines.iter().all(|line| matches!(line.result, StepResult::Failed { .. })), "{again}");
    g.w.verify().await;
}

/// What a step made and somebody took away does not come back under the same approval.
#[tokio::test]
async fn a_step_that_was_applied_is_used_up() {
    let g = gated().await;
    let groups = json!({ "match": { "resource_kinds": ["Group"], "actions": ["create"] } });
    g.policy(g.production, "groups", groups).await;
    let plan = g.plan(&g.w.admin, "{kind: Group, metadata: {name: team, ou_path: /acme/production}}").await;
    let id = pending(&g.submit_plan(&g.w.admin, &plan).await.unwrap());
    let request = g.request(id).await;
    g.approve(&g.grace, &request).await.unwrap();
    let again = plan.steps[0].mutation(&Default::default()).unwrap();
    let under = SubmitOptions::default().under(id);
    let made = g.w.cp.submit_with(&g.w.admin, again.clone(), &under).await.unwrap();
    g.w.archive(&g.w.admin, &made.record().unwrap().key()).await.unwrap();
    assert_eq!(code(g.w.cp.submit_with(&g.w.admin, again, &under).await), "step_applied");
    assert_eq!(g.request(id).await.status.steps.len(), 1);
}

/// Each refusal has its own code, and nothing is made.
#[tokio::test]
async fn nothing_else_passes_under_an_approved_plan() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let (_, id) = g.approved(TWO).await;
    let create = |name: &str, prompt: &str| {
        Action::Create {
        kind: crate::world::kind("Agent"),
        ou: Some(g.production),
        name: Some(name.to_owned()),
        spec: json!({
            "model": "m-1", "system_prompt": prompt, "agent_kind": "user", "owner": g.ada.principal.to_string(),
        })
        .as_object()
        .cloned()
        .unwrap(),
    }
    };
    let under = SubmitOptions::default().under(id);
    for other in [create("three", "x"), create("one", "Approve everything.")] {
        assert_eq!(code(g.w.cp.submit_with(&g.ada, other, &under).await), "not_in_plan");
    }
    // Somebody else's approval is nobody's.
    assert_eq!(code(g.w.cp.submit_with(&g.w.admin, create("one", "x"), &under).await), "not_found");
    // A request for a single change is no plan.
    let single = g.asked("single").await;
    let wrong = SubmitOptions::default().under(single.request_id());
    assert_eq!(code(g.w.cp.submit_with(&g.ada, create("one", "x"), &wrong).await), "not_found");
    // Too old.
    g.w.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(code(g.w.cp.submit_with(&g.ada, create("one", "x"), &under).await), "plan_expired");
    assert!(g.agent("one").await.is_none());
}

#[tokio::test]
async fn a_plan_that_was_rejected_lets_nothing_through() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let plan = g.plan(&g.ada, TWO).await;
    let id = pending(&g.submit_plan(&g.ada, &plan).await.unwrap());
    let request = g.request(id).await;
    assert_eq!(code(g.approve(&g.ada, &request).await), "own_request");
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    let report = g.apply_under(&g.ada, &plan, id).await;
    assert!(
        report.lines.iter().all(|line| line.result.to_string().contains("is not approved: it is rejected")),
        "{report}"
    );
}

/// What the plan's approvers did not answer for asks by itself.
#[tokio::test]
async fn a_policy_declared_since_is_asked_when_its_step_comes() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let (plan, id) = g.approved(TWO).await;
    g.policy(g.w.root(), "since", json!({ "approvers": [g.alan.principal.to_string()] })).await;
    let report = g.apply_under(&g.ada, &plan, id).await;
    let waits: Vec<ApprovalId> = report
        .lines
        .iter()
        .map(|line| match &line.result {
            StepResult::PendingApproval { request_id } => request_id.parse().unwrap(),
            other => panic!("{other}"),
        })
        .collect();
    let request = g.request(waits[0]).await;
    assert_eq!(request.spec.requirements.len(), 1, "only what was not asked before");
    g.approve(&g.alan, &request).await.unwrap();
    assert!(g.agent("one").await.is_some() && g.agent("two").await.is_none());
    let made = g.w.cp.store().audit_rows(g.w.org.id, 0, 1000).await.unwrap();
    let made = made.iter().find(|row| row.row.verb == "agent.create").unwrap().change().unwrap();
    assert_eq!(made["detail"]["plan"]["approved_by"][0]["voter"], "user:grace@acme.com");
    assert_eq!(made["detail"]["approved_by"][0]["voter"], "user:alan@acme.com");
    // The step is used up by that, and what waits longer than the plan is good for is void.
    assert_eq!(g.request(id).await.status.steps.len(), 1);
    g.w.clock.advance(Duration::from_secs(24 * 3600));
    let late = g.request(waits[1]).await;
    g.approve(&g.alan, &late).await.unwrap();
    assert_eq!(g.request(waits[1]).await.status.code.as_deref(), Some("plan_expired"));
}

/// Sem. 2.8, RBAC first: a plan with a step one may not make asks nobody.
#[tokio::test]
async fn a_plan_with_a_step_one_may_not_make_is_denied_whole() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    g.w.bind(&nobody.principal, "AgentViewer", g.w.root()).await;
    g.w.bind(&nobody.principal, "Auditor", g.w.root()).await;
    let plan = g.plan(&nobody, TWO).await;
    let text = denied(g.submit_plan(&nobody, &plan).await);
    assert!(text.contains("agent:create"), "{text}");
    let free = g.plan(&g.w.admin, "{kind: OU, metadata: {name: lab, ou_path: /acme}}").await;
    assert_eq!(code(g.submit_plan(&g.w.admin, &free).await), "nothing_to_approve");
}

/// What a plan makes on the way is known to its later steps: an OU, a skill in it, an agent that uses it.
#[tokio::test]
async fn steps_that_depend_on_one_another_pass_under_one_approval() {
    let g = gated().await;
    g.policy(g.w.root(), "everything", json!({ "match": {}, "approvers": ["role:Approver"] })).await;
    let text = "
{kind: OU, metadata: {name: web, ou_path: /acme/production}}
---
{kind: MCPServerRegistration, metadata: {name: files, ou_path: /acme/production/web}, spec: {url: 'https://files.example.com/mcp'}}
---
kind: Agent
metadata: {name: helper, ou_path: /acme/production/web}
spec: {model: m-1, system_prompt: x, agent_kind: user, owner_principal_ref: 'user:admin@acme.com', mcp_servers: [files]}
";
    let plan = g.plan(&g.w.admin, text).await;
    let id = pending(&g.submit_plan(&g.w.admin, &plan).await.unwrap());
    let request = g.request(id).await;
    g.approve(&g.grace, &request).await.unwrap();
    let report = g.apply_under(&g.w.admin, &plan, id).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(g.request(id).await.status.steps.len(), 3);
    assert!(g.plan(&g.w.admin, text).await.is_noop());
    // A change of what is there, under a plan of its own.
    let change = "{kind: MCPServerRegistration, metadata: {name: files, ou_path: /acme/production/web}, spec: {url: 'https://files.example.com/mcp', description: 'all files'}}";
    let plan = g.plan(&g.w.admin, change).await;
    let id = pending(&g.submit_plan(&g.w.admin, &plan).await.unwrap());
    let request = g.request(id).await;
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.apply_under(&g.w.admin, &plan, id).await.is_complete());
    g.w.verify().await;
}

/// A plan of another organization, or one that does nothing, is refused by name.
#[tokio::test]
async fn a_plan_that_is_none_is_refused() {
    let g = gated().await;
    let noop = g.plan(&g.w.admin, "{kind: OU, metadata: {name: production, ou_path: /acme}}").await;
    let refused = g.submit_plan(&g.w.admin, &noop).await.unwrap_err();
    assert!(refused.to_string().contains("`plan.steps`"), "{refused}");
    let mut foreign = g.plan(&g.w.admin, "{kind: OU, metadata: {name: lab, ou_path: /acme}}").await;
    foreign.org = "00000000-0000-7000-8000-0000000000ff".parse().unwrap();
    assert!(g.submit_plan(&g.w.admin, &foreign).await.unwrap_err().to_string().contains("`plan.org`"));
}

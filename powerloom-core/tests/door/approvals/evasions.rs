//! Ways around a gate that somebody might try.

use super::{gated, pending};
use crate::world::{code, skill_files};
use powerloom_core::approval::{ApprovalState, InboxFilter};
use powerloom_core::door::caller::TokenKind;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::manifest::{ParseMode, Through, parse};
use powerloom_core::permission::PermissionSet;
use serde_json::json;

/// Whoever can make tokens for others could be several people with them: only people in person decide.
#[tokio::test]
async fn a_token_of_a_program_is_nobodys_vote() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let by_token = g.grace.clone().by(TokenKind::Api);
    assert_eq!(code(g.approve(&by_token, &request).await), "not_in_person");
    let mut narrowed = g.grace.clone();
    narrowed.ceiling = Some(PermissionSet::ALL);
    assert_eq!(code(g.approve(&narrowed, &request).await), "not_in_person");
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
    assert!(g.w.cp.approvals(&by_token).to_decide(&InboxFilter::default()).await.unwrap().is_empty());
}

/// A move into an OU is decided by that OU's people, not by those of the place it comes from.
#[tokio::test]
async fn each_policy_is_decided_where_it_was_met() {
    let g = gated().await;
    let dev = g.w.ou(g.w.root(), "dev").await;
    let inner = g.w.ou(dev, "inner").await;
    g.w.bind(&g.alan.principal, "OUAdmin", dev).await;
    g.w.bind(&g.grace.principal, "OUAdmin", g.production).await;
    g.policy(
        g.production,
        "admins",
        json!({ "match": { "actions": ["move"] }, "approvers": ["role:OUAdmin"] }),
    )
    .await;
    let moved =
        g.w.cp
            .submit(&g.w.admin, Action::MoveOu { ou: inner, to: g.production, expect: None })
            .await
            .unwrap();
    let request = g.request(pending(&moved)).await;
    assert_eq!(code(g.approve(&g.alan, &request).await), "not_an_approver");
    assert_eq!(g.w.cp.approvals(&g.grace).to_decide(&InboxFilter::default()).await.unwrap().len(), 1);
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
}

/// A policy declared since is not passed by: the approval is void, and asking again asks it.
#[tokio::test]
async fn a_policy_that_came_later_is_not_passed_by() {
    let g = gated().await;
    g.policy(g.production, "weak", json!({})).await;
    let first = g.asked("held").await;
    g.policy(g.w.root(), "strong", json!({ "quorum": 2, "approvers": ["role:Approver"] })).await;
    g.approve(&g.grace, &first).await.unwrap();
    let failed = g.request(first.request_id()).await;
    assert_eq!(
        (failed.status.state, failed.status.code.as_deref()),
        (ApprovalState::Failed, Some("policy_changed"))
    );
    assert!(g.agent("held").await.is_none());
    let both = g.asked("held").await;
    assert_eq!(both.spec.requirements.len(), 2);
    // Asked again while one is open that lacks a policy: that one is ended, and a whole one made.
    let other = g.asked("other").await;
    g.policy(g.production, "third", json!({})).await;
    let whole = g.asked("other").await;
    assert_eq!(whole.spec.requirements.len(), 3);
    assert_eq!(g.state(other.request_id()).await, ApprovalState::Failed);
}

/// Attaching by an update or at birth is attaching.
#[tokio::test]
async fn attaching_is_attaching_whatever_it_is_called() {
    let g = gated().await;
    let server = g.w.server(g.production, "files").await;
    let agent = g.w.agent(g.production, "there").await;
    g.policy(
        g.production,
        "attach",
        json!({ "match": { "actions": ["attach_mcp_server", "detach_mcp_server"] } }),
    )
    .await;
    let by_update = json!({ "mcp_servers": [server.meta.id] });
    let request = g.request(pending(&g.w.update(&g.w.admin, &agent, by_update).await.unwrap())).await;
    let mut spec = g.w.agent_spec();
    spec["mcp_servers"] = json!([server.meta.id]);
    let born = g.w.try_create(&g.w.admin, "Agent", Some(g.production), Some("born"), spec).await.unwrap();
    pending(&born);
    g.approve(&g.grace, &request).await.unwrap();
    let taken = g.w.row(&agent.key()).await;
    pending(&g.w.update(&g.w.admin, &taken, json!({ "mcp_servers": [] })).await.unwrap());
    // What attaches nothing is free.
    assert!(matches!(
        g.w.update(&g.w.admin, &taken, json!({ "system_prompt": "y" })).await.unwrap(),
        Outcome::Applied(_)
    ));
}

/// What goes along with something else is asked about as if it went alone.
#[tokio::test]
async fn what_is_taken_along_meets_its_own_policies() {
    let g = gated().await;
    let group = g.w.create("Group", g.w.root(), "team", json!({})).await;
    g.w.bind(format!("group:{}", group.meta.id), "AgentViewer", g.production).await;
    let more = json!({ "match": { "resource_kinds": ["RoleBinding"], "actions": ["archive"] } });
    g.policy(g.production, "bindings", more).await;
    pending(&g.w.archive(&g.w.admin, &group.key()).await.unwrap());
}

/// A condition on what the change is about holds where that cannot be looked at.
#[tokio::test]
async fn a_condition_on_a_skill_holds_for_a_new_version_of_it() {
    let g = gated().await;
    let skill = g.w.create("Skill", g.production, "deploy", json!({})).await;
    let more = json!({ "match": { "resource_kinds": ["Skill"], "condition": "resource.name == 'deploy'" } });
    g.policy(g.production, "deploy", more).await;
    let publish = Action::PublishSkillVersion { skill: skill.meta.id, files: skill_files("deploy", "x") };
    pending(&g.w.cp.submit(&g.w.admin, publish).await.unwrap());
}

/// An OU can be archived with approval: the request is kept in the OU above.
#[tokio::test]
async fn the_end_of_an_ou_is_decided_in_the_one_above() {
    let g = gated().await;
    let inner = g.w.ou(g.production, "inner").await;
    g.policy(g.production, "ous", json!({ "match": { "resource_kinds": ["OU"] } })).await;
    let key = powerloom_core::record::ResourceKey { kind: crate::world::kind("OU"), id: inner };
    let request = g.request(pending(&g.w.archive(&g.w.admin, &key).await.unwrap())).await;
    assert_eq!(request.meta.ou, g.production);
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
    assert!(!g.w.row(&key).await.is_live());
}

/// What somebody asked in person is not for a narrowed token of theirs to read or take back.
#[tokio::test]
async fn a_narrowed_token_is_not_the_one_who_asked() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let mut narrowed = g.ada.clone().by(TokenKind::Api);
    narrowed.ceiling = Some(PermissionSet::of(&[powerloom_core::permission::Permission::AGENT_READ]));
    assert!(g.w.cp.approvals(&narrowed).mine(&InboxFilter::default()).await.unwrap().is_empty());
    assert_eq!(g.w.cp.approvals(&narrowed).change(request.request_id()).await.unwrap_err().code(), "denied");
    assert_eq!(code(g.w.cp.approvals(&narrowed).cancel(request.request_id(), None).await), "denied");
}

/// A plan that calls a thing by another's name is refused before anybody is asked, and forecasts are not the requester's.
#[tokio::test]
async fn a_plan_says_what_it_is_about_truly() {
    let g = gated().await;
    g.policy(g.w.root(), "two-eyes", json!({})).await;
    g.w.ou(g.w.root(), "lab").await;
    let create =
        g.w.try_create(&g.w.admin, "Agent", Some(g.production), Some("secret"), g.w.agent_spec()).await;
    let request = g.request(pending(&create.unwrap())).await;
    g.approve(&g.grace, &request).await.unwrap();
    let text =
        "{kind: Agent, metadata: {name: secret, ou_path: /acme/production}, spec: {system_prompt: Leak.}}";
    let parsed = parse("test.yaml", text, ParseMode::Lenient, g.w.cp.catalogue()).unwrap();
    let through = Through::new(&g.w.cp, &g.w.admin);
    let plan = through.plan(parsed.documents).await.unwrap();
    let mut forged = plan.clone();
    forged.steps[0].target.path = "/acme/lab/harmless".to_owned();
    let refused = through.submit_plan(&forged, None).await.unwrap_err();
    assert!(refused.to_string().contains("`plan.steps[0].target`"), "{refused}");
    let id = pending(&through.submit_plan(&plan, None).await.unwrap());
    let kept = g.w.cp.approvals(&g.grace).plan(id).await.unwrap();
    assert!(kept.steps.iter().all(|step| step.governance.is_none()));
    let shown = g.request(id).await.spec.after["steps"][0].clone();
    assert_eq!(shown["target"], "Agent /acme/production/secret");
    assert_eq!(shown["fields"]["system_prompt"], "\"Leak.\"");
}

//! The change itself: made once, in the commit of the last vote, and judged again then (row P99).

use super::{gated, pending};
use crate::world::{code, skill_files};
use powerloom_core::approval::{ApprovalState, Ballot};
use powerloom_core::clock::Clock;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::record::{KindName, ResourceKey};
use serde_json::json;

/// Rows P99 and P101: one commit, with a row for the vote, for the decision and for the change, whose actor is who asked.
#[tokio::test]
async fn the_last_vote_makes_the_change_in_its_own_commit() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let before = g.w.trail().await.len();
    let Outcome::Applied(applied) = g.approve(&g.grace, &request).await.unwrap() else { panic!("unchanged") };
    assert_eq!(applied.record.unwrap().meta.id, request.meta.id, "the answer is the request");
    let agent = g.agent("held").await.unwrap();
    let decided = g.request(request.request_id()).await;
    assert_eq!(decided.status.applied.unwrap().key, agent.key());
    assert_eq!(g.verbs(before).await, ["approval.vote", "approval.approve", "agent.create"]);
    let trail = g.w.cp.store().audit_rows(g.w.org.id, before as u64, 10).await.unwrap();
    assert!(trail.iter().all(|row| row.row.approval_request_id == Some(request.request_id().to_string())));
    assert_eq!(trail[2].row.actor, "user:ada@acme.com");
    let detail = trail[2].change().unwrap()["detail"].clone();
    assert_eq!(detail["approved_by"][0]["voter"], "user:grace@acme.com");
    assert!(g.w.cp.store().sync_state(g.w.org.id, &agent.key()).await.unwrap().is_some(), "it is dirty");
    g.w.verify().await;
}

/// Vector 4.6: the last two votes at once → applied once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_last_votes_make_the_change_once() {
    for round in 0..20 {
        let g = gated().await;
        g.policy(g.production, "two-eyes", json!({})).await;
        let request = g.asked("held").await;
        let (one, two) = tokio::join!(g.approve(&g.grace, &request), g.approve(&g.alan, &request));
        let late = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert_eq!(late.len(), 1, "round {round}");
        assert_eq!(late[0].code(), "approval_decided");
        let created = g.verbs(0).await.into_iter().filter(|verb| verb == "agent.create").count();
        assert_eq!(created, 1);
        g.w.verify().await;
    }
}

/// Vector 4.6: the requester loses the permission before the replay → `failed`, nothing applied.
#[tokio::test]
async fn a_requester_who_may_no_more_gets_nothing() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    for row in g.w.cp.store().referrers(g.w.org.id, &user(&g.ada)).await.unwrap() {
        if row.kind.as_str() == "RoleBinding" {
            g.w.archive(&g.w.admin, &row.key()).await.unwrap();
        }
    }
    let before = g.w.trail().await.len();
    g.approve(&g.grace, &request).await.unwrap();
    let failed = g.request(request.request_id()).await;
    assert_eq!(failed.status.state, ApprovalState::Failed);
    assert_eq!(failed.status.code.as_deref(), Some("denied"));
    assert!(failed.status.reason.unwrap().contains("agent:create"));
    assert!(g.agent("held").await.is_none());
    assert_eq!(g.verbs(before).await, ["approval.vote", "approval.fail"]);
}

/// Reliability P: the requester is disabled.
#[tokio::test]
async fn a_disabled_requester_gets_nothing() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let ada = g.w.row(&user(&g.ada)).await;
    g.w.update(&g.w.admin, &ada, json!({ "disabled": true })).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Failed);
    assert!(g.agent("held").await.is_none());
}

/// Sem. 2.8, Pinning: the base version moved.
#[tokio::test]
async fn an_approval_is_void_once_its_target_has_moved_on() {
    let g = gated().await;
    let agent = g.w.agent(g.production, "there").await;
    g.policy(g.production, "two-eyes", json!({ "match": { "actions": ["update", "archive"] } })).await;
    let waiting = g.w.update(&g.ada, &agent, json!({ "system_prompt": "Be kind." })).await.unwrap();
    let request = g.request(pending(&waiting)).await;
    assert_eq!(request.spec.base.as_ref().unwrap().version, agent.meta.version);
    // Meanwhile somebody attaches a skill, which no policy is about.
    let skill = g.w.create("Skill", g.w.root(), "lint", json!({})).await;
    let files = skill_files("lint", "x");
    g.w.cp.submit(&g.w.admin, Action::PublishSkillVersion { skill: skill.meta.id, files }).await.unwrap();
    let attach =
        Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
    g.w.cp.submit(&g.w.admin, attach).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    let failed = g.request(request.request_id()).await;
    assert_eq!(failed.status.state, ApprovalState::Failed);
    assert_eq!(failed.status.code.as_deref(), Some("version_mismatch"));
    assert_eq!(g.w.row(&agent.key()).await.spec["system_prompt"], "Be concise.");
}

/// What stands in the way when it is decided makes it fail, and says what.
#[tokio::test]
async fn an_approved_change_that_can_be_made_no_more_fails_with_the_reason() {
    let g = gated().await;
    let policy = g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    g.w.update(&g.w.admin, &policy, json!({ "enabled": false })).await.unwrap();
    g.ask_for(&g.w.admin, "held").await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    let failed = g.request(request.request_id()).await;
    assert_eq!(failed.status.code.as_deref(), Some("name_taken"));
    assert_eq!(g.verbs(0).await.into_iter().filter(|verb| verb == "agent.create").count(), 1);
}

/// Vector 4.6: created under an OU that is called otherwise meanwhile → follows the OU's id, not its path.
#[tokio::test]
async fn a_request_follows_its_ou_wherever_that_goes() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let new_home = g.w.ou(g.w.root(), "regulated").await;
    g.w.cp.submit(&g.w.admin, Action::MoveOu { ou: g.production, to: new_home, expect: None }).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
    assert_eq!(g.agent("held").await.unwrap().meta.ou, g.production);
}

/// Changes of all kinds wait and are made: an update, an attachment, a move, a version, an invocation's archive.
#[tokio::test]
async fn every_action_can_wait_and_is_made_as_it_was_asked_for() {
    let g = gated().await;
    let (root, admin) = (g.w.root(), &g.w.admin);
    let agent = g.w.agent(g.production, "there").await;
    let skill = g.w.create("Skill", g.production, "lint", json!({})).await;
    let inner = g.w.ou(g.production, "inner").await;
    let server = g.w.server(g.production, "files").await;
    g.policy(root, "everything", json!({ "match": {} })).await;
    let patch = json!({ "system_prompt": "Be kind." }).as_object().cloned().unwrap();
    let files = skill_files("lint", "x");
    let actions = [
        Action::Update { target: agent.key(), expect: None, patch },
        Action::PublishSkillVersion { skill: skill.meta.id, files },
        Action::AttachMcpServer { agent: agent.meta.id, mcp_server: server.meta.id, expect: None },
        Action::MoveOu { ou: inner, to: root, expect: None },
        Action::DetachMcpServer { agent: agent.meta.id, mcp_server: server.meta.id, expect: None },
        Action::Archive { target: agent.key(), expect: None },
    ];
    for action in actions {
        let word = action.word();
        let request = g.request(pending(&g.w.cp.submit(admin, action.clone()).await.unwrap())).await;
        let read = g.w.cp.approvals(&g.grace).change(request.request_id()).await.unwrap();
        assert_eq!(read.action, action, "the approver reads exactly what would be made");
        g.approve(&g.grace, &request).await.unwrap();
        let decided = g.request(request.request_id()).await;
        assert_eq!(decided.status.state, ApprovalState::Approved, "{word}: {:?}", decided.status.reason);
    }
    assert!(!g.w.row(&agent.key()).await.is_live());
    g.w.verify().await;
}

/// Sem. 2.8, Self-protection: policies, roles and bindings may be gated; deleting the last gate waits like anything else.
#[tokio::test]
async fn the_last_gate_is_not_deleted_without_being_asked() {
    let g = gated().await;
    let more = json!({ "match": { "resource_kinds": ["ApprovalPolicy", "Role", "RoleBinding"] } });
    let gate = g.policy(g.w.root(), "gates", more).await;
    let request = g.request(pending(&g.w.archive(&g.w.admin, &gate.key()).await.unwrap())).await;
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    assert!(g.w.row(&gate.key()).await.is_live());
    let patch = json!({ "enabled": false });
    let request = g.request(pending(&g.w.update(&g.w.admin, &gate, patch).await.unwrap())).await;
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.w.row(&gate.key()).await.spec["enabled"], false);
    // Now it is open.
    g.w.bind(&g.alan.principal, "Auditor", g.w.root()).await;
}

/// Somebody with write access to the store altered the parked change: nothing is made of it.
#[tokio::test]
async fn an_altered_request_makes_nothing() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let mut row = g.w.row(&request.key()).await;
    row.spec["scope_ou"] = json!("/acme/elsewhere");
    let mut commit = powerloom_core::store::Commit::new(g.w.org.id, g.w.clock.now());
    commit.write.push(powerloom_core::store::Write::PutRecord(Box::new(row)));
    g.w.cp.store().commit(commit).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    let failed = g.request(request.request_id()).await;
    assert_eq!(failed.status.code.as_deref(), Some("altered"));
    assert!(g.agent("held").await.is_none());
}

#[tokio::test]
async fn a_cancelled_request_makes_nothing_and_only_its_author_or_a_canceller_takes_it_back() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let cancel =
        Action::CancelApproval { request: request.request_id(), reason: Some("changed my mind".into()) };
    assert_eq!(code(g.w.cp.submit(&g.grace, cancel.clone()).await), "denied");
    g.w.cp.submit(&g.ada, cancel.clone()).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Cancelled);
    assert_eq!(code(g.w.cp.submit(&g.ada, cancel).await), "approval_decided");
    assert_eq!(code(g.approve(&g.grace, &request).await), "approval_decided");
    let other = g.asked("other").await;
    let cancel = Action::CancelApproval { request: other.request_id(), reason: None };
    g.w.cp.submit(&g.w.admin, cancel).await.unwrap();
    assert!(g.agent("held").await.is_none() && g.agent("other").await.is_none());
}

fn user(caller: &powerloom_core::door::caller::Caller) -> ResourceKey {
    ResourceKey { kind: KindName::known("User"), id: caller.principal.id().unwrap() }
}

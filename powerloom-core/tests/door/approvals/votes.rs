//! Who decides, and what counts.

use super::gated;
use crate::world::{code, denied};
use powerloom_core::approval::{ApprovalState, Ballot};
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::SessionId;
use powerloom_core::name::Name;
use powerloom_core::permission::PermissionSet;
use serde_json::json;

/// Vector 4.6: a self-vote is refused, even by somebody who may decide everything.
#[tokio::test]
async fn nobody_decides_their_own_request() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "approvers": ["role:OrgAdmin", "role:Approver"] })).await;
    let id = super::pending(&g.ask_for(&g.w.admin, "held").await.unwrap());
    let request = g.request(id).await;
    let before = g.w.trail().await.len();
    assert_eq!(code(g.approve(&g.w.admin, &request).await), "own_request");
    assert_eq!(code(g.vote(&g.w.admin, &request, Ballot::Reject).await), "own_request");
    assert_eq!(g.verbs(before).await, ["approval.vote", "approval.vote"], "refusals are on the chain");
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

/// Vector 4.6 and row M38: the delegated token of an approver is refused, whatever the approver may do.
#[tokio::test]
async fn a_token_of_a_session_decides_nothing() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let delegated = g.grace.clone().delegated(session, PermissionSet::ALL);
    assert_eq!(code(g.approve(&delegated, &request).await), "delegated_cannot_decide");
    let mut disguised = g.grace.clone();
    disguised.delegated_from_session = Some(session);
    assert_eq!(code(g.approve(&disguised, &request).await), "delegated_cannot_decide");
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
}

#[tokio::test]
async fn only_people_decide() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let robot: Name = "deployer".parse().unwrap();
    g.w.bind("service:deployer", "OrgAdmin", g.w.root()).await;
    let service = Caller::service(g.w.org.id, robot);
    assert_eq!(code(g.approve(&service, &request).await), "not_a_person");
}

/// The owner of an agent that asks has a part in what it asks for (sem. 2.8, Exclusions).
#[tokio::test]
async fn the_owner_of_an_agent_does_not_decide_what_it_asks_for() {
    let g = gated().await;
    let agent = g.w.agent(g.w.root(), "builder").await;
    g.w.update(&g.w.admin, &agent, json!({ "owner": g.grace.principal.to_string() })).await.unwrap();
    g.w.bind(&g.grace.principal, "AgentBuilder", g.w.root()).await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let session: SessionId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let robot = Caller::agent(g.w.org.id, agent.meta.id, session);
    let spec = json!({
        "model": "claude-sonnet-4-6", "system_prompt": "x", "agent_kind": "user",
        "owner": g.grace.principal.to_string(),
    });
    let outcome = g.w.try_create(&robot, "Agent", Some(g.production), Some("held"), spec).await;
    let Ok(outcome) = outcome else {
        // An agent may not set an owner other than itself: then it may not ask at all.
        denied(outcome);
        return;
    };
    let request = g.request(super::pending(&outcome)).await;
    assert_eq!(code(g.approve(&g.grace, &request).await), "own_request");
    g.approve(&g.alan, &request).await.unwrap();
}

#[tokio::test]
async fn who_may_not_decide_or_is_not_named_is_refused() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({ "approvers": [g.grace.principal.to_string()] })).await;
    let request = g.asked("held").await;
    let (_, nobody) = g.w.user(g.w.root(), "nobody@acme.com").await;
    let text = denied(g.approve(&nobody, &request).await);
    assert!(text.contains("approval:decide"), "{text}");
    assert_eq!(code(g.approve(&g.alan, &request).await), "not_an_approver");
    assert_eq!(code(g.approve(&g.w.admin, &request).await), "not_an_approver");
}

/// Another organization's request does not exist (row M25, invariant 1).
#[tokio::test]
async fn a_request_of_another_organization_does_not_exist() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let other =
        g.w.cp.bootstrap(&"other".parse().unwrap(), &"admin@other.com".parse().unwrap()).await.unwrap();
    let foreign = g.approve(&other.admin_caller(), &request).await.unwrap_err();
    let absent = "req_00000000-0000-7000-8000-0000000000ff".parse().unwrap();
    let missing = g.vote_on(&other.admin_caller(), absent, Digest::ZERO, Ballot::Approve).await.unwrap_err();
    assert_eq!(foreign.code(), "not_found");
    let blank = |text: String, id: String| text.replace(&id, "…");
    assert_eq!(
        blank(foreign.to_string(), request.meta.id.to_string()),
        blank(missing.to_string(), absent.record().to_string())
    );
}

/// Vector 4.6: quorum 2 with the same user twice is 1.
#[tokio::test]
async fn a_quorum_counts_people() {
    let g = gated().await;
    g.policy(g.production, "four-eyes", json!({ "quorum": 2 })).await;
    let request = g.asked("held").await;
    g.approve(&g.grace, &request).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
    g.approve(&g.alan, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
    assert!(g.agent("held").await.is_some());
}

/// Sem. 2.8, Vote: changeable until decided; a rejection that reaches its threshold ends it (row P100).
#[tokio::test]
async fn a_vote_can_be_changed_and_rejections_end_it() {
    let g = gated().await;
    g.policy(g.production, "four-eyes", json!({ "quorum": 2, "reject_threshold": 2 })).await;
    let request = g.asked("held").await;
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    g.approve(&g.grace, &request).await.unwrap();
    g.vote(&g.alan, &request, Ballot::Reject).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
    let before = g.w.trail().await.len();
    g.vote(&g.grace, &request, Ballot::Reject).await.unwrap();
    let ended = g.request(request.request_id()).await;
    assert_eq!(ended.status.state, ApprovalState::Rejected);
    assert!(ended.status.state.is_abandoned());
    assert_eq!(g.verbs(before).await, ["approval.vote", "approval.reject"]);
    assert_eq!(code(g.approve(&g.alan, &request).await), "approval_decided");
    assert!(g.agent("held").await.is_none());
}

/// Vector 4.6: a group member removed before the count → the vote does not count.
#[tokio::test]
async fn a_vote_counts_only_as_long_as_its_voter_is_an_approver() {
    let g = gated().await;
    let group = g.w.create("Group", g.w.root(), "security", json!({})).await;
    let mut seats = Vec::new();
    for who in [&g.grace, &g.alan] {
        let spec = json!({ "group": group.meta.id, "member": who.principal.to_string() });
        seats.push(g.w.derive("GroupMembership", spec).await);
    }
    let approvers = json!({ "quorum": 2, "approvers": [format!("group:{}", group.meta.id)] });
    g.policy(g.production, "security", approvers).await;
    let request = g.asked("held").await;
    g.approve(&g.grace, &request).await.unwrap();
    g.w.archive(&g.w.admin, &seats[0].key()).await.unwrap();
    g.approve(&g.alan, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
    assert_eq!(code(g.approve(&g.grace, &request).await), "not_an_approver");
    let spec = json!({ "group": group.meta.id, "member": g.grace.principal.to_string() });
    g.w.derive("GroupMembership", spec).await;
    // The right is back, and with the next count so is the vote.
    g.approve(&g.alan, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
}

#[tokio::test]
async fn a_voter_who_is_disabled_or_lost_the_permission_does_not_count() {
    let g = gated().await;
    g.policy(g.production, "four-eyes", json!({ "quorum": 2 })).await;
    let request = g.asked("held").await;
    g.approve(&g.grace, &request).await.unwrap();
    let grace =
        g.w.row(
            &"User"
                .parse::<powerloom_core::record::KindName>()
                .map(|kind| powerloom_core::record::ResourceKey { kind, id: g.grace.principal.id().unwrap() })
                .unwrap(),
        )
        .await;
    g.w.update(&g.w.admin, &grace, json!({ "disabled": true })).await.unwrap();
    g.approve(&g.alan, &request).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
}

/// Vector 4.6: root and child policy both match → both required.
#[tokio::test]
async fn every_policy_that_matches_must_be_met() {
    let g = gated().await;
    g.policy(g.w.root(), "root", json!({ "approvers": [g.alan.principal.to_string()] })).await;
    g.policy(g.production, "child", json!({ "approvers": [g.grace.principal.to_string()] })).await;
    let request = g.asked("held").await;
    assert_eq!(request.spec.requirements.len(), 2);
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("held").await.is_none());
    g.approve(&g.alan, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

/// One person may meet several requirements, each by a vote of its own or by one on all.
#[tokio::test]
async fn a_vote_may_be_for_one_requirement_only() {
    let g = gated().await;
    let root = g.policy(g.w.root(), "root", json!({})).await;
    let child = g.policy(g.production, "child", json!({})).await;
    let request = g.asked("held").await;
    let only = |requirements| Action::Vote {
        request: request.request_id(),
        ballot: Ballot::Approve,
        payload_hash: request.spec.payload_hash,
        comment: Some("looked at it".into()),
        requirements,
    };
    assert_eq!(code(g.w.cp.submit(&g.grace, only(vec![g.production])).await), "invalid");
    g.w.cp.submit(&g.grace, only(vec![root.meta.id])).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Pending);
    g.w.cp.submit(&g.grace, only(vec![child.meta.id])).await.unwrap();
    assert_eq!(g.state(request.request_id()).await, ApprovalState::Approved);
}

/// Vector 4.6: a vote with a stale hash is refused, and nothing is kept of it.
#[tokio::test]
async fn a_vote_for_something_else_is_refused() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    for hash in [Digest::ZERO, request.spec.payload, Digest::of(b"x")] {
        let answer = g.vote_on(&g.grace, request.request_id(), hash, Ballot::Approve).await;
        assert_eq!(code(answer), "approval_hash_mismatch");
    }
    assert!(g.request(request.request_id()).await.status.votes.is_empty());
}

#[tokio::test]
async fn a_comment_out_of_bounds_is_refused_by_name() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    for comment in [String::new(), "x".repeat(2001), "\u{1b}[31m".to_owned()] {
        let vote = Action::Vote {
            request: request.request_id(),
            ballot: Ballot::Approve,
            payload_hash: request.spec.payload_hash,
            comment: Some(comment),
            requirements: Vec::new(),
        };
        let refused = g.w.cp.submit(&g.grace, vote).await.unwrap_err();
        assert!(refused.to_string().contains("`comment`"), "{refused}");
    }
}

/// A role counts where the change is: one held elsewhere makes nobody an approver here.
#[tokio::test]
async fn a_role_makes_an_approver_only_where_it_is_held() {
    let g = gated().await;
    let lab = g.w.ou(g.w.root(), "lab").await;
    g.policy(g.production, "admins", json!({ "approvers": ["role:OUAdmin"] })).await;
    g.w.bind(&g.alan.principal, "OUAdmin", lab).await;
    let request = g.asked("held").await;
    assert_eq!(code(g.approve(&g.alan, &request).await), "not_an_approver");
    g.w.bind(&g.alan.principal, "OUAdmin", g.production).await;
    g.approve(&g.alan, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

/// Reliability P: self-approval through a group one is in is self-approval.
#[tokio::test]
async fn a_group_does_not_decide_for_the_one_of_it_who_asks() {
    let g = gated().await;
    let group = g.w.create("Group", g.w.root(), "security", json!({})).await;
    for who in [&g.ada, &g.grace] {
        let spec = json!({ "group": group.meta.id, "member": who.principal.to_string() });
        g.w.derive("GroupMembership", spec).await;
    }
    g.w.bind(format!("group:{}", group.meta.id), "Approver", g.w.root()).await;
    g.policy(g.production, "security", json!({ "approvers": [format!("group:{}", group.meta.id)] })).await;
    let request = g.asked("held").await;
    assert_eq!(code(g.approve(&g.ada, &request).await), "own_request");
    g.approve(&g.grace, &request).await.unwrap();
    assert!(g.agent("held").await.is_some());
}

//! Who votes, on what, and how often.

use super::{gated, id};
use powerloom_core::clock::Clock;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::SessionId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::record::{InvokeMode, SessionRecord, SessionSnapshot};
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{Commit, Write};
use powerloom_core::token::MetaTool;
use reqwest::Method;
use serde_json::json;

/// Sem. 2.8: a vote signs what was seen.
#[tokio::test]
async fn a_vote_for_something_else_than_was_asked_is_refused() {
    let g = gated(json!({})).await;
    let mut request = g.asked("held").await;
    request["payload_hash"] = json!("0".repeat(64));
    let refused = g.vote(&g.grace, &request, "approve").await.expect(409);
    assert_eq!(refused.code(), "approval_hash_mismatch");
    assert!(g.agents().await.is_empty());
}

#[tokio::test]
async fn nobody_decides_their_own_request_nor_one_that_names_others() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let own = g.vote(&g.ada, &request, "approve").await.expect(403);
    assert_eq!(own.code(), "own_request");
    // The administrator may decide, but no policy names them.
    let admin = g.vote(&g.w.admin, &request, "approve").await.expect(403);
    assert_eq!(admin.code(), "not_an_approver");
    let (_, nobody) = g.w.person("nobody@acme.com", &[]).await;
    let denied = g.vote(&nobody, &request, "approve").await.expect(403);
    assert_eq!(denied.code(), "denied");
    assert_eq!(denied.body["error"]["detail"]["permission"], "approval:decide");
    g.get(&nobody, &format!("/approvals/{}", id(&request))).await.expect(403);
    assert!(g.agents().await.is_empty());
}

/// Row M38, T3: a token of a program decides nothing, nor does one of a session, whatever the person behind it may.
#[tokio::test]
async fn only_a_person_in_person_votes() {
    let g = gated(json!({ "approvers": ["role:Approver", "role:OrgAdmin"] })).await;
    let request = g.asked("held").await;
    let wanted = json!({ "name": "laptop", "scopes": ["*:*"], "lifetime_seconds": 3600 });
    let made = g.post(&g.grace, "/tokens", wanted).await.expect(201);
    let by_token = g.vote(made.body["token"].as_str().unwrap(), &request, "approve").await.expect(403);
    assert_eq!(by_token.code(), "not_in_person");

    let session = session(&g).await;
    for tool in MetaTool::ALL {
        let delegated = g.w.tokens.mint_delegated_claims(&session, tool).unwrap();
        let refused = g.vote(delegated.reveal(), &request, "approve").await.expect(403);
        assert_eq!(refused.code(), "delegated_cannot_decide", "{tool:?}");
    }
    assert_eq!(g.agents().await, ["powerloom-meta"]);
    g.vote(&g.w.admin, &request, "approve").await.expect(200);
    assert_eq!(g.agents().await, ["held", "powerloom-meta"]);
}

/// A running session of the administrator's.
async fn session(g: &super::Gated) -> SessionRecord {
    let agent = json!({
        "name": "powerloom-meta", "ou_id": g.w.acme.root_ou, "model": "claude-sonnet-4-6",
        "system_prompt": "Be concise.", "agent_kind": "user", "owner_principal_ref": "user:admin@acme.com",
    });
    let agent = g.w.post("/agents", agent).await.expect(201);
    let remote = || RemoteRef { id: "remote".to_owned(), version: Some(1), parent: None };
    let (now, admin) = (g.clock.now(), g.w.acme.admin_caller().principal.to_string());
    let record = SessionRecord {
        id: SessionId::generate(now, &SystemEntropy),
        org: g.w.acme.id,
        agent_id: agent.id().parse().unwrap(),
        ou: g.w.acme.root_ou,
        started_by: admin.clone(),
        on_behalf_of: admin,
        parent: None,
        depth: 1,
        title: None,
        prompt: "Approve what waits.".to_owned(),
        mode: InvokeMode::FireAndForget,
        delegation: None,
        snapshot: SessionSnapshot {
            agent_name: "powerloom-meta".to_owned(),
            agent: remote(),
            environment: remote(),
            skills: vec![],
            mcp_servers: vec![],
            vault_ids: vec![],
        },
        status: SessionStatus::Running,
        error: None,
        remote_id: Some("remote".to_owned()),
        unsure: false,
        created_at: now,
        running_at: Some(now),
        settled_at: None,
        timeout_ms: 600_000,
        cancel_requested: false,
        last_seq: EventSeq::START,
        event_count: 0,
        mcp_tool_use_count: 0,
        mcp_error_count: 0,
        degradation_flagged: false,
        degradation_reason: None,
        usage: None,
        cost: None,
        lease: None,
        fence: 0,
        version: 1,
    };
    let mut commit = Commit::new(g.w.acme.id, now);
    commit.write.push(Write::PutSession(Box::new(record.clone())));
    g.w.loom.store().commit(commit).await.unwrap();
    record
}

/// Sem. 2.14: the same key and vote are answered once; another vote needs another key.
#[tokio::test]
async fn a_vote_that_is_sent_again_is_answered_as_before() {
    let g = gated(json!({ "quorum": 2 })).await;
    let request = g.asked("held").await;
    let cast = async |ballot: &str| {
        let body = json!({ "ballot": ballot, "payload_hash": request["payload_hash"] });
        let vote = g.w.request(Method::POST, &format!("/approvals/{}/votes", id(&request)));
        g.w.send(vote.bearer_auth(&g.grace).header("idempotency-key", "k1").json(&body)).await
    };
    let first = cast("approve").await.expect(200);
    assert_eq!(
        (&first.body["state"], &first.body["requirements"][0]["approvals"]),
        (&json!("pending"), &json!(1))
    );
    let rows = g.w.loom.store().audit_head(g.w.acme.id).await.unwrap();
    assert_eq!(cast("approve").await.expect(200).body, first.body);
    assert_eq!(g.w.loom.store().audit_head(g.w.acme.id).await.unwrap(), rows);
    assert_eq!(cast("reject").await.expect(409).code(), "idempotency_mismatch");
}

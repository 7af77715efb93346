//! Session-delegated tokens (rows M4–M12, M24–M27, M38, M41; sem. 2.10, 2.15; reliability T3, T4).

use crate::access_tokens::{MINUTE, refused};
use crate::world::{World, denied, kind, world};
use async_trait::async_trait;
use powerloom_core::authz::{AuthzSnapshot, Decision};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::authorizer::{AccessRequest, Authorizer, Rbac};
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::SessionId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::record::{InvokeMode, SessionRecord, SessionSnapshot};
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{Commit, Write};
use powerloom_core::token::{META_PERMISSIONS, MetaTool};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A session of the admin's that runs.
pub(crate) async fn session(w: &World) -> SessionRecord {
    let agent = w.agent(w.root(), "powerloom-meta").await;
    let remote = || RemoteRef { id: "remote".to_owned(), version: Some(1), parent: None };
    let record = SessionRecord {
        id: SessionId::generate(w.cp.clock().now(), &SystemEntropy),
        org: w.org.id,
        agent_id: agent.meta.id,
        ou: w.root(),
        started_by: w.admin.principal.to_string(),
        on_behalf_of: w.admin.principal.to_string(),
        parent: None,
        depth: 1,
        title: None,
        prompt: "Set up an agent for Ada.".to_owned(),
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
        created_at: w.cp.clock().now(),
        running_at: Some(w.cp.clock().now()),
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
    put(w, &record).await;
    record
}

async fn put(w: &World, record: &SessionRecord) {
    let mut commit = Commit::new(w.org.id, w.cp.clock().now());
    commit.write.push(Write::PutSession(Box::new(record.clone())));
    w.cp.store().commit(commit).await.unwrap();
}

/// Rows M4, M5, M9, M12, M41: the starter, for one tool, for 300 seconds, and recorded as the session's.
#[tokio::test]
async fn a_delegated_token_is_the_starter_within_one_tool_for_300_seconds() {
    let w = world().await;
    let (tokens, session) = (w.tokens(), session(&w).await);
    let token = tokens.mint_delegated_claims(&session, MetaTool::CreateAgent).unwrap();
    let caller = tokens.authenticate(token.reveal()).await.unwrap();
    assert_eq!(caller, w.admin.clone().delegated(session.id, MetaTool::CreateAgent.permissions()));
    w.try_create(&caller, "Agent", Some(w.root()), Some("made"), w.agent_spec()).await.unwrap();
    let row = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap().pop().unwrap().row;
    assert_eq!(
        (row.actor.as_str(), row.delegated_from_session),
        ("user:admin@acme.com", Some(session.id.to_string()))
    );

    let lists = tokens.mint_delegated_claims(&session, MetaTool::ListOus).unwrap();
    let caller = tokens.authenticate(lists.reveal()).await.unwrap();
    denied(w.try_create(&caller, "Agent", Some(w.root()), Some("other"), w.agent_spec()).await);

    w.clock.advance(Duration::from_micros(299_999_999));
    tokens.authenticate(token.reveal()).await.unwrap();
    w.clock.advance(Duration::from_micros(1));
    assert_eq!(refused(&tokens, token.reveal()).await.1, "token_expired");
}

/// Row M10: the end of the session ends its tokens at once, and begins none.
#[tokio::test]
async fn a_token_dies_with_its_session() {
    let w = world().await;
    let (tokens, mut session) = (w.tokens(), session(&w).await);
    let token = tokens.mint_delegated_claims(&session, MetaTool::ListOus).unwrap();
    for status in SessionStatus::ALL {
        session.status = status;
        session.version += 1;
        put(&w, &session).await;
        let runs = matches!(status, SessionStatus::Running | SessionStatus::AwaitingApproval);
        assert_eq!(tokens.authenticate(token.reveal()).await.is_ok(), runs, "{status}");
        assert_eq!(tokens.mint_delegated_claims(&session, MetaTool::ListOus).is_ok(), runs, "{status}");
    }
    session.status = SessionStatus::Running;
    session.cancel_requested = true;
    session.version += 1;
    put(&w, &session).await;
    assert_eq!(refused(&tokens, token.reveal()).await.1, "token_session_gone");
}

/// Rows M9, M11: whose token it is says the session's row, and only as long as they may act.
#[tokio::test]
async fn a_token_is_its_starters_and_nobody_elses() {
    let w = world().await;
    let (tokens, mut session) = (w.tokens(), session(&w).await);
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    session.started_by = format!("user:{ada}");
    session.version += 1;
    put(&w, &session).await;
    let token = tokens.mint_delegated_claims(&session, MetaTool::ListAgents).unwrap();
    tokens.authenticate(token.reveal()).await.unwrap();

    let row = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
    assert_eq!(refused(&tokens, token.reveal()).await.1, "token_user_gone");

    for other in
        [w.admin.principal.to_string(), format!("agent:{}", session.agent_id), "service:ci".to_owned()]
    {
        session.started_by = other;
        session.version += 1;
        put(&w, &session).await;
        assert_eq!(refused(&tokens, token.reveal()).await.1, "token_session_gone");
    }
    assert!(
        tokens.mint_delegated_claims(&session, MetaTool::ListAgents).is_err(),
        "a program's session is nobody's"
    );

    session.org = powerloom_core::id::OrgId::generate(w.cp.clock().now(), &SystemEntropy);
    session.started_by = w.admin.principal.to_string();
    let foreign = tokens.mint_delegated_claims(&session, MetaTool::ListAgents).unwrap();
    assert_eq!(refused(&tokens, foreign.reveal()).await.1, "token_session_gone", "row M25");
}

/// Rows M24–M27, M38: an OrgAdmin's own tokens decide nothing out of a session that is none of the 11 tools'.
#[tokio::test]
async fn no_delegated_call_goes_beyond_the_tools() {
    let w = world().await;
    let (tokens, session) = (w.tokens(), session(&w).await);
    for tool in MetaTool::ALL {
        let token = tokens.mint_delegated_claims(&session, tool).unwrap();
        let caller = tokens.authenticate(token.reveal()).await.unwrap();
        for &permission in Permission::ALL {
            let decision = w.cp.decide(&caller, permission, w.root()).await.unwrap();
            assert_eq!(decision.is_allowed(), tool.permissions().contains(permission), "{tool} {permission}");
        }
    }
    let widest = w.admin.clone().delegated(session.id, PermissionSet::ALL);
    for &permission in Permission::ALL {
        let decision = w.cp.decide(&widest, permission, w.root()).await.unwrap();
        assert_eq!(decision.is_allowed(), META_PERMISSIONS.contains(permission), "{permission}");
    }
    let made = w.try_create(
        &widest,
        "RoleBinding",
        Some(w.root()),
        None,
        json!({
            "principal": w.admin.principal.to_string(), "role": "AgentViewer", "effect": "allow",
        }),
    );
    denied(made.await);
    let bare = w.admin.clone().by(TokenKind::Delegated);
    denied(w.try_create(&bare, "Agent", Some(w.root()), Some("other"), w.agent_spec()).await);
    denied(w.cp.submit(&bare, Action::CancelSession { session: session.id }).await);
    assert_eq!(
        w.cp.session(&bare, session.id).await.unwrap_err().code(),
        "denied",
        "not the starter in person"
    );
}

/// An authorizer that says yes to everybody.
#[derive(Debug)]
struct Everybody;

#[async_trait]
impl Authorizer for Everybody {
    fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision {
        let admin = snapshot.resolve(&"user:admin@acme.com".parse().unwrap()).unwrap();
        let caller = Caller::new(snapshot.org(), admin);
        Rbac.decide(snapshot, &AccessRequest { caller: &caller, ..*request })
    }
}

/// The wall is the door's: it does not rest on whoever decides.
#[tokio::test]
async fn no_authorizer_lets_a_delegated_call_beyond_the_tools() {
    let (store, _folder) = crate::backend::fresh().await;
    let cp = ControlPlane::builder(store).authorizer(Arc::new(Everybody)).build();
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let session = SessionId::generate(cp.clock().now(), &SystemEntropy);
    let create =
        |name: &str| Action::create(kind("OU"), org.root_ou, &name.parse().unwrap(), serde_json::Map::new());
    cp.submit(&org.admin_caller(), create("one")).await.unwrap();
    let delegated = org.admin_caller().delegated(session, PermissionSet::ALL);
    denied(cp.submit(&delegated, create("two")).await);
    denied(cp.submit(&org.admin_caller().by(TokenKind::Delegated), create("two")).await);
}

/// T3: every kind of token at every entry that takes one.
#[tokio::test]
async fn kinds_of_tokens_do_not_cross() {
    let w = world().await;
    let (tokens, session) = (w.tokens(), session(&w).await);
    let access = tokens.mint_access(w.org.id, w.org.admin, MINUTE).await.unwrap().reveal().to_owned();
    let delegated = tokens.mint_delegated_claims(&session, MetaTool::ListOus).unwrap().reveal().to_owned();
    let api = crate::api_tokens::create(&w, &tokens, &w.admin, "ci").await.text.reveal().to_string();
    let ticket = w.cp.stream_ticket(&w.admin, session.id).await.unwrap().0.reveal().to_owned();
    for (made, token) in [(0, &access), (1, &delegated), (2, &api), (3, &ticket)] {
        assert_eq!(tokens.verify_access(token).await.is_ok(), made == 0, "{made}");
        assert_eq!(tokens.verify_delegated(token).await.is_ok(), made == 1, "{made}");
        assert_eq!(tokens.verify_api_token(token).await.is_ok(), made == 2, "{made}");
        assert_eq!(tokens.authenticate(token).await.is_ok(), made != 3, "{made}");
        let stream = w.cp.open_stream(session.id, token, EventSeq::START).await;
        assert_eq!(stream.is_ok(), made == 3, "{made}");
    }
}

/// Vector 4.7, T8: neither the files of a store nor its audit trail hold a usable ticket.
#[tokio::test]
async fn a_dump_of_the_store_opens_no_stream() {
    let w = world().await;
    let session = session(&w).await;
    let (ticket, _) = w.cp.stream_ticket(&w.admin, session.id).await.unwrap();
    let row = w.cp.store().ticket(&ticket.digest()).await.unwrap().unwrap();
    let secret = &ticket.reveal()[3..];
    assert!(
        !serde_json::to_string(&row).unwrap().contains(secret)
            && !format!("{row:?} {ticket:?}").contains(secret)
    );
    let holds = |needle: &[u8]| w.dump().windows(needle.len()).any(|window| window == needle);
    assert!(!holds(secret.as_bytes()));
    assert!(w.dump().is_empty() || holds(session.id.to_string().as_bytes()), "the dump is of something");
}

//! The exchange call: what an MCP server gets for a session's handle, and what that is good for. In real time, so that
//! it runs on SQLite too.

use crate::handle::{delegating, running, until};
use crate::scripted::rest;
use crate::stage::World;
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::Error;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::SessionId;
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use powerloom_core::record::RecordRow;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::tool_key::tool_idempotency_key;
use powerloom_core::token::{KeySet, MemorySigningKeys, MetaTool, SigningKey, TokenOptions, TokenService};
use serde_json::{Value, json};
use std::sync::Arc;

struct Scene {
    world: World,
    tokens: TokenService,
}

async fn scene() -> Scene {
    let world = delegating(vec![rest(30.0)]).await;
    let key = SigningKey::generate_ed25519(&SystemEntropy).unwrap();
    let keys = Arc::new(MemorySigningKeys::new(KeySet::new(key)));
    let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
    let tokens = TokenService::new(&world.cp, keys, options).unwrap();
    world.start();
    Scene { world, tokens }
}

impl Scene {
    /// A running session of `user`, and its handle.
    async fn session(&self, user: &Caller) -> (SessionId, String) {
        let asks = Invoke::new(self.world.agent, "Set me up.");
        let invoked = self.world.cp.invoke(user, asks).await.unwrap().started().unwrap();
        (invoked.session_id, running(&self.world, invoked.session_id).await)
    }

    /// What the server does at a call: exchanges the handle, and calls the control plane with the token.
    async fn call(&self, handle: &str, tool: MetaTool) -> Result<Caller, Error> {
        let token = self.tokens.mint_delegated(handle, tool).await?;
        self.tokens.authenticate(token.reveal()).await
    }

    fn agent(&self, name: &str, owner: &Caller) -> Action {
        let spec = json!({
            "model": "claude-sonnet-4-6", "agent_kind": "user", "owner": owner.principal.to_string(),
        });
        self.create("Agent", Some(name), spec)
    }

    fn create(&self, kind: &str, name: Option<&str>, spec: Value) -> Action {
        Action::Create {
            kind: kind.parse().unwrap(),
            ou: Some(self.world.org.root_ou),
            name: name.map(str::to_owned),
            spec: spec.as_object().cloned().unwrap(),
        }
    }

    async fn submit(&self, caller: &Caller, action: Action) -> Result<RecordRow, Error> {
        Ok(self.world.cp.submit(caller, action).await?.record().unwrap().clone())
    }
}

fn unauthenticated(result: Result<Caller, Error>) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "unauthenticated"), "{error:?}");
    assert_eq!(error.to_string(), "the token is not valid");
}

/// The payload of a token, as anybody can read it.
fn payload(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Rows M3–M9, M12, M53: two users, one agent; each call is its own user's, whoever else runs the agent.
#[tokio::test]
async fn a_call_is_made_by_whoever_started_the_session_it_came_from() {
    let scene = scene().await;
    let ada = scene.world.user("ada@acme.com", Some("AgentOperator")).await;
    let grace = scene.world.user("grace@acme.com", Some("AgentOperator")).await;
    let ((one, by_ada), (two, by_grace)) = (scene.session(&ada).await, scene.session(&grace).await);
    for (user, id, handle) in [(&ada, one, &by_ada), (&grace, two, &by_grace)] {
        let token = scene.tokens.mint_delegated(handle, MetaTool::ListAgents).await.unwrap();
        let claims = payload(token.reveal());
        let Principal::User(user_id) = user.principal else { panic!("a user") };
        assert_eq!(claims["sub"], user_id.to_string());
        assert_eq!((&claims["org"], &claims["sid"]), (&json!(scene.world.org.id), &json!(id)));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300, "row M5");
        assert_eq!(claims["tools"], json!(["list_agents"]));
        assert_eq!(claims["act"]["sub"], format!("agent:{}", scene.world.agent));
        assert!(!token.reveal().contains(handle.as_str()) && !claims.to_string().contains(&handle[50..]));

        let caller = scene.tokens.authenticate(token.reveal()).await.unwrap();
        assert_eq!(
            (&caller.principal, caller.org, caller.token),
            (&user.principal, user.org, TokenKind::Delegated)
        );
        assert_eq!(caller.delegated_from_session, Some(id));
        let again = scene.tokens.mint_delegated(handle, MetaTool::ListAgents).await.unwrap();
        assert_ne!(again.reveal(), token.reveal(), "row M6: anew at every call");
    }
    // C12: the agent's owner may all that, and it makes no difference.
    let caller = scene.call(&by_ada, MetaTool::CreateAgent).await.unwrap();
    let refused = scene.submit(&caller, scene.agent("clerk-2", &ada)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "she may invoke, not create: {refused}");
}

/// Rows M12, M41, M42, M43: the row says who and out of which session; whoever may, may.
#[tokio::test]
async fn what_is_done_out_of_a_session_is_its_starters_and_says_so() {
    let scene = scene().await;
    let ada = scene.world.user("ada@acme.com", Some("AgentBuilder")).await;
    let operator =
        json!({ "principal": ada.principal.to_string(), "role": "AgentOperator", "effect": "allow" });
    scene.world.create("RoleBinding", "", operator).await;
    let (id, handle) = scene.session(&ada).await;
    let caller = scene.call(&handle, MetaTool::CreateAgent).await.unwrap();
    let made = scene.submit(&caller, scene.agent("helper", &ada)).await.unwrap();
    let own = scene.submit(&ada, scene.agent("own", &ada)).await.unwrap();

    let rows = scene.world.cp.store().audit_rows(scene.world.org.id, 0, 1000).await.unwrap();
    let row =
        |of: &RecordRow| rows.iter().find(|entry| entry.row.resource_id == of.meta.id.to_string()).unwrap();
    assert_eq!(row(&made).row.actor, "user:ada@acme.com");
    assert_eq!(row(&made).row.delegated_from_session, Some(id.to_string()));
    assert_eq!((&row(&own).row.actor, &row(&own).row.delegated_from_session), (&row(&made).row.actor, &None));
    scene.world.cp.verify_audit(&scene.world.admin, None).await.unwrap().unwrap();
}

/// Sem. 2.15: a token minted for `list_ous` cannot create.
#[tokio::test]
async fn a_token_is_good_for_its_tool_and_no_other() {
    let scene = scene().await;
    let admin = scene.world.admin.clone();
    let (_, handle) = scene.session(&admin).await;
    for tool in MetaTool::ALL {
        let caller = scene.call(&handle, tool).await.unwrap();
        let created = scene
            .submit(&caller, scene.agent(&format!("by-{}", tool.name().replace('_', "-")), &admin))
            .await;
        assert_eq!(created.is_ok(), tool == MetaTool::CreateAgent, "{tool}");
    }
}

/// Rows M24–M27, M38: whatever its starter may, no call out of a session touches policies, decisions, roles, bindings,
/// people, tokens or sessions.
#[tokio::test]
async fn no_call_out_of_a_session_reaches_what_governs_it() {
    let scene = scene().await;
    let admin = scene.world.admin.clone();
    let role = scene.world.create("Role", "reader", json!({ "permissions": ["agent:read"] })).await;
    let policy = json!({
        "match": { "resource_kinds": ["RoleBinding"], "actions": ["create"] }, "approvers": ["role:OrgAdmin"],
    });
    let standing = scene.world.create("ApprovalPolicy", "standing", policy.clone()).await;
    let (id, handle) = scene.session(&admin).await;
    let bound = json!({ "principal": admin.principal.to_string(), "role": "AgentViewer", "effect": "allow" });
    for tool in MetaTool::ALL {
        let caller = scene.call(&handle, tool).await.unwrap();
        let actions = [
            scene.create("ApprovalPolicy", Some("mine"), policy.clone()),
            Action::Update {
                target: standing.key(),
                expect: None,
                patch: json!({ "display_name": "Mine" }).as_object().cloned().unwrap(),
            },
            Action::Archive { target: standing.key(), expect: None },
            scene.create("RoleBinding", None, bound.clone()),
            scene.create("Role", Some("mine"), json!({ "permissions": ["agent:read"] })),
            Action::Update {
                target: role.key(),
                expect: None,
                patch: json!({ "permissions": ["agent:*"] }).as_object().cloned().unwrap(),
            },
            Action::Archive { target: role.key(), expect: None },
            scene.create("Group", Some("mine"), json!({})),
            scene.create("User", None, json!({ "email": "eve@acme.com" })),
            scene.create("OU", Some("mine"), json!({})),
            Action::CancelSession { session: id },
            Action::EraseAuditPayload { seq: 1 },
        ];
        for action in actions {
            let name = format!("{tool}: {action:?}");
            let error = scene.world.cp.submit(&caller, action).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
        }
        for permission in Permission::ALL {
            let forbidden = ["approval", "approval_policy", "role", "binding", "group", "token", "session"];
            if forbidden.contains(&permission.resource()) {
                let decision =
                    scene.world.cp.decide(&caller, *permission, scene.world.org.root_ou).await.unwrap();
                assert!(!decision.is_allowed(), "{tool}: {permission}");
            }
        }
        assert!(scene.world.cp.invoke(&caller, Invoke::new(scene.world.agent, "again")).await.is_err());
    }
}

/// Row M10: the end of the session is the end of the handle and of every token, unexpired ones too.
#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_its_tokens() {
    let scene = scene().await;
    let admin = scene.world.admin.clone();
    let ((one, handle), (_, other)) = (scene.session(&admin).await, scene.session(&admin).await);
    let token = scene.tokens.mint_delegated(&handle, MetaTool::ListOus).await.unwrap();
    let kept = scene.tokens.mint_delegated(&other, MetaTool::ListOus).await.unwrap();
    assert!(scene.tokens.authenticate(token.reveal()).await.is_ok());
    scene.world.cp.cancel(&admin, one).await.unwrap();
    unauthenticated(scene.tokens.authenticate(token.reveal()).await);
    unauthenticated(scene.call(&handle, MetaTool::ListOus).await);
    until(&scene.world, one, |record| record.status.is_settled()).await;
    unauthenticated(scene.tokens.authenticate(token.reveal()).await);
    unauthenticated(scene.call(&handle, MetaTool::ListOus).await);
    assert!(scene.tokens.authenticate(kept.reveal()).await.is_ok(), "the other session goes on");
}

/// Row M11: what is taken from the starter is taken from the session, at the next call.
#[tokio::test]
async fn access_that_is_revoked_mid_session_is_gone_at_the_next_call() {
    let scene = scene().await;
    let ada = scene.world.user("ada@acme.com", Some("AgentBuilder")).await;
    let operator =
        json!({ "principal": ada.principal.to_string(), "role": "AgentOperator", "effect": "allow" });
    scene.world.create("RoleBinding", "", operator).await;
    let (_, handle) = scene.session(&ada).await;
    let caller = scene.call(&handle, MetaTool::CreateAgent).await.unwrap();
    scene.submit(&caller, scene.agent("first", &ada)).await.unwrap();

    let Principal::User(user) = ada.principal else { panic!("a user") };
    let store = scene.world.cp.store();
    let key = powerloom_core::record::ResourceKey { kind: "User".parse().unwrap(), id: user };
    let bindings = store.referrers(scene.world.org.id, &key).await.unwrap();
    let builder = bindings.iter().find(|row| row.spec["role"] == "AgentBuilder").unwrap();
    let unbind = Action::Archive { target: builder.key(), expect: None };
    scene.world.cp.submit(&scene.world.admin, unbind).await.unwrap();
    for caller in [caller, scene.call(&handle, MetaTool::CreateAgent).await.unwrap()] {
        let error = scene.submit(&caller, scene.agent("second", &ada)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("agent:create"), "row M33: {error}");
    }

    let token = scene.tokens.mint_delegated(&handle, MetaTool::ListOus).await.unwrap();
    let disabled = json!({ "disabled": true }).as_object().cloned().unwrap();
    let disable = Action::Update { target: key, expect: None, patch: disabled };
    scene.world.cp.submit(&scene.world.admin, disable).await.unwrap();
    unauthenticated(scene.tokens.authenticate(token.reveal()).await);
    unauthenticated(scene.call(&handle, MetaTool::ListOus).await);
    assert!(
        scene.world.cp.resolve_handle(&handle).await.is_ok(),
        "the session runs; nobody may act out of it"
    );
}

/// Row M25, invariant 1: a handle opens its own organization and no other.
#[tokio::test]
async fn a_handle_reaches_no_other_organization() {
    let (scene, other) = (scene().await, scene().await);
    let (_, handle) = scene.session(&scene.world.admin.clone()).await;
    unauthenticated(other.call(&handle, MetaTool::ListOus).await);
    let caller = scene.call(&handle, MetaTool::DescribeAgent).await.unwrap();
    let there = powerloom_core::record::ResourceKey { kind: "Agent".parse().unwrap(), id: other.world.agent };
    assert_eq!(scene.world.cp.get(&caller, &there).await.unwrap_err().kind(), ErrorKind::NotFound);
    let token = scene.tokens.mint_delegated(&handle, MetaTool::ListOus).await.unwrap();
    unauthenticated(other.tokens.authenticate(token.reveal()).await);
}

/// Sem. 2.15, "Retry safety": a call that is told twice creates once.
#[tokio::test]
async fn a_tool_call_that_is_told_twice_creates_once() {
    let scene = scene().await;
    let admin = scene.world.admin.clone();
    let ((one, handle), (two, other)) = (scene.session(&admin).await, scene.session(&admin).await);
    let mut made = Vec::new();
    for (session, handle, call) in
        [(one, &handle, "sevt_7"), (one, &handle, "sevt_7"), (two, &other, "sevt_7")]
    {
        let caller = scene.call(handle, MetaTool::CreateAgent).await.unwrap();
        let key = tool_idempotency_key(session, call, 0);
        let options = SubmitOptions::default().idempotency_key(key);
        let name = if session == one { "first" } else { "second" };
        let outcome = scene.world.cp.submit_with(&caller, scene.agent(name, &admin), &options).await.unwrap();
        made.push(outcome.record().unwrap().meta.id);
    }
    assert_eq!(made[0], made[1]);
    assert_ne!(made[0], made[2]);
}

/// T7: the token an MCP server gets is nowhere in what the session says.
#[tokio::test]
async fn a_token_is_in_no_event_and_in_no_audit_row() {
    let scene = scene().await;
    let admin = scene.world.admin.clone();
    let (id, handle) = scene.session(&admin).await;
    let token = scene.tokens.mint_delegated(&handle, MetaTool::CreateAgent).await.unwrap();
    let caller = scene.tokens.authenticate(token.reveal()).await.unwrap();
    scene.submit(&caller, scene.agent("helper", &admin)).await.unwrap();
    scene.world.cp.cancel(&admin, id).await.unwrap();
    until(&scene.world, id, powerloom_core::session::record::SessionRecord::is_done).await;
    let store = scene.world.cp.store();
    let events = store.events(scene.world.org.id, id, EventSeq::START, 500).await.unwrap();
    let rows = store.audit_rows(scene.world.org.id, 0, 1000).await.unwrap();
    let shown = format!("{events:?} {token:?} {caller:?}");
    let rows: String =
        rows.iter().map(|entry| String::from_utf8_lossy(&entry.row_bytes).into_owned()).collect();
    let signature = token.reveal().rsplit('.').next().unwrap();
    for secret in [signature, &handle[49..]] {
        assert!(!shown.contains(secret) && !rows.contains(secret));
    }
}

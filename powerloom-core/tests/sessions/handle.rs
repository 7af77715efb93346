//! Whose session is calling: the handle a delegating MCP server is given. In real time, so that it runs on SQLite too.

use crate::scripted::{Act, idle, rest, say};
use crate::stage::{World, bare};
use powerloom_core::conformance::fake_runtime::{Fault, RemoteObject};
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::SessionId;
use powerloom_core::runtime::{Payload, RuntimeErrorClass};
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::token::TokenError;
use serde_json::json;
use std::time::Duration;

pub(crate) const META: &str = "https://meta.example.com/mcp";

/// An organization whose one agent plays `script` and has a delegating MCP server beside an ordinary one.
pub(crate) async fn delegating(script: Vec<Act>) -> World {
    let world = bare(script).await;
    let meta =
        world.create("MCPServerRegistration", "meta", json!({ "url": META, "delegating": true })).await;
    let attach = Action::AttachMcpServer { agent: world.agent, mcp_server: meta.meta.id, expect: None };
    world.cp.submit(&world.admin, attach).await.unwrap();
    world.sync().await;
    world
}

/// What the runtime presents to the server at `url` in a session: of its vaults in their order, the first that has a
/// credential for it (sem. 2.5).
pub(crate) fn presented(world: &World, session: SessionId, url: &str) -> Option<String> {
    let starts = world.runtime.starts.lock().unwrap();
    let start = starts.iter().rfind(|start| start.session == session)?;
    let objects = world.runtime.vaults.objects();
    let opens = |object: &&RemoteObject, vault: &String| {
        object.remote.parent.as_ref() == Some(vault)
            && matches!(&object.payload, Payload::Credential(of) if of.mcp_server_url == url)
    };
    start
        .vault_ids
        .iter()
        .find_map(|vault| objects.iter().find(|object| opens(object, vault))?.bearer.clone())
}

/// The vaults of sessions that are on the runtime.
pub(crate) fn vaults(world: &World) -> Vec<RemoteObject> {
    let objects = world.runtime.vaults.objects().into_iter();
    objects.filter(|object| matches!(object.payload, Payload::Vault(_))).collect()
}

pub(crate) async fn stored(world: &World, id: SessionId) -> SessionRecord {
    world.cp.store().session(world.org.id, id).await.unwrap().unwrap()
}

/// Nothing of the session's handle is left: not its hash, not its vault, nor what was in that.
pub(crate) async fn assert_gone(world: &World, id: SessionId) {
    let record = stored(world, id).await;
    assert!(record.status.is_settled() && record.is_done(), "{record:?}");
    let delegation = record.delegation.unwrap();
    assert_eq!((delegation.handle, delegation.vault), (None, None));
    assert_eq!(world.runtime.vaults.objects(), []);
}

pub(crate) async fn until(
    world: &World,
    id: SessionId,
    wanted: impl Fn(&SessionRecord) -> bool,
) -> SessionRecord {
    for _ in 0..1000 {
        let record = stored(world, id).await;
        if wanted(&record) {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that: {:?}", stored(world, id).await);
}

pub(crate) async fn running(world: &World, id: SessionId) -> String {
    until(world, id, |record| record.status == SessionStatus::Running).await;
    presented(world, id, META).unwrap()
}

/// Every refusal reads the same, to the client and in the log.
async fn assert_refused(world: &World, text: &str) {
    let error = world.cp.resolve_handle(text).await.unwrap_err();
    let wanted = || Error::from(TokenError::HandleRefused);
    assert_eq!(format!("{error:?}"), format!("{:?}", wanted()));
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "unauthenticated"));
    assert_eq!(error.envelope(), wanted().envelope());
}

/// Rows M7, M28, M53; sem. 2.15; C34: the credential of the agent is the same for both, the handle is not.
#[tokio::test]
async fn of_two_users_of_one_agent_each_calls_by_a_handle_of_their_own_session() {
    let world = delegating(vec![rest(30.0)]).await;
    let (ada, grace) = (
        world.user("ada@acme.com", Some("AgentOperator")).await,
        world.user("grace@acme.com", Some("AgentOperator")).await,
    );
    let _stop = world.start();
    let mut sessions = Vec::new();
    for user in [&ada, &grace] {
        let invoked = world.cp.invoke(user, Invoke::new(world.agent, "Who am I?")).await.unwrap();
        sessions.push((user, invoked.started().unwrap().session_id));
    }
    let mut seen = Vec::new();
    for (user, id) in sessions {
        let handle = running(&world, id).await;
        let session = world.cp.resolve_handle(&handle).await.unwrap();
        assert_eq!((session.id, session.org), (id, world.org.id));
        assert_eq!(session.started_by, user.principal.to_string());
        assert_eq!(session.on_behalf_of, user.principal.to_string());
        assert!(
            presented(&world, id, "https://orders.example.com/mcp").is_none(),
            "only delegating servers get it"
        );
        seen.push(handle);
    }
    assert_ne!(seen[0], seen[1]);
    assert_eq!(vaults(&world).len(), 2);
    let starts = world.runtime.starts.lock().unwrap().clone();
    let frozen = stored(&world, starts[0].session).await.snapshot.vault_ids;
    assert_eq!(starts[0].vault_ids[1..], frozen, "the agent's own vaults come after");
}

/// Sem. 2.15: the ids in it are where to look, and nothing else; what is refused is refused in the same words.
#[tokio::test]
async fn a_handle_that_is_foreign_or_altered_is_refused_like_one_that_never_was() {
    let world = delegating(vec![rest(30.0)]).await;
    let _stop = world.start();
    let (one, two) = (world.invoke().await.session_id, world.invoke().await.session_id);
    let (handle, other) = (running(&world, one).await, running(&world, two).await);
    let parts: Vec<&str> = handle.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    let stranger = delegating(vec![rest(30.0)]).await;
    let _theirs = stranger.start();
    let foreign = stranger.invoke().await.session_id;
    let foreign = running(&stranger, foreign).await;
    let elsewhere: Vec<&str> = foreign.split('.').collect();
    let altered = [
        String::new(),
        "sh_".to_owned(),
        handle.trim_start_matches("sh_").to_owned(),
        format!("Bearer {handle}"),
        // The secret of one session under the ids of another, in one organization and across.
        format!("{}.{}.{}", others[0], others[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], others[2]),
        format!("{}.{}.{}", parts[0], parts[1], elsewhere[2]),
        format!("{}.{}.{}", elsewhere[0], parts[1], parts[2]),
        foreign.clone(),
        one.to_string(),
    ];
    for text in altered {
        assert_refused(&world, &text).await;
    }
    // Invariant 1: of another organization, although that exists here too.
    let acme =
        world.cp.bootstrap(&"other".parse().unwrap(), &"admin@other.com".parse().unwrap()).await.unwrap();
    let moved = powerloom_core::session::handle::SessionHandle::parse(&handle).unwrap();
    let named = powerloom_core::session::handle::SessionHandle::mint(
        acme.id,
        moved.session(),
        &powerloom_core::entropy::SystemEntropy,
    );
    let named = named.bearer().expose_str().unwrap().split('.').next().unwrap().to_owned();
    assert_refused(&world, &format!("{named}.{}.{}", parts[1], parts[2])).await;
    assert_eq!(world.cp.resolve_handle(&handle).await.unwrap().id, one);
    assert_eq!(stranger.cp.resolve_handle(&foreign).await.unwrap().org, stranger.org.id);
}

/// Row M10: whatever way a session ends, its handle ends with it, in the very commit.
#[tokio::test]
async fn the_handle_ends_with_its_session_on_every_path() {
    let end = |script: Vec<Act>| async {
        let world = delegating(script).await;
        let stop = world.start();
        let id = world.invoke().await.session_id;
        (world, stop, id)
    };
    for (script, wanted) in [
        (vec![rest(0.3), idle("end_turn")], SessionStatus::IdleEndTurn),
        (vec![rest(0.3), Act::Say("session.status_terminated", json!({}))], SessionStatus::Terminated),
        (vec![rest(0.3), idle("retries_exhausted")], SessionStatus::Failed),
    ] {
        let (world, _stop, id) = end(script).await;
        let handle = running(&world, id).await;
        assert!(world.cp.resolve_handle(&handle).await.is_ok());
        let settled = until(&world, id, |record| record.status.is_settled()).await;
        assert_eq!(settled.status, wanted);
        assert_refused(&world, &handle).await;
        until(&world, id, SessionRecord::is_done).await;
        assert_gone(&world, id).await;
    }
    // Asked to stop: refused at once, long before the stop is confirmed.
    let (world, _stop, id) = end(vec![rest(30.0)]).await;
    let handle = running(&world, id).await;
    *world.runtime.heeds.lock().unwrap() = false;
    world.cp.cancel(&world.admin, id).await.unwrap();
    assert!(!stored(&world, id).await.status.is_settled());
    assert_refused(&world, &handle).await;
    *world.runtime.heeds.lock().unwrap() = true;
}

/// Row M10: an overdue session acts for nobody, even if no pump is there to end it.
#[tokio::test]
async fn an_overdue_session_acts_for_nobody() {
    let world = delegating(vec![rest(30.0)]).await;
    let stop = world.start();
    let asks = Invoke { timeout_seconds: Some(1), ..world.asks() };
    let id = world.cp.invoke(&world.admin, asks).await.unwrap().started().unwrap().session_id;
    let handle = running(&world, id).await;
    stop.cancel();
    assert!(world.cp.resolve_handle(&handle).await.is_ok());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(stored(&world, id).await.status, SessionStatus::Running);
    assert_refused(&world, &handle).await;
}

/// A session that waits for a decision on one call may have others under way.
#[tokio::test]
async fn a_session_that_waits_for_a_decision_still_acts() {
    let call = Act::Say("agent.mcp_tool_use", json!({ "name": "list_ous", "input": {} }));
    let world = delegating(vec![call, Act::Ask(1), rest(30.0)]).await;
    #[derive(Debug)]
    struct Never;
    #[async_trait::async_trait]
    impl powerloom_core::session::tool_answers::ToolAnswers for Never {
        async fn answer(
            &self,
            _: &powerloom_core::session::tool_answers::ToolAsk,
        ) -> powerloom_core::runtime::ToolAnswer {
            std::future::pending().await
        }
    }
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().tool_answers(std::sync::Arc::new(Never)).build();
    tokio::spawn(async move { pumps.tick().await });
    until(&world, id, |record| record.status == SessionStatus::AwaitingApproval).await;
    let handle = presented(&world, id, META).unwrap();
    assert_eq!(world.cp.resolve_handle(&handle).await.unwrap().id, id);
}

/// Before it runs, a session has a hash but acts for nobody; and an agent without such a server has no handle at all.
#[tokio::test]
async fn a_session_that_is_not_started_has_nothing_to_present() {
    let world = delegating(vec![idle("end_turn")]).await;
    *world.runtime.refusal.lock().unwrap() = Some(RuntimeErrorClass::Transient);
    let id = world.invoke().await.session_id;
    let pumps = world.pumps().build();
    assert!(tokio::time::timeout(Duration::from_millis(300), pumps.tick()).await.is_err());
    let record = stored(&world, id).await;
    assert_eq!(record.status, SessionStatus::Pending);
    let bearer = world.runtime.vaults.objects().into_iter().find_map(|object| object.bearer).unwrap();
    assert_refused(&world, &bearer).await;

    let plain = crate::stage::world(vec![idle("end_turn")]).await;
    let record = plain.settled().await;
    assert_eq!((stored(&plain, record.id).await.delegation, plain.runtime.vaults.calls().len()), (None, 0));
}

/// Whatever refuses the vault for good ends the session before it began, and says why without saying the secret.
#[tokio::test]
async fn a_session_whose_vault_is_refused_fails_and_leaves_nothing() {
    for call in [1, 2] {
        let world = delegating(vec![idle("end_turn")]).await;
        world.runtime.vaults.fault_at(call, Fault::Fails(RuntimeErrorClass::Permanent));
        let record = world.settled().await;
        assert_eq!(record.status, SessionStatus::Failed);
        assert_eq!(record.error.as_deref(), Some("the runtime refused to push: as ordered"));
        assert!(world.runtime.starts.lock().unwrap().is_empty());
        assert_gone(&world, record.id).await;
    }
}

/// A runtime that is away when a session settles keeps the vault no longer than it is away; whoever restarts goes on.
#[tokio::test]
async fn a_vault_that_could_not_be_taken_away_is_taken_away_later() {
    let world = delegating(vec![rest(0.3), idle("end_turn")]).await;
    let id = world.invoke().await.session_id;
    let lease = Duration::from_millis(900);
    let pumps = world.pumps().lease(lease).build();
    // Two calls make the vault; the third takes it away.
    world.runtime.vaults.fault_at(3, Fault::Fails(RuntimeErrorClass::Transient));
    assert_eq!(pumps.tick().await.unwrap(), 1);
    let record = stored(&world, id).await;
    assert!(record.status.is_settled() && !record.is_done());
    assert_eq!(record.delegation.unwrap().handle, None, "only the vault stays, not what opens");
    assert_eq!(vaults(&world).len(), 1);
    let active = powerloom_core::store::SessionQuery { active: true, ..Default::default() };
    let active = world.cp.store().sessions(world.org.id, &active).await.unwrap();
    assert_eq!(active, [], "it counts as settled");
    assert_eq!(pumps.tick().await.unwrap(), 0, "not at once again");
    tokio::time::sleep(lease).await;
    // Another process.
    assert_eq!(world.other_pumps().build().tick().await.unwrap(), 1);
    assert_gone(&world, id).await;
    assert_eq!(world.kinds(id).await.iter().filter(|kind| *kind == "powerloom.session_ended").count(), 1);
    assert_eq!(world.pumps().build().tick().await.unwrap(), 0);
}

/// Sem. 2.15: a delegating server reaches what its callers may, so making one takes more than registering a server.
#[tokio::test]
async fn making_a_server_delegating_needs_the_right_to_give_what_one_does_not_hold() {
    let world = delegating(vec![]).await;
    let role = json!({ "permissions": ["mcp:register", "mcp:update", "mcp:read"] });
    let role = world.create("Role", "registrar", role).await.meta.id;
    let ada = world.user("ada@acme.com", None).await;
    let spec =
        json!({ "principal": ada.principal.to_string(), "role": format!("role:{role}"), "effect": "allow" });
    world.create("RoleBinding", "", spec).await;
    let create = |name: &str, delegating: bool| Action::Create {
        kind: "MCPServerRegistration".parse().unwrap(),
        ou: Some(world.org.root_ou),
        name: Some(name.to_owned()),
        spec: json!({ "url": META, "delegating": delegating }).as_object().cloned().unwrap(),
    };
    let refused = world.cp.submit(&ada, create("own", true)).await.unwrap_err();
    assert!(refused.to_string().contains("role:escalate"), "{refused}");
    let made = world.cp.submit(&ada, create("own", false)).await.unwrap();
    let target = made.record().unwrap().key();
    let set = |delegating: bool| Action::Update {
        target: target.clone(),
        expect: None,
        patch: json!({ "delegating": delegating }).as_object().cloned().unwrap(),
    };
    let refused = world.cp.submit(&ada, set(true)).await.unwrap_err();
    assert!(refused.to_string().contains("role:escalate"), "{refused}");
    world.cp.submit(&world.admin, set(true)).await.unwrap();
    // What it is already, others may go on writing; and anybody who may write it may end it.
    let named = json!({ "display_name": "Own" }).as_object().cloned().unwrap();
    let rename = Action::Update { target: target.clone(), expect: None, patch: named };
    world.cp.submit(&ada, rename).await.unwrap();
    world.cp.submit(&ada, set(false)).await.unwrap();
}

/// T7: the handle goes into the vault and nowhere else: no event, message, error, record, audit row or log of ours has
/// it, nor any long enough part of it.
#[tokio::test]
async fn the_handle_is_in_the_vault_and_nowhere_else() {
    let world = delegating(vec![
        say("one"),
        Act::Say("agent.mcp_tool_use", json!({ "name": "list_ous", "input": {} })),
        rest(0.4),
        idle("end_turn"),
    ])
    .await;
    let stop = world.start();
    let id = world.invoke().await.session_id;
    let handle = running(&world, id).await;
    let secret = handle.rsplit('.').next().unwrap().to_owned();
    let mut shown = vec![
        serde_json::to_string(&world.record(id).await).unwrap(),
        format!("{:?}", world.record(id).await),
        serde_json::to_string(&stored(&world, id).await).unwrap(),
        serde_json::to_string(&world.cp.sessions(&world.admin, &Default::default()).await.unwrap()).unwrap(),
        format!("{:?}", world.cp.resolve_handle(&handle).await.unwrap()),
    ];
    let hash = stored(&world, id).await.delegation.unwrap().handle.unwrap().to_string();
    assert!(shown[2].contains(&hash), "the store has the hash");
    for reader in [0, 1, 3, 4] {
        assert!(!shown[reader].contains(&hash), "a reader is not shown even that: {}", shown[reader]);
    }
    until(&world, id, SessionRecord::is_done).await;
    stop.cancel();
    let store = world.cp.store();
    shown.push(serde_json::to_string(&stored(&world, id).await).unwrap());
    shown.push(format!("{:?}", store.events(world.org.id, id, EventSeq::START, 500).await.unwrap()));
    for entry in store.audit_rows(world.org.id, 0, 1000).await.unwrap() {
        shown.push(String::from_utf8_lossy(&entry.row_bytes).into_owned());
        shown.push(String::from_utf8_lossy(&entry.payload.unwrap_or_default()).into_owned());
    }
    shown.extend(world.runtime.said.lock().unwrap().iter().cloned());
    world.runtime.one(|remote| {
        shown.push(format!("{:?}", remote.history));
        shown.extend(remote.prompts.clone());
    });
    for text in &shown {
        for part in [&secret[..], &secret[..16], &secret[27..]] {
            assert!(!text.contains(part), "{text}");
        }
    }
    for file in world.files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(16).any(|window| window == &secret.as_bytes()[..16]), "{}", file.display());
    }
}

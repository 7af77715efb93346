//! Taking things off the runtime.

use crate::world::{World, world};
use powerloom_core::conformance::fake_runtime::Fault;
use powerloom_core::door::mutation::Action;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::{RecordRow, ResourceKey, Stage};
use powerloom_core::runtime::RuntimeErrorClass;
use powerloom_core::session::record::InvokeMode;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{Commit, SessionQuery, Write};
use std::time::Duration;

async fn agent_with_credential(w: &World) -> (ResourceKey, RecordRow) {
    let server = w.server("pg").await;
    let agent = w.agent("pg-reader", &[], &[server]).await;
    let credential = w.credential(&agent, server).await;
    w.settle().await;
    (agent, credential)
}

fn kinds(keys: &[ResourceKey]) -> Vec<&str> {
    keys.iter().map(|key| key.kind.as_str()).collect()
}

/// Sem. 2.4, Deletion: credentials, then the vault, then the agent; each then archived, audited, its name free.
#[tokio::test(start_paused = true)]
async fn an_agent_leaves_after_its_credentials_and_its_vault() {
    let w = world().await;
    let (agent, credential) = agent_with_credential(&w).await;
    let epoch = w.cp.store().org(w.org.id).await.unwrap().unwrap().authz_epoch;
    w.archive(&agent).await;
    w.settle().await;
    assert_eq!(kinds(&w.runtime.called("remove")), ["Credential", "Vault", "Agent"]);
    assert_eq!(w.runtime.objects().len(), 1, "the environment stays");
    assert_eq!(w.row(&agent).await.meta.stage, Stage::Archived);
    assert_eq!(w.status(&agent).await, SyncStatus::Archived);
    assert!(w.cp.store().secret(w.org.id, credential.meta.id).await.unwrap().is_none());
    assert!(w.cp.store().org(w.org.id).await.unwrap().unwrap().authz_epoch > epoch);

    let trail = w.cp.store().audit_rows(w.org.id, 0, 100).await.unwrap();
    let by_loop: Vec<&str> = trail
        .iter()
        .filter(|entry| entry.row.actor == "service:reconciler")
        .map(|entry| entry.row.verb.as_str())
        .collect();
    assert_eq!(by_loop, ["credential.archived", "vault.archived", "agent.archived"]);
    w.verify().await;
    w.agent("pg-reader", &[], &[]).await;
}

/// Sem. 2.4: running sessions finish first. A credential taken from an agent in use goes at once.
#[tokio::test(start_paused = true)]
async fn an_agent_stays_while_a_session_runs() {
    let w = world().await;
    let (agent, credential) = agent_with_credential(&w).await;
    let (prompt, mode) = ("hello".to_owned(), InvokeMode::FireAndForget);
    let invoke = Action::Invoke { agent: agent.id, prompt, mode, title: None, timeout_seconds: None };
    w.cp.submit(&w.admin, invoke).await.unwrap();
    w.archive(&credential.key()).await;
    w.settle().await;
    assert_eq!(kinds(&w.runtime.called("remove")), ["Credential"]);

    w.archive(&agent).await;
    let left = w.reconciler.until_settled(Duration::from_secs(60)).await.unwrap();
    assert_eq!(left.len(), 2, "agent and vault: {left:?}");
    assert!(w.state(&agent).await.blocked_on.unwrap().contains("session"));

    let sessions = w.cp.store().sessions(w.org.id, &SessionQuery::default()).await.unwrap();
    let mut session = sessions[0].clone();
    (session.status, session.version) = (SessionStatus::Cancelled, session.version + 1);
    let mut commit = Commit::new(w.org.id, w.cp.clock().now());
    commit.write.push(Write::PutSession(Box::new(session)));
    w.cp.store().commit(commit).await.unwrap();
    w.settle().await;
    assert_eq!(kinds(&w.runtime.called("remove")), ["Credential", "Vault", "Agent"]);
}

/// What never reached the runtime needs no call; what may have reached it is looked for.
#[tokio::test(start_paused = true)]
async fn what_was_never_pushed_is_archived_without_a_call_and_what_may_have_been_is_found() {
    let w = world().await;
    let never = w.environment("never").await;
    w.archive(&never).await;
    let lost = w.environment("lost").await;
    w.runtime.fault_of(&lost, Some(Fault::AnswerLost));
    w.tick().await;
    assert!(w.runtime.object(&lost).is_some());
    w.runtime.fault_of(&lost, None);
    w.archive(&lost).await;
    w.settle().await;
    assert!(w.runtime.object(&lost).is_none());
    assert_eq!(w.runtime.called("find"), std::slice::from_ref(&lost));
    assert!(!w.runtime.calls().iter().any(|call| call.key == never));
    assert_eq!(w.row(&never).await.meta.stage, Stage::Archived);
}

/// Sem. 2.4: already gone is a success; a failure backs off like any other.
#[tokio::test(start_paused = true)]
async fn a_removal_of_what_is_gone_succeeds_and_one_that_fails_is_repeated() {
    let w = world().await;
    let (gone, stubborn) = (w.environment("gone").await, w.environment("stubborn").await);
    w.settle().await;
    w.runtime.vanish(&gone);
    w.runtime.fault_of(&gone, Some(Fault::Fails(RuntimeErrorClass::Gone)));
    w.runtime.fault_of(&stubborn, Some(Fault::Fails(RuntimeErrorClass::Transient)));
    w.archive(&gone).await;
    w.archive(&stubborn).await;
    w.tick().await;
    assert_eq!(w.row(&gone).await.meta.stage, Stage::Archived);
    assert_eq!((w.state(&stubborn).await.attempts, w.status(&stubborn).await), (1, SyncStatus::Archiving));
    w.runtime.fault_of(&stubborn, None);
    w.settle().await;
    assert_eq!(w.row(&stubborn).await.meta.stage, Stage::Archived);
}

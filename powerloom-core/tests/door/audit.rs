//! The trail the door leaves.

use crate::world::{code, world};
use powerloom_core::audit::{AuditDecision, AuditQuery, Break};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::error::Error;
use powerloom_core::id::SessionId;
use powerloom_core::permission::{Permission, PermissionSet};
use serde_json::json;
use uuid::Uuid;

/// Rows P2, P10: every change is on the chain, with who, what and when.
#[tokio::test]
async fn every_change_has_its_row_and_the_chain_verifies() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    w.update(&w.admin, &agent, json!({ "model": "claude-opus-4-1" })).await.unwrap();
    w.archive(&w.admin, &agent.key()).await.unwrap();
    let admin = "user:admin@acme.com".to_owned();
    let expected: Vec<(String, String, String)> =
        ["organization.create", "agent.create", "agent.update", "agent.archive"]
            .map(|verb| (admin.clone(), verb.to_owned(), "allow".to_owned()))
            .into();
    assert_eq!(w.trail().await, expected);
    assert_eq!(w.verify().await, 4);
}

#[tokio::test]
async fn the_trail_can_be_asked() {
    let w = world().await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    w.ou(w.root(), "engineering").await;
    let query = AuditQuery { resource_id: Some(agent.meta.id.to_string()), ..Default::default() };
    let rows = w.cp.audit(&w.admin, &query).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].row.verb, "agent.create");
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    assert!(matches!(w.cp.audit(&nobody, &query).await, Err(Error::Denied(_))));
}

/// Sem. 2.9: whoever may read the trail of an OU asks for that OU and what is below it, and gets exactly that.
#[tokio::test]
async fn the_trail_of_an_ou_is_shown_to_whoever_audits_it() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    let (web, ops) = (w.ou(eng, "web").await, w.ou(w.root(), "ops").await);
    let (_, eve) = w.user(w.root(), "eve@acme.com").await;
    let role = w.role("ou-auditor", &["audit:read"]).await;
    w.bind(&eve.principal, &role, eng).await;
    let skill = w.create("Skill", web, "python-lint", json!({})).await;
    let (here, there) = (w.agent(web, "here").await, w.agent(ops, "there").await);
    for agent in [&here, &there] {
        let attach =
            Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
        w.cp.submit(&w.admin, attach).await.unwrap();
    }
    w.try_create(&eve, "Agent", Some(web), Some("no"), w.agent_spec()).await.unwrap_err();

    let under = |ou, depth| AuditQuery { ou: Some(ou), depth, ..AuditQuery::default() };
    let verbs = async |caller: &Caller, query: &AuditQuery| -> Vec<String> {
        w.cp.audit(caller, query).await.unwrap().into_iter().map(|entry| entry.row.verb).collect()
    };
    let all = ["agent.create", "agent.attach_skill", "agent.attach_skill", "agent.create", "skill.create"];
    assert_eq!(verbs(&eve, &under(web, None)).await, all);
    let of_eng = ["role_binding.create", "ou.create"];
    assert_eq!(verbs(&eve, &under(eng, Some(0))).await, of_eng);
    assert_eq!(verbs(&eve, &under(eng, None)).await, [all.as_slice(), &of_eng].concat());
    assert_eq!(verbs(&w.admin, &under(eng, None)).await, [all.as_slice(), &of_eng].concat());
    let denied = AuditQuery { decision: Some(AuditDecision::Deny), ..under(web, None) };
    assert_eq!(verbs(&eve, &denied).await, ["agent.create"], "refused attempts too");

    let entries = w.cp.audit(&eve, &under(web, None)).await.unwrap();
    let foreign = entries.iter().find(|entry| entry.row.resource_id == there.meta.id.to_string()).unwrap();
    assert!(foreign.change().is_none(), "an agent elsewhere uses the skill: what it is, is not shown");
    assert!(entries.iter().filter(|entry| entry.change().is_some()).count() == 4);
    let whole = w.cp.audit(&w.admin, &under(web, None)).await.unwrap();
    assert!(whole.iter().all(|entry| entry.change().is_some()));

    for out_of_reach in [AuditQuery::default(), under(ops, None), under(w.root(), None)] {
        assert!(matches!(w.cp.audit(&eve, &out_of_reach).await, Err(Error::Denied(_))), "{out_of_reach:?}");
    }
    w.try_bind(&w.admin, &eve.principal, &role, web, "deny").await.unwrap();
    assert!(matches!(w.cp.audit(&eve, &under(web, None)).await, Err(Error::Denied(_))));
    let first = verbs(&eve, &under(eng, None)).await;
    assert_eq!(first, ["role_binding.create", "ou.create"], "what is denied below is left out");
}

/// Rows M41, M42: a delegated change names the user and the session.
#[tokio::test]
async fn a_delegated_change_names_its_session_and_never_exceeds_its_ceiling() {
    let w = world().await;
    let session = SessionId::from_uuid(Uuid::from_u128(5));
    let delegated = w.admin.clone().delegated(session, PermissionSet::of(&[Permission::AGENT_CREATE]));
    w.try_create(&delegated, "Agent", Some(w.root()), Some("made"), w.agent_spec()).await.unwrap();
    let beyond = w.try_create(&delegated, "OU", Some(w.root()), Some("made"), json!({})).await;
    assert!(matches!(beyond, Err(Error::Denied(_))));
    let rows = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let made = &rows[rows.len() - 2].row;
    assert_eq!(
        (made.actor.as_str(), made.delegated_from_session.as_deref()),
        ("user:admin@acme.com", Some(session.to_string().as_str()))
    );
}

/// A8: an erased payload is gone, the chain stays whole, and the erasure itself is on it.
#[tokio::test]
async fn an_erased_payload_leaves_the_chain_whole() {
    let w = world().await;
    w.agent(w.root(), "code-reviewer").await;
    w.cp.submit(&w.admin, Action::EraseAuditPayload { seq: 2 }).await.unwrap();
    let rows = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    assert!(rows[1].is_erased() && rows[1].salt.is_none() && rows[2].row.verb == "audit_entry.erase");
    let verified = w.cp.verify_audit(&w.admin, None).await.unwrap().unwrap();
    assert_eq!((verified.count, verified.erased), (3, 1));
    assert_eq!(code(w.cp.submit(&w.admin, Action::EraseAuditPayload { seq: 99 }).await), "not_found");
}

/// A1: a head kept elsewhere shows a cut tail.
#[tokio::test]
async fn a_trusted_head_that_is_not_there_is_a_break() {
    let w = world().await;
    let mut head = w.cp.store().audit_head(w.org.id).await.unwrap();
    assert!(w.cp.verify_audit(&w.admin, Some(head)).await.unwrap().is_ok());
    head.seq += 1;
    let broken = w.cp.verify_audit(&w.admin, Some(head)).await.unwrap().unwrap_err();
    assert!(matches!(broken, Break::HeadMismatch { .. }), "{broken:?}");
}

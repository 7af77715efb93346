//! The published vectors, driven through a store: 4.3 (the audit chain), 4.4 (hashes), 4.5 (RBAC), 4.7 (tickets).

use crate::approvals::gated;
use crate::delegated_tokens::session;
use crate::world::{World, world};
use powerloom_core::audit::{AuditDecision, AuditDraft, AuditEntry, AuditHead, Break, Change, Verifier};
use powerloom_core::authz::Verdict;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::{ApprovalSubject, approval_hash};
use powerloom_core::door::caller::Caller;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use powerloom_core::session::event::{EventSeq, NewEvent};
use powerloom_core::store::{AuditWrite, Commit, OrgRow, Store, Write};
use powerloom_core::verify_log::verify_log;
use serde_json::{Value, json};
use std::time::Duration;

fn drafted(second: i64, verb: &str, session: Option<&str>, before: Value, after: Value) -> AuditWrite {
    let draft = AuditDraft {
        ts: Timestamp::from_micros((1_735_689_600 + second) * 1_000_000),
        actor: "user:admin@acme.com".into(),
        verb: verb.into(),
        resource_kind: "Agent".into(),
        resource_id: "a1".into(),
        decision: AuditDecision::Allow,
        delegated_from_session: session.map(Into::into),
        approval_request_id: None,
        change: Change { before, after, ..Change::default() },
    };
    AuditWrite { draft, salt: None }
}

/// The published chain and a third row, kept by a store for the published organization.
async fn published(store: &dyn Store) -> (OrgId, Vec<AuditEntry>) {
    let org: OrgId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let mut commit = Commit::new(org, Timestamp::from_micros(1));
    commit.write.push(Write::CreateOrg(OrgRow {
        id: org,
        slug: "published".into(),
        root_ou: "00000000-0000-4000-8000-000000000002".parse().unwrap(),
        created_at: Timestamp::from_micros(1),
        authz_epoch: 1,
        paused: None,
    }));
    commit.audit = vec![
        drafted(1, "agent.create", None, json!(null), json!({"name": "code-reviewer"})),
        drafted(
            2,
            "agent.attach_skill",
            Some("s1"),
            json!({"skills": []}),
            json!({"skills": ["python-lint"]}),
        ),
        drafted(3, "agent.update", None, json!({"n": 1}), json!({"n": 2})),
    ];
    store.commit(commit).await.unwrap();
    (org, store.audit_rows(org, 0, 10).await.unwrap())
}

fn verified(org: OrgId, rows: &[AuditEntry], trusted: Option<AuditHead>) -> Result<u64, Break> {
    let mut verifier = Verifier::new(org, None, trusted);
    for row in rows {
        // `finish` repeats the break.
        let _ = verifier.push(row);
    }
    verifier.finish().map(|found| found.count)
}

/// Vector 4.3: the published hashes come out of a store, and each tampering is told by its own name.
#[tokio::test]
async fn the_published_chain_comes_out_of_a_store_as_published() {
    let w = world().await;
    let store = w.cp.store().as_ref();
    let (org, rows) = published(store).await;
    let hashes: Vec<String> = rows.iter().map(|row| row.hash.to_string()).collect();
    assert_eq!(hashes[0], "1abdb4c6b246ab9207515eb89e15e5a4624ffffd296fdff5cec826457a168108");
    assert_eq!(hashes[1], "4a5be9b8d6e43d602e6dfd3ab4f95b65ee6d44990d8f03abc3aae5ed5cb5398a");
    assert_eq!(
        rows[1].row.change_hash.to_string(),
        "10917b9f4249acaab39233e4038a4de20fd490713181998f77cd73de69b7f85a"
    );
    assert_eq!(verify_log(store, org, None).await.unwrap().unwrap().count, 3);

    let trusted = Some(rows[2].head());
    let gap = [rows[0].clone(), rows[2].clone()];
    assert_eq!(verified(org, &gap, None), Err(Break::Gap { expected: 2, found: 3 }));
    let mut swapped = [rows[0].clone(), rows[2].clone(), rows[1].clone()];
    (swapped[1].row.seq, swapped[2].row.seq) = (2, 3);
    assert_eq!(verified(org, &swapped, None), Err(Break::BadLink { seq: 2 }));
    let mut edited = rows.clone();
    edited[1].payload.as_mut().unwrap()[3] ^= 1;
    assert!(
        matches!(verified(org, &edited, None), Err(Break::PayloadMismatch { .. })),
        "one byte of a payload"
    );
    assert!(matches!(verified(org, &rows[..2], trusted), Err(Break::HeadMismatch { .. })), "a cut tail");
    assert_eq!(verified(org, &rows[..2], None), Ok(2), "without a trusted head, by design");
    assert!(matches!(verified(w.org.id, &rows, None), Err(Break::WrongOrg { .. })));
}

/// Vector 4.4: a request pins the published approval hash of exactly what was asked.
#[tokio::test]
async fn a_request_pins_the_published_hash_of_what_was_asked() {
    let g = gated().await;
    g.policy(g.production, "two-eyes", json!({})).await;
    let request = g.asked("held").await;
    let payload = json!({
        "kind": "Agent", "ou": g.production, "name": "held",
        "spec": {
            "model": "claude-sonnet-4-6", "system_prompt": "Be concise.", "agent_kind": "user",
            "owner": g.ada.principal.to_string(),
        },
    });
    let subject = ApprovalSubject {
        action: "create",
        resource_kind: "Agent",
        resource_id: None,
        scope_ou: "/acme/production",
        payload: &payload,
        base_version: None,
    };
    assert_eq!(request.spec.payload_hash, approval_hash(&subject).unwrap());
    let published = json!({ "name": "x" });
    let hash = approval_hash(&ApprovalSubject { payload: &published, ..subject }).unwrap();
    assert_eq!(hash.to_string(), "70e58716ffbb4279b37129c936c37a39dfdd21a70623baa71e4745eedc9eb53c");
}

/// Bindings (role, scope, effect), where, what, and the answer.
type Decided<'a> = (&'a [(&'a str, &'a str, &'a str)], &'a str, Permission, bool);

/// Vector 4.5: the tree, the bindings, the request, the answer.
#[tokio::test]
async fn the_published_decisions_come_out_of_a_store() {
    #[rustfmt::skip]
    let table: &[Decided<'_>] = &[
        (&[], "eng", Permission::AGENT_CREATE, false),
        (&[("AgentBuilder", "eng", "allow")], "platform", Permission::AGENT_CREATE, true),
        (&[("AgentBuilder", "eng", "allow")], "engineering", Permission::AGENT_CREATE, false),
        (&[("AgentBuilder", "eng", "allow")], "acme", Permission::AGENT_CREATE, false),
        (&[("AgentBuilder", "platform", "allow"), ("AgentBuilder", "acme", "deny")], "platform", Permission::AGENT_CREATE, false),
        (&[("AgentBuilder", "acme", "allow"), ("AgentBuilder", "eng", "deny")], "engineering", Permission::AGENT_CREATE, true),
        (&[("AgentViewer", "acme", "deny"), ("AgentBuilder", "acme", "allow")], "eng", Permission::AGENT_CREATE, true),
        (&[("AgentViewer", "acme", "deny"), ("AgentBuilder", "acme", "allow")], "eng", Permission::AGENT_READ, false),
    ];
    for (bindings, at, permission, allowed) in table {
        let (w, place) = tree().await;
        let (user, caller) = w.user(w.root(), "ada@acme.com").await;
        for (role, scope, effect) in *bindings {
            w.try_bind(&w.admin, Principal::User(user), role, place(scope), effect).await.unwrap();
        }
        assert_eq!(verdict(&w, &caller, *permission, place(at)).await, *allowed, "{bindings:?} at {at}");
    }
    // Through a group in a group; and a deny on a group beats a direct allow.
    let (w, place) = tree().await;
    let (user, caller) = w.user(w.root(), "ada@acme.com").await;
    let outer = w.create("Group", w.root(), "g", json!({})).await.meta.id;
    let inner = w.create("Group", w.root(), "h", json!({})).await.meta.id;
    w.derive("GroupMembership", json!({ "group": outer, "member": format!("group:{inner}") })).await;
    w.derive("GroupMembership", json!({ "group": inner, "member": format!("user:{user}") })).await;
    w.bind(format!("group:{outer}"), "AgentBuilder", w.root()).await;
    assert!(verdict(&w, &caller, Permission::AGENT_CREATE, place("eng")).await);
    w.bind(format!("user:{user}"), "AgentOperator", w.root()).await;
    w.try_bind(&w.admin, format!("group:{outer}"), "AgentOperator", w.root(), "deny").await.unwrap();
    assert!(!verdict(&w, &caller, Permission::AGENT_INVOKE, place("eng")).await);
    let cycle = json!({ "group": inner, "member": format!("group:{outer}") });
    assert_eq!(
        crate::world::code(w.try_create(&w.admin, "GroupMembership", None, None, cycle).await),
        "cycle"
    );
}

async fn tree() -> (World, impl Fn(&str) -> ResourceId) {
    let w = world().await;
    let root = w.root();
    let eng = w.ou(root, "eng").await;
    let platform = w.ou(eng, "platform").await;
    let engineering = w.ou(root, "engineering").await;
    let place = move |name: &str| match name {
        "eng" => eng,
        "platform" => platform,
        "engineering" => engineering,
        _ => root,
    };
    (w, place)
}

async fn verdict(w: &World, caller: &Caller, permission: Permission, ou: ResourceId) -> bool {
    w.cp.decide(caller, permission, ou).await.unwrap().verdict == Verdict::Allow
}

/// Vector 4.7: the minute, the probe, the second client, the seam, and answers that tell nothing apart.
#[tokio::test]
async fn tickets_are_taken_as_published() {
    let w = world().await;
    let (here, other) = (session(&w).await, second_session(&w).await);
    let ticket = async || w.cp.stream_ticket(&w.admin, here.id).await.unwrap().0.reveal().to_owned();
    let open = async |id, ticket: &str, after| w.cp.open_stream(id, ticket, after).await;
    let mut commit = Commit::new(w.org.id, w.cp.clock().now());
    let event = |kind: &str| NewEvent {
        event_id: None,
        kind: kind.to_owned(),
        payload: json!({}),
        at: w.cp.clock().now(),
    };
    commit.write.push(Write::AppendEvents {
        session: here.id,
        events: vec![event("powerloom.one"), event("powerloom.two")],
    });
    w.cp.store().commit(commit).await.unwrap();

    let (early, late, probed) = (ticket().await, ticket().await, ticket().await);
    let mut answers = Vec::new();
    answers.push(open(other, &probed, EventSeq::START).await.unwrap_err().envelope().to_string());
    w.clock.advance(Duration::from_millis(59_999));
    let mut first = open(here.id, &early, EventSeq::START).await.unwrap();
    assert_eq!(first.next().await.unwrap().unwrap().seq.number(), 1);
    // A second client is refused, and keeps its ticket.
    assert_eq!(open(here.id, &probed, EventSeq::START).await.unwrap_err().code(), "stream_held");
    let after = first.after();
    first.close().await.unwrap();
    answers.push(open(here.id, &early, EventSeq::START).await.unwrap_err().envelope().to_string());
    // The probe on another session did not burn it; reading goes on without a gap or a double.
    let mut again = open(here.id, &probed, after).await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().seq.number(), 2);
    again.close().await.unwrap();
    w.clock.advance(Duration::from_millis(1));
    answers.push(open(here.id, &late, EventSeq::START).await.unwrap_err().envelope().to_string());
    answers.push(open(here.id, "tk_nothing", EventSeq::START).await.unwrap_err().envelope().to_string());
    answers.dedup();
    assert_eq!(answers.len(), 1, "used, expired, foreign and unknown tickets read the same: {answers:?}");
    // Two racers, one wins.
    let raced = ticket().await;
    let (one, two) =
        tokio::join!(open(here.id, &raced, EventSeq::START), open(here.id, &raced, EventSeq::START));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

/// Another running session of the same agent.
async fn second_session(w: &World) -> powerloom_core::id::SessionId {
    let sessions = w.cp.store().sessions(w.org.id, &Default::default()).await.unwrap();
    let mut record = sessions[0].clone();
    record.id =
        powerloom_core::id::SessionId::generate(w.cp.clock().now(), &powerloom_core::entropy::SystemEntropy);
    let mut commit = Commit::new(w.org.id, w.cp.clock().now());
    commit.write.push(Write::PutSession(Box::new(record.clone())));
    w.cp.store().commit(commit).await.unwrap();
    record.id
}

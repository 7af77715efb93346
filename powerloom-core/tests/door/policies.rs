//! Declaring approval policies (sem. 2.8): who may, what is refused, and what it does to authorization.

use crate::world::{World, code, denied, gated, world};
use async_trait::async_trait;
use powerloom_core::approval::policy_set::{PolicyQuestion, PolicySet};
use powerloom_core::authz::AuthzSnapshot;
use powerloom_core::door::gate::{Gate, Proposal, Verdict};
use powerloom_core::door::mutation::Action;
use powerloom_core::error::{Error, Result};
use powerloom_core::id::ResourceId;
use powerloom_core::record::{RecordRow, Stage};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Agents in production wait for an OrgAdmin (row P96).
fn gate() -> Value {
    json!({
        "match": { "resource_kinds": ["Agent"], "actions": ["create", "update"] },
        "approvers": ["role:OrgAdmin"],
    })
}

async fn epoch(w: &World) -> u64 {
    w.cp.store().org(w.org.id).await.unwrap().unwrap().authz_epoch
}

async fn refused(w: &World, ou: ResourceId, spec: Value) -> (String, String) {
    match w.try_create(&w.admin, "ApprovalPolicy", Some(ou), Some("bad"), spec).await {
        Err(Error::Invalid(invalid)) => (invalid.field, invalid.allowed),
        other => panic!("it was not refused: {other:?}"),
    }
}

/// Sem. 2.8, row Self-protection: what gates others is itself permitted where it counts, and nowhere else.
#[tokio::test]
async fn a_policy_is_declared_changed_and_archived_by_who_may_at_its_scope() {
    let w = world().await;
    let prod = w.ou(w.root(), "production").await;
    let other = w.ou(w.root(), "other").await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let declare = |ou| w.try_create(&as_ada, "ApprovalPolicy", Some(ou), Some("gate"), gate());

    let text = denied(declare(prod).await);
    assert!(text.contains("approval_policy:create") && text.contains("/acme/production"), "{text}");
    w.bind(format!("user:{ada}"), "OUAdmin", prod).await;
    let row = declare(prod).await.unwrap().record().unwrap().clone();
    assert_eq!(row.spec["mode"], "require_approval");
    assert_eq!(row.spec["ttl_seconds"], 604_800);
    // Not above and not beside.
    denied(declare(w.root()).await);
    denied(declare(other).await);

    let (_, reader) = w.holder(w.root(), "reader", &["approval_policy:read"]).await;
    denied(w.update(&reader, &row, json!({ "quorum": 2 })).await);
    denied(w.archive(&reader, &row.key()).await);
    let changed = w.update(&as_ada, &row, json!({ "quorum": 2 })).await.unwrap();
    assert_eq!(changed.record().unwrap().spec["quorum"], 2);
    let gone = w.archive(&as_ada, &row.key()).await.unwrap();
    assert_eq!(gone.record().unwrap().meta.stage, Stage::Archived);
    let verbs: Vec<String> = w.trail().await.into_iter().map(|(_, verb, _)| verb).collect();
    for verb in ["approval_policy.create", "approval_policy.update", "approval_policy.archive"] {
        assert!(verbs.iter().any(|other| other == verb), "{verb} is not in {verbs:?}");
    }
    w.verify().await;
}

/// Sem. 2.8, row Policy.
#[tokio::test]
async fn each_bad_field_is_refused_by_its_name() {
    let w = world().await;
    let prod = w.ou(w.root(), "production").await;
    let custom = w.create("Role", prod, "release", json!({ "permissions": ["approval:decide"] })).await;
    let with = |field: &str, value: Value| {
        let mut spec = gate();
        spec[field] = value;
        spec
    };
    for (spec, field) in [
        (with("match", json!({ "resource_kinds": ["Agent", "Agnet"] })), "spec.match.resource_kinds[1]"),
        (with("match", json!({ "actions": ["remove"] })), "spec.match.actions[0]"),
        (with("match", json!({ "condition": "resource.spec.modle(" })), "spec.match.condition"),
        (with("match", json!({ "ou": "/acme" })), "spec.match.ou"),
        (with("approvers", json!([])), "spec.approvers"),
        (with("approvers", json!(["role:Nobody"])), "spec.approvers[0]"),
        (with("quorum", json!(0)), "spec.quorum"),
        (with("reject_threshold", json!(51)), "spec.reject_threshold"),
        (with("ttl_seconds", json!(1)), "spec.ttl_seconds"),
        (with("mode", json!("warn")), "spec.approvers"),
        // A role of the OU is not usable above it.
        (
            with("approvers", json!(["role:OrgAdmin", format!("role:{}", custom.meta.id)])),
            "spec.approvers[1]",
        ),
    ] {
        let (found, allowed) = refused(&w, w.root(), spec).await;
        assert_eq!(found, field, "{allowed}");
    }
    let (_, allowed) = refused(&w, w.root(), with("match", json!({ "resource_kinds": ["Agnet"] }))).await;
    assert!(allowed.contains("did you mean `Agent`?"), "{allowed}");
    let row = w.create("ApprovalPolicy", w.root(), "gate", gate()).await;
    for patch in [
        json!({ "match": { "resource_kinds": ["Agnet"] } }),
        json!({ "approvers": [format!("role:{}", custom.meta.id)] }),
        json!({ "approvers": null }),
        json!({ "match": null }),
        json!({ "scope": "/acme" }),
    ] {
        assert_eq!(code(w.update(&w.admin, &row, patch.clone()).await), "invalid", "{patch}");
    }
    // In its own OU the role is usable; sessions and sealed secrets are no kinds of the catalogue, and change all the same.
    let spec = json!({
        "match": { "resource_kinds": ["Session", "Secret", "AuditEntry"] },
        "approvers": [format!("role:{}", custom.meta.id)],
    });
    w.create("ApprovalPolicy", prod, "others", spec).await;
}

/// Sem. 2.8: approvers exist, and do not vanish silently.
#[tokio::test]
async fn who_approves_exists_and_stays_as_long_as_a_policy_names_them() {
    let w = world().await;
    let (grace, _) = w.user(w.root(), "grace@acme.com").await;
    let team = w.create("Group", w.root(), "release", json!({})).await;
    let role = w.create("Role", w.root(), "approver", json!({ "permissions": ["approval:decide"] })).await;
    let mut spec = gate();
    let nobody = "00000000-0000-7000-8000-000000000001";
    for missing in [format!("user:{nobody}"), format!("group:{nobody}"), format!("role:{nobody}")] {
        spec["approvers"] = json!([missing]);
        let answer =
            w.try_create(&w.admin, "ApprovalPolicy", Some(w.root()), Some("gate"), spec.clone()).await;
        assert_eq!(code(answer), "not_found", "{missing}");
    }
    spec["approvers"] =
        json!([format!("user:{grace}"), format!("group:{}", team.meta.id), format!("role:{}", role.meta.id)]);
    let policy = w.create("ApprovalPolicy", w.root(), "gate", spec).await;
    assert_eq!(policy.refs.len(), 3);
    for key in policy.refs.clone() {
        let answer = w.archive(&w.admin, &key).await;
        let text = answer.as_ref().unwrap_err().to_string();
        assert!(text.contains("ApprovalPolicy `gate` in /acme"), "{text}");
        assert_eq!(code(answer), "in_use");
    }
    w.archive(&w.admin, &policy.key()).await.unwrap();
    for key in policy.refs {
        w.archive(&w.admin, &key).await.unwrap();
    }
}

/// What outdated policies let through is refused by the store: each write of one raises the epoch.
#[tokio::test]
async fn every_write_of_a_policy_raises_the_authorization_epoch() {
    let w = world().await;
    let mut last = epoch(&w).await;
    let mut raised = async |what: &str| {
        let now = epoch(&w).await;
        assert_eq!(now, last + 1, "{what}");
        last = now;
    };
    let row = w.create("ApprovalPolicy", w.root(), "gate", gate()).await;
    raised("create").await;
    w.update(&w.admin, &row, json!({ "enabled": false })).await.unwrap();
    raised("update").await;
    w.archive(&w.admin, &row.key()).await.unwrap();
    raised("archive").await;
    // Who does something else meanwhile is judged again, and nobody loses what they may.
    w.agent(w.root(), "a").await;
}

/// A gate that remembers which policies a change meets: what the door tells it is what policies look at.
#[derive(Debug, Default)]
struct Remembering {
    rows: Mutex<Vec<RecordRow>>,
    met: Mutex<Vec<(String, Vec<String>)>>,
    snapshot: Mutex<Option<Arc<AuthzSnapshot>>>,
}

#[async_trait]
impl Gate for Remembering {
    async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict> {
        let set = PolicySet::compile(&*self.rows.lock().unwrap())?;
        if let Some(snapshot) = self.snapshot.lock().unwrap().as_deref() {
            let question = PolicyQuestion {
                kind: proposal.kind,
                verb: proposal.verb,
                action: proposal.mutation.action.word(),
                ous: proposal.ous,
                record: proposal.record,
                before: proposal.before,
                actor: &proposal.caller.principal.to_string(),
                delegated: proposal.caller.delegated_from_session.is_some(),
            };
            let mut met: Vec<String> =
                set.matching(snapshot, &question).iter().map(|policy| policy.name.clone()).collect();
            met.sort();
            self.met.lock().unwrap().push((proposal.verb.to_owned(), met));
        }
        Ok(Verdict::Open)
    }
}

/// Row P96; sem. 2.8, row Match scope: for moves and attachments all touched OUs.
#[tokio::test]
async fn a_change_meets_the_policies_of_every_ou_it_touches() {
    let remembering = Arc::new(Remembering::default());
    let w = gated(remembering.clone()).await;
    let prod = w.ou(w.root(), "production").await;
    let product = w.ou(w.root(), "product").await;
    let agent = w.agent(product, "helper").await;
    let server = w.server(prod, "files").await;
    let sub = w.ou(product, "sub").await;
    let policy = async |ou, name: &str, spec| {
        let row = w.create("ApprovalPolicy", ou, name, spec).await;
        remembering.rows.lock().unwrap().push(row);
    };
    policy(w.root(), "root", json!({ "match": { "actions": ["archive"] }, "mode": "warn" })).await;
    policy(prod, "prod", json!({ "match": {}, "mode": "warn" })).await;
    let opus = json!({
        "match": { "resource_kinds": ["Agent"], "condition": "resource.spec.model.startsWith('claude-opus')" },
        "mode": "warn",
    });
    policy(product, "opus", opus).await;
    *remembering.snapshot.lock().unwrap() = Some(w.cp.authz(w.org.id).await.unwrap());

    let met = async |action: Action| {
        w.cp.submit(&w.admin, action).await.unwrap();
        let (verb, met) = remembering.met.lock().unwrap().pop().unwrap();
        format!("{verb}: {}", met.join(" "))
    };
    let mut spec = w.agent_spec();
    let create = |ou, name: &str, spec: &Value| Action::Create {
        kind: crate::world::kind("Agent"),
        ou: Some(ou),
        name: Some(name.to_owned()),
        spec: spec.as_object().cloned().unwrap(),
    };
    assert_eq!(met(create(prod, "a", &spec)).await, "agent.create: prod");
    assert_eq!(met(create(product, "b", &spec)).await, "agent.create: ");
    spec["model"] = json!("claude-opus-4-5");
    assert_eq!(met(create(sub, "c", &spec)).await, "agent.create: opus");
    let patch = json!({ "model": "claude-opus-4-5" }).as_object().cloned().unwrap();
    let update = Action::Update { target: agent.key(), expect: None, patch };
    assert_eq!(met(update).await, "agent.update: opus");
    let attach = Action::AttachMcpServer { agent: agent.meta.id, mcp_server: server.meta.id, expect: None };
    assert_eq!(met(attach).await, "agent.attach_mcp_server: opus prod");
    assert_eq!(met(Action::MoveOu { ou: sub, to: prod, expect: None }).await, "ou.move: prod");
    let archive = Action::Archive { target: agent.key(), expect: None };
    assert_eq!(met(archive).await, "agent.archive: opus root");
}

//! The whole life of an agent with every real part: manifests, SQLite, the client, the emulator, an MCP server, the loops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::audit::AuditQuery;
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::manifest::{ApplyOptions, ParseMode, Through, apply, parse};
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::record::RecordRow;
use powerloom_core::secret::MemoryKeys;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::record::DegradationReason;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_core::session::status::SessionStatus;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Edit, Emulator, Fault, FaultRule, RunningEmulator};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

struct House {
    loom: ControlPlane,
    org: Organization,
    emulator: RunningEmulator,
    reconciler: ReconcilerLoop,
    _stop: DropGuard,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let store = powerloom_store::open(&url).await.unwrap();
    let keys = Arc::new(MemoryKeys::generate(&SystemEntropy));
    let loom = ControlPlane::builder(store).keys(keys).build();
    let org = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let emulator = Emulator::builder().start().await.unwrap();
    let client =
        CmaClient::builder().base_url(emulator.url()).api_key("key").without_proxy().build().unwrap();
    let runtime = Arc::new(CmaRuntime::new(client));
    let mut options = ReconcileOptions::default();
    options.backoff.base = Duration::from_millis(20);
    let reconciler = ReconcilerLoop::builder(&loom, runtime.clone()).options(options).build();
    let stop = CancellationToken::new();
    let sessions = SessionLoop::builder(&loom, runtime).build();
    let stopped = stop.clone();
    tokio::spawn(async move { sessions.run(stopped).await });
    House { loom, org, emulator, reconciler, _stop: stop.drop_guard(), _folder: folder }
}

impl House {
    async fn settle(&self) {
        let unsettled = self.reconciler.until_settled(Duration::from_secs(20)).await.unwrap();
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }

    async fn create(&self, kind: &str, name: Option<&str>, spec: Value) -> RecordRow {
        let action = Action::Create {
            kind: kind.parse().unwrap(),
            ou: name.map(|_| self.org.root_ou),
            name: name.map(str::to_owned),
            spec: spec.as_object().cloned().unwrap(),
        };
        self.loom.submit(&self.org.admin_caller(), action).await.unwrap().record().unwrap().clone()
    }

    fn agent_spec(&self) -> Value {
        json!({
            "display_name": "Code Reviewer", "model": "claude-sonnet-4-6", "system_prompt": "Be concise.",
            "agent_kind": "user", "owner": self.org.admin_caller().principal.to_string(),
        })
    }

    async fn verbs(&self) -> Vec<String> {
        let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
        let mut rows = self.loom.audit(&self.org.admin_caller(), &query).await.unwrap();
        rows.reverse();
        rows.into_iter().map(|entry| entry.row.verb).collect()
    }

    fn remote(&self, table: &str) -> Vec<Value> {
        self.emulator.state()[table].as_object().unwrap().values().cloned().collect()
    }
}

/// Rows P1, P5, P7, P8, P9: define → reconcile → invoke → stream → audit.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_goes_through_its_five_phases() {
    let house = house().await;
    let admin = house.org.admin_caller();
    let agent = house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    assert!(house.remote("agents").is_empty(), "row P4: nothing is on the runtime yet");
    let early = house.loom.invoke(&admin, Invoke::new(agent.meta.id, "say hello")).await.unwrap_err();
    assert_eq!(early.code(), "agent_not_synced");

    house.settle().await;
    let remote = house.remote("agents").remove(0);
    assert_eq!(
        (remote["name"].as_str(), remote["system"].as_str()),
        (Some("code-reviewer"), Some("Be concise."))
    );

    let session =
        house.loom.invoke(&admin, Invoke::new(agent.meta.id, "say hello")).await.unwrap().started().unwrap();
    let mut stream = house.loom.follow(&admin, session.session_id, EventSeq::START).await.unwrap();
    let mut kinds = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        assert_eq!(event.seq.number(), kinds.len() as u64 + 1);
        kinds.push(event.event.kind.clone());
    }
    let place = |kind: &str| {
        kinds.iter().position(|seen| seen == kind).unwrap_or_else(|| panic!("no {kind}: {kinds:?}"))
    };
    assert!(place("powerloom.session_created") < place("user.message"), "row P7");
    assert!(place("user.message") < place("agent.message"));
    assert!(place("agent.message") < place("session.status_idle"));
    assert_eq!(place("powerloom.session_ended"), kinds.len() - 1);

    let record = house.loom.session(&admin, session.session_id).await.unwrap();
    assert_eq!((record.status, record.event_count), (SessionStatus::IdleEndTurn, kinds.len() as u64 - 2));
    assert!(record.settled_at.is_some() && record.usage.is_some() && !record.degradation_flagged);
    assert!(house.verbs().await.ends_with(&["agent.invoke".to_owned(), "session.end".to_owned()]));
    assert!(house.loom.verify_audit(&admin, None).await.unwrap().is_ok());
}

/// Row P3: a manifest and a direct call are the same change, governed and audited alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_and_a_direct_call_make_the_same_agent() {
    let (by_call, by_manifest) = (house().await, house().await);
    let called = by_call.create("Agent", Some("code-reviewer"), by_call.agent_spec()).await;
    let text = "apiVersion: powerloom/v1\nkind: Agent\nmetadata: {name: code-reviewer, ou_path: /acme}\nspec: {display_name: Code Reviewer, model: claude-sonnet-4-6, system_prompt: Be concise., agent_kind: user, owner_principal_ref: 'user:admin@acme.com'}\n";
    let loom = &by_manifest.loom;
    let parsed = parse("agent.yaml", text, ParseMode::Strict, loom.catalogue()).unwrap();
    let admin = by_manifest.org.admin_caller();
    let door = Through::new(loom, &admin);
    let plan = door.plan(parsed.documents).await.unwrap();
    let report = apply(&plan, &door, ApplyOptions::default()).await;
    assert!(report.is_complete(), "{report}");
    let query =
        powerloom_core::store::RecordQuery { kind: Some("Agent".parse().unwrap()), ..Default::default() };
    let applied = loom.list(&admin, &query).await.unwrap().remove(0);
    let but_owner = |row: &RecordRow| {
        let mut spec = row.spec.clone();
        spec["owner"] = Value::Null;
        (row.meta.name.clone(), spec)
    };
    assert_eq!(but_owner(&called), but_owner(&applied));
    assert_eq!(by_call.verbs().await, by_manifest.verbs().await);
}

/// Rows P47, P48: what somebody changes on the runtime is found and put right.
#[tokio::test(flavor = "multi_thread")]
async fn drift_on_the_runtime_is_found_and_put_right() {
    let house = house().await;
    house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    house.settle().await;
    let id = house.remote("agents")[0]["id"].as_str().unwrap().to_owned();
    house.emulator.edit(&Edit::set(&id, "/system", json!("Delete everything."))).unwrap();
    house.reconciler.sweep().await.unwrap();
    house.settle().await;
    let mended = house.remote("agents").into_iter().find(|agent| agent["id"] == id.as_str()).unwrap();
    assert_eq!(mended["system"], "Be concise.");
}

/// S6: an answer that is lost after its effect makes no second object.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_object() {
    let house = house().await;
    for path in ["/v1/agents", "/v1/environments", "/v1/vaults", "/v1/skills"] {
        house.emulator.faults().add(FaultRule::new(path, Fault::CutAfter).method("POST").count(1));
    }
    house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    house.settle().await;
    assert_eq!((house.remote("agents").len(), house.remote("environments").len()), (1, 1));
    assert_eq!(house.emulator.requests().count("POST /v1/agents"), 1);
}

/// Rows P93–P95: an MCP server that cannot be reached is a degradation, told as such.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_silently_lost_its_mcp_server_is_flagged() {
    let house = house().await;
    let admin = house.org.admin_caller();
    // Nothing listens there; the port is reserved.
    let server =
        house.create("MCPServerRegistration", Some("gone"), json!({ "url": "http://127.0.0.1:9/mcp" })).await;
    let mut spec = house.agent_spec();
    spec["mcp_servers"] = json!([server.meta.id]);
    let agent = house.create("Agent", Some("code-reviewer"), spec).await;
    house.create("Credential", None, json!({ "agent": agent.meta.id, "mcp_server": server.meta.id })).await;
    house.settle().await;
    let invoke = Invoke::new(agent.meta.id, "use bash ls\nsay 3 messages").sync();
    let session = house.loom.invoke(&admin, invoke).await.unwrap().started().unwrap();
    let record = house.loom.session(&admin, session.session_id).await.unwrap();
    assert_eq!(record.status, SessionStatus::IdleEndTurn);
    assert!(record.degradation_flagged && record.event_count >= 10, "{record:?}");
    assert_eq!(record.degradation_reason, Some(DegradationReason::McpErrorEvent));
}

/// Sem. 2.4: archiving takes the agent off the runtime, after its credentials, and frees its name.
#[tokio::test(flavor = "multi_thread")]
async fn an_archived_agent_leaves_the_runtime_and_its_name() {
    let house = house().await;
    let admin = house.org.admin_caller();
    let server = house
        .create("MCPServerRegistration", Some("tools"), json!({ "url": "https://tools.example.com/mcp" }))
        .await;
    let agent = house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    house.create("Credential", None, json!({ "agent": agent.meta.id, "mcp_server": server.meta.id })).await;
    house.settle().await;
    house.loom.submit(&admin, Action::Archive { target: agent.key(), expect: None }).await.unwrap();
    house.settle().await;
    for table in ["agents", "vaults", "credentials"] {
        assert!(house.remote(table).iter().all(|object| !object["archived_at"].is_null()), "{table}");
    }
    house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    house.settle().await;
    assert!(house.verbs().await.contains(&"agent.archived".to_owned()));
}

/// A plan tells what a record holds: whoever may not read the record gets none.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_nothing_its_caller_may_not_read() {
    let house = house().await;
    house.create("Agent", Some("code-reviewer"), house.agent_spec()).await;
    let action = Action::Create {
        kind: "User".parse().unwrap(),
        ou: Some(house.org.root_ou),
        name: None,
        spec: json!({ "email": "intern@acme.com" }).as_object().cloned().unwrap(),
    };
    let made = house.loom.submit(&house.org.admin_caller(), action).await.unwrap();
    let intern = Caller::user(house.org.id, made.record().unwrap().meta.id);
    let text = "kind: Agent\nmetadata: {name: code-reviewer, ou_path: /acme}\nspec: {system_prompt: What is it now?}\n";
    let parsed = parse("agent.yaml", text, ParseMode::Lenient, house.loom.catalogue()).unwrap();
    let error = Through::new(&house.loom, &intern).plan(parsed.documents).await.unwrap_err();
    assert!(error.to_string().contains("agent:read") && !error.to_string().contains("concise"), "{error}");
}

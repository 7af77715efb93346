//! The five ports the product promises, each implemented by somebody else: authorizer, gate, audit log, reconciler,
//! session log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use async_trait::async_trait;
use powerloom_core::audit::{AuditDecision, AuditDraft, AuditEntry, AuditHead, AuditQuery, Change, seal};
use powerloom_core::authz::{AuthzSnapshot, Decision};
use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Clock, SystemClock, Timestamp};
use powerloom_core::conformance::fake_runtime::FakeRuntime;
use powerloom_core::control_plane::{ControlPlane, ControlPlaneBuilder};
use powerloom_core::door::authorizer::{AccessRequest, Authorizer, Rbac};
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::door::gate::{Gate, Hold, Proposal, Verdict};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::{Error, Result};
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::permission::Permission;
use powerloom_core::reconcile::reconciler::{Reconciler, Work};
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::reconcile::state::{RemoteRef, SyncStatus};
use powerloom_core::record::{KindName, Record, Schema};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{
    Declared, Home, KindPermissions, ProjectError, Projection, Related, Rules,
};
use powerloom_core::runtime::{Payload, RuntimeResult};
use powerloom_core::session::event::{EventSeq, NewEvent, SESSION_ENDED, SessionEvent};
use powerloom_core::session::hub::Hub;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::stream::SessionStream;
use powerloom_core::store::{AuditLog, EventLog, SessionQuery, StoreResult};
use powerloom_core::verify_log::verify_log;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn acme(with: impl FnOnce(ControlPlaneBuilder) -> ControlPlaneBuilder) -> (ControlPlane, Organization) {
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = with(ControlPlane::builder(store)).build();
    let org = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    (loom, org)
}

fn create(kind: &str, ou: ResourceId, name: &str, spec: Value) -> Action {
    let spec = spec.as_object().cloned().unwrap();
    Action::create(kind.parse().unwrap(), ou, &name.parse().unwrap(), spec)
}

/// Programs may look, only people may change.
#[derive(Debug)]
struct PeopleOnly;

impl Authorizer for PeopleOnly {
    fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision {
        let decision = Rbac.decide(snapshot, request);
        let looks = request.permission.action() == "read";
        if request.caller.token == TokenKind::Api && !looks { decision.beyond_ceiling() } else { decision }
    }
}

#[tokio::test]
async fn an_authorizer_of_ones_own_decides_on_every_path() {
    let (loom, org) = acme(|builder| builder.authorizer(Arc::new(PeopleOnly))).await;
    let program: Caller = org.admin_caller().by(TokenKind::Api);
    let refused = loom.submit(&program, create("OU", org.root_ou, "made", json!({}))).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(_)), "{refused:?}");
    loom.submit(&org.admin_caller(), create("OU", org.root_ou, "made", json!({}))).await.unwrap();
    assert!(loom.decide(&program, Permission::OU_READ, org.root_ou).await.unwrap().is_allowed());
    assert!(!loom.list(&program, &Default::default()).await.unwrap().is_empty());
}

/// Holds whatever changes production.
#[derive(Debug)]
struct Production(ResourceId);

#[async_trait]
impl Gate for Production {
    async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict> {
        let hold = Hold { request_id: "req_42".into(), write: vec![], audit: vec![] };
        Ok(if proposal.ous.contains(&self.0) { Verdict::Hold(hold) } else { Verdict::Open })
    }
}

#[tokio::test]
async fn a_gate_of_ones_own_holds_changes_back() {
    let (loom, org) = acme(|builder| builder).await;
    let admin = org.admin_caller();
    let production = loom.submit(&admin, create("OU", org.root_ou, "production", json!({}))).await.unwrap();
    let production = production.record().unwrap().meta.id;
    let gated = ControlPlane::builder(loom.store().clone()).gate(Arc::new(Production(production))).build();
    let held = gated.submit(&admin, create("Group", production, "team", json!({}))).await.unwrap();
    assert_eq!(held, Outcome::Pending { request_id: "req_42".into() });
    let free = gated.submit(&admin, create("Group", org.root_ou, "team", json!({}))).await.unwrap();
    assert!(matches!(free, Outcome::Applied(_)));
}

/// A chain kept in a vector, such as an export somebody holds.
#[derive(Debug, Default)]
struct Export(Vec<AuditEntry>);

#[async_trait]
impl AuditLog for Export {
    async fn audit_head(&self, _: OrgId) -> StoreResult<AuditHead> {
        Ok(self.0.last().map_or(AuditHead::GENESIS, AuditEntry::head))
    }
    async fn audit_rows(&self, _: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        Ok(self.0.iter().filter(|entry| entry.row.seq > after).take(limit).cloned().collect())
    }
    async fn audit_query(&self, _: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>> {
        Ok(self.0.iter().rev().filter(|entry| query.matches(&entry.row)).cloned().collect())
    }
}

#[tokio::test]
async fn an_audit_log_of_ones_own_is_sealed_and_verified_like_ours() {
    let org = OrgId::generate(SystemClock.now(), &SystemEntropy);
    let mut export = Export::default();
    for number in 0..2500 {
        let draft = AuditDraft {
            ts: Timestamp::from_micros(number),
            actor: "user:admin@acme.com".into(),
            verb: "agent.create".into(),
            resource_kind: "Agent".into(),
            resource_id: number.to_string(),
            decision: AuditDecision::Allow,
            delegated_from_session: None,
            approval_request_id: None,
            change: Change::default(),
        };
        let head = export.audit_head(org).await.unwrap();
        export.0.push(seal(draft, org, &head, None).unwrap());
    }
    let head = export.audit_head(org).await.unwrap();
    assert_eq!(verify_log(&export, org, Some(head)).await.unwrap().unwrap().count, 2500);
    export.0[1200].row_bytes[20] ^= 1;
    assert!(verify_log(&export, org, None).await.unwrap().is_err());
}

/// A kind of the embedder's own, made real by the embedder.
#[derive(Debug)]
struct Dashboard;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DashboardSpec {
    title: String,
}

impl Schema for Dashboard {
    const KIND: KindName = KindName::known("Dashboard");
    type Spec = DashboardSpec;
    type Status = ();
}

impl Declared for Dashboard {
    const FIELDS: &'static [Field] = &[Field::new("title", Form::Text { min: 1, max: 80 }).required()];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 90;
    const ON_RUNTIME: bool = true;

    fn project(record: &Record<Self>, _: &Related) -> std::result::Result<Option<Projection>, ProjectError> {
        let payload = Payload::Custom(json!({ "title": record.spec.title }));
        Ok(Some(Projection { payload, depends_on: vec![] }))
    }
}

#[derive(Debug, Default)]
struct Dashboards(Mutex<BTreeMap<String, Payload>>);

#[async_trait]
impl Reconciler for Dashboards {
    async fn reconcile(&self, work: &Work) -> RuntimeResult<RemoteRef> {
        let id = work.push.key.id.to_string();
        self.0.lock().unwrap().insert(id.clone(), work.push.payload.clone());
        Ok(RemoteRef { id, version: None, parent: None })
    }
    async fn observe(&self, work: &Work) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        let Some(remote) = &work.push.remote else { return Ok(None) };
        Ok(self.0.lock().unwrap().get(&remote.id).map(|payload| (payload.clone(), remote.clone())))
    }
    async fn remove(&self, work: &Work) -> RuntimeResult<()> {
        self.0.lock().unwrap().remove(&work.push.key.id.to_string());
        Ok(())
    }
}

#[tokio::test]
async fn a_reconciler_of_ones_own_makes_a_kind_of_ones_own_real_and_heals_it() {
    let (loom, org) = acme(|builder| builder.kind(Arc::new(Rules::<Dashboard>::default())).unwrap()).await;
    let admin = org.admin_caller();
    let theirs = Arc::new(Dashboards::default());
    let reconciler = ReconcilerLoop::builder(&loom, Arc::new(FakeRuntime::default()))
        .custom(Dashboard::KIND, theirs.clone())
        .build();
    let made = loom
        .submit(&admin, create("Dashboard", org.root_ou, "sales", json!({ "title": "Sales" })))
        .await
        .unwrap();
    let key = made.record().unwrap().key();
    assert!(reconciler.until_settled(Duration::from_secs(5)).await.unwrap().is_empty());
    assert_eq!(loom.sync_state(&admin, &key).await.unwrap().1, SyncStatus::Synced);
    let titles = || theirs.0.lock().unwrap().values().cloned().collect::<Vec<_>>();
    assert_eq!(titles(), [Payload::Custom(json!({ "title": "Sales" }))]);

    theirs.0.lock().unwrap().values_mut().for_each(|it| *it = Payload::Custom(json!({ "title": "Hacked" })));
    reconciler.sweep().await.unwrap();
    reconciler.until_settled(Duration::from_secs(5)).await.unwrap();
    assert_eq!(titles(), [Payload::Custom(json!({ "title": "Sales" }))]);

    loom.submit(&admin, Action::Archive { target: key.clone(), expect: None }).await.unwrap();
    reconciler.until_settled(Duration::from_secs(5)).await.unwrap();
    assert!(titles().is_empty());
    assert_eq!(loom.sync_state(&admin, &key).await.unwrap().1, SyncStatus::Archived);
}

/// The log of a session, kept somewhere else.
#[derive(Debug)]
struct Tape(Vec<SessionEvent>);

#[async_trait]
impl EventLog for Tape {
    async fn session(&self, _: OrgId, _: SessionId) -> StoreResult<Option<SessionRecord>> {
        Ok(None)
    }
    async fn sessions(&self, _: OrgId, _: &SessionQuery) -> StoreResult<Vec<SessionRecord>> {
        Ok(Vec::new())
    }
    async fn events(
        &self,
        _: OrgId,
        _: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>> {
        Ok(self.0.iter().filter(|event| event.seq > after).take(limit).cloned().collect())
    }
}

#[tokio::test]
async fn a_session_log_of_ones_own_is_streamed_without_gap_from_any_place() {
    let at = Timestamp::from_micros(1);
    let (org, session) = (OrgId::generate(at, &SystemEntropy), SessionId::generate(at, &SystemEntropy));
    let event = |number: u64| SessionEvent {
        session_id: session,
        seq: EventSeq::new(number),
        event: NewEvent {
            event_id: Some(format!("e{number}")),
            kind: if number == 3000 { SESSION_ENDED } else { "agent.message" }.to_owned(),
            payload: json!({}),
            at,
        },
    };
    let tape: Arc<dyn EventLog> = Arc::new(Tape((1..=3000).map(event).collect()));
    for after in [0, 1, 2999] {
        let hub = Hub::default();
        let mut stream =
            SessionStream::over(tape.clone(), hub.follow(session), org, session, EventSeq::new(after));
        let mut seen = after;
        while let Some(event) = stream.next().await {
            seen += 1;
            assert_eq!(event.unwrap().seq.number(), seen);
        }
        assert_eq!(seen, 3000);
    }
}

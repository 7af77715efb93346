//! An organization with an agent that can be invoked, and loops to pump its sessions.

use crate::fault::Faults;
use crate::faulty_store::FaultyStore;
use crate::scripted::{Act, Scripted, Stage};
use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Timestamp, TokioClock};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SeededEntropy;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{RemoteRef, SyncOutcome};
use powerloom_core::record::RecordRow;
use powerloom_core::session::event::{EventSeq, SESSION_CREATED, SESSION_ENDED, SessionEvent};
use powerloom_core::session::invoke::{Invoke, Invoked};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::session_loop::{SessionLoop, SessionLoopBuilder};
use powerloom_core::store::{ClaimRequest, Settlement};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

static WORLDS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct World {
    pub(crate) cp: ControlPlane,
    /// The same control plane in another process, whose calls can be struck.
    pub(crate) other: ControlPlane,
    pub(crate) org: Organization,
    pub(crate) admin: Caller,
    pub(crate) agent: ResourceId,
    pub(crate) runtime: Arc<Scripted>,
    pub(crate) faults: Arc<Faults>,
    /// Of a store that has one.
    pub(crate) folder: Box<dyn std::any::Any + Send>,
}

/// An organization whose one agent plays `script`.
pub(crate) async fn world(script: Vec<Act>) -> World {
    let world = bare(script).await;
    world.sync().await;
    world
}

/// The same with nothing in sync yet.
pub(crate) async fn bare(script: Vec<Act>) -> World {
    let (store, folder) = crate::backend::fresh().await;
    let faults = Arc::new(Faults::default());
    let clock = Arc::new(TokioClock::starting_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
    let plane = |store, seed| {
        ControlPlane::builder(store).clock(clock.clone()).entropy(Arc::new(SeededEntropy::new(seed))).build()
    };
    // Two worlds of one test have nothing in common.
    let seed = WORLDS.fetch_add(1, Ordering::Relaxed);
    let cp = plane(store.clone(), 2 * seed + 1);
    let other = plane(Arc::new(FaultyStore { inner: store, faults: faults.clone() }), 2 * seed + 2);
    let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let admin = org.admin_caller();
    let runtime = Scripted::new(script, faults.clone());
    let mut world = World { cp, other, agent: org.root_ou, org, admin, runtime, faults, folder };
    let server = world
        .create("MCPServerRegistration", "orders", json!({ "url": "https://orders.example.com/mcp" }))
        .await;
    let spec = json!({
        "model": "claude-sonnet-4-6", "agent_kind": "user", "owner": world.admin.principal.to_string(),
        "mcp_servers": [server.meta.id],
    });
    world.agent = world.create("Agent", "clerk", spec).await.meta.id;
    world
}

impl World {
    pub(crate) async fn create(&self, kind: &str, name: &str, spec: Value) -> RecordRow {
        let action = Action::Create {
            kind: kind.parse().unwrap(),
            ou: Some(self.org.root_ou),
            name: (!matches!(kind, "User" | "RoleBinding")).then(|| name.to_owned()),
            spec: spec.as_object().cloned().unwrap(),
        };
        self.cp.submit(&self.admin, action).await.unwrap().record().unwrap().clone()
    }

    /// Somebody with a role at the root.
    pub(crate) async fn user(&self, email: &str, role: Option<&str>) -> Caller {
        let user = self.create("User", email, json!({ "email": email })).await.meta.id;
        let caller = Caller::user(self.org.id, user);
        if let Some(role) = role {
            let spec = json!({ "principal": caller.principal.to_string(), "role": role, "effect": "allow" });
            self.create("RoleBinding", "", spec).await;
        }
        caller
    }

    /// Says that the runtime has everything.
    pub(crate) async fn sync(&self) {
        let (store, now) = (self.cp.store(), self.cp.clock().now());
        let request = ClaimRequest {
            owner: "test".to_owned(),
            now,
            until: now + Duration::from_secs(60),
            limit: 100,
            except: Vec::new(),
        };
        let claimed = store.claim(&request).await.unwrap();
        let results = claimed.into_iter().map(|state| Settlement {
            org: state.org,
            fence: state.fence,
            outcome: SyncOutcome::Pushed {
                pushed: state.desired,
                remote: RemoteRef { id: format!("remote_{}", state.key.id), version: Some(1), parent: None },
            },
            key: state.key,
        });
        store.settle(results.collect(), now, &Backoff::default()).await.unwrap();
    }

    /// The files of the store, if it has any.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let Some(folder) = self.folder.downcast_ref::<tempfile::TempDir>() else { return Vec::new() };
        let files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        files
    }

    pub(crate) fn asks(&self) -> Invoke {
        Invoke::new(self.agent, "How many orders?")
    }

    pub(crate) async fn invoke(&self) -> Invoked {
        self.cp.invoke(&self.admin, self.asks()).await.unwrap().started().unwrap()
    }

    pub(crate) fn pumps(&self) -> SessionLoopBuilder {
        SessionLoop::builder(&self.cp, Arc::new(Stage(self.runtime.clone()))).owner("one")
    }

    /// A loop in another process.
    pub(crate) fn other_pumps(&self) -> SessionLoopBuilder {
        SessionLoop::builder(&self.other, Arc::new(Stage(self.runtime.clone()))).owner("two")
    }

    /// Starts a loop for the rest of the test.
    pub(crate) fn start(&self) -> CancellationToken {
        let (stop, pumps) = (CancellationToken::new(), self.pumps().build());
        let until = stop.clone();
        tokio::spawn(async move { pumps.run(until).await });
        stop
    }

    /// Invokes, pumps, and returns how it settled.
    pub(crate) async fn settled(&self) -> SessionRecord {
        let id = self.invoke().await.session_id;
        assert_eq!(self.pumps().build().tick().await.unwrap(), 1);
        self.record(id).await
    }

    pub(crate) async fn record(&self, id: SessionId) -> SessionRecord {
        self.cp.session(&self.admin, id).await.unwrap()
    }

    pub(crate) async fn log(&self, id: SessionId) -> Vec<SessionEvent> {
        self.cp.session_events(&self.admin, id, EventSeq::START, 500).await.unwrap()
    }

    pub(crate) async fn kinds(&self, id: SessionId) -> Vec<String> {
        self.log(id).await.into_iter().map(|event| event.event.kind).collect()
    }

    /// The laws of a settled session: its log is gapless, begins and ends as it must, has each event of the runtime
    /// once and in order, and adds up to the row; its prompt was sent once.
    pub(crate) async fn assert_whole(&self, id: SessionId) {
        let (log, record) = (self.log(id).await, self.record(id).await);
        assert!(record.status.is_settled(), "{:?}", record.status);
        assert!(log.iter().map(|event| event.seq.number()).eq(1..=log.len() as u64));
        assert_eq!(record.last_seq.number(), log.len() as u64);
        assert_eq!(log[0].event.kind, SESSION_CREATED);
        assert_eq!(log.last().unwrap().event.kind, SESSION_ENDED);
        let ours = log.iter().filter(|event| event.event.event_id.is_none()).count();
        assert_eq!(ours, 2, "one frame at the beginning and one at the end");
        let mut logged: Vec<_> = log.iter().filter_map(|event| event.event.event_id.clone()).collect();
        let mut said: Vec<_> =
            self.runtime.one(|remote| remote.history.iter().map(|event| event.id.clone()).collect());
        let hidden = self.runtime.script.lock().unwrap().iter().any(|act| matches!(act, Act::Mutter(..)));
        if hidden {
            // What no stream showed is found last.
            logged.sort();
            said.sort();
        }
        assert_eq!(logged, said);
        assert_eq!(record.event_count, said.len() as u64);
        self.runtime.one(|remote| assert_eq!(remote.prompts, ["How many orders?"]));
        let ends = self.cp.store().audit_rows(self.org.id, 0, 1000).await.unwrap();
        let ends = ends.iter().filter(|entry| entry.row.verb == "session.end").count();
        assert_eq!(ends, 1, "one audit row says that it ended");
        self.cp.verify_audit(&self.admin, None).await.unwrap().expect("the chain is whole");
    }
}

//! An agent that can be invoked, on a runtime whose sessions say what a test tells them to.

use crate::sessions::client::{Client, TestSocket};
use crate::world::{Answer, World};
use powerloom_core::clock::{Clock, ManualClock, SystemClock};
use powerloom_core::conformance::puppet_runtime::PuppetRuntime;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::id::SessionId;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_server::{Config, router};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server, an agent in sync with the runtime, and the loop that pumps its sessions.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) runtime: Arc<PuppetRuntime>,
    pub(crate) agent: String,
    pumps: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.pumps.cancel();
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(crate) async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        Self::at(Arc::new(SystemClock), change).await
    }

    /// On a clock that stands until it is moved.
    pub(crate) async fn standing() -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        (Self::at(clock.clone(), |config| config).await, clock)
    }

    async fn at(clock: Arc<dyn Clock>, change: impl FnOnce(Config) -> Config) -> Self {
        let store = powerloom_store::open("memory:").await.unwrap();
        Self::over(ControlPlane::builder(store).clock(clock).build(), change).await
    }

    /// Over this control plane.
    pub(crate) async fn over(loom: ControlPlane, change: impl FnOnce(Config) -> Config) -> Self {
        let world = World::over(loom, change).await;
        let runtime = Arc::new(PuppetRuntime::default());
        let mut stage = Self { world, runtime, agent: String::new(), pumps: CancellationToken::new() };
        stage.agent = stage.new_agent("clerk").await;
        stage.reconcile().await;
        let pumps = SessionLoop::builder(&stage.world.loom, stage.runtime.clone()).build();
        let stop = stage.pumps.clone();
        tokio::spawn(async move { pumps.run(stop).await });
        stage
    }

    /// An agent nothing has been told of yet.
    pub(crate) async fn new_agent(&self, name: &str) -> String {
        let agent = json!({
            "name": name, "ou_id": self.world.acme.root_ou, "model": "claude-sonnet-4-6", "agent_kind": "user",
            "owner_principal_id": self.world.acme.admin,
        });
        self.world.post("/agents", agent).await.expect(201).id().to_owned()
    }

    /// Brings everything in sync.
    pub(crate) async fn reconcile(&self) {
        let reconciler = ReconcilerLoop::builder(&self.world.loom, self.runtime.clone()).build();
        let unsettled = reconciler.until_settled(Duration::from_secs(2)).await.unwrap();
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }

    pub(crate) fn invoke_path(&self) -> String {
        format!("/agents/{}/invoke", self.agent)
    }

    /// Asks the agent, and gives the answer.
    pub(crate) async fn asks(&self, body: Value) -> Answer {
        self.world.post(&self.invoke_path(), body).await
    }

    /// Starts a session that runs; whatever it says is up to the test.
    pub(crate) async fn running(&self) -> SessionId {
        let started = self.asks(json!({ "prompt": "How many orders?" })).await.expect(201);
        let id = session_of(&started);
        tokio::time::timeout(PATIENCE, self.runtime.prompted(id)).await.unwrap();
        id
    }

    /// A session that has said `words` and has settled.
    pub(crate) async fn settled(&self, words: usize) -> SessionRecord {
        let id = self.running().await;
        for word in 0..words {
            self.runtime.message(id, &format!("word {word}"));
        }
        self.runtime.end_turn(id);
        self.wait(id).await
    }

    /// Waits until a session has settled.
    pub(crate) async fn wait(&self, id: SessionId) -> SessionRecord {
        let admin = self.world.acme.admin_caller();
        tokio::time::timeout(PATIENCE, self.world.loom.wait(&admin, id)).await.unwrap().unwrap()
    }

    pub(crate) async fn ticket(&self, id: SessionId) -> String {
        let answer = self.world.post(&format!("/sessions/{id}/ticket"), json!({})).await.expect(201);
        answer.body["ws_ticket"].as_str().unwrap().to_owned()
    }

    /// Opens a stream with a new ticket.
    pub(crate) async fn open(&self, id: SessionId, after: u64) -> TestSocket {
        let ticket = self.ticket(id).await;
        self.client().open(&format!("/sessions/{id}/stream?ticket={ticket}&after={after}")).await
    }

    /// Presents a ticket.
    pub(crate) async fn present(&self, id: SessionId, ticket: &str) -> TestSocket {
        self.client().open(&format!("/sessions/{id}/stream?ticket={ticket}")).await
    }

    /// Another server on the same store.
    pub(crate) async fn replica(&self) -> Client {
        let loom = ControlPlane::builder(self.world.loom.store().clone()).build();
        let app = router(loom, Config::new(self.world.tokens.clone()), CancellationToken::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Client::new(&url)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.world.url)
    }

    /// All numbers of a session's log, and the type of each event.
    pub(crate) async fn log(&self, id: SessionId) -> Vec<(u64, String)> {
        let (mut log, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page =
                self.world.get(&format!("/sessions/{id}/events?after={after}&limit=500")).await.expect(200);
            let items = page.body["items"].as_array().unwrap();
            let read = |item: &Value| (number(&item["seq"]), item["type"].as_str().unwrap().to_owned());
            log.extend(items.iter().map(read));
            after = page.body["next_after"].as_str().unwrap().to_owned();
            if page.body["next_cursor"].is_null() {
                return log;
            }
        }
    }

    /// A figure of the server.
    pub(crate) async fn figure(&self, name: &str) -> i64 {
        let text = self.world.as_of(&self.world.admin, Method::GET, "/metrics", None).await.expect(200).text;
        let line = text.lines().find(|line| line.starts_with(&format!("powerloom_{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a figure of the server is this.
    pub(crate) async fn figure_becomes(&self, name: &str, value: i64) {
        let becomes = async {
            while self.figure(name).await != value {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, becomes).await.unwrap_or_else(|_| panic!("{name} never was {value}"));
    }
}

/// The session an answer is about.
pub(crate) fn session_of(answer: &Answer) -> SessionId {
    answer.body["session_id"].as_str().unwrap().parse().unwrap()
}

/// A number on the wire.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).parse().unwrap()
}

/// Lets time pass for the server, which is in this process, without waiting for it.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

//! A tool call out of a session, with every real part: SQLite, the client, the emulator, an MCP server, the loops, tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::secret::MemoryKeys;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::session::tool_key::tool_idempotency_key;
use powerloom_core::token::{KeySet, MemorySigningKeys, MetaTool, SigningKey, TokenOptions, TokenService};
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Emulator, Fault, FaultRule, RunningEmulator};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the agent says; `user` and `session_id` are what it was talked into saying.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct NewAgent {
    name: String,
    user: Option<String>,
    session_id: Option<String>,
}

/// One call as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    handle: String,
    token: Option<String>,
    caller: Option<Caller>,
    claimed: Option<String>,
    result: Result<ResourceId, String>,
}

/// A server that does with its calls what any delegating server does: exchange the handle, call the control plane.
#[derive(Debug, Clone)]
struct Meta {
    tool_router: ToolRouter<Self>,
    loom: ControlPlane,
    tokens: TokenService,
    root: ResourceId,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[tool_router]
impl Meta {
    #[tool(description = "Declares an agent")]
    async fn create_agent(
        &self,
        Extension(parts): Extension<Parts>,
        Parameters(asked): Parameters<NewAgent>,
    ) -> Result<String, String> {
        let header =
            parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let handle = header.trim_start_matches("Bearer ").to_owned();
        let mut seen = Seen {
            handle: handle.clone(),
            token: None,
            caller: None,
            claimed: asked.user.or(asked.session_id),
            result: Err("not exchanged".to_owned()),
        };
        let result = self.create(&handle, &asked.name, &mut seen).await;
        seen.result = result.clone();
        self.seen.lock().unwrap().push(seen);
        result.map(|id| format!("created {id}"))
    }
}

impl Meta {
    async fn create(&self, handle: &str, name: &str, seen: &mut Seen) -> Result<ResourceId, String> {
        let text = |error: powerloom_core::error::Error| error.to_string();
        let token = self.tokens.mint_delegated(handle, MetaTool::CreateAgent).await.map_err(text)?;
        seen.token = Some(token.reveal().to_owned());
        let caller = self.tokens.authenticate(token.reveal()).await.map_err(text)?;
        seen.caller = Some(caller.clone());
        let session = caller.delegated_from_session.ok_or("no session")?;
        let spec = json!({
            "model": "claude-sonnet-4-6", "agent_kind": "user", "owner": caller.principal.to_string(),
        });
        let action = Action::Create {
            kind: "Agent".parse().unwrap(),
            ou: Some(self.root),
            name: Some(name.to_owned()),
            spec: spec.as_object().cloned().unwrap(),
        };
        let options = SubmitOptions::default().idempotency_key(tool_idempotency_key(session, name, 0));
        let made = self.loom.submit_with(&caller, action, &options).await.map_err(text)?;
        Ok(made.record().ok_or("no record")?.meta.id)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Meta {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

struct House {
    loom: ControlPlane,
    org: Organization,
    tokens: TokenService,
    emulator: RunningEmulator,
    reconciler: ReconcilerLoop,
    seen: Arc<Mutex<Vec<Seen>>>,
    agent: ResourceId,
    pumps: JoinHandle<()>,
    _stop: DropGuard,
    folder: tempfile::TempDir,
}

/// An agent that everybody shares, with a delegating server and, for the same address, a credential of its own.
async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let store = powerloom_store::open(&url).await.unwrap();
    let keys = Arc::new(MemoryKeys::generate(&SystemEntropy));
    let loom = ControlPlane::builder(store).keys(keys).build();
    let org = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let key = SigningKey::generate_ed25519(&SystemEntropy).unwrap();
    let keys = Arc::new(MemorySigningKeys::new(KeySet::new(key)));
    let tokens =
        TokenService::new(&loom, keys, TokenOptions::new("https://loom.acme.com", "https://loom.acme.com"))
            .unwrap();
    let emulator = Emulator::builder().start().await.unwrap();
    let runtime = runtime(&emulator);
    let mut options = ReconcileOptions::default();
    options.backoff.base = Duration::from_millis(20);
    let reconciler = ReconcilerLoop::builder(&loom, runtime.clone()).options(options).build();
    let stop = CancellationToken::new();
    let sessions = SessionLoop::builder(&loom, runtime).lease(Duration::from_secs(2)).build();
    let stopped = stop.clone();
    let pumps = tokio::spawn(async move { sessions.run(stopped).await });
    let seen = Arc::default();
    let meta = Meta {
        tool_router: Meta::tool_router(),
        loom: loom.clone(),
        tokens: tokens.clone(),
        root: org.root_ou,
        seen: Arc::clone(&seen),
    };
    let url = serve(meta, &stop).await;
    let agent = org.root_ou;
    let mut house = House {
        loom,
        org,
        tokens,
        emulator,
        reconciler,
        seen,
        agent,
        pumps,
        _stop: stop.drop_guard(),
        folder,
    };
    let admin = house.org.admin_caller();
    let server =
        house.create("MCPServerRegistration", Some("meta"), json!({ "url": url, "delegating": true })).await;
    let spec = json!({
        "model": "claude-opus-4-6", "agent_kind": "user", "owner": admin.principal.to_string(),
        "mcp_servers": [server.meta.id],
    });
    house.agent = house.create("Agent", Some("powerloom-meta"), spec).await.meta.id;
    house.create("Credential", None, json!({ "agent": house.agent, "mcp_server": server.meta.id })).await;
    house.settle().await;
    house
}

fn runtime(emulator: &RunningEmulator) -> Arc<CmaRuntime> {
    let client =
        CmaClient::builder().base_url(emulator.url()).api_key("key").without_proxy().build().unwrap();
    Arc::new(CmaRuntime::new(client))
}

async fn serve(meta: Meta, stop: &CancellationToken) -> String {
    let config = StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
    let service: StreamableHttpService<Meta, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(meta.clone()), Arc::default(), config);
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            () = stopped.cancelled() => {}
        }
    });
    url
}

impl House {
    async fn settle(&self) {
        let unsettled = self.reconciler.until_settled(Duration::from_secs(30)).await.unwrap();
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }

    async fn create(&self, kind: &str, name: Option<&str>, spec: Value) -> RecordRow {
        let ou = (kind != "Credential").then_some(self.org.root_ou);
        let spec = spec.as_object().cloned().unwrap();
        let action = Action::Create { kind: kind.parse().unwrap(), ou, name: name.map(str::to_owned), spec };
        self.loom.submit(&self.org.admin_caller(), action).await.unwrap().record().unwrap().clone()
    }

    async fn user(&self, email: &str, roles: &[&str]) -> Caller {
        let user = self.create("User", None, json!({ "email": email })).await.meta.id;
        let caller = Caller::user(self.org.id, user);
        for role in roles {
            let spec = json!({ "principal": caller.principal.to_string(), "role": role, "effect": "allow" });
            self.create("RoleBinding", None, spec).await;
        }
        caller
    }

    async fn invoke(&self, user: &Caller, prompt: &str) -> SessionId {
        let asked = Invoke::new(self.agent, prompt);
        self.loom.invoke(user, asked).await.unwrap().started().unwrap().session_id
    }

    /// Waits for the `count`-th call.
    async fn seen(&self, count: usize) -> Vec<Seen> {
        for _ in 0..2000 {
            let seen = self.seen.lock().unwrap().clone();
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {:?}", self.seen.lock().unwrap());
    }

    /// Vaults of sessions that are not archived, by whose they are.
    fn session_vaults(&self) -> Vec<String> {
        let state = self.emulator.state();
        let live = |row: &&Value| row["archived_at"].is_null();
        let rows = state["vaults"].as_object().unwrap().values().filter(live);
        let named =
            rows.filter(|row| row["display_name"].as_str().is_some_and(|name| name.starts_with("session ")));
        named.map(|row| row["metadata"]["powerloom_id"].as_str().unwrap().to_owned()).collect()
    }

    async fn until_done(&self, id: SessionId) -> SessionStatus {
        for _ in 0..2000 {
            let record = self.loom.store().session(self.org.id, id).await.unwrap().unwrap();
            if record.is_done() {
                return record.status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is never done");
    }
}

/// What a token says, as anybody can read it.
fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Rows M3–M12, M41, M42, M53, T7; C12, C33, C34: two people use one agent at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn two_users_of_one_agent_act_each_as_themselves() {
    let house = house().await;
    let ada = house.user("ada@acme.com", &["AgentOperator", "AgentBuilder"]).await;
    let grace = house.user("grace@acme.com", &["AgentOperator"]).await;
    let admin = house.org.admin_caller().principal.to_string();
    // Both are talked into naming the admin, and each other's session.
    let prompt = |name: &str| {
        let asked = json!({ "name": name, "user": admin });
        format!("call meta.create_agent {asked}\nwait 60000")
    };
    let (first, second) = (prompt("from-ada"), prompt("from-grace"));
    let (by_ada, by_grace) = tokio::join!(house.invoke(&ada, &first), house.invoke(&grace, &second));
    let seen = house.seen(2).await;

    let of = |session: SessionId| {
        seen.iter()
            .find(|call| call.caller.as_ref().unwrap().delegated_from_session == Some(session))
            .unwrap()
    };
    for (user, session) in [(&ada, by_ada), (&grace, by_grace)] {
        let call = of(session);
        assert_eq!(call.claimed.as_deref(), Some(admin.as_str()), "the server was told otherwise");
        assert_eq!(call.caller.as_ref().unwrap().principal, user.principal, "row M9");
        let claims = payload(call.token.as_ref().unwrap());
        assert_eq!(format!("user:{}", claims["sub"].as_str().unwrap()), user.principal.to_string());
        assert_eq!(claims["sid"], session.to_string());
        assert_eq!(house.loom.resolve_handle(&call.handle).await.unwrap().id, session);
    }
    assert_ne!(of(by_ada).handle, of(by_grace).handle);
    let mine: BTreeSet<String> = house.session_vaults().into_iter().collect();
    assert_eq!(mine, BTreeSet::from([format!("Vault/{by_ada}"), format!("Vault/{by_grace}")]));

    // She may build agents, her colleague may not, and the agent's owner, who may all, is nobody here.
    let made = of(by_ada).result.clone().unwrap();
    let refused = of(by_grace).result.clone().unwrap_err();
    assert!(refused.contains("agent:create"), "row M33: {refused}");
    let rows = house.loom.store().audit_rows(house.org.id, 0, 1000).await.unwrap();
    let row = rows.iter().find(|entry| entry.row.resource_id == made.to_string()).unwrap();
    assert_eq!(row.row.actor, "user:ada@acme.com");
    assert_eq!(row.row.delegated_from_session, Some(by_ada.to_string()));
    let denied = rows.iter().rfind(|entry| entry.row.actor == "user:grace@acme.com").unwrap();
    assert_eq!(denied.row.delegated_from_session, Some(by_grace.to_string()), "the refusal too");

    // Row M10: handle and unexpired token end with the session; the other one goes on.
    let (ended, other) = (of(by_ada).clone(), of(by_grace).clone());
    house.loom.cancel(&ada, by_ada).await.unwrap();
    for _ in 0..2 {
        assert!(house.loom.resolve_handle(&ended.handle).await.is_err());
        assert!(house.tokens.authenticate(ended.token.as_ref().unwrap()).await.is_err());
        assert!(house.tokens.authenticate(other.token.as_ref().unwrap()).await.is_ok());
        assert_eq!(house.until_done(by_ada).await, SessionStatus::Cancelled);
    }
    assert_eq!(house.session_vaults(), [format!("Vault/{by_grace}")]);
    house.loom.cancel(&grace, by_grace).await.unwrap();
    house.until_done(by_grace).await;
    assert!(house.session_vaults().is_empty());
    assert_secret(&house, &[&ended.handle, &other.handle]);
}

/// T7: the handle went to the vault and to the server, and is in nothing the model reads, nor in what we keep.
fn assert_secret(house: &House, handles: &[&str]) {
    let state = house.emulator.state().to_string();
    for handle in handles {
        let secret = &handle[49..];
        assert!(!state.contains(secret), "no event, message or object that the runtime shows has it");
        for file in std::fs::read_dir(house.folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(20).any(|window| window == &secret.as_bytes()[..20]));
        }
    }
}

/// Row M11: what the starter loses in the middle of a session is missing at the next call.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_call_of_a_disabled_user_fails() {
    let house = house().await;
    let ada = house.user("ada@acme.com", &["AgentOperator", "AgentBuilder"]).await;
    let prompt =
        "call meta.create_agent {\"name\": \"one\"}\nwait 1500\ncall meta.create_agent {\"name\": \"two\"}";
    let id = house.invoke(&ada, prompt).await;
    assert!(house.seen(1).await[0].result.is_ok());
    let target = ResourceKey { kind: "User".parse().unwrap(), id: ada.principal.id().unwrap() };
    let patch = json!({ "disabled": true }).as_object().cloned().unwrap();
    let disable = Action::Update { target, expect: None, patch };
    house.loom.submit(&house.org.admin_caller(), disable).await.unwrap();
    let second = house.seen(2).await.remove(1);
    assert_eq!((second.result, second.token), (Err("the token is not valid".to_owned()), None));
    house.until_done(id).await;
    assert!(house.session_vaults().is_empty());
}

/// S6: whatever answer of the runtime is lost while the vault is made or taken away, there is one, and then none.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_vault_and_leaves_none() {
    let house = house().await;
    let admin = house.org.admin_caller();
    for path in ["/v1/vaults", "/v1/vaults/*/credentials", "/v1/sessions", "/v1/vaults/*/archive"] {
        let before = house.seen.lock().unwrap().len();
        house.emulator.faults().add(FaultRule::new(path, Fault::CutAfter).method("POST").count(1));
        let name = format!("after-{before}");
        let id =
            house.invoke(&admin, &format!("call meta.create_agent {{\"name\": \"{name}\"}}\nwait 500")).await;
        let seen = house.seen(before + 1).await.pop().unwrap();
        assert!(seen.result.is_ok(), "{path}: {:?}", seen.result);
        assert_eq!(house.session_vaults(), [format!("Vault/{id}")], "{path}");
        house.until_done(id).await;
        assert!(house.session_vaults().is_empty(), "{path}");
        assert_secret(&house, &[&seen.handle]);
    }
}

/// S1: a process that dies leaves its sessions to the next, with the one vault each has, and that one takes it away.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_session_over_takes_its_vault_over() {
    let house = house().await;
    let admin = house.org.admin_caller();
    let prompt =
        "call meta.create_agent {\"name\": \"one\"}\nwait 6000\ncall meta.create_agent {\"name\": \"two\"}";
    let id = house.invoke(&admin, prompt).await;
    let first = house.seen(1).await.remove(0);
    house.pumps.abort();
    let pumps =
        SessionLoop::builder(&house.loom, runtime(&house.emulator)).poll(Duration::from_millis(100)).build();
    let running = tokio::spawn(async move { pumps.run(CancellationToken::new()).await });
    let second = house.seen(2).await.remove(1);
    assert!(second.result.is_ok(), "{:?}", second.result);
    assert_eq!(second.handle, first.handle, "a session that runs keeps its handle");
    assert_eq!(house.session_vaults(), [format!("Vault/{id}")]);
    assert_eq!(house.until_done(id).await, SessionStatus::IdleEndTurn);
    assert!(house.session_vaults().is_empty());
    running.abort();
}

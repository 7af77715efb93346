//! What servers of a test share: one store, one runtime, the same keys.

use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::secret::MemoryKeys;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use powerloom_server::{Bounds, Config, Server, ServerBounds};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Stage {
    folder: TempDir,
    master: Arc<MemoryKeys>,
    signing: Arc<MemorySigningKeys>,
    pub emulator: RunningEmulator,
    pub org: Organization,
    pub client: reqwest::Client,
    /// The administrator's token: good on every server of this stage.
    pub admin: String,
}

impl Stage {
    pub async fn set() -> Self {
        let key = SigningKey::generate_ed25519(&SystemEntropy).unwrap();
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let folder = TempDir::new().unwrap();
        let mut stage = Self {
            master: Arc::new(MemoryKeys::generate(&SystemEntropy)),
            signing: Arc::new(MemorySigningKeys::new(KeySet::new(key))),
            emulator: Emulator::builder().start().await.unwrap(),
            org: bootstrap(&folder).await,
            folder,
            client,
            admin: String::new(),
        };
        stage.admin = stage.token(&stage.org.admin.to_string()).await;
        stage
    }

    /// Another control plane on the same store, as another process would have.
    pub async fn loom(&self) -> ControlPlane {
        let master = Arc::clone(&self.master);
        ControlPlane::builder(powerloom_store::open(&url(&self.folder)).await.unwrap()).keys(master).build()
    }

    /// A user's token.
    pub async fn token(&self, user: &str) -> String {
        let tokens = self.tokens(&self.loom().await);
        let token = tokens.mint_access(self.org.id, user.parse().unwrap(), Duration::from_secs(900)).await;
        token.unwrap().reveal().to_owned()
    }

    pub fn tokens(&self, loom: &ControlPlane) -> TokenService {
        let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
        TokenService::new(loom, Arc::clone(&self.signing) as _, options).unwrap()
    }

    /// A server over `loom`, without loops.
    pub fn server(&self, loom: &ControlPlane) -> Server {
        self.server_with(loom, Bounds::default())
    }

    pub fn server_with(&self, loom: &ControlPlane, bounds: Bounds) -> Server {
        Server::new(loom.clone(), Config::new(self.tokens(loom)).bounds(bounds))
    }

    pub fn runtime(&self) -> Arc<CmaRuntime> {
        let client = CmaClient::builder()
            .base_url(self.emulator.url())
            .api_key("any")
            .without_proxy()
            .build()
            .unwrap();
        Arc::new(CmaRuntime::new(client))
    }

    pub fn agent(&self) -> Value {
        json!({
            "name": "code-reviewer", "ou_id": self.org.root_ou, "model": "claude-sonnet-4-6",
            "system_prompt": "Review Python code.", "agent_kind": "user", "owner_principal_id": self.org.admin,
        })
    }

    pub async fn get(&self, url: &str, path: &str) -> (u16, Value) {
        let response = self.client.get(format!("{url}{path}")).bearer_auth(&self.admin).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub async fn post(&self, url: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{url}{path}")).bearer_auth(&self.admin).json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// The agent, once it is on the runtime.
    pub async fn synced_agent(&self, url: &str) -> Value {
        let (status, created) = self.post(url, "/agents", &self.agent()).await;
        assert_eq!(status, 201, "{created}");
        let path = format!("/agents/{}", created["id"].as_str().unwrap());
        eventually("the agent is in sync", async || {
            let (_, agent) = self.get(url, &path).await;
            (agent["sync"]["status"] == "synced").then_some(agent)
        })
        .await
    }
}

/// Short ends: a test has no time for the usual ones.
pub fn hasty() -> ServerBounds {
    let mut bounds = ServerBounds::default();
    bounds.drain = Duration::from_millis(300);
    bounds.head_read = Duration::from_millis(300);
    bounds
}

/// Asks until there is an answer, for at most 30 seconds.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// A connection with these bytes sent on it.
pub async fn connected(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// All the other side says until it closes.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    // A connection that is cut hard is closed too.
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("loom.db").display())
}

async fn bootstrap(folder: &TempDir) -> Organization {
    let loom = ControlPlane::builder(powerloom_store::open(&url(folder)).await.unwrap()).build();
    loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap()
}

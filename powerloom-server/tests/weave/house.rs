//! A server with its loops and a local runtime, on a loopback socket, for a program that calls it.

use crate::bench::{Ran, run, weave};
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::ResourceId;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::runtime::Runtime;
use powerloom_core::secret::MemoryKeys;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use powerloom_server::{Config, router};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running server.
pub struct House {
    pub loom: ControlPlane,
    pub tokens: TokenService,
    pub acme: Organization,
    pub url: String,
    /// The token of the administrator.
    pub admin: String,
    pub folder: TempDir,
    _emulator: RunningEmulator,
    _stop: DropGuard,
}

impl House {
    pub async fn new() -> Self {
        let emulator = Emulator::builder().start().await.unwrap();
        let client =
            CmaClient::builder().base_url(emulator.url()).api_key("test").without_proxy().build().unwrap();
        let runtime: Arc<dyn Runtime> = Arc::new(CmaRuntime::new(client));
        let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap())
            .keys(Arc::new(MemoryKeys::generate(&SystemEntropy)))
            .build();
        let acme =
            loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
        let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
        let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(ReconcilerLoop::builder(&loom, Arc::clone(&runtime)).build().run(stop.clone()));
        let (sessions, stopped) = (SessionLoop::builder(&loom, runtime).build(), stop.clone());
        tokio::spawn(async move { sessions.run(stopped).await });
        let app = router(loom.clone(), Config::new(tokens.clone()), stop.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        let (admin, _stop) = (String::new(), stop.drop_guard());
        let mut house = Self { loom, tokens, acme, url, admin, folder, _emulator: emulator, _stop };
        house.admin = house.token(house.acme.admin).await;
        house
    }

    /// An access token of a user.
    pub async fn token(&self, user: ResourceId) -> String {
        let token = self.tokens.mint_access(self.acme.id, user, Duration::from_secs(900)).await.unwrap();
        token.reveal().to_owned()
    }

    /// The token of a user who is known by their address.
    pub async fn token_of(&self, email: &str) -> String {
        let snapshot = self.loom.authz(self.acme.id).await.unwrap();
        self.token(snapshot.user_by_email(&email.parse().unwrap()).unwrap()).await
    }

    /// The program as the bearer of a token, calling this server or what stands before it.
    pub fn command_at(&self, url: &str, token: &str, arguments: &[&str]) -> Command {
        let mut command = weave();
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env_remove("XDG_CONFIG_HOME");
        command.env("POWERLOOM_URL", url).env("POWERLOOM_TOKEN", token).args(arguments);
        command
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_at(&self.url, &self.admin, arguments)
    }

    /// Runs the program as the administrator, beside the server.
    pub async fn weave(&self, arguments: &[&str]) -> Ran {
        self.fed(arguments, "").await
    }

    /// The same with this on its standard input.
    pub async fn fed(&self, arguments: &[&str], input: &str) -> Ran {
        let (command, input) = (self.command(arguments), input.to_owned());
        tokio::task::spawn_blocking(move || run(command, &input)).await.unwrap()
    }

    /// Declares an agent and waits until the runtime has it.
    pub async fn agent(&self, name: &str) {
        let manifest = format!(
            "{{kind: Agent, metadata: {{name: {name}, ou_path: /acme}}, spec: {{model: claude-sonnet-4-6, \
             system_prompt: Be brief., agent_kind: user, owner_principal_ref: 'user:admin@acme.com'}}}}"
        );
        self.fed(&["apply", "-", "--yes"], &manifest).await.expect(0);
        self.synced(name).await;
    }

    /// Waits until the runtime has an agent.
    pub async fn synced(&self, name: &str) {
        let wait = async {
            loop {
                let agent = self.weave(&["get", "agent", name, "-o", "json"]).await.expect(0).json();
                if agent["sync"]["status"] == "synced" {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the agent is not pushed");
    }
}

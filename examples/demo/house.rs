//! What the demo runs on: the store, the master key, the runtime, the MCP server, the two loops.

use crate::args::Args;
use crate::files_server::{FilesServer, Known};
use crate::screen::{Ink, Screen};
use anyhow::{Context, bail};
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::runtime::Runtime;
use powerloom_core::secret::FileKeys;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Everything that runs. [`close`](House::close) ends it in order.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) loom: ControlPlane,
    pub(crate) org: Organization,
    pub(crate) known: Known,
    emulator: Option<RunningEmulator>,
    files: Option<FilesServer>,
    loops: JoinSet<()>,
    stop: CancellationToken,
}

impl House {
    /// Opens or makes everything below the state folder.
    pub(crate) async fn open(args: &Args, screen: Screen) -> anyhow::Result<Self> {
        let folder = &args.state;
        std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let database = folder.join("loom.db");
        let store = powerloom_store::open(&format!("sqlite://{}", database.display())).await?;
        let keys = FileKeys::open(folder.join("master.key"), &SystemEntropy)?;
        let (runtime, emulator) = runtime(folder, screen).await?;
        screen.line(Ink::Dim, "·", format!("store    {}", database.display()));
        let loom = ControlPlane::builder(store).keys(Arc::new(keys)).build();
        let org = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
        let (stop, mut loops) = (CancellationToken::new(), JoinSet::new());
        let reconciler = ReconcilerLoop::builder(&loom, Arc::clone(&runtime)).build();
        loops.spawn(reconciler.run(stop.clone()));
        let sessions = SessionLoop::builder(&loom, runtime).build();
        let stopped = stop.clone();
        loops.spawn(async move { sessions.run(stopped).await });
        Ok(Self { loom, org, known: Known::default(), emulator, files: None, loops, stop })
    }

    /// Serves this repository's files where the manifests say that they are.
    pub(crate) async fn serve_files(&mut self, url: &str, screen: Screen) -> anyhow::Result<()> {
        let address: SocketAddr = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next())
            .and_then(|authority| authority.parse().ok())
            .with_context(|| {
                format!(
                    "the demo serves `repo-files` itself: its url `{url}` must be `http://127.0.0.1:PORT/mcp`"
                )
            })?;
        if !address.ip().is_loopback() {
            bail!("the demo serves `repo-files` on the loopback only, not on {address}");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        self.files = Some(FilesServer::start(address, root, Arc::clone(&self.known)).await?);
        screen.line(Ink::Dim, "·", format!("MCP      {url} (this repository, read-only, bearer required)"));
        Ok(())
    }

    /// Whether the runtime is this process's own, so that everything in it can be reached.
    pub(crate) fn is_local(&self) -> bool {
        self.emulator.is_some()
    }

    /// Ends the loops, then what they use.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.loops.join_next().await {
            ended.context("a loop ended badly")?;
        }
        drop(self.files);
        if let Some(emulator) = self.emulator {
            emulator.shutdown().await;
        }
        Ok(())
    }
}

/// Anthropic's service if there is a key, else the emulator, whose state lives beside the database.
async fn runtime(
    folder: &Path,
    screen: Screen,
) -> anyhow::Result<(Arc<dyn Runtime>, Option<RunningEmulator>)> {
    if std::env::var_os("ANTHROPIC_API_KEY").is_some_and(|key| !key.is_empty()) {
        screen.line(Ink::Dim, "·", "runtime  Claude Managed Agents (ANTHROPIC_API_KEY is set)");
        screen.line(
            Ink::Busy,
            "…",
            "it may not reach this machine's loopback: then the session goes on without MCP, and is flagged",
        );
        return Ok((Arc::new(CmaRuntime::new(CmaClient::from_env()?)), None));
    }
    let emulator = Emulator::builder().state(folder.join("runtime.state")).start().await?;
    let client = CmaClient::builder().base_url(emulator.url()).api_key("demo").without_proxy().build()?;
    screen.line(Ink::Dim, "·", format!("runtime  emulator at {}", emulator.url()));
    Ok((Arc::new(CmaRuntime::new(client)), Some(emulator)))
}

//! The router as a service in this process: a listener with bounds, the loops beside it, and an orderly end.
//!
//! What it is not: a program. It takes no signals, reads no files but certificates, and sets up no log; `weave serve` does.

mod bounds;
mod checkpoints;
mod connection;
mod error;
mod line;
mod listen;
mod loops;
mod running;
mod stall;
#[cfg(feature = "tls")]
mod tls;

pub use bounds::ServerBounds;
pub use error::ServerError;
pub use running::{RunningServer, Stopped};
#[cfg(feature = "tls")]
pub use tls::Tls;

use crate::config::Config;
use crate::router::router;
use crate::server::connection::Talk;
use crate::server::listen::Listening;
use crate::server::loops::Loops;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::runtime::Runtime;
use powerloom_core::session::session_loop::SessionLoop;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Puts a server together. Nothing happens before [`start`](Self::start).
///
/// # Examples
/// ```
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
/// use powerloom_server::{Config, Server};
/// use std::sync::Arc;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy)?));
/// let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
/// let tokens = TokenService::new(&loom, Arc::new(keys), options)?;
///
/// let server = Server::new(loom, Config::new(tokens)).start().await?;
/// let client = reqwest::Client::builder().no_proxy().build()?;
/// let health = client.get(format!("{}/healthz", server.url())).send().await?;
/// assert_eq!(health.status(), 200);
/// assert!(server.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing before it is started"]
pub struct Server {
    loom: ControlPlane,
    config: Config,
    address: SocketAddr,
    reconciler: Option<ReconcilerLoop>,
    sessions: Option<SessionLoop>,
    bounds: ServerBounds,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Server {
    /// A server on a free port of 127.0.0.1, without loops: what is declared and invoked then waits for another process on the
    /// same store that has them.
    pub fn new(loom: ControlPlane, config: Config) -> Self {
        Self {
            loom,
            config,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            reconciler: None,
            sessions: None,
            bounds: ServerBounds::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Listens there; port 0 takes a free one.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Reconciles and pumps sessions on this runtime, as the loops do by default.
    pub fn runtime(self, runtime: Arc<dyn Runtime>) -> Self {
        let reconciler = ReconcilerLoop::builder(&self.loom, Arc::clone(&runtime)).build();
        let sessions = SessionLoop::builder(&self.loom, runtime).build();
        self.reconciler(reconciler).sessions(sessions)
    }

    /// Runs this reconciler: for kinds of one's own, or another pace.
    pub fn reconciler(mut self, reconciler: ReconcilerLoop) -> Self {
        self.reconciler = Some(reconciler);
        self
    }

    /// Runs this loop of sessions.
    pub fn sessions(mut self, sessions: SessionLoop) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Other bounds of connections and of the end. Those of requests are in [`Config`].
    pub const fn bounds(mut self, bounds: ServerBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Speaks HTTPS, and nothing else.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Listens and starts the loops. Must be called inside a tokio runtime, which then runs everything.
    ///
    /// # Errors
    /// [`ServerError::Listen`] if the address cannot be listened on; nothing runs then.
    pub async fn start(self) -> Result<RunningServer, ServerError> {
        let refused = |source| ServerError::Listen { address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (stopping, broken) = (CancellationToken::new(), CancellationToken::new());
        #[cfg(feature = "tls")]
        let secure = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        let checkpoints = self.config.checkpoints.clone();
        let work = self.config.work.clone();
        let talk = Talk::new(router(self.loom.clone(), self.config, stopping.clone()), &self.bounds);
        #[cfg(feature = "tls")]
        let talk = talk.over(self.tls.as_ref());
        let listening = Listening::start(listener, talk, &self.bounds);
        let mut loops = Loops::new(broken);
        match self.reconciler {
            Some(reconciler) => loops.reconciler(reconciler),
            // The reconciler's sweep would do it.
            None => loops.expiry(self.loom.clone()),
        }
        if let Some(sessions) = self.sessions {
            loops.sessions(sessions);
        }
        if let Some(checkpoints) = checkpoints {
            loops.checkpoints(checkpoints, self.loom);
        }
        tracing::info!(%address, secure, loops = ?loops.names(), "listening");
        Ok(RunningServer::new(address, secure, stopping, listening, loops, work, self.bounds))
    }
}

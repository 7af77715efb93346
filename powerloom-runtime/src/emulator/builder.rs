//! Starting the emulator, and holding one that runs.

use crate::emulator::admin;
use crate::emulator::connection::{Connection, CutListener};
use crate::emulator::edit::Edit;
use crate::emulator::error::EmulatorError;
use crate::emulator::faults::Faults;
use crate::emulator::hub::Hub;
use crate::emulator::model::Model;
use crate::emulator::requests::RequestLog;
use crate::emulator::scripted::ScriptedModel;
use crate::emulator::server::handle;
use crate::emulator::state::Db;
use crate::emulator::turn::recover;
use crate::emulator::world::{Running, World};
use axum::Router;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A local server that speaks the Claude Managed Agents protocol.
#[derive(Debug)]
#[must_use = "an emulator does nothing before it is started"]
pub struct Emulator {
    listen: SocketAddr,
    state: Option<PathBuf>,
    model: Arc<dyn Model>,
    keys: Vec<String>,
    keep_alive: Duration,
}

impl Emulator {
    /// An emulator on a free port of 127.0.0.1, in memory, with the [`ScriptedModel`], that accepts every API key.
    pub fn builder() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: None,
            model: Arc::new(ScriptedModel::new()),
            keys: Vec::new(),
            keep_alive: Duration::from_secs(15),
        }
    }

    /// Listens on `address`; port 0 takes a free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Keeps the state in the file `path`, which is made if it is not there.
    pub fn state(mut self, path: impl Into<PathBuf>) -> Self {
        self.state = Some(path.into());
        self
    }

    /// Lets `model` decide what agents do.
    pub fn model(mut self, model: impl Model) -> Self {
        self.model = Arc::new(model);
        self
    }

    /// Accepts `key`, and no key that was not named so. Without any, every non-empty key is accepted.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Sends a sign of life on an idle event stream every `period`; 15 seconds unless told otherwise.
    pub fn keep_alive(mut self, period: Duration) -> Self {
        self.keep_alive = period.max(Duration::from_millis(1));
        self
    }

    /// Starts the server and takes up the sessions that were at work when the state was last closed.
    ///
    /// # Errors
    /// The address cannot be listened on, or the state file cannot be used; see [`EmulatorError`].
    pub async fn start(self) -> Result<RunningEmulator, EmulatorError> {
        let unusable = |source| EmulatorError::Listen { address: self.listen, source };
        let state = Db::open(self.state.as_deref())?;
        let listener = TcpListener::bind(self.listen).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| EmulatorError::Outgoing { source })?;
        let world = Arc::new(World {
            state: Mutex::new(state),
            hub: Hub::default(),
            model: self.model,
            faults: Faults::default(),
            requests: RequestLog::default(),
            running: Running::default(),
            keys: self.keys,
            keep_alive: self.keep_alive,
            http,
            stop: CancellationToken::new(),
        });
        if let Err(refusal) = recover(&world) {
            tracing::error!(?refusal, "sessions at work could not be taken up");
        }
        let router = Router::new().fallback(handle).with_state(Arc::clone(&world));
        let service = router.into_make_service_with_connect_info::<Connection>();
        let stop = world.stop.clone();
        let server = tokio::spawn(async move {
            let served = axum::serve(CutListener(listener), service);
            if let Err(error) = served.with_graceful_shutdown(stop.cancelled_owned()).await {
                tracing::error!(%error, "the server stopped");
            }
        });
        Ok(RunningEmulator { address, world, server: Some(server) })
    }
}

/// A running emulator. Dropping it stops the server and gives up the port and the state file.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use powerloom_runtime::emulator::{Emulator, Fault, FaultRule};
///
/// let emulator = Emulator::builder().start().await?;
/// emulator.faults().add(FaultRule::new("/v1/agents", Fault::rate_limit(1)).count(1));
/// // … point a client at emulator.url() …
/// assert_eq!(emulator.requests().count("POST /v1/agents"), 0);
/// emulator.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RunningEmulator {
    address: SocketAddr,
    world: Arc<World>,
    server: Option<JoinHandle<()>>,
}

impl RunningEmulator {
    /// The base URL for clients, such as `http://127.0.0.1:40123`: without `/v1` and without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes wrong, on demand.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> &RequestLog {
        &self.world.requests
    }

    /// Changes a stored object behind the clients' backs and returns it; null if it was removed.
    ///
    /// # Errors
    /// [`EmulatorError::Edit`] if there is no such object or no such place in it.
    pub fn edit(&self, edit: &Edit) -> Result<Value, EmulatorError> {
        edit.apply(&mut self.world.db())
    }

    /// Every stored object by table and id, without secrets.
    #[must_use]
    pub fn state(&self) -> Value {
        admin::dump(&self.world.db())
    }

    /// Stops the server: no new connection is accepted, event streams end, and the rest may take two seconds.
    ///
    /// # Cancel safety
    /// Dropped early, it stops all the same.
    pub async fn shutdown(mut self) {
        self.world.stop.cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(Duration::from_secs(2), &mut server).await.is_err()
        {
            server.abort();
        }
        self.world.db().close();
    }
}

impl Drop for RunningEmulator {
    fn drop(&mut self) {
        self.world.stop.cancel();
        if let Some(server) = self.server.take() {
            server.abort();
        }
        self.world.db().close();
    }
}

//! What every handler shares.

use crate::config::Config;
use crate::guesses::Guesses;
use crate::input::Room;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;
use crate::readiness::Readiness;
use crate::stream::shelf::Shelves;
use powerloom_core::control_plane::ControlPlane;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every handler shares. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

/// See [`App`].
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) loom: ControlPlane,
    pub(crate) config: Config,
    pub(crate) limit: RateLimit,
    pub(crate) guesses: Guesses,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    /// Room for long bodies.
    pub(crate) room: Room,
    /// Frames of sessions that several read.
    pub(crate) shelves: Shelves,
    /// Cancelled when the program is about to end: streams are closed resumably, `/readyz` says no.
    pub(crate) stopping: CancellationToken,
}

impl App {
    pub(crate) fn new(loom: ControlPlane, config: Config, stopping: CancellationToken) -> Self {
        let (limit, guesses) = (RateLimit::new(&config.bounds), Guesses::new(&config.bounds));
        let (readiness, room) = (Readiness::default(), Room::new(config.bounds.upload_bytes));
        let (metrics, shelves) = (Metrics::default(), Shelves::default());
        Self(Arc::new(Shared { loom, config, limit, guesses, readiness, metrics, room, shelves, stopping }))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

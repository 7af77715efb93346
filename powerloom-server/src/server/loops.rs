//! What runs beside the listener, and ends after it.

use crate::checkpoints::Checkpoints;
use crate::server::checkpoints;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::session::session_loop::SessionLoop;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often approvals are looked at whose time has run out, where no reconciler does it.
const EXPIRY: Duration = Duration::from_secs(60);

/// The loops of a server.
#[derive(Debug)]
pub(crate) struct Loops {
    stop: CancellationToken,
    broken: CancellationToken,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl Loops {
    /// No loops yet; `broken` is cancelled when one ends before it is told to.
    pub(crate) fn new(broken: CancellationToken) -> Self {
        Self { stop: CancellationToken::new(), broken, tasks: Vec::new() }
    }

    pub(crate) fn reconciler(&mut self, reconciler: ReconcilerLoop) {
        self.spawn("reconciler", reconciler.run(self.stop.clone()));
    }

    pub(crate) fn sessions(&mut self, sessions: SessionLoop) {
        let stop = self.stop.clone();
        self.spawn("sessions", async move { sessions.run(stop).await });
    }

    pub(crate) fn expiry(&mut self, loom: ControlPlane) {
        let stop = self.stop.clone();
        self.spawn("expiry", async move {
            stop.run_until_cancelled(expire(&loom)).await;
        });
    }

    pub(crate) fn checkpoints(&mut self, checkpoints: Checkpoints, loom: ControlPlane) {
        self.spawn("checkpoints", checkpoints::run(checkpoints, loom, self.stop.clone()));
    }

    fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (stop, ended) = (self.stop.clone(), Ended(Some(self.broken.clone().drop_guard())));
        let task = tokio::spawn(async move {
            let ended = ended;
            work.await;
            if stop.is_cancelled() {
                ended.told_to();
            } else {
                tracing::error!(name, "a loop has ended by itself");
            }
        });
        self.tasks.push((name, task));
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.tasks.iter().map(|(name, _)| *name).collect()
    }

    pub(crate) const fn broken(&self) -> &CancellationToken {
        &self.broken
    }

    /// Ends them all, and waits for so long. Says which took longer: they are abandoned, and what they held is taken over
    /// once its leases have run out.
    pub(crate) async fn end(&mut self, limit: Duration) -> Vec<&'static str> {
        self.stop.cancel();
        let deadline = tokio::time::Instant::now() + limit;
        let mut late = Vec::new();
        for (name, mut task) in self.tasks.drain(..) {
            match tokio::time::timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => tracing::info!(name, "a loop has ended"),
                Ok(Err(error)) => tracing::error!(name, %error, "a loop ended badly"),
                Err(_) => {
                    task.abort();
                    tracing::warn!(name, "a loop takes too long and is abandoned");
                    late.push(name);
                }
            }
        }
        late
    }

    /// Ends them without waiting.
    pub(crate) fn abandon(&self) {
        self.stop.cancel();
    }
}

/// Tells of a loop that ended, a panic included, unless it was told to.
struct Ended(Option<DropGuard>);

impl Ended {
    fn told_to(mut self) {
        if let Some(guard) = self.0.take() {
            guard.disarm();
        }
    }
}

async fn expire(loom: &ControlPlane) {
    loop {
        tokio::time::sleep(EXPIRY).await;
        match loom.expire_approvals().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "approval requests expired"),
            Err(error) => tracing::warn!(%error, "expired approval requests were not ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ends_by_itself_or_panics_is_told_and_one_that_is_ended_is_not() {
        let ends: fn() = || {};
        let panics: fn() = || panic!("a thing that cannot be");
        for work in [ends, panics] {
            let mut loops = Loops::new(CancellationToken::new());
            loops.spawn("it", async move { work() });
            loops.broken().cancelled().await;
        }
        let mut loops = Loops::new(CancellationToken::new());
        let stop = loops.stop.clone();
        loops.spawn("good", async move { stop.cancelled().await });
        loops.spawn("deaf", std::future::pending());
        assert_eq!(loops.end(Duration::from_secs(30)).await, ["deaf"]);
    }
}

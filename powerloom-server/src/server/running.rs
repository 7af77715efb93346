//! A server that runs, and how it ends.

use crate::server::bounds::ServerBounds;
use crate::server::listen::Listening;
use crate::server::loops::Loops;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running server. Dropped, it ends as in a crash: what it was at is found and finished by another one, or by itself when it
/// is started again.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    secure: bool,
    stopping: CancellationToken,
    listening: Listening,
    loops: Loops,
    work: TaskTracker,
    bounds: ServerBounds,
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Stopped {
    /// How many connections, or requests on one, had to be cut because they took too long.
    pub cut: usize,
    /// How many things that requests had begun, such as applications of plans, took too long and were left as they were.
    pub unfinished: usize,
    /// The loops that were abandoned because they took too long.
    pub abandoned: Vec<&'static str>,
}

impl Stopped {
    /// Whether everything ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.cut == 0 && self.unfinished == 0 && self.abandoned.is_empty()
    }
}

impl RunningServer {
    pub(crate) const fn new(
        address: SocketAddr,
        secure: bool,
        stopping: CancellationToken,
        listening: Listening,
        loops: Loops,
        work: TaskTracker,
        bounds: ServerBounds,
    ) -> Self {
        Self { address, secure, stopping, listening, loops, work, bounds }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, such as `http://127.0.0.1:40123`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    /// Waits until one of its loops has ended although nobody asked it to, which is a fault of ours: end the process then,
    /// and let it be started anew.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn broken(&self) {
        self.loops.broken().cancelled().await;
    }

    /// Ends it in order: `/readyz` says no and streams are closed so that their readers can go on elsewhere; no more
    /// connections are accepted; requests under way get [`drain`](ServerBounds::drain), and then what they have begun and must not
    /// be cut gets as long ([`Config::work`](crate::Config::work)); then the loops finish what they are at and give the rest back.
    /// Each step is in the log.
    ///
    /// # Cancel safety
    /// Dropped, it ends as if it had been dropped itself.
    pub async fn shutdown(mut self) -> Stopped {
        tracing::info!("stopping: no longer ready, streams are closed");
        self.stopping.cancel();
        tokio::time::sleep(self.bounds.linger).await;
        let open = self.listening.close().await;
        tracing::info!(open, "no more connections are accepted");
        let cut = self.listening.drain(self.bounds.drain).await;
        match cut {
            0 => tracing::info!("all connections have ended"),
            cut => tracing::warn!(cut, "connections took too long and were cut"),
        }
        // Before the loops: a replacement waits for the reconciler.
        let unfinished = self.finish().await;
        let abandoned = self.loops.end(self.bounds.loops).await;
        let stopped = Stopped { cut, unfinished, abandoned };
        tracing::info!(clean = stopped.is_clean(), "stopped");
        stopped
    }

    /// Waits for what requests have begun. Says how much of it took too long.
    async fn finish(&self) -> usize {
        self.work.close();
        let waited = tokio::time::timeout(self.bounds.drain, self.work.wait()).await;
        let unfinished = if waited.is_ok() { 0 } else { self.work.len() };
        if unfinished > 0 {
            tracing::warn!(unfinished, "what requests have begun took too long and is left as it is");
        }
        unfinished
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.listening.abandon();
        self.loops.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Server};
    use powerloom_core::control_plane::ControlPlane;
    use powerloom_core::entropy::SystemEntropy;
    use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::oneshot;

    async fn started() -> (RunningServer, TaskTracker) {
        let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
        let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
        let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
        let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
        let config = Config::new(tokens);
        let work = config.work.clone();
        (Server::new(loom, config).start().await.unwrap(), work)
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_a_request_has_begun() {
        let (server, work) = started().await;
        let (go_on, told) = oneshot::channel::<()>();
        let task = work.spawn(told);
        let ending = tokio::spawn(server.shutdown());
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!ending.is_finished(), "it is not done yet");
        go_on.send(()).unwrap();
        assert!(ending.await.unwrap().is_clean());
        assert!(task.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_ever_and_says_what_it_left() {
        let (server, work) = started().await;
        work.spawn(pending::<()>());
        let stopped = server.shutdown().await;
        assert_eq!((stopped.unfinished, stopped.is_clean()), (1, false));
    }
}

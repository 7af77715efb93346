//! A server that runs, and how it ends.

use crate::server::bounds::ServerBounds;
use crate::server::listen::Listening;
use crate::server::loops::Loops;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;

/// A running server. Dropped, it ends as in a crash: what it was at is found and finished by another one, or by itself when it
/// is started again.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    secure: bool,
    stopping: CancellationToken,
    listening: Listening,
    loops: Loops,
    bounds: ServerBounds,
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Stopped {
    /// How many connections, or requests on one, had to be cut because they took too long.
    pub cut: usize,
    /// The loops that were abandoned because they took too long.
    pub abandoned: Vec<&'static str>,
}

impl Stopped {
    /// Whether everything ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.cut == 0 && self.abandoned.is_empty()
    }
}

impl RunningServer {
    pub(crate) const fn new(
        address: SocketAddr,
        secure: bool,
        stopping: CancellationToken,
        listening: Listening,
        loops: Loops,
        bounds: ServerBounds,
    ) -> Self {
        Self { address, secure, stopping, listening, loops, bounds }
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
    /// connections are accepted; requests under way get [`drain`](ServerBounds::drain); then the loops finish what they are
    /// at and give the rest back. Each step is in the log.
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
        let abandoned = self.loops.end(self.bounds.loops).await;
        let stopped = Stopped { cut, abandoned };
        tracing::info!(clean = stopped.is_clean(), "stopped");
        stopped
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.listening.abandon();
        self.loops.abandon();
    }
}

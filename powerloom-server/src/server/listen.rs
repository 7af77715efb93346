//! Accepting connections, as many as there is room for, until it is time to end.

use crate::server::bounds::ServerBounds;
use crate::server::connection::{End, Talk};
use crate::server::line::Line;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// How long nothing is accepted after the system could not give a connection: mostly it is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(500);

/// How long connections that are cut may take to notice.
const CUT: Duration = Duration::from_secs(1);

/// A listener at work.
#[derive(Debug)]
pub(crate) struct Listening {
    end: End,
    accepting: Option<JoinHandle<()>>,
}

impl Listening {
    pub(crate) fn start(listener: TcpListener, talk: Talk, bounds: &ServerBounds) -> Self {
        let end = End::default();
        let room = Arc::new(Semaphore::new(bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let accepting = Accepting { listener, talk, room, bounds: *bounds, end: end.clone() };
        Self { end, accepting: Some(tokio::spawn(accepting.run())) }
    }

    /// Accepts no more, and lets every connection end after the requests under way. Says how many there are.
    pub(crate) async fn close(&mut self) -> usize {
        self.end.closing.cancel();
        if let Some(accepting) = self.accepting.take()
            && let Err(error) = accepting.await
        {
            tracing::error!(%error, "accepting connections ended badly");
        }
        self.end.open.close();
        self.end.open.len()
    }

    /// Waits for the connections that are left, for so long; then cuts them. Says how many were cut.
    pub(crate) async fn drain(&self, limit: Duration) -> usize {
        if tokio::time::timeout(limit, self.end.open.wait()).await.is_ok() {
            return 0;
        }
        let left = self.end.open.len();
        self.end.cut.cancel();
        if tokio::time::timeout(CUT, self.end.open.wait()).await.is_err() {
            tracing::warn!(left = self.end.open.len(), "connections do not notice that they are cut");
        }
        left
    }

    /// Ends everything without waiting.
    pub(crate) fn abandon(&self) {
        self.end.closing.cancel();
        self.end.cut.cancel();
    }
}

struct Accepting {
    listener: TcpListener,
    talk: Talk,
    room: Arc<Semaphore>,
    bounds: ServerBounds,
    end: End,
}

impl Accepting {
    async fn run(self) {
        let closing = self.end.closing.clone();
        while let Some(Some((room, stream, peer))) = closing.run_until_cancelled(self.next()).await {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "small packets may be late");
            }
            tracing::trace!(%peer, "connected");
            let (end, talk) = (self.end.clone(), self.talk.clone());
            let line = Line::new(stream, &self.bounds, &end, room);
            tokio::spawn(talk.serve(line, end));
        }
    }

    /// The next connection, once there is room for it; `None` only if there never will be.
    async fn next(&self) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let room = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => room,
            Err(_) => {
                tracing::warn!("there are as many connections as there may be: new ones wait");
                Arc::clone(&self.room).acquire_owned().await.ok()?
            }
        };
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return Some((room, stream, peer)),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted: it is tried again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The client went away before it was accepted: nothing is wrong here.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

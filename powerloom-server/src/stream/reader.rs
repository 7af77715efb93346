//! Who reads: the one client of a session, or somebody who watches.

use powerloom_core::error::Result;
use powerloom_core::session::connection::SessionConnection;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::stream::SessionStream;
use std::sync::Arc;
use std::time::Duration;

/// How long giving the stream back may take; after that its lease runs out by itself.
const RELEASE: Duration = Duration::from_secs(5);

/// Who reads a session.
#[derive(Debug)]
pub(crate) enum Reader {
    /// The one client a ticket has let in (row P85).
    Client(Box<SessionConnection>),
    /// One of any number who watch.
    Viewer(Box<SessionStream>),
}

impl Reader {
    /// The next event; `None` after the last one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<Arc<SessionEvent>>> {
        match self {
            Self::Client(connection) => connection.next().await,
            Self::Viewer(stream) => stream.next().await,
        }
    }

    /// What is there already.
    pub(crate) fn ready(&mut self) -> Vec<Arc<SessionEvent>> {
        match self {
            Self::Client(connection) => connection.ready(),
            Self::Viewer(stream) => stream.ready(),
        }
    }

    /// Whether the replay is over.
    pub(crate) fn is_caught_up(&self) -> bool {
        match self {
            Self::Client(connection) => connection.is_caught_up(),
            Self::Viewer(stream) => stream.is_caught_up(),
        }
    }

    /// Waits until the log is known to reach beyond `seq`. Cancel-safe.
    pub(crate) async fn grown_beyond(&mut self, seq: EventSeq) {
        match self {
            Self::Client(connection) => connection.grown_beyond(seq).await,
            Self::Viewer(stream) => stream.grown_beyond(seq).await,
        }
    }

    /// Gives the stream back, if this has it: once it returns, the next client can have it.
    pub(crate) async fn release(self) {
        let Self::Client(connection) = self else { return };
        match tokio::time::timeout(RELEASE, connection.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a stream was not given back: its lease will run out"),
            Err(_) => tracing::warn!("a stream was not given back in time: its lease will run out"),
        }
    }
}

//! The handle callers hold.

use crate::sqlite::job::{Done, Job};
use crate::sqlite::writer::Request;
use async_trait::async_trait;
use powerloom_core::store::{Commit, Commits, Committed, StoreError, StoreResult};
use sqlx::SqlitePool;
use std::fmt;
use tokio::sync::{mpsc, oneshot};

/// A store in one SQLite file. Made by [`SqliteStore::open`]; see [`crate::open`] for the form with a URL.
///
/// When the last handle is dropped, the writer finishes what is queued and closes the file.
pub struct SqliteStore {
    pub(super) readers: SqlitePool,
    pub(super) writer: mpsc::Sender<Request>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}

impl SqliteStore {
    /// Hands a call to the writer and waits for its answer. Dropped before, the call is done or not done.
    pub(super) async fn write(&self, job: Job) -> StoreResult<Done> {
        let (reply, answer) = oneshot::channel();
        let gone = |maybe_applied| StoreError::Unavailable {
            message: "the writer has ended".to_owned(),
            maybe_applied,
            source: None,
        };
        self.writer.send(Request { job, reply }).await.map_err(|_| gone(false))?;
        answer.await.map_err(|_| gone(true))?
    }

    /// The same for calls that answer with a list of yes and no.
    pub(super) async fn taken(&self, job: Job) -> StoreResult<Vec<bool>> {
        match self.write(job).await? {
            Done::Taken(taken) => Ok(taken),
            other => Err(mismatch(&other)),
        }
    }
}

/// An answer that does not belong to the call: a defect of the writer.
pub(super) fn mismatch(done: &Done) -> StoreError {
    StoreError::Corrupt { message: format!("the writer answered another call: {done:?}"), source: None }
}

#[async_trait]
impl Commits for SqliteStore {
    async fn commit(&self, commit: Commit) -> StoreResult<Committed> {
        match self.write(Job::Commit(Box::new(commit))).await? {
            Done::Committed(committed) => Ok(committed),
            other => Err(mismatch(&other)),
        }
    }
}

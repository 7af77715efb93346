//! The task that owns the writing connection.

use crate::sqlite::error::{Class, store_error};
use crate::sqlite::flush;
use crate::sqlite::job::{Done, Job};
use crate::sqlite::load::{Failed, load};
use crate::sqlite::needs::Needs;
use powerloom_core::store::{Refused, StoreError, StoreResult};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

/// Most calls that share one transaction.
const MAX_BATCH: usize = 256;
/// Most calls that wait in the queue; further callers wait for a place.
pub(super) const MAX_QUEUE: usize = 1024;

/// A call and where its answer goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) job: Job,
    pub(super) reply: oneshot::Sender<StoreResult<Done>>,
}

impl Request {
    fn answer(self, answer: StoreResult<Done>) {
        // Nobody listens where the caller's future was dropped; what was done stays done.
        drop(self.reply.send(answer));
    }
}

/// Does what is queued until every handle is gone, then closes the file.
pub(super) async fn run(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Request>) {
    let mut next = None;
    let mut last = 0;
    loop {
        let first = match next.take() {
            Some(request) => request,
            None => match queue.recv().await {
                Some(request) => request,
                None => break,
            },
        };
        let mut batch = vec![first];
        if !batch.iter().any(|request| request.job.is_alone()) {
            next = gather(&mut queue, &mut batch, last).await;
        }
        batch.retain(|request| !request.reply.is_closed());
        last = batch.len();
        if !batch.is_empty() {
            process(&mut connection, batch).await;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly");
    }
}

/// Takes what is queued. Callers who were just answered come back at once, but the first of them wakes this task before
/// the others had their turn: so after a batch of many, and whenever some came, the others are let run first. Sixty-four
/// callers then make batches of sixty-four, not of one and sixty-three. Returns a call that must come after the batch.
async fn gather(
    queue: &mut mpsc::Receiver<Request>,
    batch: &mut Vec<Request>,
    last: usize,
) -> Option<Request> {
    let mut patience = if last > 1 { 2 } else { 0 };
    loop {
        let before = batch.len();
        while batch.len() < MAX_BATCH {
            match queue.try_recv() {
                Ok(request) if request.job.is_alone() => return Some(request),
                Ok(request) => batch.push(request),
                Err(_) => break,
            }
        }
        if batch.len() == MAX_BATCH || (batch.len() == before && patience == 0) {
            return None;
        }
        if batch.len() == before {
            patience -= 1;
        }
        tokio::task::yield_now().await;
    }
}

async fn process(connection: &mut SqliteConnection, batch: Vec<Request>) {
    let jobs: Vec<&Job> = batch.iter().map(|request| &request.job).collect();
    match transact(connection, &jobs).await {
        Ok(answers) => {
            for (request, answer) in batch.into_iter().zip(answers) {
                request.answer(answer.map_err(StoreError::from));
            }
        }
        Err(failure) if failure.again && batch.len() > 1 => {
            tracing::debug!(error = %failure.error, calls = batch.len(), "a batch failed and is done call by call");
            for request in batch {
                let answer = match transact(connection, &[&request.job]).await {
                    Ok(mut answers) => match answers.pop() {
                        Some(answer) => answer.map_err(StoreError::from),
                        None => Err(failure.repeat()),
                    },
                    Err(failure) => Err(failure.error),
                };
                request.answer(answer);
            }
        }
        Err(failure) => {
            let mut batch = batch.into_iter();
            let first = batch.next();
            for request in batch {
                request.answer(Err(failure.repeat()));
            }
            if let Some(request) = first {
                request.answer(Err(failure.error));
            }
        }
    }
}

/// Why a transaction did not happen.
struct Failure {
    error: StoreError,
    /// A part of the batch may succeed where the whole did not.
    again: bool,
}

impl Failure {
    fn new(failed: Failed, writing: bool) -> Self {
        match failed {
            Failed::Unreadable(error) => Self { error, again: true },
            Failed::Refused(error) => {
                let again = !matches!(Class::of(&error), Class::Busy | Class::Broken);
                Self { error: store_error(error, writing), again }
            }
        }
    }

    /// The same error for one caller of many; the driver's own error goes to the log.
    fn repeat(&self) -> StoreError {
        match &self.error {
            StoreError::Unavailable { message, maybe_applied, .. } => StoreError::Unavailable {
                message: message.clone(),
                maybe_applied: *maybe_applied,
                source: None,
            },
            other => StoreError::Corrupt { message: other.to_string(), source: None },
        }
    }
}

/// One transaction: reads what the jobs need, does them one after the other, writes what changed.
async fn transact(
    connection: &mut SqliteConnection,
    jobs: &[&Job],
) -> Result<Vec<Result<Done, Refused>>, Failure> {
    let outcome = attempt(connection, jobs).await;
    if let Err(failure) = &outcome {
        tracing::debug!(error = ?failure.error, "a transaction failed");
        // A transaction that SQLite has ended itself refuses this, and that is all right.
        drop(sqlx::raw_sql("ROLLBACK").execute(connection).await);
    }
    outcome
}

async fn attempt(
    connection: &mut SqliteConnection,
    jobs: &[&Job],
) -> Result<Vec<Result<Done, Refused>>, Failure> {
    let needs = Needs::of(jobs.iter().copied());
    let mut tables = load(connection, &needs).await.map_err(|failed| Failure::new(failed, false))?;
    let answers = jobs.iter().map(|job| job.run(&mut tables)).collect();
    let statements = flush::statements(&tables, needs.at)
        .map_err(|error| Failure::new(Failed::Unreadable(error), false))?;
    let written = statements.execute(connection).await;
    written.map_err(|error| Failure::new(Failed::Refused(error), true))?;
    Ok(answers)
}

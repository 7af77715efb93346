//! One claimed session: what its pump holds, and the one way in which it writes.

use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::plane::Plane;
use crate::runtime::{Runtime, RuntimeError, RuntimeErrorClass};
use crate::session::book::Book;
use crate::session::event::NewEvent;
use crate::session::events_digest::EventsDigest;
use crate::session::pump::options::PumpOptions;
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use crate::store::{AuditWrite, Commit, Precondition, Refused, StoreError, Write};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How many events one commit has at most.
pub(crate) const BATCH: usize = 64;

/// A claimed session.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) plane: Arc<Plane>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) options: Arc<PumpOptions>,
    pub(crate) fence: u64,
    pub(crate) book: Book,
    /// This pump has sent the prompt: it is not sent again even if the history is slow to show it.
    pub(crate) prompted: bool,
    /// This pump has sent the interrupt.
    pub(crate) interrupted: bool,
    /// From when on a stop that is not confirmed counts as done.
    pub(crate) cancel_by: Option<Timestamp>,
    /// The calls this pump has answered.
    pub(crate) answered: HashSet<String>,
}

/// Why a pump stops before its session has settled.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Another pump has the session: not one write more.
    Lost,
    /// The session has settled, but the runtime still has something of it that must go.
    Left,
    /// Something failed that may pass; not before `wait`, if it says so.
    Again { wait: Option<Duration>, why: Error },
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Refused(Refused::NoSuchSession(_)) => Self::Lost,
            StoreError::Refused(Refused::Precondition(broken))
                if matches!(broken.as_ref(), Precondition::SessionFence { .. }) =>
            {
                Self::Lost
            }
            _ => Self::Again { wait: None, why: error.into() },
        }
    }
}

impl From<RuntimeError> for Stop {
    fn from(error: RuntimeError) -> Self {
        let wait = match error.class {
            RuntimeErrorClass::RateLimited { retry_after } => retry_after,
            _ => None,
        };
        Self::Again { wait, why: error.into() }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::Lost,
            Error::Store(error) => error.into(),
            Error::Runtime(error) => error.into(),
            why => Self::Again { wait: None, why },
        }
    }
}

/// The answer of a step of a pump.
pub(crate) type Step<T> = std::result::Result<T, Stop>;

impl Pump {
    pub(crate) fn new(
        plane: Arc<Plane>,
        runtime: Arc<dyn Runtime>,
        options: Arc<PumpOptions>,
        claimed: SessionRecord,
    ) -> Self {
        Self {
            plane,
            runtime,
            options,
            fence: claimed.fence,
            book: Book::open(claimed),
            prompted: false,
            interrupted: false,
            cancel_by: None,
            answered: HashSet::new(),
        }
    }

    /// Reads row and log anew.
    pub(crate) async fn refresh(&mut self) -> Step<()> {
        let (plane, id) = (&self.plane, self.book.record.id);
        self.book.refresh(plane.store.as_ref(), |fresh| plane.hub.publish(id, fresh)).await?;
        Ok(())
    }

    /// The one way in which a pump writes: the row as `change` leaves it, with the figures of the log, the events the
    /// log lacks, and what the audit trail says, in one commit under the fence. If somebody else wrote the row
    /// meanwhile (a cancel), it is read again and `change` is applied to that. `audit` is given the row as it will be and
    /// the digest of the log as it will be.
    pub(crate) async fn save(
        &mut self,
        change: impl Fn(&mut SessionRecord) -> Result<()>,
        events: &[NewEvent],
        audit: impl Fn(&SessionRecord, &dyn Fn() -> EventsDigest) -> Option<AuditWrite>,
    ) -> Step<()> {
        for _ in 0..self.plane.limits.attempts {
            let missing = self.book.lacks(events);
            let (tally, progress) = self.book.with(&missing);
            let before = &self.book.record;
            let mut after = before.clone();
            tally.write(&mut after);
            after.status =
                self.waits(after.status, progress.waiting.as_ref().map(|waiting| &waiting.event_ids[..]));
            change(&mut after)?;
            if missing.is_empty() && after == *before {
                return Ok(());
            }
            after.version = before.version + 1;
            let id = after.id;
            let mut commit = Commit::new(after.org, self.plane.now());
            commit.expect.push(Precondition::SessionFence { id, fence: self.fence });
            commit.expect.push(Precondition::SessionVersion { id, version: before.version });
            commit.audit.extend(audit(&after, &|| self.book.digest_with(&missing)));
            commit.write.push(Write::PutSession(Box::new(after.clone())));
            if !missing.is_empty() {
                commit.write.push(Write::AppendEvents { session: id, events: missing });
            }
            match self.plane.store.commit(commit).await {
                Ok(committed) => {
                    if let Some(last) = committed.events.last() {
                        after.last_seq = last.seq;
                    }
                    self.book.record = after;
                    self.book.take(&committed.events);
                    self.plane.hub.publish(id, committed.events);
                    return Ok(());
                }
                Err(StoreError::Refused(Refused::Precondition(broken)))
                    if matches!(broken.as_ref(), Precondition::SessionVersion { .. }) =>
                {
                    self.refresh().await?;
                    if self.book.record.status.is_settled() {
                        return Err(Stop::Lost);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Stop::Again { wait: None, why: Conflict::Busy.into() })
    }

    /// A running session waits while a call has no answer, neither in the log nor from this pump.
    fn waits(&self, status: SessionStatus, waiting: Option<&[String]>) -> SessionStatus {
        let open = waiting.is_some_and(|ids| ids.iter().any(|id| !self.answered.contains(id)));
        match status {
            SessionStatus::Running if open => SessionStatus::AwaitingApproval,
            SessionStatus::AwaitingApproval if !open => SessionStatus::Running,
            other => other,
        }
    }

    /// The runtime's id of the session.
    pub(crate) fn remote_id(&self) -> Step<String> {
        self.book.record.remote_id.clone().ok_or_else(|| Stop::Again {
            wait: None,
            why: Error::Internal { message: "a running session has no runtime id".to_owned() },
        })
    }
}

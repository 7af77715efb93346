//! The life of a pump: look, act, look again, until the session has settled or somebody else has it.

use crate::clock::{Clock, Timestamp};
use crate::plane::Plane;
use crate::session::progress::End;
use crate::session::pump::start::conflict;
use crate::session::pump::work::{Pump, Step, Stop};
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The first pause after a failure; each further one in a row is twice as long, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Pump {
    /// Pumps until the session has settled; an error only if another pump has it, or something of it stays behind.
    ///
    /// # Cancel safety
    /// Safe at every point: the next pump finds what this one left.
    pub(crate) async fn run(mut self) -> Step<()> {
        let bell = self.plane.hub.bell(self.book.record.id);
        let mut failures = 0;
        loop {
            let before = self.book.record.last_seq;
            let wait = match self.pass(&bell).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    failures = 0;
                    continue;
                }
                Err(stop @ (Stop::Lost | Stop::Left)) => return Err(stop),
                Err(Stop::Again { wait, why }) => {
                    tracing::debug!(session = %self.book.record.id, error = %why, "a pump tries again");
                    wait
                }
            };
            failures = if self.book.record.last_seq > before { 0 } else { failures + 1 };
            let pause = PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
            let pause = wait.unwrap_or_default().max(pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = until(self.plane.clock.as_ref(), self.alarm()) => {}
                () = stop_asked(&self.plane, &self.book.record, &bell, self.options.poll) => {}
            }
        }
    }

    /// One look and what follows from it; `true` once the session has settled.
    async fn pass(&mut self, bell: &Notify) -> Step<bool> {
        self.refresh().await?;
        if self.book.record.status.is_settled() {
            self.close_vault().await?;
            return Ok(true);
        }
        if let Some(end) = self.due().await? {
            self.settle(&end).await?;
            self.close_vault().await?;
            return Ok(true);
        }
        let (plane, record, poll) = (self.plane.clone(), self.book.record.clone(), self.options.poll);
        let alarm = self.alarm();
        // Dropping `act` in the middle is what a crash would do: the next look finds what it left.
        let end = tokio::select! {
            biased;
            () = until(plane.clock.as_ref(), alarm) => None,
            () = stop_asked(&plane, &record, bell, poll) => None,
            end = self.act() => end?,
        };
        if let Some(end) = end {
            self.settle(&end).await?;
            self.close_vault().await?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn act(&mut self) -> Step<Option<End>> {
        match self.book.record.status {
            SessionStatus::Pending => self.start().await,
            _ => self.follow().await.map(Some),
        }
    }

    /// What time or a request to stop demands before anything else.
    async fn due(&mut self) -> Step<Option<End>> {
        let (now, record) = (self.plane.now(), &self.book.record);
        let overdue = self.overdue().is_some_and(|at| now >= at);
        let cancelled = record.cancel_requested;
        match record.status {
            SessionStatus::Pending if cancelled => Ok(Some(self.end(SessionStatus::Cancelled, None))),
            SessionStatus::Pending if overdue => {
                let allowed = self.plane.limits.pending_timeout.as_secs();
                let why = format!("the runtime did not start it within {allowed} s");
                Ok(Some(self.end(SessionStatus::Timeout, Some(why))))
            }
            SessionStatus::Cancelling => {
                let by = *self.cancel_by.get_or_insert(now + self.options.cancel_grace);
                Ok((overdue || now >= by).then(|| self.end(SessionStatus::Cancelled, None)))
            }
            SessionStatus::Running | SessionStatus::AwaitingApproval if overdue || cancelled => {
                let deadline = self.overdue();
                // It may have ended while nobody looked: then it ended as it did.
                let _ = tokio::time::timeout(self.options.call_timeout, self.catch_up()).await;
                let end = self.book.progress.end.clone();
                if let Some(end) = end.filter(|end| deadline.is_none_or(|deadline| end.at < deadline)) {
                    return Ok(Some(end));
                }
                if overdue {
                    let allowed = Duration::from_millis(self.book.record.timeout_ms).as_secs_f64();
                    let why = format!("it ran longer than {allowed} s");
                    return Ok(Some(End { status: SessionStatus::Timeout, error: Some(why), at: now }));
                }
                self.save(
                    |record| {
                        record.status =
                            record.status.transition(SessionStatus::Cancelling, false).map_err(conflict)?;
                        Ok(())
                    },
                    &[],
                    |_, _| None,
                )
                .await?;
                self.cancel_by = Some(self.plane.now() + self.options.cancel_grace);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The first moment at which the session has taken too long: to be started, or to run.
    fn overdue(&self) -> Option<Timestamp> {
        let record = &self.book.record;
        match record.status {
            SessionStatus::Pending => Some(record.created_at + self.plane.limits.pending_timeout),
            // Nothing hurries what is left to do after the end.
            status if status.is_settled() => None,
            _ => record.deadline(),
        }
    }

    /// When time next demands something.
    fn alarm(&self) -> Option<Timestamp> {
        let overdue = self.overdue();
        match (overdue, self.cancel_by) {
            (Some(overdue), Some(by)) => Some(overdue.min(by)),
            (overdue, by) => overdue.or(by),
        }
    }
}

/// Waits until the clock shows `moment`.
async fn until(clock: &dyn Clock, moment: Option<Timestamp>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let left = moment.since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// Waits until somebody asks to stop the session: told by this process, or found in the row.
async fn stop_asked(plane: &Arc<Plane>, known: &SessionRecord, bell: &Notify, poll: Duration) {
    if known.cancel_requested {
        return std::future::pending().await;
    }
    loop {
        let _ = tokio::time::timeout(poll, bell.notified()).await;
        // A store that does not answer now is asked again.
        let row = plane.store.session(known.org, known.id).await;
        if row.is_ok_and(|row| row.is_some_and(|row| row.cancel_requested)) {
            return;
        }
    }
}

//! Following a running session: stream first, then the history, then what comes (sem. 2.5).

use crate::error::Error;
use crate::runtime::{RemoteStatus, RuntimeErrorClass, RuntimeEvent, RuntimeResult};
use crate::session::event::NewEvent;
use crate::session::frame::frame;
use crate::session::progress::{DELETED, End};
use crate::session::pump::tool::Asking;
use crate::session::pump::work::{BATCH, Pump, Step, Stop};
use crate::session::status::SessionStatus;
use futures::{Stream, StreamExt};

impl Pump {
    /// Follows the session until it ends or the connection does.
    ///
    /// The stream has no replay, so it is opened first; the history closes the gap up to there, and what is in both is
    /// dropped by its id. The prompt is sent between the two, and only if the history has none.
    pub(crate) async fn follow(&mut self) -> Step<End> {
        let remote_id = self.remote_id()?;
        let runtime = self.runtime.clone();
        let stream = match runtime.stream(&remote_id).await {
            Ok(stream) => stream,
            Err(error) if error.class == RuntimeErrorClass::Gone => return Ok(self.gone()),
            Err(error) => return Err(error.into()),
        };
        let mut stream = stream.ready_chunks(BATCH);
        let asked = self.catch_up().await?;
        if let Some(end) = self.ended() {
            return Ok(end);
        }
        match self.book.record.status {
            SessionStatus::Cancelling => {
                if !asked && !self.prompted {
                    return Ok(self.end(SessionStatus::Cancelled, None));
                }
                if !self.interrupted {
                    runtime.interrupt(&remote_id).await?;
                    self.interrupted = true;
                }
            }
            _ if !asked && !self.prompted => {
                if let Some(end) = self.prompt(&remote_id).await? {
                    return Ok(end);
                }
            }
            _ => {}
        }
        self.listen(&mut stream).await
    }

    /// Takes what comes, as much at once as there is.
    async fn listen<S>(&mut self, stream: &mut S) -> Step<End>
    where
        S: Stream<Item = Vec<RuntimeResult<RuntimeEvent>>> + Unpin,
    {
        let mut asking: Option<(String, Asking)> = None;
        let mut idle_seen = false;
        loop {
            if let Some(end) = self.ended() {
                return Ok(end);
            }
            match self.next_call() {
                Some((id, since)) if self.book.record.status == SessionStatus::AwaitingApproval => {
                    if asking.as_ref().is_none_or(|(asked, _)| *asked != id) {
                        asking = Some((id.clone(), self.ask(id, since)));
                    }
                }
                _ => asking = None,
            }
            tokio::select! {
                biased;
                chunk = stream.next() => {
                    let Some(chunk) = chunk else { return Err(cut()) };
                    idle_seen = false;
                    let mut events = Vec::with_capacity(chunk.len());
                    let mut broken = None;
                    for event in chunk {
                        match event {
                            Ok(event) => events.push(event),
                            Err(error) => broken = Some(error),
                        }
                    }
                    self.append(events).await?;
                    if let Some(error) = broken {
                        if let Some(end) = self.ended() {
                            return Ok(end);
                        }
                        return Err(error.into());
                    }
                }
                answer = answered(&mut asking) => {
                    asking = None;
                    let (id, answer) = answer?;
                    self.tell(id, &answer).await?;
                }
                () = tokio::time::sleep(self.options.quiet) => {
                    if let Some(end) = self.look(&mut idle_seen).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// Appends what the history has and the log lacks; answers whether the runtime has a prompt, queued or not.
    pub(crate) async fn catch_up(&mut self) -> Step<bool> {
        let remote_id = self.remote_id()?;
        let history = self.runtime.clone().history(&remote_id).await?;
        let mut history = history.ready_chunks(BATCH);
        let mut asked = self.book.progress.prompted;
        while let Some(chunk) = history.next().await {
            let events: RuntimeResult<Vec<_>> = chunk.into_iter().collect();
            let events = events?;
            asked |= events.iter().any(|event| event.kind == "user.message");
            self.append(events).await?;
        }
        Ok(asked)
    }

    async fn append(&mut self, events: Vec<RuntimeEvent>) -> Step<()> {
        let now = self.plane.now();
        let frames: Vec<NewEvent> = events.into_iter().filter_map(|event| frame(event, now)).collect();
        let missing = self.book.lacks(&frames);
        for batch in missing.chunks(BATCH) {
            self.save(|_| Ok(()), batch, |_, _| None).await?;
        }
        Ok(())
    }

    /// Sends the kickoff prompt, if this pump still has the session: the one before may have been slow, not dead.
    async fn prompt(&mut self, remote_id: &str) -> Step<Option<End>> {
        let record = &self.book.record;
        let until = self.plane.now() + self.options.lease;
        if !self.plane.store.renew_session(record.org, record.id, self.fence, until).await? {
            return Err(Stop::Lost);
        }
        match self.runtime.prompt(remote_id, &record.prompt).await {
            Ok(()) => {
                self.prompted = true;
                Ok(None)
            }
            Err(error) => match error.class {
                RuntimeErrorClass::Gone => Ok(Some(self.gone())),
                RuntimeErrorClass::Permanent if !error.maybe_applied => {
                    Ok(Some(self.end(SessionStatus::Failed, Some(error.to_string()))))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Asks the runtime where the session is, because the stream has been quiet for a while: a connection can be dead
    /// without saying so. The status may lag behind the events, so `idle` must be seen twice.
    async fn look(&mut self, idle_seen: &mut bool) -> Step<Option<End>> {
        let remote_id = self.remote_id()?;
        let Some(remote) = self.runtime.session(&remote_id).await? else { return Ok(Some(self.gone())) };
        if !matches!(remote.status, RemoteStatus::Idle | RemoteStatus::Terminated) {
            *idle_seen = false;
            return Ok(None);
        }
        let before = self.book.record.last_seq;
        let asked = self.catch_up().await?;
        if let Some(end) = self.ended() {
            return Ok(Some(end));
        }
        if self.book.record.last_seq != before {
            // The stream missed something: it is dead.
            return Err(cut());
        }
        if remote.status == RemoteStatus::Terminated {
            return Ok(Some(self.book.progress.terminated(self.plane.now())));
        }
        let waits = self.book.progress.waiting.is_some();
        let stale = std::mem::replace(idle_seen, true) && (asked || self.prompted) && !waits;
        Ok(stale.then(|| self.end(SessionStatus::IdleEndTurn, None)))
    }

    /// How the log says that it ended. Whatever ends a session that was told to stop, it was stopped; unless it had
    /// ended before it was told.
    fn ended(&self) -> Option<End> {
        let end = self.book.progress.end.clone()?;
        if self.book.record.status == SessionStatus::Cancelling {
            return Some(End { status: SessionStatus::Cancelled, error: None, at: end.at });
        }
        Some(end)
    }

    pub(crate) fn end(&self, status: SessionStatus, error: Option<String>) -> End {
        End { status, error, at: self.plane.now() }
    }

    fn gone(&self) -> End {
        match self.book.record.status {
            SessionStatus::Cancelling => self.end(SessionStatus::Cancelled, None),
            _ => self.end(SessionStatus::Failed, Some(DELETED.to_owned())),
        }
    }
}

/// The answer that is waited for; never, if none is.
async fn answered(
    asking: &mut Option<(String, Asking)>,
) -> crate::error::Result<(String, crate::runtime::ToolAnswer)> {
    match asking {
        Some((_, asking)) => asking.await,
        None => std::future::pending().await,
    }
}

/// The stream ended without the session: connect again.
fn cut() -> Stop {
    Stop::Again { wait: None, why: Error::Internal { message: "the event stream ended".to_owned() } }
}

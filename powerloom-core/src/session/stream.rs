//! A reader of a session: replay from the log, then live, with no gap and no double (rows P76–P82; sem. 2.7).

use crate::error::{Error, Result};
use crate::id::{OrgId, SessionId};
use crate::invalid::Invalid;
use crate::session::event::{EventSeq, NewEvent, SESSION_ALREADY_ENDED, SESSION_ENDED, SessionEvent};
use crate::session::hub::Follower;
use crate::session::record::SessionRecord;
use crate::store::EventLog;
use futures::stream::{BoxStream, StreamExt};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often the log of a session that is pumped in another process is looked at.
pub const POLL: Duration = Duration::from_millis(500);

/// How many events a reader holds at most.
const BUFFER: usize = 256;

/// A cursor over the log of one session.
///
/// It replays what is behind its position and then follows. Its position is a number of the log, so it can be dropped
/// and opened again at [`after`](Self::after): nothing is lost or doubled at the seam. It holds at most 256 events;
/// a reader that is slower than the session simply reads the log later.
///
/// It ends after `powerloom.session_ended`. On a session that had settled before it was opened it ends with one frame
/// more, `powerloom.session_already_ended`, which is not part of the log and bears the last event's number.
///
/// # Examples
/// It works over anything that is an [`EventLog`]:
/// ```
/// # use async_trait::async_trait;
/// # use powerloom_core::clock::Timestamp;
/// # use powerloom_core::entropy::SystemEntropy;
/// # use powerloom_core::id::{OrgId, SessionId};
/// # use powerloom_core::session::event::{EventSeq, NewEvent, SESSION_ENDED, SessionEvent};
/// # use powerloom_core::session::hub::Hub;
/// # use powerloom_core::session::record::SessionRecord;
/// # use powerloom_core::session::stream::SessionStream;
/// # use powerloom_core::store::{EventLog, SessionQuery, StoreResult};
/// # use std::sync::Arc;
/// #[derive(Debug)]
/// struct Finished(SessionId);
///
/// #[async_trait]
/// impl EventLog for Finished {
///     async fn events(
///         &self, _: OrgId, session_id: SessionId, after: EventSeq, _: usize,
///     ) -> StoreResult<Vec<SessionEvent>> {
///         let event = |(seq, kind): (u64, &str)| SessionEvent {
///             session_id,
///             seq: EventSeq::new(seq),
///             event: NewEvent {
///                 event_id: None,
///                 kind: kind.to_owned(),
///                 payload: serde_json::json!({}),
///                 at: Timestamp::from_micros(0),
///             },
///         };
///         let log = [(1, "agent.message"), (2, SESSION_ENDED)];
///         Ok(log.into_iter().map(event).filter(|event| event.seq > after).collect())
///     }
///     // …
/// #   async fn session(&self, _: OrgId, _: SessionId) -> StoreResult<Option<SessionRecord>> { Ok(None) }
/// #   async fn sessions(&self, _: OrgId, _: &SessionQuery) -> StoreResult<Vec<SessionRecord>> { Ok(vec![]) }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let at = Timestamp::from_micros(0);
/// let (org, id) = (OrgId::generate(at, &SystemEntropy), SessionId::generate(at, &SystemEntropy));
/// let mut stream =
///     SessionStream::over(Arc::new(Finished(id)), Hub::default().follow(id), org, id, EventSeq::START);
/// while let Some(event) = stream.next().await {
///     println!("{}", event?.event.kind);
/// }
/// assert_eq!(stream.after(), EventSeq::new(2));
/// # Ok::<(), powerloom_core::error::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SessionStream {
    log: Arc<dyn EventLog>,
    follower: Follower,
    org: OrgId,
    session: SessionId,
    after: EventSeq,
    buffer: VecDeque<Arc<SessionEvent>>,
    /// The row of a session that had settled when this was opened.
    settled: Option<Box<SessionRecord>>,
    stage: Stage,
    /// When to look into the log, if nobody says anything before: kept here, as a caller may drop [`next`](Self::next) again
    /// and again before that.
    look_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The log may have more than the tail knows of: it is to be read.
    Replay,
    /// All there was has been read; the tail tells when there is more.
    Live,
    /// The last frame has been given.
    Over,
}

impl SessionStream {
    /// A cursor behind `after`. It follows `follower`, and looks into the log itself twice a second.
    #[must_use]
    pub fn over(
        log: Arc<dyn EventLog>,
        follower: Follower,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
    ) -> Self {
        let (buffer, settled, stage, look_at) = (VecDeque::new(), None, Stage::Replay, None);
        Self { log, follower, org, session, after, buffer, settled, stage, look_at }
    }

    /// A cursor behind `after` on a session of which it is not known whether it has settled.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such session; [`Error::Invalid`] if its log does not reach to `after`: such a
    /// cursor would wait for ever. The store's.
    pub(crate) async fn open(
        log: Arc<dyn EventLog>,
        follower: Follower,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
    ) -> Result<Self> {
        let record = log.session(org, session).await?;
        let record = record.ok_or_else(|| Error::not_found("session", session))?;
        if after > record.last_seq {
            let allowed = format!("a number of the session's log, which reaches to {}", record.last_seq);
            return Err(Invalid::new("after", after, allowed).into());
        }
        let mut stream = Self::over(log, follower, org, session, after);
        stream.settled = record.status.is_settled().then(|| Box::new(record));
        Ok(stream)
    }

    /// The number of the last event given: open another cursor behind it to go on.
    #[must_use]
    pub const fn after(&self) -> EventSeq {
        self.after
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The next event; `None` once the session has ended.
    ///
    /// # Errors
    /// The store's. The cursor stays where it is: call again to go on.
    ///
    /// # Cancel safety
    /// Safe: an event is given or it is not; none is lost.
    pub async fn next(&mut self) -> Option<Result<Arc<SessionEvent>>> {
        loop {
            if self.stage == Stage::Over {
                return None;
            }
            if let Some(event) = self.buffer.pop_front() {
                self.after = event.seq;
                if event.event.kind == SESSION_ENDED && self.settled.is_none() {
                    self.stage = Stage::Over;
                }
                return Some(Ok(event));
            }
            match self.fill().await {
                Err(error) => return Some(Err(error)),
                Ok(true) => {}
                Ok(false) => {
                    if let Some(record) = self.settled.take() {
                        self.stage = Stage::Over;
                        return Some(Ok(Arc::new(already_ended(&record))));
                    }
                    self.wait().await;
                }
            }
        }
    }

    /// The same as an asynchronous iterator.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Arc<SessionEvent>>> {
        futures::stream::unfold(self, |mut stream| async move {
            let event = stream.next().await?;
            Some((event, stream))
        })
        .boxed()
    }

    /// Whether the session had settled when this was opened, and all of its log was behind it already: there is nothing
    /// to come but the frame that says so.
    #[must_use]
    pub fn was_over(&self) -> bool {
        self.settled.as_ref().is_some_and(|record| record.last_seq <= self.after)
    }

    /// Whether everything that is known of has been given: from here on it follows, until it falls behind again.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.stage == Stage::Live && self.buffer.is_empty() && !self.follower.knows_more(self.after)
    }

    /// Waits until the log is known to reach beyond `seq`. For faces that bound how far a reader may fall behind: what
    /// nobody in this process has read or written of the log is not known.
    ///
    /// # Cancel safety
    /// Safe: nothing is consumed.
    pub async fn grown_beyond(&mut self, seq: EventSeq) {
        self.follower.grown(seq).await;
    }

    /// Takes what is there already, up to 256 events; it never waits for the session. For faces that write
    /// several frames at once: empty means that now is the time to flush.
    pub fn ready(&mut self) -> Vec<Arc<SessionEvent>> {
        if self.stage == Stage::Over {
            return Vec::new();
        }
        if self.settled.is_some() {
            // The last frame is not in the log: what is left of the page is no end.
            let events: Vec<_> = self.buffer.drain(..).collect();
            self.after = events.last().map_or(self.after, |last| last.seq);
            return events;
        }
        if self.buffer.is_empty() {
            self.buffer.extend(self.follower.after(self.after, BUFFER).unwrap_or_default());
        }
        let end = self.buffer.iter().position(|event| event.event.kind == SESSION_ENDED);
        let count = end.map_or(self.buffer.len(), |end| end + 1);
        let events: Vec<_> = self.buffer.drain(..count).collect();
        if let Some(last) = events.last() {
            self.after = last.seq;
        }
        if end.is_some() {
            self.stage = Stage::Over;
        }
        events
    }

    /// Reads what comes next, from the tail or from the log; `false` if there is nothing yet.
    async fn fill(&mut self) -> Result<bool> {
        if self.stage == Stage::Live && !self.follower.knows_more(self.after) {
            return Ok(false);
        }
        match self.follower.after(self.after, BUFFER) {
            Some(events) if !events.is_empty() => self.buffer.extend(events),
            _ => self.read().await?,
        }
        Ok(!self.buffer.is_empty())
    }

    /// Reads a page of the log, and tells the other readers what it has.
    async fn read(&mut self) -> Result<()> {
        let page = self.log.events(self.org, self.session, self.after, BUFFER).await?;
        if page.len() < BUFFER {
            self.stage = Stage::Live;
        }
        self.buffer.extend(page.into_iter().map(Arc::new));
        self.follower.publish(self.buffer.iter().cloned());
        Ok(())
    }

    /// Waits until there may be more: a pump says so, or it is time to look into the log. Of the readers of a process
    /// one looks for all.
    async fn wait(&mut self) {
        let look_at = *self.look_at.get_or_insert_with(|| Instant::now() + POLL);
        let told = tokio::time::timeout_at(look_at, self.follower.grown(self.after)).await;
        self.look_at = None;
        if told.is_err() && self.follower.takes_turn(POLL) {
            self.stage = Stage::Replay;
        }
    }
}

/// What a reader of a settled session gets after the replay.
fn already_ended(record: &SessionRecord) -> SessionEvent {
    SessionEvent {
        session_id: record.id,
        seq: record.last_seq,
        event: NewEvent {
            event_id: None,
            kind: SESSION_ALREADY_ENDED.to_owned(),
            payload: json!({
                "status": record.status, "event_count": record.event_count,
                "mcp_tool_use_count": record.mcp_tool_use_count,
            }),
            at: record.settled_at.unwrap_or(record.created_at),
        },
    }
}

//! What a pump knows of its session: the row, and what the log adds up to.

use crate::error::{Error, Result};
use crate::id::{OrgId, SessionId};
use crate::session::event::{EventSeq, NewEvent, SessionEvent};
use crate::session::events_digest::EventsDigest;
use crate::session::progress::Progress;
use crate::session::record::SessionRecord;
use crate::session::tally::Tally;
use crate::store::EventLog;
use std::collections::HashSet;

/// How many events are read from the log at once.
const PAGE: usize = 500;

/// The row and the fold of the log.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) record: SessionRecord,
    pub(crate) tally: Tally,
    pub(crate) progress: Progress,
    digest: EventsDigest,
    seen: HashSet<String>,
    read: EventSeq,
}

impl Book {
    /// A book that has not been read yet.
    pub(crate) fn open(record: SessionRecord) -> Self {
        Self {
            record,
            tally: Tally::default(),
            progress: Progress::default(),
            digest: EventsDigest::default(),
            seen: HashSet::new(),
            read: EventSeq::START,
        }
    }

    /// Reads the row anew, and the events that were appended since; hands these on, a page at a time.
    pub(crate) async fn refresh(
        &mut self,
        log: &dyn EventLog,
        mut hand_on: impl FnMut(Vec<SessionEvent>),
    ) -> Result<()> {
        let (org, id): (OrgId, SessionId) = (self.record.org, self.record.id);
        // The row first: a commit built on it fails if anything was appended after.
        self.record = log.session(org, id).await?.ok_or_else(|| Error::not_found("session", id))?;
        loop {
            let page = log.events(org, id, self.read, PAGE).await?;
            let last = page.len() < PAGE;
            self.take(&page);
            hand_on(page);
            if last {
                return Ok(());
            }
        }
    }

    /// Takes in events of the log, in its order.
    pub(crate) fn take(&mut self, events: &[SessionEvent]) {
        for event in events {
            if event.seq <= self.read {
                continue;
            }
            self.read = event.seq;
            self.seen.extend(event.event.event_id.clone());
            self.tally.take(&event.event);
            self.progress.take(&event.event);
            self.digest.take(event);
        }
    }

    /// The digest of the whole log once `events`, which it lacks, are appended.
    pub(crate) fn digest_with(&self, events: &[NewEvent]) -> EventsDigest {
        let (mut digest, mut seq) = (self.digest, self.read);
        for event in events {
            seq = seq.next();
            digest.take(&SessionEvent { session_id: self.record.id, seq, event: event.clone() });
        }
        digest
    }

    /// Those of `events` the log lacks, each once.
    pub(crate) fn lacks(&self, events: &[NewEvent]) -> Vec<NewEvent> {
        let mut batch = HashSet::new();
        let is_new = |id: &String| !self.seen.contains(id);
        events
            .iter()
            .filter(|event| match &event.event_id {
                Some(id) => is_new(id) && batch.insert(id.clone()),
                None => true,
            })
            .cloned()
            .collect()
    }

    /// What tally and progress will be with `events` appended.
    pub(crate) fn with(&self, events: &[NewEvent]) -> (Tally, Progress) {
        let (mut tally, mut progress) = (self.tally.clone(), self.progress.clone());
        for event in events {
            tally.take(event);
            progress.take(event);
        }
        (tally, progress)
    }
}

//! The end of a session: judged once, written once, said once (rows P82, P86–P95).

use crate::audit::{AuditDecision, AuditDraft, Change};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::principal::Principal;
use crate::runtime::RemoteSession;
use crate::session::degradation::judge;
use crate::session::event::{NewEvent, SESSION_ENDED};
use crate::session::events_digest::EventsDigest;
use crate::session::frame::frame;
use crate::session::progress::End;
use crate::session::pump::span::settled;
use crate::session::pump::start::{conflict, start_session};
use crate::session::pump::work::{Pump, Step};
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use crate::store::AuditWrite;
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How often the runtime is asked to end a session that has settled here.
const ARCHIVE_TRIES: u32 = 3;

impl Pump {
    /// Settles the session: row, last frame and audit row in one commit. Then, if nobody can go on with it, ends it on
    /// the runtime as well as that can be done.
    pub(crate) async fn settle(&mut self, end: &End) -> Step<()> {
        let now = self.plane.now();
        self.adopt().await?;
        let remote = self.remote_figures(end).await;
        let finish = |record: &mut SessionRecord| -> Result<()> {
            if record.status == SessionStatus::AwaitingApproval
                && matches!(end.status, SessionStatus::IdleEndTurn | SessionStatus::Terminated)
            {
                // The runtime went on without our answer; what waited does not any more.
                record.status = SessionStatus::Running;
            }
            record.status = record.status.transition(end.status, false).map_err(conflict)?;
            record.error.clone_from(&end.error);
            // What the runtime needs to answer our last questions is not part of the run.
            record.settled_at = Some(if end.status == SessionStatus::Timeout { end.at } else { now });
            record.unsure = false;
            if let Some(delegation) = &mut record.delegation {
                // From here on the handle is nobody's (row M10).
                delegation.handle = None;
            }
            if let Some(remote) = &remote {
                record.usage = remote.usage.or(record.usage);
                record.cost = remote.cost.clone().or_else(|| record.cost.take());
            }
            Ok(())
        };
        let mut frames = self.missed(end).await;
        let (tally, _) = self.book.with(&frames);
        let mut last = self.book.record.clone();
        tally.write(&mut last);
        finish(&mut last)?;
        let reason = judge(end.status, &last.snapshot.mcp_servers, &tally);
        last.degradation_flagged = reason.is_some();
        last.degradation_reason = reason;
        let ended = ended(&last, now);
        frames.push(ended);
        let salt = self.plane.salt();
        let actor = self.starter().await;
        self.save(
            |record| {
                finish(record)?;
                record.degradation_flagged = reason.is_some();
                record.degradation_reason = reason;
                Ok(())
            },
            &frames,
            |record, digest| Some(AuditWrite { draft: audited(record, &actor, digest(), now), salt }),
        )
        .await?;
        settled(&last);
        tracing::info!(session = %last.id, status = %end.status, events = last.event_count, "a session has settled");
        self.archive(end.status).await;
        Ok(())
    }

    /// Whoever invoked, as the rest of the trail writes them; an outdated or unreadable snapshot is no reason not to end.
    async fn starter(&self) -> String {
        let (plane, record) = (&self.plane, &self.book.record);
        let staleness = plane.limits.authz_staleness;
        let snapshot = plane.authz.get(plane.store.as_ref(), record.org, plane.now(), staleness).await;
        let starter: Option<Principal> = record.started_by.parse().ok();
        let written = starter
            .zip(snapshot.ok())
            .and_then(|(starter, snapshot)| snapshot.written(&starter).map(ToString::to_string));
        written.unwrap_or_else(|| record.started_by.clone())
    }

    /// What the history has and neither stream nor log had: a stream may drop an event without ending.
    async fn missed(&self, end: &End) -> Vec<NewEvent> {
        let Some(remote_id) = &self.book.record.remote_id else { return Vec::new() };
        if end.status == SessionStatus::Timeout {
            // The history was read a moment ago, to see whether it ended in time.
            return Vec::new();
        }
        let whole = async { self.runtime.history(remote_id).await?.try_collect::<Vec<_>>().await };
        let Ok(Ok(history)) = tokio::time::timeout(self.options.call_timeout, whole).await else {
            return Vec::new();
        };
        let now = self.plane.now();
        let frames: Vec<_> = history.into_iter().filter_map(|event| frame(event, now)).collect();
        self.book.lacks(&frames)
    }

    /// A session that never got beyond `pending` may be on the runtime all the same: finds its id, so that it can be
    /// ended there.
    async fn adopt(&mut self) -> Step<()> {
        let record = &self.book.record;
        if record.status != SessionStatus::Pending || !record.unsure || record.remote_id.is_some() {
            return Ok(());
        }
        let start = start_session(record);
        let found = tokio::time::timeout(self.options.call_timeout, self.runtime.start_session(&start)).await;
        let Ok(Ok(remote_id)) = found else { return Ok(()) };
        self.save(
            |record| {
                record.remote_id = Some(remote_id.clone());
                Ok(())
            },
            &[],
            |_, _| None,
        )
        .await
    }

    /// What the runtime says the session used, if it says it soon.
    async fn remote_figures(&self, end: &End) -> Option<RemoteSession> {
        let remote_id = self.book.record.remote_id.as_ref()?;
        if self.book.record.status == SessionStatus::Pending || end.status == SessionStatus::Timeout {
            return None;
        }
        let asked = tokio::time::timeout(self.options.call_timeout, self.runtime.session(remote_id)).await;
        asked.ok()?.ok()?
    }

    /// Ends the session on the runtime. An idle one is left where the runtime can go on with it.
    async fn archive(&self, status: SessionStatus) {
        let Some(remote_id) = &self.book.record.remote_id else { return };
        if status == SessionStatus::IdleEndTurn && self.runtime.capabilities().resume {
            return;
        }
        for attempt in 0..ARCHIVE_TRIES {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let ends = async {
                let may_run = !matches!(status, SessionStatus::IdleEndTurn | SessionStatus::Terminated);
                if may_run && !self.interrupted {
                    // What still runs cannot be archived; what does not run has nothing to interrupt.
                    let _ = self.runtime.interrupt(remote_id).await;
                }
                self.runtime.archive_session(remote_id).await
            };
            match tokio::time::timeout(self.options.call_timeout, ends).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::warn!(session = %self.book.record.id, %error, "a settled session stays on the runtime");
                }
                Err(_) => {
                    tracing::warn!(session = %self.book.record.id, "the runtime does not answer: a settled session stays");
                }
            }
        }
    }
}

/// Row P82, and what else explains the end.
fn ended(record: &SessionRecord, now: Timestamp) -> NewEvent {
    let mut payload = Map::new();
    let mut put = |field: &str, value: Value| {
        payload.insert(field.to_owned(), value);
    };
    put("status", json!(record.status));
    put("event_count", json!(record.event_count));
    put("mcp_tool_use_count", json!(record.mcp_tool_use_count));
    put("duration_ms", json!(u64::try_from(record.duration(now).as_millis()).unwrap_or(u64::MAX)));
    put("degradation_flagged", json!(record.degradation_flagged));
    put("degradation_reason", json!(record.degradation_reason));
    if let Some(usage) = &record.usage {
        put("usage", json!(usage));
    }
    if let Some(cost) = &record.cost {
        put("cost", cost.clone());
    }
    if let Some(error) = &record.error {
        put("error", json!(error));
    }
    NewEvent { event_id: None, kind: SESSION_ENDED.to_owned(), payload: Value::Object(payload), at: now }
}

/// The one row that says how it went, and what was logged (sem. 2.9).
fn audited(record: &SessionRecord, actor: &str, digest: EventsDigest, now: Timestamp) -> AuditDraft {
    AuditDraft {
        ts: now,
        actor: actor.to_owned(),
        verb: "session.end".to_owned(),
        resource_kind: "Session".to_owned(),
        resource_id: record.id.to_string(),
        decision: AuditDecision::Allow,
        delegated_from_session: record.parent.map(|parent| parent.to_string()),
        approval_request_id: None,
        change: Change {
            before: Value::Null,
            after: json!({ "status": record.status, "settled_at": record.settled_at }),
            detail: Some(json!({
                "status": record.status,
                "event_count": record.event_count,
                "mcp_tool_use_count": record.mcp_tool_use_count,
                "degradation_flagged": record.degradation_flagged,
                "last_seq": digest.last(),
                "events_digest": digest.value(),
            })),
            ous: vec![record.ou],
        },
    }
}

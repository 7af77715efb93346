//! From `pending` to `running` (rows P87, P88).

use crate::clock::Timestamp;
use crate::runtime::{RuntimeErrorClass, StartSession};
use crate::session::event::{NewEvent, SESSION_CREATED};
use crate::session::progress::End;
use crate::session::pump::work::{Pump, Step};
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use serde_json::json;

impl Pump {
    /// Starts the session on the runtime. `unsure` is kept before the call, so that a session whose id was lost with
    /// the answer is found again by its metadata, and never started twice.
    pub(crate) async fn start(&mut self) -> Step<Option<End>> {
        let start = start_session(&self.book.record);
        self.save(
            |record| {
                record.unsure = true;
                Ok(())
            },
            &[],
            |_, _| None,
        )
        .await?;
        match self.runtime.start_session(&start).await {
            Ok(remote_id) => {
                self.started(remote_id).await?;
                Ok(None)
            }
            Err(error) => match error.class {
                RuntimeErrorClass::Permanent | RuntimeErrorClass::Gone | RuntimeErrorClass::Conflict
                    if !error.maybe_applied =>
                {
                    // Nothing was made: there is nothing to look for.
                    self.save(
                        |record| {
                            record.unsure = false;
                            Ok(())
                        },
                        &[],
                        |_, _| None,
                    )
                    .await?;
                    Ok(Some(self.end(SessionStatus::Failed, Some(error.to_string()))))
                }
                _ => Err(error.into()),
            },
        }
    }

    async fn started(&mut self, remote_id: String) -> Step<()> {
        let now = self.plane.now();
        let created = created(&remote_id, now);
        self.save(
            |record| {
                record.status = record.status.transition(SessionStatus::Running, false).map_err(conflict)?;
                record.remote_id = Some(remote_id.clone());
                record.running_at = Some(now);
                record.unsure = false;
                Ok(())
            },
            &[created],
            |_, _| None,
        )
        .await
    }
}

/// What the runtime is told.
pub(crate) fn start_session(record: &SessionRecord) -> StartSession {
    StartSession {
        org: record.org,
        session: record.id,
        agent: record.snapshot.agent.clone(),
        environment: record.snapshot.environment.clone(),
        vault_ids: record.snapshot.vault_ids.clone(),
        title: record.title.clone(),
        unsure: record.unsure,
    }
}

/// Row P77.
fn created(remote_id: &str, now: Timestamp) -> NewEvent {
    NewEvent {
        event_id: None,
        kind: SESSION_CREATED.to_owned(),
        payload: json!({ "cma_session_id": remote_id }),
        at: now,
    }
}

/// An illegal move is a conflict.
pub(crate) fn conflict(illegal: crate::session::status::IllegalTransition) -> crate::error::Error {
    crate::error::Conflict::Transition(illegal).into()
}

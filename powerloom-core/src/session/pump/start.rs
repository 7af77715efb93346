//! From `pending` to `running` (rows P87, P88).

use crate::clock::Timestamp;
use crate::runtime::{RuntimeErrorClass, StartSession};
use crate::session::event::{NewEvent, SESSION_CREATED};
use crate::session::progress::End;
use crate::session::pump::vault::{announce, placed};
use crate::session::pump::work::{Pump, Step};
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use serde_json::json;

impl Pump {
    /// Starts the session on the runtime. `unsure` is kept before the call, so that a session whose id was lost with
    /// the answer is found again by its metadata, and never started twice.
    ///
    /// So is the hash of the handle, if there is one: from this commit on no earlier one is good.
    pub(crate) async fn start(&mut self) -> Step<Option<End>> {
        let mut start = start_session(&self.book.record);
        let handle = self.handle();
        self.save(
            |record| {
                record.unsure = true;
                announce(record, handle.as_ref());
                Ok(())
            },
            &[],
            |_, _| None,
        )
        .await?;
        let vault = match &handle {
            Some(handle) => match self.furnish_vault(handle).await {
                Ok(vault) => vault,
                Err(error) if error.class == RuntimeErrorClass::Permanent && !error.maybe_applied => {
                    self.nothing_new(start.unsure).await?;
                    return Ok(Some(self.end(SessionStatus::Failed, Some(error.to_string()))));
                }
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        // Of two vaults with a credential for one address the first counts: that of the session, not the agent's.
        start.vault_ids.splice(0..0, vault.clone());
        match self.runtime.start_session(&start).await {
            Ok(remote_id) => {
                self.started(remote_id, vault).await?;
                Ok(None)
            }
            Err(error) => match error.class {
                RuntimeErrorClass::Permanent | RuntimeErrorClass::Gone | RuntimeErrorClass::Conflict
                    if !error.maybe_applied =>
                {
                    // Nothing was made: there is nothing to look for.
                    self.nothing_new(false).await?;
                    Ok(Some(self.end(SessionStatus::Failed, Some(error.to_string()))))
                }
                _ => Err(error.into()),
            },
        }
    }

    async fn nothing_new(&mut self, unsure: bool) -> Step<()> {
        self.save(
            |record| {
                record.unsure = unsure;
                Ok(())
            },
            &[],
            |_, _| None,
        )
        .await
    }

    async fn started(&mut self, remote_id: String, vault: Option<String>) -> Step<()> {
        let now = self.plane.now();
        let created = created(&remote_id, now);
        self.save(
            |record| {
                record.status = record.status.transition(SessionStatus::Running, false).map_err(conflict)?;
                record.remote_id = Some(remote_id.clone());
                record.running_at = Some(now);
                record.unsure = false;
                placed(record, vault.as_ref());
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

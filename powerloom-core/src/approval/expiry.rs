//! Writing down that the time of requests ran out. Nothing depends on it: a vote judges by the clock, and so does every
//! list; but people are told, and the audit trail says when it was noticed (sem. 2.8, Expiry).

use crate::approval::notifier::ApprovalEvent;
use crate::approval::request::{ApprovalRequest, ApprovalState};
use crate::audit::{AuditDecision, AuditDraft};
use crate::control_plane::ControlPlane;
use crate::door::request_row::{expired, to_json, told};
use crate::error::Result;
use crate::id::OrgId;
use crate::record::{Record, RecordRow, Schema, Stage};
use crate::store::{Commit, Precondition, RecordCursor, RecordQuery, StoreError, Write};

/// Who is answerable for what happens by itself.
const SYSTEM: &str = "service:powerloom";

impl ControlPlane {
    /// Ends the requests of all organizations whose time has run out; answers how many it ended.
    ///
    /// The reconciler's sweep calls it every minute; a program without one may call it whenever it likes. Several at once
    /// do no harm.
    ///
    /// # Errors
    /// Those of the store; what was ended before stays ended.
    ///
    /// # Cancel safety
    /// Dropped, each request is ended or not.
    pub async fn expire_approvals(&self) -> Result<usize> {
        self.plane.expire_approvals().await
    }
}

impl crate::plane::Plane {
    pub(crate) async fn expire_approvals(&self) -> Result<usize> {
        let mut ended = 0;
        for org in self.store.orgs().await? {
            let mut query = RecordQuery { kind: Some(ApprovalRequest::KIND), ..RecordQuery::default() };
            loop {
                let page = self.store.list_records(org.id, &query).await?;
                let Some(last) = page.last() else { break };
                query.after = Some(RecordCursor {
                    kind: ApprovalRequest::KIND,
                    name: last.meta.name.clone(),
                    id: last.meta.id,
                });
                for row in page {
                    ended += usize::from(self.expire_approval(org.id, row).await?);
                }
            }
        }
        Ok(ended)
    }

    async fn expire_approval(&self, org: OrgId, row: RecordRow) -> Result<bool> {
        let now = self.now();
        let mut request = Record::<ApprovalRequest>::read(&row)?;
        let due =
            request.status.state == ApprovalState::Pending && request.state_at(now) == ApprovalState::Expired;
        if !due {
            return Ok(false);
        }
        request.status.state = ApprovalState::Expired;
        request.status.decided_at = Some(now);
        let id = request.request_id().to_string();
        let audit = AuditDraft {
            ts: now,
            actor: SYSTEM.to_owned(),
            verb: "approval.expire".to_owned(),
            resource_kind: ApprovalRequest::KIND.to_string(),
            resource_id: id.clone(),
            decision: AuditDecision::Allow,
            delegated_from_session: None,
            approval_request_id: Some(id),
            change: expired(&request).touching(&[row.meta.ou]),
        };
        let mut next = row.clone();
        next.meta.version += 1;
        next.meta.updated_at = now;
        next.meta.stage = Stage::Archived;
        next.status = to_json(&request.status)?;
        let version = next.meta.version;
        let mut commit = Commit::new(org, now);
        commit.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
        commit.write.push(Write::PutRecord(Box::new(next)));
        commit.audit.push(self.salted(audit));
        match self.store.commit(commit).await {
            Ok(_) => {
                let approvers = Vec::new();
                self.notices.send(told(&request, ApprovalEvent::Expired, version, now, approvers));
                Ok(true)
            }
            // Somebody decided it at the same moment.
            Err(StoreError::Refused(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

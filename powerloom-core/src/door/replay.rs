//! A parked change, made in the commit of the vote that decided it (sem. 2.8, Replay; row P99).
//!
//! It passes the door like any other, as whoever asked for it: their right is judged now, and so is the change. If it can
//! be made no more, the request has failed and nothing of it is made.

use crate::approval::{ApprovalRequest, ApprovalState, Base};
use crate::authz::Resolution;
use crate::digest::Digest;
use crate::door::gate::{Proposal, Verdict};
use crate::door::judge::{POLICY_CHANGED, payload_hash};
use crate::door::matching::matching;
use crate::door::mutation::Mutation;
use crate::door::pass::pass;
use crate::door::request_row::{decide, voters};
use crate::door::work::{Draft, Halt, Parked, Step, Work};
use crate::error::{Error, Result};
use crate::error_kind::ErrorKind;
use crate::plane::Plane;
use crate::record::Record;
use crate::resource::approval_policy::PolicyMode;
use crate::store::{Precondition, StoreError};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Why an approved change is not made.
#[derive(Debug)]
struct Void {
    code: String,
    reason: String,
}

impl Plane {
    /// Judges the change `draft` approves and adds it, or its failure, to the same commit.
    pub(crate) async fn replay(&self, work: &Work<'_>, draft: &mut Draft, parked: Parked) -> Step<()> {
        let Parked { row, mut request } = parked;
        let caller = request.spec.requester.caller(work.org.id);
        let mutation = self.parked_mutation(&request).await?;
        let mut inner = work.beside_as(&caller);
        match self.judge_parked(&mut inner, &request, &mutation).await? {
            Err(Void { code, reason }) => {
                tracing::warn!(org = %work.org.id, request = %request.request_id(), code, "an approved change failed");
                let after = json!({ "votes": voters(&request), "code": code, "reason": reason });
                request.status.reason = Some(reason);
                request.status.code = Some(code);
                decide(work, &row, &mut request, ApprovalState::Failed, after, draft)?;
            }
            Ok(made) => {
                request.status.applied = made
                    .record
                    .as_ref()
                    .map(|record| Base { key: record.key(), version: record.meta.version });
                request.status.session = made.session;
                let after = json!({ "votes": voters(&request) });
                decide(work, &row, &mut request, ApprovalState::Approved, after, draft)?;
                self.take_over(&inner, &request, made, draft);
            }
        }
        Ok(())
    }

    /// Adds what the approved change writes to the commit of the vote.
    fn take_over(&self, inner: &Work<'_>, request: &Record<ApprovalRequest>, made: Draft, draft: &mut Draft) {
        if !made.unchanged {
            let mut change = made.change;
            change.remark("approved_by", voters(request));
            if let Some(why) = &request.spec.justification {
                change.remark("justification", json!(why));
            }
            let mut row = self.audit_draft(inner, crate::audit::AuditDecision::Allow, change);
            row.approval_request_id = Some(request.request_id().to_string());
            draft.also.push(row);
            draft.expect.extend(made.expect);
            draft.expect.extend(inner.relied_on.iter().cloned().map(Precondition::Live));
            draft.write.extend(made.write);
            draft.also.extend(made.also);
            draft.session = made.session;
            draft.authz = made.authz;
        }
    }

    /// The change as it was asked for, whole and unaltered.
    pub(crate) async fn parked_mutation(&self, request: &Record<ApprovalRequest>) -> Result<Mutation> {
        self.parked_payload(request).await
    }

    /// What was asked for: a mutation or a plan.
    pub(crate) async fn parked_payload<T: DeserializeOwned>(
        &self,
        request: &Record<ApprovalRequest>,
    ) -> Result<T> {
        let corrupt = |message: &str| {
            Error::from(StoreError::Corrupt {
                message: format!("{message} of approval request `{}`", request.request_id()),
                source: None,
            })
        };
        let spec = &request.spec;
        let bytes = self.store.blob(request.meta.org, &spec.payload).await?;
        let bytes = bytes.ok_or_else(|| corrupt("there is no payload"))?;
        if Digest::of(&bytes) != spec.payload {
            return Err(corrupt("somebody has altered the payload"));
        }
        serde_json::from_slice(&bytes).map_err(|_| corrupt("nothing can be read from the payload"))
    }

    /// What the change would write, or why it is void. Only what says something about the change itself makes it void;
    /// a store that cannot be reached does not.
    async fn judge_parked(
        &self,
        inner: &mut Work<'_>,
        request: &Record<ApprovalRequest>,
        mutation: &Mutation,
    ) -> Step<std::result::Result<Draft, Void>> {
        let spec = &request.spec;
        if let Some(base) = &spec.base {
            let found = self.store.record(inner.org.id, &base.key).await?;
            let found = found.map_or(0, |row| row.meta.version);
            if found != base.version {
                let reason = format!("{} has version {found}, not {}", base.key, base.version);
                return Ok(Err(Void { code: ErrorKind::VersionMismatch.code().to_owned(), reason }));
            }
        }
        let outcome = Box::pin(pass(inner, mutation)).await;
        if outcome.is_ok() {
            let target = spec.resource_id.as_deref();
            let hash = payload_hash(inner, mutation, &spec.scope_ou, target, spec.base.as_ref())?;
            if hash != spec.payload_hash {
                let reason = "it is not what was approved".to_owned();
                return Ok(Err(Void { code: "altered".to_owned(), reason }));
            }
        }
        match outcome {
            Ok(mut draft) => {
                if !draft.unchanged
                    && let Err(void) = self.gate_again(inner, request, mutation, &mut draft).await?
                {
                    return Ok(Err(void));
                }
                draft.expect.extend(spec.base.iter().map(|base| Precondition::RecordVersion {
                    key: base.key.clone(),
                    version: base.version,
                }));
                Ok(Ok(draft))
            }
            Err(Halt::Error(Error::Denied(decision))) => {
                if inner.org.authz_epoch != inner.snapshot.epoch() {
                    self.authz.doubt(inner.org.id);
                    return Err(Halt::Again);
                }
                let unknown =
                    matches!(decision.resolution, Resolution::UnknownPrincipal | Resolution::UnknownOu);
                if unknown && self.catch_up(inner.org.id, inner.now).await? {
                    return Err(Halt::Again);
                }
                Ok(Err(void(&Error::Denied(decision))))
            }
            Err(Halt::Error(error)) => match error.kind() {
                ErrorKind::Unavailable
                | ErrorKind::Corrupt
                | ErrorKind::Internal
                | ErrorKind::RateLimited => Err(Halt::Error(error)),
                _ => Ok(Err(void(&error))),
            },
            Err(halt) => Err(halt),
        }
    }
}

impl Plane {
    /// Whether something stands in the way now that was not asked then: an embedder's gate, or a policy that the request
    /// did not ask because it was declared, or came to reach the change, since. A step of a plan is used up here.
    async fn gate_again(
        &self,
        inner: &Work<'_>,
        request: &Record<ApprovalRequest>,
        mutation: &Mutation,
        draft: &mut Draft,
    ) -> Result<std::result::Result<(), Void>> {
        let proposal = Proposal {
            caller: inner.caller,
            mutation,
            kind: &inner.subject.kind,
            verb: &inner.subject.verb,
            ous: &inner.subject.ous,
            before: &draft.change.before,
            after: &draft.change.after,
            record: draft.record.as_ref(),
            justification: request.spec.justification.as_deref(),
        };
        let changed = |reason: String| Ok(Err(Void { code: POLICY_CHANGED.to_owned(), reason }));
        match self.gate.judge(&proposal).await {
            Ok(Verdict::Open) => {}
            Ok(Verdict::Hold(hold)) => return changed(format!("it waits for `{}` now", hold.request_id)),
            Err(error) => return Ok(Err(void(&error))),
        }
        let grant = match request.spec.under {
            Some(plan) => match self.grant(inner, mutation, draft, plan).await {
                Ok(grant) => Some(grant),
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                    return Ok(Err(void(&error)));
                }
                Err(error) => return Err(error),
            },
            None => None,
        };
        let asked = |id| {
            request.spec.requirements.iter().any(|need| need.policy == id)
                || grant.as_ref().is_some_and(|grant| grant.has_asked(id))
        };
        let mut met = matching(inner, mutation, draft).into_iter();
        let new = met.find(|policy| policy.spec.mode == PolicyMode::RequireApproval && !asked(policy.id));
        if let Some(new) = new {
            return changed(format!("policy `{}` wants approval as well now: ask again", new.name));
        }
        if let Some(grant) = grant {
            grant.use_up(inner, draft)?;
        }
        Ok(Ok(()))
    }
}

fn void(error: &Error) -> Void {
    Void { code: error.code().to_owned(), reason: error.to_string() }
}

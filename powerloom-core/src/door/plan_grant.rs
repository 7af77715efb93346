//! What an approved plan lets through: exactly its steps, each once, for whoever asked (sem. 2.3.7, 2.8).

use crate::approval::notifier::ApprovalEvent;
use crate::approval::{ApprovalId, ApprovalRequest, ApprovalState, Purpose, StepDone};
use crate::door::mutation::{Action, Mutation};
use crate::door::request_row::{put, voters};
use crate::door::work::{Draft, Work};
use crate::error::{Conflict, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::manifest::{Plan, Step, Target, Verb};
use crate::plane::Plane;
use crate::record::{Record, RecordRow, ResourceKey, Schema};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use serde_json::json;
use std::collections::BTreeMap;

/// One step of an approved plan, about to be applied.
#[derive(Debug)]
pub(crate) struct Grant {
    row: RecordRow,
    request: Record<ApprovalRequest>,
    step: u32,
    part: u8,
}

impl Grant {
    /// Whether the plan's approvers answered for this policy.
    pub(crate) fn has_asked(&self, policy: ResourceId) -> bool {
        self.request.spec.requirements.iter().any(|asked| asked.policy == policy)
    }

    /// Writes that the step was applied, in the commit that applies it.
    pub(crate) fn use_up(mut self, work: &Work<'_>, draft: &mut Draft) -> Result<()> {
        let made = draft.record.as_ref().filter(|_| self.part == 1).map(|record| record.meta.id);
        self.request.status.steps.push(StepDone { step: self.step, part: self.part, made });
        draft.change.remark("approved_by", voters(&self.request));
        draft.change.remark(
            "plan",
            json!({
                "digest": self.request.spec.payload_hash, "step": self.step, "approved_by": voters(&self.request),
            }),
        );
        draft.approval = Some(self.request.request_id());
        let record = draft.record.take();
        put(work, &self.row, &self.request, ApprovalEvent::Approved, draft)?;
        // The answer is about what the step made, and nobody is told of each.
        draft.record = record;
        draft.notices.pop();
        Ok(())
    }
}

impl Plane {
    /// The step of the approved plan that `mutation` is.
    ///
    /// # Errors
    /// `not_found` for a request that is no plan of the caller's; `plan_not_approved`; `plan_expired`; `step_applied` for one
    /// that was applied before; `not_in_plan`.
    pub(crate) async fn grant(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: &Draft,
        id: ApprovalId,
    ) -> Result<Grant> {
        let key = ResourceKey::of::<ApprovalRequest>(id.record());
        let row = self.row(work.org.id, &key).await?;
        let request = Record::<ApprovalRequest>::read(&row)?;
        let own = request.spec.requester.is(work.caller);
        if request.spec.purpose != Purpose::Plan || !own {
            return Err(crate::error::Error::not_found("approved plan", id));
        }
        if request.status.state != ApprovalState::Approved {
            let state = request.state_at(work.now);
            return Err(Conflict::PlanNotApproved { request: id, state }.into());
        }
        let since = request.status.decided_at.unwrap_or_default();
        if work.now >= since + self.limits.plan_validity {
            return Err(Conflict::PlanExpired { request: id }.into());
        }
        let plan: Plan = self.parked_payload(&request).await?;
        if plan.digest()? != request.spec.payload_hash {
            return Err(Invalid::hidden("plan", "the plan that was approved").into());
        }
        let made = self.made(work, &plan, &request).await?;
        let done = |step: u32, part: u8| {
            request.status.steps.iter().any(|done| (done.step, done.part) == (step, part))
        };
        let mut applied = false;
        for (number, step) in (0_u32..).zip(&plan.steps) {
            let Some(part) = part(step, mutation, &made) else { continue };
            if done(number, part) {
                applied = true;
            } else {
                return Ok(Grant { row, request, step: number, part });
            }
        }
        let what = draft.record.as_ref().map_or_else(|| work.subject.id.clone(), |row| row.meta.name.clone());
        Err(if applied {
            Conflict::StepApplied { request: id, what }.into()
        } else {
            Conflict::NotInPlan { request: id, what }.into()
        })
    }

    /// The ids of what the plan's steps have made so far.
    async fn made(
        &self,
        work: &Work<'_>,
        plan: &Plan,
        request: &Record<ApprovalRequest>,
    ) -> Result<BTreeMap<Target, ResourceId>> {
        let mut made = BTreeMap::new();
        for done in &request.status.steps {
            let step = usize::try_from(done.step).ok().and_then(|step| plan.steps.get(step));
            let (Some(step), Some(id)) = (step, done.made) else { continue };
            made.insert(step.target.clone(), id);
            if step.target.kind == McpDeployment::KIND {
                // It made a registration of its own name with it (row P65).
                let deployment = self.row(work.org.id, &ResourceKey::of::<McpDeployment>(id)).await?;
                let kind = self.catalogue.kind(&McpServer::KIND)?;
                let key = kind.unique_key(deployment.meta.ou, &deployment.meta.name);
                let found = self.store.record_by_unique_key(work.org.id, &McpServer::KIND, &key).await?;
                if let Some(server) = found {
                    made.insert(Target::new(McpServer::KIND, step.target.path.clone()), server.meta.id);
                }
            }
        }
        Ok(made)
    }
}

/// Which half of `step` this is: 0 takes something away or changes it, 1 makes something; `None` if it is neither.
fn part(step: &Step, mutation: &Mutation, made: &BTreeMap<Target, ResourceId>) -> Option<u8> {
    let same = |planned: std::result::Result<Mutation, _>| -> bool {
        let planned: std::result::Result<Mutation, crate::manifest::Unready> = planned;
        planned.is_ok_and(|planned| planned == *mutation)
    };
    // Only what can be the same is worked out.
    match (&mutation.action, step.verb) {
        (Action::Archive { target, .. }, Verb::Archive | Verb::Replace)
            if step.observed.is_some_and(|seen| seen.id == target.id) =>
        {
            same(step.removal()).then_some(0)
        }
        (Action::Update { target, .. }, Verb::Update)
            if step.observed.is_some_and(|seen| seen.id == target.id) =>
        {
            same(step.mutation(made)).then_some(0)
        }
        (Action::Create { kind, name, .. }, Verb::Create | Verb::Replace)
            if *kind == step.target.kind && *name == step.name =>
        {
            same(step.mutation(made)).then_some(1)
        }
        _ => None,
    }
}

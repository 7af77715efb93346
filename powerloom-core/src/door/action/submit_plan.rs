//! Asking for a whole plan at once: one request, whose digest the approvers sign (sem. 2.3.7, 2.8).
//!
//! Approving a plan makes nothing by itself. It lets whoever asked apply each of its steps, once: the door meets every step
//! with `SubmitOptions::under`, judges it like any other change, and asks nobody whom the plan has asked already.

use crate::approval::notifier::ApprovalEvent;
use crate::approval::policy_set::{Policy, PolicyQuestion};
use crate::approval::{ApprovalRequest, ApprovalRequestSpec, ApprovalState, Purpose, Requester, Requirement};
use crate::audit::Change;
use crate::digest::Digest;
use crate::door::action::vote::check_words;
use crate::door::held::Held;
use crate::door::judge::{asked, requirement, unique_key};
use crate::door::matching::matching;
use crate::door::pass::pass;
use crate::door::request_row::{decide, expired, notice, row_about};
use crate::door::work::{Draft, Halt, Step, Work, snake_case};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::manifest::live::Live;
use crate::manifest::plan::{MAX_STEPS, PLAN_VERSION};
use crate::manifest::{Names, Plan, Step as PlanStep, Verb};
use crate::ou_path::OuPath;
use crate::record::{KindName, Record, RecordRow, ResourceKey, Schema};
use crate::resource::approval_policy::PolicyMode;
use crate::store::{Precondition, Write};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What plans are called in the audit trail.
const PLAN: KindName = KindName::known("Plan");

/// Longest value of a field that a request shows, in characters.
const MAX_SHOWN: usize = 120;

/// Checks and writes a `submit_plan`.
pub(crate) async fn submit_plan(
    work: &mut Work<'_>,
    plan: &Plan,
    justification: Option<&str>,
) -> Step<Draft> {
    check_words("justification", justification)?;
    let digest = fit(work, plan)?;
    work.about(&PLAN, digest, "apply", work.org.root_ou);
    let asking = judge_steps(work, plan).await?;
    work.replay().await?;

    if asking.is_empty() {
        return Err(Conflict::NothingToApprove.into());
    }
    let policies: Vec<Policy> =
        work.policies.iter().filter(|policy| asking.contains(&policy.id)).cloned().collect();
    let mut draft = Draft::new(None, Change::default());
    draft.held = Some(Box::new(hold(work, plan, digest, justification, &policies).await?));
    Ok(draft)
}

/// A plan of this organization, of the known form, that does something.
fn fit(work: &Work<'_>, plan: &Plan) -> Result<Digest> {
    if plan.v != PLAN_VERSION {
        return Err(Invalid::new("plan.v", plan.v, format!("{PLAN_VERSION}: plan again")).into());
    }
    if plan.org != work.org.id {
        return Err(Invalid::hidden("plan.org", "the organization of whoever submits it").into());
    }
    if plan.is_noop() || plan.steps.len() > MAX_STEPS {
        let allowed = format!("1 to {MAX_STEPS} steps, of which one does something");
        return Err(Invalid::new("plan.steps", plan.steps.len(), allowed).into());
    }
    Ok(plan.digest()?)
}

/// Judges each step as far as that is possible now: a step that is denied or can never be made refuses the plan, before
/// anybody is asked. Answers which policies want approval.
async fn judge_steps(work: &Work<'_>, plan: &Plan) -> Step<BTreeSet<ResourceId>> {
    let nothing_made = BTreeMap::new();
    let mut asking = BTreeSet::new();
    let mut named = Named::open(work).await?;
    for (index, step) in plan.steps.iter().enumerate() {
        let unready = |unready: &dyn std::fmt::Display| {
            Halt::from(Invalid::new(format!("plan.steps[{index}]"), unready, "a step this program planned"))
        };
        let seen = named.seen(index, step).await?;
        let mut mutations = Vec::new();
        if matches!(step.verb, Verb::Archive | Verb::Replace) {
            mutations.push(step.removal().map_err(|error| unready(&error))?);
        }
        let settled = step.holes.is_empty() && step.verb != Verb::Replace;
        if matches!(step.verb, Verb::Create | Verb::Update) && settled {
            mutations.push(step.mutation(&nothing_made).map_err(|error| unready(&error))?);
        }
        for mutation in &mutations {
            // What a step needs gone first may still be in its way.
            if step.verb == Verb::Archive && !step.depends_on.is_empty() {
                let ous = ous(work, step, seen.as_ref());
                permitted(work, step, "archive", &ous)?;
                note(&mut asking, guess(work, step, "archive", &ous));
                continue;
            }
            let mut inner = work.beside();
            let draft = Box::pin(pass(&mut inner, mutation)).await?;
            note(&mut asking, matching(&inner, mutation, &draft));
        }
        if !settled && matches!(step.verb, Verb::Create | Verb::Update | Verb::Replace) {
            let word = if step.verb == Verb::Update { "update" } else { "create" };
            let ous = ous(work, step, seen.as_ref());
            permitted(work, step, word, &ous)?;
            note(&mut asking, guess(work, step, word, &ous));
        }
    }
    Ok(asking)
}

fn note(asking: &mut BTreeSet<ResourceId>, matched: Vec<&Policy>) {
    let wants = matched.into_iter().filter(|policy| policy.spec.mode == PolicyMode::RequireApproval);
    asking.extend(wants.map(|policy| policy.id));
}

/// The permission of the kind, where the step will be judged or at the nearest OU that exists.
fn permitted(work: &Work<'_>, step: &PlanStep, word: &str, ous: &[ResourceId]) -> Result<()> {
    let permissions = work.plane.catalogue.kind(&step.target.kind)?.permissions();
    let needed = match word {
        "update" => permissions.update,
        "archive" => permissions.archive,
        _ => permissions.create,
    };
    ous.iter().try_for_each(|ou| work.require(needed, *ou))
}

/// The policies a step will meet that cannot be judged yet: its spec is not known, so a condition on it holds.
fn guess<'w>(work: &'w Work<'_>, step: &PlanStep, word: &str, ous: &[ResourceId]) -> Vec<&'w Policy> {
    let question = PolicyQuestion {
        kind: &step.target.kind,
        verb: &format!("{}.{word}", snake_case(step.target.kind.as_str())),
        action: word,
        ous,
        record: None,
        before: &Value::Null,
        actor: &work.actor(),
        delegated: work.caller.delegated_from_session.is_some(),
    };
    work.policies.matching(&work.snapshot, &question)
}

/// Where a step will be judged: where its record is; for what is new its OU, or the nearest one above its path that
/// exists, or the root.
fn ous(work: &Work<'_>, step: &PlanStep, seen: Option<&RecordRow>) -> Vec<ResourceId> {
    if let Some(row) = seen.filter(|_| step.verb != Verb::Create) {
        return vec![Work::judged_at(row)];
    }
    let known = step.ou.filter(|ou| work.snapshot.ou_path(*ou).is_some());
    let nearest = || {
        let mut path = step.target.path.as_str();
        loop {
            if let Some(ou) = path.parse::<OuPath>().ok().and_then(|path| work.snapshot.ou_id(&path)) {
                return ou;
            }
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => return work.org.root_ou,
            }
        }
    };
    vec![known.unwrap_or_else(nearest)]
}

/// The request, or the one that is open for the same plan already.
async fn hold(
    work: &Work<'_>,
    plan: &Plan,
    digest: Digest,
    justification: Option<&str>,
    policies: &[Policy],
) -> Result<Held> {
    let mut held = Held::default();
    let unique_key = unique_key(work, digest)?;
    let store = &work.plane.store;
    if let Some(row) = store.record_by_unique_key(work.org.id, &ApprovalRequest::KIND, &unique_key).await? {
        let mut request = Record::<ApprovalRequest>::read(&row)?;
        if request.state_at(work.now) == ApprovalState::Pending {
            held.request_id = request.request_id().to_string();
            return Ok(held);
        }
        let mut end = Draft::new(None, Change::default());
        decide(work, &row, &mut request, ApprovalState::Expired, Value::Null, &mut end)?;
        held.audit.push(row_about(work, &request, "expire", expired(&request)));
        held.expect.append(&mut end.expect);
        held.write.append(&mut end.write);
        held.notices.append(&mut end.notices);
    }
    let requirements: Vec<Requirement> =
        policies.iter().map(|policy| requirement(policy, policy.ou)).collect();
    let ttl = policies.iter().map(|policy| policy.spec.ttl_seconds).min().unwrap_or_default();
    // What the plan forecast was the requester's to write: approvers are shown what the door finds.
    let mut kept = plan.clone();
    kept.steps.iter_mut().for_each(|step| step.governance = None);
    let bytes = Bytes::from(crate::canonical_json::to_vec(&kept)?);
    let counts = |verb| plan.count(verb);
    let spec = ApprovalRequestSpec {
        purpose: Purpose::Plan,
        requester: Requester::of(work.caller, work.actor()),
        excluded: work.involved().await?,
        under: None,
        verb: work.subject.verb.clone(),
        resource_kind: PLAN,
        resource_id: None,
        scope_ou: work.path(work.org.root_ou),
        payload_hash: digest,
        payload: Digest::of(&bytes),
        base: None,
        before: Value::Null,
        after: json!({
            "create": counts(Verb::Create), "update": counts(Verb::Update), "replace": counts(Verb::Replace),
            "archive": counts(Verb::Archive), "unchanged": counts(Verb::Noop), "steps": shown(plan),
        }),
        justification: justification.map(str::to_owned),
        requirements,
        expires_at: Some(work.now + Duration::from_secs(ttl)),
    };
    let row = work.plane.request_row(work, &spec, common_ou(work, policies), unique_key)?;
    let request = Record::<ApprovalRequest>::read(&row)?;
    held.request_id = request.request_id().to_string();
    held.audit.push(row_about(work, &request, "request", asked(&request, work)));
    held.notices.push(notice(work, &request, ApprovalEvent::Requested, row.meta.version));
    held.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
    held.write.push(Write::PutBlob { digest: request.spec.payload, bytes });
    held.write.push(Write::PutRecord(Box::new(row)));
    Ok(held)
}

/// What each step would do, told by what is submitted and not by how the plan describes it.
fn shown(plan: &Plan) -> Vec<Value> {
    let brief = |value: &Value| {
        let text = value.to_string();
        if text.chars().count() <= MAX_SHOWN {
            text
        } else {
            text.chars().take(MAX_SHOWN).chain(['…']).collect()
        }
    };
    let doing = plan.steps.iter().filter(|step| step.verb != Verb::Noop);
    doing
        .map(|step| {
            let fields: BTreeMap<&str, String> =
                step.payload.iter().map(|(name, value)| (name.as_str(), brief(value))).collect();
            json!({ "verb": step.verb, "target": step.target.to_string(), "fields": fields })
        })
        .collect()
}

/// Holds what a plan calls its targets against what they are called.
struct Named<'w> {
    work: &'w Work<'w>,
    live: Live<'w>,
    names: Names,
}

impl<'w> Named<'w> {
    async fn open(work: &'w Work<'_>) -> Result<Named<'w>> {
        let (store, catalogue) = (work.plane.store.as_ref(), &work.plane.catalogue);
        let live = Live::open(store, catalogue, work.org.id).await?;
        let live = live.ok_or_else(|| Error::not_found("organization", work.org.id))?;
        Ok(Named { work, live, names: Names::default() })
    }

    /// The record a step was made from. It must be the one the step's target names; and what is new must be made where and
    /// as the target says.
    async fn seen(&mut self, index: usize, step: &PlanStep) -> Result<Option<RecordRow>> {
        let refused = |is: &dyn std::fmt::Display| {
            Error::from(Invalid::new(
                format!("plan.steps[{index}].target"),
                &step.target,
                format!("{is}, which it is about"),
            ))
        };
        if let (Some(ou), Some(name)) = (step.ou, &step.name) {
            let whole = self.work.snapshot.ou_path(ou).map(|path| format!("{path}/{name}"));
            if let Some(path) = whole.filter(|path| *path != step.target.path) {
                return Err(refused(&path));
            }
        }
        let Some(observed) = step.observed else { return Ok(None) };
        let key = ResourceKey { kind: step.target.kind.clone(), id: observed.id };
        let row = self.work.row(&key).await?;
        self.live.names([&row], &mut self.names, &|_| true).await?;
        let target = self.live.target(&row, &self.names).await?;
        if target == step.target { Ok(Some(row)) } else { Err(refused(&target)) }
    }
}

/// Where the right to decide is judged: the lowest OU that holds all the policies' scopes.
fn common_ou(work: &Work<'_>, policies: &[Policy]) -> ResourceId {
    let first = policies.first().map_or(work.org.root_ou, |policy| policy.ou);
    let mut above = work.snapshot.self_and_ancestors(first);
    above
        .find(|ou| policies.iter().all(|policy| work.snapshot.is_within(policy.ou, *ou)))
        .unwrap_or(work.org.root_ou)
}

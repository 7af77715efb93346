//! The gate as the door asks it: an embedder's own first, then the organization's approval policies (sem. 2.8).
//!
//! It is asked about changes that are valid and permitted, and it only ever holds back.

use crate::approval::electorate::{Ineligible, names, person};
use crate::approval::notifier::ApprovalEvent;
use crate::approval::policy_set::Policy;
use crate::approval::{
    ApprovalId, ApprovalRequest, ApprovalRequestSpec, ApprovalState, Base, Purpose, Requester, Requirement,
    StandingConsent,
};
use crate::audit::Change;
use crate::clock::Timestamp;
use crate::digest::{ApprovalSubject, Digest, approval_hash};
use crate::door::caller::TokenKind;
use crate::door::gate::{Proposal, Verdict};
use crate::door::held::Held;
use crate::door::matching::{home, matching, touched};
use crate::door::mutation::{Action, Mutation};
use crate::door::options::SubmitOptions;
use crate::door::plan_grant::Grant;
use crate::door::request_row::{decide, expired, notice, row_about, to_json};
use crate::door::work::{Draft, Work};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::permission::Permission;
use crate::plane::Plane;
use crate::principal::Principal;
use crate::record::{Metadata, Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::approval_policy::PolicyMode;
use crate::resource::user::User;
use crate::store::{Precondition, Write};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::time::Duration;

impl Plane {
    /// Asks whether the change is made now. What its being made now needs beside it is added to `draft`.
    ///
    /// # Errors
    /// `justification_required`, `review_open`, or what the gate answers: nothing is written then.
    pub(crate) async fn judge(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: &mut Draft,
        options: &SubmitOptions,
    ) -> Result<Option<Held>> {
        let proposal = Proposal {
            caller: work.caller,
            mutation,
            kind: &work.subject.kind,
            verb: &work.subject.verb,
            ous: &work.subject.ous,
            before: &draft.change.before,
            after: &draft.change.after,
            record: draft.record.as_ref(),
            justification: options.justification.as_deref(),
        };
        if let Verdict::Hold(hold) = self.gate.judge(&proposal).await? {
            let (request_id, write, audit) = (hold.request_id, hold.write, hold.audit);
            return Ok(Some(Held { request_id, write, audit, ..Held::default() }));
        }
        if let Some(why) = &options.justification {
            draft.change.remark("justification", json!(why));
        }
        let grant = match options.under {
            Some(id) => Some(self.grant(work, mutation, draft, id).await?),
            None => None,
        };
        let matched = if work.policies.is_empty() { Vec::new() } else { matching(work, mutation, draft) };
        let held = if matched.is_empty() {
            None
        } else {
            self.weigh(work, mutation, draft, options, &matched, grant.as_ref()).await?
        };
        // A step that waits after all, for somebody the plan did not ask, is not done.
        if let (None, Some(grant)) = (&held, grant) {
            grant.use_up(work, draft)?;
        }
        Ok(held)
    }

    /// Does what each of the policies that match demands.
    async fn weigh(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: &mut Draft,
        options: &SubmitOptions,
        matched: &[&Policy],
        grant: Option<&Grant>,
    ) -> Result<Option<Held>> {
        let mut asking = Vec::new();
        for policy in matched {
            match policy.spec.mode {
                PolicyMode::RequireApproval => asking.push(*policy),
                PolicyMode::RequireJustification if options.justification.is_none() => {
                    return Err(Conflict::JustificationRequired { policy: policy.name.clone() }.into());
                }
                PolicyMode::RequireJustification => {}
                PolicyMode::Warn => {
                    draft.warnings.push(format!("policy `{}` advises against it", policy.name));
                }
            }
        }
        let all: Vec<&str> = matched.iter().map(|policy| policy.name.as_str()).collect();
        draft.change.remark("policies", json!(all));
        asking.retain(|policy| !grant.is_some_and(|grant| grant.has_asked(policy.id)));
        if asking.is_empty() {
            return Ok(None);
        }
        if options.break_glass {
            if grant.is_some() {
                let allowed = "without `under`: a step of an approved plan breaks no glass";
                return Err(Invalid::hidden("break_glass", allowed).into());
            }
            self.break_glass(work, mutation, draft, options, &asking).await?;
            return Ok(None);
        }
        if let Some(consent) = self.consent(work, draft, &asking).await? {
            use_consent(work, consent, draft)?;
            return Ok(None);
        }
        Ok(Some(self.hold_for(work, mutation, draft, options, &asking).await?))
    }

    /// Parks the change until the policies' approvers have agreed; the same change, asked for again, is the same request.
    async fn hold_for(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: &Draft,
        options: &SubmitOptions,
        asking: &[&Policy],
    ) -> Result<Held> {
        let mut held = Held::default();
        let payload = Payload::of(work, mutation, draft)?;
        let unique_key = unique_key(work, payload.hash)?;
        let open = self.store.record_by_unique_key(work.org.id, &ApprovalRequest::KIND, &unique_key).await?;
        if let Some(row) = open {
            let mut request = Record::<ApprovalRequest>::read(&row)?;
            let pending = request.state_at(work.now) == ApprovalState::Pending;
            let asked =
                |policy: &&Policy| request.spec.requirements.iter().any(|need| need.policy == policy.id);
            if pending && asking.iter().all(asked) {
                held.request_id = request.request_id().to_string();
                return Ok(held);
            }
            // Its time ran out and nobody has noticed yet; or a policy asks now that it did not ask.
            let mut end = Draft::new(None, Change::default());
            if pending {
                request.status.code = Some(POLICY_CHANGED.to_owned());
                decide(work, &row, &mut request, ApprovalState::Failed, Value::Null, &mut end)?;
                let change = Change {
                    after: json!({ "state": ApprovalState::Failed, "code": POLICY_CHANGED }),
                    ..Change::default()
                };
                held.audit.push(row_about(work, &request, "fail", change));
            } else {
                decide(work, &row, &mut request, ApprovalState::Expired, Value::Null, &mut end)?;
                held.audit.push(row_about(work, &request, "expire", expired(&request)));
            }
            held.expect.append(&mut end.expect);
            held.write.append(&mut end.write);
            held.notices.append(&mut end.notices);
        }
        let ttl = asking.iter().map(|policy| policy.spec.ttl_seconds).min().unwrap_or_default();
        let expires_at = Some(work.now + Duration::from_secs(ttl));
        let (row, request) = self
            .request(work, draft, options, asking, payload.clone(), Purpose::Change, expires_at, unique_key)
            .await?;
        held.request_id = request.request_id().to_string();
        held.audit.push(row_about(work, &request, "request", asked(&request, work)));
        held.notices.push(notice(work, &request, ApprovalEvent::Requested, row.meta.version));
        held.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
        held.write.push(Write::PutBlob { digest: request.spec.payload, bytes: payload.bytes });
        held.write.push(Write::PutRecord(Box::new(row)));
        Ok(held)
    }

    /// Lets the change through at once, and opens a review that somebody must decide before the glass in this OU can be
    /// broken again.
    async fn break_glass(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: &mut Draft,
        options: &SubmitOptions,
        asking: &[&Policy],
    ) -> Result<()> {
        if work.caller.token == TokenKind::Delegated || work.caller.delegated_from_session.is_some() {
            return Err(Ineligible::Delegated.into());
        }
        for ou in &work.subject.ous {
            work.require(Permission::APPROVAL_BREAK_GLASS, *ou)?;
        }
        let Some(why) = &options.justification else {
            return Err(Conflict::JustificationRequired { policy: names_of(asking) }.into());
        };
        let ou = home(work, draft);
        let unique_key = format!("review/{ou}");
        let open = self.store.record_by_unique_key(work.org.id, &ApprovalRequest::KIND, &unique_key).await?;
        if let Some(row) = open {
            let request = ApprovalId::of(row.meta.id);
            return Err(Conflict::ReviewOpen { request, ou: work.path(ou) }.into());
        }
        let payload = Payload::of(work, mutation, draft)?;
        let (row, request) = self
            .request(work, draft, options, asking, payload.clone(), Purpose::Review, None, unique_key)
            .await?;
        let id = request.request_id();
        tracing::warn!(
            org = %work.org.id, actor = %work.caller.principal, verb = %work.subject.verb,
            resource = %work.subject.id, review = %id, "break-glass: applied without approval"
        );
        draft.change.remark("break_glass", json!({ "review": id, "policies": names_of(asking) }));
        draft.approval = Some(id);
        let loud = Change {
            after: json!({
                "verb": work.subject.verb, "resource": work.subject.id, "ou": work.path(ou), "justification": why,
                "payload_hash": request.spec.payload_hash, "policies": names_of(asking),
            }),
            ..Change::default()
        };
        draft.also.push(row_about(work, &request, "break_glass", loud));
        draft.notices.push(notice(work, &request, ApprovalEvent::BrokenGlass, row.meta.version));
        draft.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
        draft.write.push(Write::PutBlob { digest: request.spec.payload, bytes: payload.bytes });
        draft.write.push(Write::PutRecord(Box::new(row)));
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a request is made of all of these, in one place")]
    async fn request(
        &self,
        work: &Work<'_>,
        draft: &Draft,
        options: &SubmitOptions,
        asking: &[&Policy],
        payload: Payload,
        purpose: Purpose,
        expires_at: Option<Timestamp>,
        unique_key: String,
    ) -> Result<(RecordRow, Record<ApprovalRequest>)> {
        let ou = home(work, draft);
        let spec = ApprovalRequestSpec {
            purpose,
            requester: Requester::of(work.caller, work.actor()),
            excluded: work.involved().await?,
            under: options.under,
            verb: work.subject.verb.clone(),
            resource_kind: work.subject.kind.clone(),
            resource_id: payload.target,
            scope_ou: work.path(ou),
            payload_hash: payload.hash,
            payload: payload.digest,
            base: payload.base,
            before: draft.change.before.clone(),
            after: draft.change.after.clone(),
            justification: options.justification.clone(),
            requirements: asking
                .iter()
                .map(|policy| requirement(policy, touched(work, draft, policy)))
                .collect(),
            expires_at,
        };
        let row = self.request_row(work, &spec, ou, unique_key)?;
        let request = Record::read(&row)?;
        Ok((row, request))
    }

    /// The record of a new request.
    pub(crate) fn request_row(
        &self,
        work: &Work<'_>,
        spec: &ApprovalRequestSpec,
        ou: ResourceId,
        unique_key: String,
    ) -> Result<RecordRow> {
        let id = ResourceId::generate(work.now, self.entropy.as_ref());
        Ok(RecordRow {
            kind: ApprovalRequest::KIND,
            meta: Metadata {
                id,
                org: work.org.id,
                ou,
                name: ApprovalId::of(id).to_string(),
                version: 1,
                generation: 1,
                stage: Stage::Live,
                created_at: work.now,
                updated_at: work.now,
                labels: Labels::default(),
                managed: Map::new(),
            },
            spec: to_json(spec)?,
            status: Value::Null,
            unique_key,
            refs: Vec::new(),
        })
    }

    /// The caller's standing consent to confirm this themselves, if there is one and every policy takes it.
    async fn consent(&self, work: &Work<'_>, draft: &Draft, asking: &[&Policy]) -> Result<Option<RecordRow>> {
        let Principal::User(user) = work.caller.principal else { return Ok(None) };
        let who = Principal::User(user);
        let alone = |policy: &&Policy| {
            let ou = touched(work, draft, policy);
            policy.spec.allow_self
                && policy.spec.quorum == 1
                && names(&work.snapshot, &policy.spec.approvers, &who, ou, work.now)
                && work.person_may(user, Permission::APPROVAL_DECIDE, ou)
        };
        if !asking.iter().all(alone) {
            return Ok(None);
        }
        // What a narrowed token of theirs does is as little their own doing as what an agent does.
        let delegated = person(work.caller).is_err();
        for row in self.store.referrers(work.org.id, &ResourceKey::of::<User>(user)).await? {
            if row.kind != StandingConsent::KIND || !row.is_live() {
                continue;
            }
            let consent = Record::<StandingConsent>::read(&row)?;
            let everywhere = work.subject.ous.iter().all(|ou| work.snapshot.is_within(*ou, row.meta.ou));
            if consent.spec.user == user
                && everywhere
                && consent.covers(&work.subject.verb, delegated, work.now)
            {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// What is asked for, in the form that is hashed and kept.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) hash: Digest,
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    pub(crate) target: Option<String>,
    pub(crate) base: Option<Base>,
}

impl Payload {
    fn of(work: &Work<'_>, mutation: &Mutation, draft: &Draft) -> Result<Self> {
        let target = match mutation.action {
            // It has no id before it is made.
            Action::Create { .. } | Action::GrantConsent { .. } => None,
            _ => Some(work.subject.id.clone()),
        };
        let base = base(work, draft);
        let ou = home(work, draft);
        let hash = payload_hash(work, mutation, &work.path(ou), target.as_deref(), base.as_ref())?;
        let bytes = Bytes::from(crate::canonical_json::to_vec(mutation)?);
        Ok(Self { hash, digest: Digest::of(&bytes), bytes, target, base })
    }
}

/// A policy asks for approval of what a request is about, and the request did not ask it.
pub(crate) const POLICY_CHANGED: &str = "policy_changed";

/// What makes two requests the same: who asks, how they are narrowed, and what for.
pub(crate) fn unique_key(work: &Work<'_>, hash: Digest) -> Result<String> {
    let caller = work.caller;
    let session = caller.delegated_from_session.map(|session| session.to_string());
    let narrowed =
        Digest::of_json(&json!({ "session": session, "token": caller.token, "ceiling": caller.ceiling }))?;
    Ok(format!("{}/{narrowed}/{hash}", caller.principal))
}

/// What a vote on `mutation` signs (sem. 2.8, Pinning).
pub(crate) fn payload_hash(
    work: &Work<'_>,
    mutation: &Mutation,
    scope_ou: &str,
    target: Option<&str>,
    base: Option<&Base>,
) -> Result<Digest> {
    let mut payload = match to_json(mutation)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    payload.remove("v");
    payload.remove("action");
    let subject = ApprovalSubject {
        action: mutation.action.word(),
        resource_kind: work.subject.kind.as_str(),
        resource_id: target,
        scope_ou,
        payload: &Value::Object(payload),
        base_version: base.map(|base| base.version),
    };
    Ok(approval_hash(&subject)?)
}

/// The version of the target the change is made for: the one it insists on.
fn base(work: &Work<'_>, draft: &Draft) -> Option<Base> {
    draft.expect.iter().find_map(|condition| match condition {
        Precondition::RecordVersion { key, version }
            if *version > 0 && key.id.to_string() == work.subject.id =>
        {
            Some(Base { key: key.clone(), version: *version })
        }
        _ => None,
    })
}

/// What the request says in the audit trail when it is made.
pub(crate) fn asked(request: &Record<ApprovalRequest>, work: &Work<'_>) -> Change {
    let spec = &request.spec;
    let needs: Vec<Value> = spec
        .requirements
        .iter()
        .map(|need| json!({ "policy": need.name, "quorum": need.quorum, "approvers": need.approvers }))
        .collect();
    let mut change = Change {
        after: json!({
            "state": ApprovalState::Pending, "verb": spec.verb, "resource": spec.resource_id,
            "ou": work.path(request.meta.ou), "payload_hash": spec.payload_hash, "requirements": needs,
            "expires_at": spec.expires_at,
        }),
        ..Change::default()
    };
    if let Some(why) = &spec.justification {
        change.remark("justification", json!(why));
    }
    change
}

/// A policy as it is frozen in a request.
pub(crate) fn requirement(policy: &Policy, ou: ResourceId) -> Requirement {
    Requirement {
        policy: policy.id,
        name: policy.name.clone(),
        ou,
        approvers: policy.spec.approvers.clone(),
        quorum: policy.spec.quorum,
        reject_threshold: policy.spec.reject_threshold,
        allow_self: policy.spec.allow_self,
    }
}

/// One use of a consent, in the commit of what it lets through.
fn use_consent(work: &Work<'_>, row: RecordRow, draft: &mut Draft) -> Result<()> {
    let mut consent = Record::<StandingConsent>::read(&row)?;
    consent.status.used += 1;
    let mut next = row.clone();
    next.status = to_json(&consent.status)?;
    next.meta.version += 1;
    next.meta.updated_at = work.now;
    if consent.status.used >= consent.spec.uses {
        next.meta.stage = Stage::Archived;
    }
    draft.change.remark(
        "consent",
        json!({ "id": row.meta.id, "used": consent.status.used, "of": consent.spec.uses }),
    );
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(())
}

fn names_of(policies: &[&Policy]) -> String {
    policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Work<'_> {
    /// Who has a part in what the caller asks for, beside the caller: the owner of an agent that asks, and the user at the
    /// root of its session (sem. 2.8).
    pub(crate) async fn involved(&self) -> Result<Vec<Principal>> {
        let Principal::Agent(agent) = &self.caller.principal else { return Ok(Vec::new()) };
        let mut involved: Vec<Principal> = self.snapshot.owner(*agent).into_iter().collect();
        if let Some(id) = self.caller.delegated_from_session
            && let Some(session) = self.plane.store.session(self.org.id, id).await?
        {
            let root: Principal = session.on_behalf_of.parse()?;
            if !involved.contains(&root) {
                involved.push(root);
            }
        }
        Ok(involved)
    }
}

impl From<Ineligible> for Error {
    fn from(why: Ineligible) -> Self {
        Self::Ineligible(why)
    }
}

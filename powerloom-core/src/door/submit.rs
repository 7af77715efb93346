//! The way of a change: validate → authorize → idempotency → gate → commit (architecture 3).

use crate::approval::ApprovalRequest;
use crate::audit::{AuditDecision, AuditDraft, AuditHead, Change, SALT_LEN};
use crate::authz::{AuthzSnapshot, Decision, Resolution};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::caller::Caller;
use crate::door::held::Held;
use crate::door::marks::Marks;
use crate::door::mutation::{MUTATION_VERSION, Mutation};
pub use crate::door::options::SubmitOptions;
use crate::door::outcome::{Applied, Outcome};
use crate::door::pass::pass;
use crate::door::work::{AuthzEffect, Draft, Halt, Step, Subject, Work};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::plane::Plane;
use crate::record::{KindName, Record};
use crate::store::{AuditWrite, Commit, Committed, IdempotencyRow, Precondition, Refused, StoreError, Write};
use serde_json::json;
use std::sync::Arc;

impl Plane {
    /// Passes one change through the door.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        mutation: &Mutation,
        options: &SubmitOptions,
    ) -> Result<Outcome> {
        Ok(self.answer(caller, mutation, options, None).await?.outcome)
    }

    /// The same, and says whether the answer is an earlier one. A request that is sent again is known by `asked`, or, if
    /// there is none, by the whole change.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        mutation: &Mutation,
        options: &SubmitOptions,
        asked: Option<Digest>,
    ) -> Result<Answer> {
        let first = |outcome| Ok(Answer { outcome, repeated: false });
        let again = |outcome: Box<Outcome>| Ok(Answer { outcome: *outcome, repeated: true });
        if mutation.v != MUTATION_VERSION {
            return Err(Invalid::new("v", mutation.v, format!("{MUTATION_VERSION}")).into());
        }
        options.validate()?;
        let idempotency = match idempotency_key(caller, mutation, options) {
            Some(key) => {
                let digest = match (asked, options.belonging_to) {
                    (Some(asked), _) => asked,
                    (None, None) => Digest::of_json(mutation)?,
                    (None, Some(owner)) => Digest::of_json(&(mutation, owner))?,
                };
                Some((key, digest))
            }
            None => None,
        };
        for _ in 0..self.limits.attempts {
            let now = self.now();
            let mut work = self.work(caller, mutation.action.word(), now).await?;
            work.idempotency.clone_from(&idempotency);
            let answer = match pass(&mut work, mutation).await {
                Ok(draft) => match self.refuse_elsewhere(&draft, options.belonging_to) {
                    Ok(()) => self.settle(&work, mutation, draft, options).await,
                    Err(error) => Err(error.into()),
                },
                Err(halt) => Err(halt),
            };
            match answer {
                Ok(outcome) => return first(outcome),
                Err(Halt::Replay(outcome)) => return again(outcome),
                Err(Halt::Again) => {}
                Err(Halt::Outdated) => {
                    if !self.catch_up(caller.org, now).await? {
                        return Err(Conflict::Busy.into());
                    }
                }
                Err(Halt::Error(Error::Store(StoreError::Refused(refused)))) => {
                    self.retry(caller, refused)?
                }
                Err(Halt::Error(Error::Denied(decision))) => {
                    if work.org.authz_epoch != work.snapshot.epoch() {
                        // Judged by outdated data: somebody may just have been given the permission.
                        self.authz.doubt(caller.org);
                        continue;
                    }
                    let unknown =
                        matches!(decision.resolution, Resolution::UnknownPrincipal | Resolution::UnknownOu);
                    if unknown && self.catch_up(caller.org, now).await? {
                        continue;
                    }
                    self.audit_decision(&work, &decision).await?;
                    return Err(Error::Denied(decision));
                }
                Err(Halt::Error(Error::Ineligible(why))) => {
                    if work.org.authz_epoch != work.snapshot.epoch() {
                        self.authz.doubt(caller.org);
                        continue;
                    }
                    self.audit_denial(&work, json!({ "refusal": why.code() })).await?;
                    return Err(Error::Ineligible(why));
                }
                Err(Halt::Error(error)) => {
                    // What stands in the way may be what the very same request made a moment ago.
                    if work.unanswered
                        && let Err(halt) = work.replay().await
                    {
                        match halt {
                            Halt::Replay(outcome) => return again(outcome),
                            Halt::Error(error) => return Err(error),
                            Halt::Outdated | Halt::Again => {}
                        }
                    }
                    return Err(error);
                }
            }
        }
        Err(Conflict::Busy.into())
    }

    /// A pass that knows nothing yet.
    async fn work<'a>(&'a self, caller: &'a Caller, word: &str, now: Timestamp) -> Result<Work<'a>> {
        let (snapshot, policies) =
            self.authz.rules(self.store.as_ref(), caller.org, now, self.limits.authz_staleness).await?;
        Ok(Work {
            plane: self,
            caller,
            org: self.org(caller.org).await?,
            snapshot,
            policies,
            now,
            subject: Subject {
                kind: KindName::known("Unknown"),
                id: String::new(),
                verb: word.to_owned(),
                ous: Vec::new(),
            },
            idempotency: None,
            unanswered: false,
            relied_on: Vec::new(),
            marks: Marks::default(),
        })
    }

    /// What a change would come to if it were submitted now. Nothing is written, not even a denial.
    pub(crate) async fn rehearse<'a>(
        &'a self,
        caller: &'a Caller,
        mutation: &Mutation,
    ) -> Result<(Work<'a>, Draft)> {
        for _ in 0..self.limits.attempts {
            let now = self.now();
            let mut work = self.work(caller, mutation.action.word(), now).await?;
            match pass(&mut work, mutation).await {
                Ok(draft) => return Ok((work, draft)),
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::Outdated | Halt::Again | Halt::Replay(_)) => {
                    if !self.catch_up(caller.org, now).await? {
                        return Err(Conflict::Busy.into());
                    }
                }
            }
        }
        Err(Conflict::Busy.into())
    }

    /// Whether a refused commit is worth another pass. Whatever was read has changed: the next pass reads it again and
    /// says so in its own words, if it matters.
    fn retry(&self, caller: &Caller, refused: Refused) -> Result<()> {
        match refused {
            Refused::Precondition(_) | Refused::NameTaken { .. } => {
                self.authz.doubt(caller.org);
                Ok(())
            }
            Refused::Audit(invalid) => Err(invalid.into()),
            refused => Err(StoreError::Refused(refused).into()),
        }
    }

    /// As if it did not exist: where the caller says that it belongs, it does not. Asked once the change is judged, so
    /// that nobody learns from it what they may not touch, and a refusal of theirs is audited.
    fn refuse_elsewhere(&self, draft: &Draft, owner: Option<ResourceId>) -> Result<()> {
        let (Some(owner), Some(row)) = (owner, &draft.record) else { return Ok(()) };
        let first = self.kind_of(row)?.references(&row.spec)?.into_iter().next();
        if first.is_some_and(|reference| reference.target.id == owner) {
            return Ok(());
        }
        Err(Error::not_found(row.kind.as_str(), row.meta.id))
    }

    /// Asks the gate, then commits the change or what holds it.
    async fn settle(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        mut draft: Draft,
        options: &SubmitOptions,
    ) -> Step<Outcome> {
        if draft.unchanged {
            return Ok(self.unchanged(work, draft).await?);
        }
        if let Some(held) = draft.held.take() {
            return Ok(self.hold(work, *held).await?);
        }
        if let Some(parked) = draft.parked.take() {
            self.replay(work, &mut draft, *parked).await?;
        } else if !draft.ungated
            && let Some(held) = self.judge(work, mutation, &mut draft, options).await?
        {
            return Ok(self.hold(work, held).await?);
        }
        Ok(self.apply(work, draft).await?)
    }

    async fn apply(&self, work: &Work<'_>, draft: Draft) -> Result<Outcome> {
        let Draft {
            expect, write, change, record, session, created, authz, approval, also, warnings, ..
        } = draft;
        let mut commit = work.commit();
        commit.expect.extend(expect);
        commit.write = write;
        let mut row = self.audit_draft(work, AuditDecision::Allow, change);
        row.approval_request_id = approval.map(|approval| approval.to_string());
        commit.audit.extend(std::iter::once(row).chain(also).map(|draft| self.salted(draft)));
        // The number of the audit row is not known before the commit: the stored answer has that of an empty chain.
        let mut applied =
            Applied { record: record.map(Box::new), session, created, warnings, audit: AuditHead::GENESIS };
        if work.idempotency.is_some() && draft.refusal.is_none() {
            self.remember(work, &mut commit, &Outcome::Applied(applied.clone()))?;
        }
        let committed = self.store.commit(commit).await?;
        self.refresh_authz(work, &authz, &committed);
        self.reconcile_wake.notify_one();
        if let Some(session) = session {
            self.session_wake.notify_one();
            self.hub.nudge(session);
        }
        self.notices.send_all(draft.notices);
        tracing::info!(
            org = %work.org.id, actor = %work.caller.principal, verb = %work.subject.verb, resource = %work.subject.id,
            "applied"
        );
        if let Some(refusal) = draft.refusal {
            return Err(refusal.into());
        }
        applied.audit = committed.audit_head.unwrap_or(AuditHead::GENESIS);
        Ok(Outcome::Applied(applied))
    }

    /// Nothing is written but the answer, if it has a key: the same request, come late, must not change what others
    /// have made since.
    async fn unchanged(&self, work: &Work<'_>, draft: Draft) -> Result<Outcome> {
        let outcome = Outcome::Unchanged { record: draft.record.map(Box::new) };
        if work.idempotency.is_some() {
            let mut commit = work.commit();
            self.remember(work, &mut commit, &outcome)?;
            self.store.commit(commit).await?;
        }
        Ok(outcome)
    }

    async fn hold(&self, work: &Work<'_>, held: Held) -> Result<Outcome> {
        let outcome = Outcome::Pending { request_id: held.request_id };
        let mut commit = work.commit();
        commit.expect.extend(held.expect);
        commit.write = held.write;
        commit.audit = held.audit.into_iter().map(|draft| self.salted(draft)).collect();
        self.remember(work, &mut commit, &outcome)?;
        if !commit.write.is_empty() || !commit.audit.is_empty() {
            self.store.commit(commit).await?;
            self.notices.send_all(held.notices);
        }
        Ok(outcome)
    }

    /// Keeps the answer under the caller's key, in the same commit.
    fn remember(&self, work: &Work<'_>, commit: &mut Commit, outcome: &Outcome) -> Result<()> {
        let Some((key, fingerprint)) = &work.idempotency else { return Ok(()) };
        let outcome = serde_json::to_value(outcome)
            .map_err(|error| Error::Internal { message: format!("an answer cannot be written: {error}") })?;
        commit.expect.push(Precondition::IdempotencyFree(key.clone()));
        commit.write.push(Write::PutIdempotency(IdempotencyRow {
            key: key.clone(),
            fingerprint: *fingerprint,
            outcome,
            expires_at: work.now + self.limits.idempotency_ttl,
        }));
        Ok(())
    }

    /// Keeps a key for one request that comes to many changes: whoever comes with it for another is refused (sem. 2.14).
    pub(crate) async fn reserve(
        &self,
        caller: &Caller,
        word: &str,
        key: &str,
        fingerprint: Digest,
    ) -> Result<()> {
        for _ in 0..self.limits.attempts {
            if self.is_reserved(caller, word, key, fingerprint).await? {
                return Ok(());
            }
            let now = self.now();
            let key = key_of(caller, word, key);
            let mut commit = Commit::new(caller.org, now);
            commit.expect.push(Precondition::IdempotencyFree(key.clone()));
            commit.write.push(Write::PutIdempotency(IdempotencyRow {
                key: key.clone(),
                fingerprint,
                outcome: serde_json::Value::Null,
                expires_at: now + self.limits.idempotency_ttl,
            }));
            match self.store.commit(commit).await {
                Ok(_) => return Ok(()),
                // Somebody was quicker: look whether it was the same request.
                Err(StoreError::Refused(Refused::Precondition(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Conflict::Busy.into())
    }

    /// Keeps an attempt on a request by somebody who may not even read it: they came too short of the change to be judged by it.
    pub(crate) async fn audit_refused_request(
        &self,
        caller: &Caller,
        request: &Record<ApprovalRequest>,
        word: &str,
        decision: &Decision,
    ) -> Result<()> {
        let mut work = self.work(caller, word, self.now()).await?;
        work.about_request(request, word);
        self.audit_decision(&work, decision).await
    }

    async fn audit_decision(&self, work: &Work<'_>, decision: &Decision) -> Result<()> {
        let detail = serde_json::to_value(decision).unwrap_or_default();
        self.audit_denial(work, json!({ "decision": detail })).await
    }

    /// Whether a key is kept for this request that comes to many changes. Nothing is written.
    pub(crate) async fn is_reserved(
        &self,
        caller: &Caller,
        word: &str,
        key: &str,
        fingerprint: Digest,
    ) -> Result<bool> {
        let key = key_of(caller, word, key);
        match self.store.idempotency(caller.org, &key, self.now()).await? {
            Some(kept) if kept.fingerprint == fingerprint => Ok(true),
            Some(_) => Err(Conflict::IdempotencyMismatch.into()),
            None => Ok(false),
        }
    }

    /// Refused attempts are on the chain too (sem. 2.9).
    async fn audit_denial(&self, work: &Work<'_>, detail: serde_json::Value) -> Result<()> {
        let mut commit = Commit::new(work.org.id, work.now);
        let change = Change { detail: Some(detail), ..Change::default() };
        commit.audit.push(self.salted(self.audit_draft(work, AuditDecision::Deny, change)));
        self.store.commit(commit).await?;
        tracing::warn!(
            org = %work.org.id, actor = %work.caller.principal, verb = %work.subject.verb, resource = %work.subject.id,
            "denied"
        );
        Ok(())
    }

    /// What the chain says of what the pass is about.
    pub(crate) fn audit_draft(&self, work: &Work<'_>, decision: AuditDecision, change: Change) -> AuditDraft {
        AuditDraft {
            ts: work.now,
            actor: work.actor(),
            verb: work.subject.verb.clone(),
            resource_kind: work.subject.kind.to_string(),
            resource_id: work.subject.id.clone(),
            decision,
            delegated_from_session: work.caller.delegated_from_session.map(|session| session.to_string()),
            approval_request_id: None,
            change: change.touching(&work.subject.ous),
        }
    }

    pub(crate) fn salted(&self, draft: AuditDraft) -> AuditWrite {
        AuditWrite { draft, salt: self.salt() }
    }

    pub(crate) fn salt(&self) -> Option<[u8; SALT_LEN]> {
        self.salted.then(|| {
            let mut salt = [0; SALT_LEN];
            self.entropy.fill(&mut salt);
            salt
        })
    }

    /// Takes a changed binding into the snapshot in memory: the next check sees it, and nothing is compiled anew.
    fn refresh_authz(&self, work: &Work<'_>, effect: &AuthzEffect, committed: &Committed) {
        let epoch = committed.authz_epoch;
        let next = match effect {
            AuthzEffect::None => return,
            AuthzEffect::Bound(binding) => work.snapshot.with_binding(epoch, binding),
            AuthzEffect::Unbound(id) => work.snapshot.without_binding(epoch, *id),
            AuthzEffect::Grown => return self.authz.grew(work.org.id),
            AuthzEffect::Other => return self.authz.doubt(work.org.id),
        };
        match next {
            Ok(snapshot) if epoch == work.snapshot.epoch() + 1 => {
                self.authz.derived(work.org.id, Arc::<AuthzSnapshot>::new(snapshot), work.now);
            }
            _ => self.authz.doubt(work.org.id),
        }
    }
}

/// What a change was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// It is the answer the same request, with the same key, was given before.
    pub(crate) repeated: bool,
}

/// The caller's key, in the name of principal and operation: under it the answer is kept.
pub(crate) fn idempotency_key(
    caller: &Caller,
    mutation: &Mutation,
    options: &SubmitOptions,
) -> Option<String> {
    let key = options.idempotency_key.as_ref()?;
    Some(key_of(caller, mutation.action.word(), key))
}

/// A key in the name of principal and operation.
fn key_of(caller: &Caller, word: &str, key: &str) -> String {
    format!("{} {word} {key}", caller.principal)
}

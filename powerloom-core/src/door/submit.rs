//! The way of a change: validate → authorize → idempotency → gate → commit (architecture 3).

use crate::audit::{AuditDecision, AuditDraft, AuditHead, Change, SALT_LEN};
use crate::authz::{AuthzSnapshot, Resolution};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::action::api_token::{NewToken, create_api_token, revoke_api_token};
use crate::door::action::archive::archive;
use crate::door::action::attach::{Attachment, attach};
use crate::door::action::create::create;
use crate::door::action::credential::rotate;
use crate::door::action::erase::erase;
use crate::door::action::invoke::{Invocation, cancel, invoke};
use crate::door::action::move_ou::move_ou;
use crate::door::action::publish::publish;
use crate::door::action::reset::reset;
use crate::door::action::rewrap::rewrap;
use crate::door::action::update::update;
use crate::door::caller::Caller;
use crate::door::gate::{Hold, Proposal, Verdict};
use crate::door::mutation::{Action, MUTATION_VERSION, Mutation};
use crate::door::outcome::{Applied, Outcome};
use crate::door::work::{AuthzEffect, Draft, Halt, Step, Subject, Work};
use crate::error::{Conflict, Error, Result};
use crate::invalid::{Invalid, is_plain};
use crate::plane::Plane;
use crate::record::KindName;
use crate::resource::agent::SkillPin;
use crate::store::{AuditWrite, Commit, Committed, IdempotencyRow, Precondition, Refused, StoreError, Write};
use serde_json::json;
use std::sync::Arc;

/// How a change is submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// The same key with the same change is answered once (sem. 2.14): 1 to 255 visible ASCII characters.
    pub idempotency_key: Option<String>,
    /// Why, in the caller's own words: 1 to 2000 characters, no control characters but tabs and line breaks.
    pub justification: Option<String>,
}

impl SubmitOptions {
    /// Answers the same key with the same change once.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Says why.
    #[must_use]
    pub fn justification(mut self, why: impl Into<String>) -> Self {
        self.justification = Some(why.into());
        self
    }

    fn validate(&self) -> Result<()> {
        if let Some(key) = &self.idempotency_key
            && (key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Invalid::new("idempotency_key", key, "1 to 255 visible ASCII characters").into());
        }
        if let Some(why) = &self.justification {
            let length = why.chars().count();
            if why.trim().is_empty() || length > MAX_JUSTIFICATION || !is_plain(why) {
                let allowed = format!("1 to {MAX_JUSTIFICATION} characters, none of them for control");
                return Err(Invalid::new("justification", format!("{length} characters"), allowed).into());
            }
        }
        Ok(())
    }
}

/// Longest justification, in characters.
const MAX_JUSTIFICATION: usize = 2000;

impl Plane {
    /// Passes one change through the door.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        mutation: &Mutation,
        options: &SubmitOptions,
    ) -> Result<Outcome> {
        if mutation.v != MUTATION_VERSION {
            return Err(Invalid::new("v", mutation.v, format!("{MUTATION_VERSION}")).into());
        }
        options.validate()?;
        let idempotency = idempotency(caller, mutation, options)?;
        for _ in 0..self.limits.attempts {
            let now = self.now();
            let mut work = self.work(caller, mutation, now).await?;
            work.idempotency.clone_from(&idempotency);
            match pass(&mut work, &mutation.action).await {
                Err(Halt::Replay(outcome)) => return Ok(*outcome),
                Err(Halt::Outdated) => {
                    if !self.catch_up(caller.org, now).await? {
                        return Err(Conflict::Busy.into());
                    }
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
                    let detail = serde_json::to_value(&decision).unwrap_or_default();
                    self.audit_denial(&work, detail).await?;
                    return Err(Error::Denied(decision));
                }
                Err(Halt::Error(error)) => {
                    // What stands in the way may be what the very same request made a moment ago.
                    if work.unanswered
                        && let Err(halt) = work.replay().await
                    {
                        match halt {
                            Halt::Replay(outcome) => return Ok(*outcome),
                            Halt::Error(error) => return Err(error),
                            Halt::Outdated => {}
                        }
                    }
                    return Err(error);
                }
                Ok(draft) => match self.settle(&work, mutation, draft, options).await {
                    Err(Error::Store(StoreError::Refused(refused))) => self.retry(caller, refused)?,
                    answer => return answer,
                },
            }
        }
        Err(Conflict::Busy.into())
    }

    /// A pass that knows nothing yet.
    async fn work<'a>(&'a self, caller: &'a Caller, mutation: &Mutation, now: Timestamp) -> Result<Work<'a>> {
        Ok(Work {
            plane: self,
            caller,
            org: self.org(caller.org).await?,
            snapshot: self
                .authz
                .get(self.store.as_ref(), caller.org, now, self.limits.authz_staleness)
                .await?,
            now,
            subject: Subject {
                kind: KindName::known("Unknown"),
                id: String::new(),
                verb: mutation.action.word().to_owned(),
                ous: Vec::new(),
            },
            idempotency: None,
            unanswered: false,
            relied_on: Vec::new(),
        })
    }

    /// What a change would come to if it were submitted now. Nothing is written, not even a denial.
    #[allow(dead_code, reason = "plans and what-if questions are built on it")]
    pub(crate) async fn rehearse<'a>(
        &'a self,
        caller: &'a Caller,
        mutation: &Mutation,
    ) -> Result<(Work<'a>, Draft)> {
        for _ in 0..self.limits.attempts {
            let now = self.now();
            let mut work = self.work(caller, mutation, now).await?;
            match pass(&mut work, &mutation.action).await {
                Ok(draft) => return Ok((work, draft)),
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::Outdated | Halt::Replay(_)) => {
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

    /// Asks the gate, then commits the change or what holds it.
    async fn settle(
        &self,
        work: &Work<'_>,
        mutation: &Mutation,
        draft: Draft,
        options: &SubmitOptions,
    ) -> Result<Outcome> {
        if draft.unchanged {
            return self.unchanged(work, draft).await;
        }
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
        match self.gate.judge(&proposal).await? {
            Verdict::Open => self.apply(work, draft).await,
            Verdict::Hold(hold) => self.hold(work, hold).await,
        }
    }

    async fn apply(&self, work: &Work<'_>, draft: Draft) -> Result<Outcome> {
        let Draft { expect, write, change, record, session, authz, unchanged: _ } = draft;
        let mut commit = work.commit();
        commit.expect.extend(expect);
        commit.write = write;
        commit.audit.push(self.audit_write(work, AuditDecision::Allow, change));
        // The number of the audit row is not known before the commit: the stored answer has that of an empty chain.
        let mut applied = Applied { record: record.map(Box::new), session, audit: AuditHead::GENESIS };
        if work.idempotency.is_some() {
            self.remember(work, &mut commit, &Outcome::Applied(applied.clone()))?;
        }
        let committed = self.store.commit(commit).await?;
        self.refresh_authz(work, &authz, &committed);
        self.reconcile_wake.notify_one();
        if let Some(session) = session {
            self.session_wake.notify_one();
            self.hub.nudge(session);
        }
        tracing::info!(
            org = %work.org.id, actor = %work.caller.principal, verb = %work.subject.verb, resource = %work.subject.id,
            "applied"
        );
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

    async fn hold(&self, work: &Work<'_>, hold: Hold) -> Result<Outcome> {
        let mut commit = work.commit();
        commit.write = hold.write;
        commit.audit = hold.audit.into_iter().map(|draft| AuditWrite { draft, salt: self.salt() }).collect();
        let outcome = Outcome::Pending { request_id: hold.request_id };
        self.remember(work, &mut commit, &outcome)?;
        self.store.commit(commit).await?;
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

    /// Refused attempts are on the chain too (sem. 2.9).
    async fn audit_denial(&self, work: &Work<'_>, decision: serde_json::Value) -> Result<()> {
        let mut commit = Commit::new(work.org.id, work.now);
        let change = Change { detail: Some(json!({ "decision": decision })), ..Change::default() };
        commit.audit.push(self.audit_write(work, AuditDecision::Deny, change));
        self.store.commit(commit).await?;
        tracing::warn!(
            org = %work.org.id, actor = %work.caller.principal, verb = %work.subject.verb, resource = %work.subject.id,
            "denied"
        );
        Ok(())
    }

    fn audit_write(&self, work: &Work<'_>, decision: AuditDecision, change: Change) -> AuditWrite {
        let draft = AuditDraft {
            ts: work.now,
            actor: work.actor(),
            verb: work.subject.verb.clone(),
            resource_kind: work.subject.kind.to_string(),
            resource_id: work.subject.id.clone(),
            decision,
            delegated_from_session: work.caller.delegated_from_session.map(|session| session.to_string()),
            approval_request_id: None,
            change: change.touching(&work.subject.ous),
        };
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

/// One pass: what the action checks and would write.
async fn pass(work: &mut Work<'_>, action: &Action) -> Step<Draft> {
    match action {
        Action::Create { kind, ou, name, spec } => create(work, kind, *ou, name.as_deref(), spec).await,
        Action::Update { target, expect, patch } => update(work, target, *expect, patch).await,
        Action::Archive { target, expect } => archive(work, target, *expect).await,
        Action::AttachSkill { agent, skill, version } => {
            let pin = version.map_or(SkillPin::Current, SkillPin::Pinned);
            attach(work, *agent, Attachment::Skill(*skill, pin)).await
        }
        Action::DetachSkill { agent, skill } => attach(work, *agent, Attachment::NoSkill(*skill)).await,
        Action::AttachMcpServer { agent, mcp_server } => {
            attach(work, *agent, Attachment::McpServer(*mcp_server)).await
        }
        Action::DetachMcpServer { agent, mcp_server } => {
            attach(work, *agent, Attachment::NoMcpServer(*mcp_server)).await
        }
        Action::PublishSkillVersion { skill, files } => publish(work, *skill, files).await,
        Action::MoveOu { ou, to } => move_ou(work, *ou, *to).await,
        Action::RotateCredential { credential } => rotate(work, *credential).await,
        Action::RewrapSecrets {} => rewrap(work).await,
        Action::ResetSync { target } => reset(work, target).await,
        Action::Invoke { agent, prompt, mode, title, timeout_seconds } => {
            let asked = Invocation {
                agent: *agent,
                prompt,
                mode: *mode,
                title: title.as_deref(),
                timeout_seconds: *timeout_seconds,
            };
            invoke(work, asked).await
        }
        Action::CancelSession { session } => cancel(work, *session).await,
        Action::CreateApiToken { token, principal, name, scopes, expires_at, digest } => {
            let (token, expires_at, digest) = (*token, *expires_at, *digest);
            create_api_token(work, NewToken { token, principal, name, scopes, expires_at, digest }).await
        }
        Action::RevokeApiToken { token } => revoke_api_token(work, *token).await,
        Action::EraseAuditPayload { seq } => erase(work, *seq).await,
    }
}

/// The caller's key, in the name of principal and operation, and the fingerprint of the change.
fn idempotency(
    caller: &Caller,
    mutation: &Mutation,
    options: &SubmitOptions,
) -> Result<Option<(String, Digest)>> {
    let Some(key) = &options.idempotency_key else { return Ok(None) };
    let scoped = format!("{} {} {key}", caller.principal, mutation.action.word());
    Ok(Some((scoped, Digest::of_json(mutation)?)))
}

//! One pass of one mutation through the door: what it has been allowed so far, and what it will write.

use crate::approval::notifier::ApprovalNotice;
use crate::approval::{ApprovalId, ApprovalRequest, PolicySet};
use crate::audit::{AuditDraft, Change};
use crate::authz::{AuthzSnapshot, BindingData, Decision};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::door::held::Held;
use crate::door::marks::Marks;
use crate::door::outcome::Outcome;
use crate::error::{Conflict, Error, Result};
use crate::id::{ResourceId, SessionId};
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::plane::Plane;
use crate::principal::Principal;
use crate::record::{KindName, Record, RecordRow, ResourceKey, Schema};
use crate::resource::kind::{Kind, Reference};
use crate::resource::ou::Ou;
use crate::resource::skill::Skill;
use crate::resource::skill_grant::SkillAccessGrant;
use crate::store::{Commit, OrgRow, Precondition, StoreError, Write};
use serde_json::Value;
use std::sync::Arc;

/// Why a pass ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It failed.
    Error(Error),
    /// The same request was answered before.
    Replay(Box<Outcome>),
    /// The snapshot does not know something that exists: load it anew and pass again.
    Outdated,
    /// It was judged by data that have changed since: pass again.
    Again,
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// The answer of a step of a pass.
pub(crate) type Step<T> = std::result::Result<T, Halt>;

/// What the change does to authorization.
#[derive(Debug)]
pub(crate) enum AuthzEffect {
    /// Nothing.
    None,
    /// One binding more: O(1).
    Bound(BindingData),
    /// One binding less: O(1).
    Unbound(ResourceId),
    /// Somebody or somewhere more: nothing is decided differently about others.
    Grown,
    /// Something else: load anew.
    Other,
}

/// What a pass comes to, if nothing stands in the way.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) expect: Vec<Precondition>,
    pub(crate) write: Vec<Write>,
    pub(crate) change: Change,
    /// What it is about, as it will be.
    pub(crate) record: Option<RecordRow>,
    /// The whole spec as it was, for conditions.
    pub(crate) prior: Option<Value>,
    pub(crate) session: Option<SessionId>,
    pub(crate) authz: AuthzEffect,
    /// Nothing has to be done.
    pub(crate) unchanged: bool,
    /// It makes something that was not there.
    pub(crate) created: bool,
    /// The approval request it is about, or under which it is made.
    pub(crate) approval: Option<ApprovalId>,
    /// More rows of the audit chain, after the one about the change itself.
    pub(crate) also: Vec<AuditDraft>,
    /// What the caller should know though nothing stands in the way.
    pub(crate) warnings: Vec<String>,
    /// What people are told once it has happened.
    pub(crate) notices: Vec<ApprovalNotice>,
    /// No gate is asked: it decides about gates.
    pub(crate) ungated: bool,
    /// A change that this one approves: it is made in the same commit.
    pub(crate) parked: Option<Box<Parked>>,
    /// It only asks for something: this is committed in its place.
    pub(crate) held: Option<Box<Held>>,
    /// It is written, and yet what was asked for is refused.
    pub(crate) refusal: Option<Conflict>,
}

/// A change that was approved and has still to be judged and made.
#[derive(Debug)]
pub(crate) struct Parked {
    /// The request as it was read.
    pub(crate) row: RecordRow,
    /// The same, with the vote that decided.
    pub(crate) request: Record<ApprovalRequest>,
}

impl Draft {
    pub(crate) fn new(record: Option<RecordRow>, change: Change) -> Self {
        Self {
            expect: Vec::new(),
            write: Vec::new(),
            change,
            record,
            prior: None,
            session: None,
            authz: AuthzEffect::None,
            unchanged: false,
            created: false,
            approval: None,
            also: Vec::new(),
            warnings: Vec::new(),
            notices: Vec::new(),
            ungated: false,
            parked: None,
            held: None,
            refusal: None,
        }
    }

    pub(crate) fn unchanged(record: RecordRow) -> Self {
        Self { unchanged: true, ..Self::new(Some(record), Change::default()) }
    }
}

/// What the audit row says the pass is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) kind: KindName,
    pub(crate) id: String,
    pub(crate) verb: String,
    /// The OUs it touches.
    pub(crate) ous: Vec<ResourceId>,
}

/// What a pass knows.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) plane: &'a Plane,
    pub(crate) caller: &'a Caller,
    pub(crate) org: OrgRow,
    pub(crate) snapshot: Arc<AuthzSnapshot>,
    /// The approval policies of the same epoch.
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) now: Timestamp,
    pub(crate) subject: Subject,
    /// Key and fingerprint, if the caller gave a key.
    pub(crate) idempotency: Option<(String, Digest)>,
    /// The pass is authorized, and at that moment no earlier answer was kept under the key.
    pub(crate) unanswered: bool,
    /// Grants the pass was allowed by; they must still be there when it commits.
    pub(crate) relied_on: Vec<ResourceKey>,
    /// What the change says beside the spec.
    pub(crate) marks: Marks,
}

impl<'a> Work<'a> {
    /// A pass of the same caller that knows nothing yet, by the same data.
    pub(crate) fn beside(&self) -> Work<'a> {
        self.beside_as(self.caller)
    }

    /// The same for another caller.
    pub(crate) fn beside_as<'c>(&self, caller: &'c Caller) -> Work<'c>
    where
        'a: 'c,
    {
        Work {
            plane: self.plane,
            caller,
            org: self.org.clone(),
            snapshot: self.snapshot.clone(),
            policies: self.policies.clone(),
            now: self.now,
            subject: self.subject.clone(),
            idempotency: None,
            unanswered: false,
            relied_on: Vec::new(),
            marks: Marks::default(),
        }
    }
}

impl Work<'_> {
    /// Says what the pass is about: `agent.create` of kind `Agent`.
    pub(crate) fn about(&mut self, kind: &KindName, id: impl ToString, word: &str, ou: ResourceId) {
        self.subject = Subject {
            kind: kind.clone(),
            id: id.to_string(),
            verb: format!("{}.{word}", snake_case(kind.as_str())),
            ous: vec![ou],
        };
    }

    /// Says that the pass is about an approval request: `approval.vote`.
    pub(crate) fn about_request(&mut self, request: &Record<ApprovalRequest>, word: &str) {
        self.subject = Subject {
            kind: ApprovalRequest::KIND,
            id: request.request_id().to_string(),
            verb: format!("approval.{word}"),
            ous: vec![request.meta.ou],
        };
    }

    /// The caller in the written form, as the audit trail names it.
    pub(crate) fn actor(&self) -> String {
        self.written(&self.caller.principal)
    }

    /// A principal in the written form.
    pub(crate) fn written(&self, principal: &Principal) -> String {
        self.snapshot.written(principal).map_or_else(|| principal.to_string(), ToString::to_string)
    }

    pub(crate) fn decide(&self, permission: Permission, ou: ResourceId) -> Decision {
        let request = AccessRequest { caller: self.caller, permission, ou, at: self.now };
        self.plane.decide(&self.snapshot, &request)
    }

    /// Whether a person, calling themselves, holds `permission` at `ou`.
    pub(crate) fn person_may(&self, user: ResourceId, permission: Permission, ou: ResourceId) -> bool {
        let caller = Caller::user(self.org.id, user);
        let request = AccessRequest { caller: &caller, permission, ou, at: self.now };
        self.plane.decide(&self.snapshot, &request).is_allowed()
    }

    pub(crate) fn may(&self, permission: Permission, ou: ResourceId) -> bool {
        self.decide(permission, ou).is_allowed()
    }

    /// Ends the pass unless the caller holds `permission` at `ou`.
    pub(crate) fn require(&self, permission: Permission, ou: ResourceId) -> Result<()> {
        let decision = self.decide(permission, ou);
        if decision.is_allowed() { Ok(()) } else { Err(Error::Denied(Box::new(decision))) }
    }

    /// Ends the pass unless the caller may make each of these references (sem. 2.2.9).
    pub(crate) async fn require_use(&mut self, references: &[Reference], rows: &[RecordRow]) -> Result<()> {
        for reference in references {
            let Some(permission) = reference.needs else { continue };
            let row = find(rows, reference)?;
            if !self.may(permission, row.meta.ou) {
                match self.grant(permission, row).await? {
                    Some(grant) => self.relied_on.push(grant),
                    None => self.require(permission, row.meta.ou)?,
                }
            }
            self.subject.ous.push(row.meta.ou);
        }
        Ok(())
    }

    /// The skill access grant that covers the caller, if there is one.
    async fn grant(&self, permission: Permission, skill: &RecordRow) -> Result<Option<ResourceKey>> {
        let beyond = !self.caller.reach().contains(permission);
        if permission != Permission::SKILL_USE || skill.kind != Skill::KIND || beyond {
            return Ok(None);
        }
        for row in self.plane.store.referrers(self.org.id, &skill.key()).await? {
            if row.kind == SkillAccessGrant::KIND {
                let grant = Record::<SkillAccessGrant>::read(&row)?.spec;
                if grant.skill == skill.meta.id
                    && self.snapshot.covers(&self.caller.principal, &grant.principal)
                {
                    return Ok(Some(row.key()));
                }
            }
        }
        Ok(None)
    }

    /// Ends the pass with the earlier answer, if this very request was answered before (sem. 2.14).
    ///
    /// Called once everything is authorized and before the state is judged: a repeated create must not stumble over
    /// what the first one made.
    pub(crate) async fn replay(&mut self) -> Step<()> {
        let Some((key, fingerprint)) = &self.idempotency else { return Ok(()) };
        match self.plane.store.idempotency(self.org.id, key, self.now).await? {
            None => {
                self.unanswered = true;
                Ok(())
            }
            Some(row) if row.fingerprint != *fingerprint => Err(Conflict::IdempotencyMismatch.into()),
            Some(row) => match serde_json::from_value(row.outcome) {
                Ok(outcome) => Err(Halt::Replay(Box::new(outcome))),
                Err(source) => {
                    let message = "a stored answer has no known shape".to_owned();
                    Err(StoreError::Corrupt { message, source: Some(Box::new(source)) }.into())
                }
            },
        }
    }

    /// The record, archived or not.
    pub(crate) async fn row(&self, key: &ResourceKey) -> Result<RecordRow> {
        self.plane.row(self.org.id, key).await
    }

    /// The row and the typed record, archived or not.
    pub(crate) async fn record<K: Schema>(&self, id: ResourceId) -> Result<(RecordRow, Record<K>)> {
        let row = self.row(&ResourceKey::of::<K>(id)).await?;
        let record = Record::read(&row)?;
        Ok((row, record))
    }

    /// The rows of what is referred to, each of which must exist.
    pub(crate) async fn referred(&self, references: &[Reference]) -> Result<Vec<RecordRow>> {
        let keys: Vec<ResourceKey> = references.iter().map(|reference| reference.target.clone()).collect();
        let rows = self.plane.store.records(self.org.id, &keys).await?;
        references.iter().try_for_each(|reference| find(&rows, reference).map(|_| ()))?;
        Ok(rows)
    }

    /// Where permissions on a record are judged: its governing OU, or, for an OU, the OU itself.
    pub(crate) fn judged_at(row: &RecordRow) -> ResourceId {
        if row.kind == Ou::KIND { row.meta.id } else { row.meta.ou }
    }

    /// The path of an OU, for people.
    pub(crate) fn path(&self, ou: ResourceId) -> String {
        self.snapshot.ou_path(ou).map_or_else(|| ou.to_string(), |path| path.to_string())
    }

    pub(crate) fn kind_of(&self, row: &RecordRow) -> Result<&Arc<dyn Kind>> {
        self.plane.kind_of(row)
    }

    /// A commit that still does nothing. None happens under an authorization that was withdrawn meanwhile.
    pub(crate) fn commit(&self) -> Commit {
        let mut commit = Commit::new(self.org.id, self.now);
        commit.expect.push(Precondition::AuthzEpoch(self.snapshot.epoch()));
        commit.expect.extend(self.relied_on.iter().cloned().map(Precondition::Live));
        commit
    }
}

/// Refuses what is archived or about to be. Called once everything is authorized: the answer names the row.
pub(crate) fn refuse_archived(row: &RecordRow) -> Result<()> {
    if row.is_live() {
        return Ok(());
    }
    Err(Conflict::Archived { what: row.kind.to_string(), name: row.meta.name.clone() }.into())
}

/// Refuses a row that has another version than the caller expects. Called once everything is authorized, as well.
pub(crate) fn refuse_other_version(row: &RecordRow, expect: Option<u64>) -> Result<()> {
    match expect.filter(|expected| *expected != row.meta.version) {
        None => Ok(()),
        Some(expected) => Err(Error::VersionMismatch { key: row.key(), expected, found: row.meta.version }),
    }
}

/// Refuses a kind that only actions of its own change.
pub(crate) fn refuse_own_actions(kind: &Arc<dyn Kind>) -> Result<()> {
    if kind.own_actions() {
        let allowed = "a kind that is changed by `update` and `archive`: this one has actions of its own";
        return Err(Invalid::new("target.kind", kind.name(), allowed).into());
    }
    Ok(())
}

/// The row a reference is about.
pub(crate) fn find<'r>(rows: &'r [RecordRow], reference: &Reference) -> Result<&'r RecordRow> {
    rows.iter()
        .find(|row| row.meta.id == reference.target.id && row.kind == reference.target.kind)
        .ok_or_else(|| {
            Error::not_found(
                format!("{} of `{}`", reference.target.kind, reference.field),
                reference.target.id,
            )
        })
}

/// `MCPServerRegistration` → `mcp_server_registration`, `OU` → `ou`.
pub(crate) fn snake_case(kind: &str) -> String {
    let letters: Vec<char> = kind.chars().collect();
    let mut out = String::with_capacity(kind.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && letters.get(index - 1).is_some_and(|c| !c.is_ascii_uppercase());
        let before_lower = index > 0 && letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (after_lower || before_lower) {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_verb_names_the_kind_in_snake_case() {
        for (kind, word) in [
            ("Agent", "agent"),
            ("OU", "ou"),
            ("RoleBinding", "role_binding"),
            ("MCPServerRegistration", "mcp_server_registration"),
            ("MCPDeployment", "mcp_deployment"),
        ] {
            assert_eq!(super::snake_case(kind), word);
        }
    }
}

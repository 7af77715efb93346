//! How it was: the authorization at a position of the audit chain, reconstructed from it.

use crate::answers::undo::{DECIDING, Past, matters};
use crate::answers::{About, Answers};
use crate::audit::{AuditEntry, AuditHead, AuditQuery, Verifier};
use crate::authz::{AuthzSnapshot, Decision};
use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::record::{RecordRow, ResourceKey, Schema};
use crate::resource::role_binding::RoleBinding;
use crate::store::{MAX_PAGE, RecordCursor, RecordQuery, StoreError};
use serde::Serialize;

/// Most changes of authorization that are undone for one answer.
const MAX_UNDONE: usize = 100_000;

/// The authorization right after an audit entry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AsOf {
    /// The entry.
    pub seq: u64,
    /// When the door decided it: the moment by which expiries are judged.
    pub at: Timestamp,
    /// Who might what. Its epoch means nothing.
    pub snapshot: AuthzSnapshot,
}

impl AsOf {
    /// Decides as it would have been decided then.
    #[must_use]
    pub fn decide(&self, principal: &Principal, permission: Permission, ou: ResourceId) -> Decision {
        self.snapshot.decide(principal, permission, ou, self.at)
    }
}

/// A decision of the past, and who had given what it rested on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Judged {
    /// The audit entry after which it would have been made.
    pub seq: u64,
    /// When that was.
    pub at: Timestamp,
    /// The decision.
    pub decision: Decision,
    /// Who made its bindings, in the order of the decision.
    pub given_by: Vec<GivenBy>,
}

/// Who made a binding, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct GivenBy {
    /// The binding.
    pub binding: ResourceId,
    /// The audit entry that says so.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who is answerable.
    pub actor: String,
    /// The session whose token was used, if any.
    #[cfg_attr(feature = "schema", schema(required))]
    pub delegated_from_session: Option<String>,
    /// The approval under which it was made, if any.
    #[cfg_attr(feature = "schema", schema(required))]
    pub approval_request_id: Option<String>,
}

/// The part of the chain that was read and verified, and the records at its end.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) past: Past,
    /// The entry at which it begins.
    pub(super) first: AuditEntry,
    /// The entries after the first that may have changed what anybody may do, oldest first.
    pub(super) since: Vec<AuditEntry>,
}

impl Answers<'_> {
    /// Reconstructs the authorization as it was right after audit entry `seq`.
    ///
    /// It takes the records as they are and undoes, in the mind, every change of authorization since, newest first, by
    /// what the chain says of each. The part of the chain it reads is verified first, up to its head; the records must
    /// be what the chain says they became. So it is exact, or an error. What happened before entry `seq` may be erased.
    ///
    /// It reads all entries since, and refuses where more than 100 000 changes of authorization lie between. Sem. 2.9.
    ///
    /// # Errors
    /// [`Error::Denied`] without `audit:read` and `binding:read` at the root; [`Error::NotFound`] for an entry that does
    /// not exist; `history_lost`, naming the newest entry in the way, if details that matter were erased; a damaged
    /// store if the chain is broken or the records contradict it; `busy` if authorization keeps changing meanwhile.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::mutation::Action;
    /// use powerloom_core::permission::Permission;
    /// use powerloom_core::principal::PrincipalRef;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let before = loom.store().audit_head(acme.id).await?.seq;
    /// let spec = serde_json::json!({ "principal": "service:ci", "role": "AgentOperator" });
    /// let spec = spec.as_object().cloned().unwrap_or_default();
    /// let bind = Action::Create { kind: "RoleBinding".parse()?, ou: Some(acme.root_ou), name: None, spec };
    /// loom.submit(&admin, bind).await?;
    ///
    /// let ci: PrincipalRef = "service:ci".parse()?;
    /// let answers = loom.answers(&admin);
    /// let then = answers.decide_as_of(before, &ci, Permission::AGENT_INVOKE, acme.root_ou).await?;
    /// assert!(!then.decision.is_allowed());
    /// let now = answers.decide_as_of(before + 1, &ci, Permission::AGENT_INVOKE, acme.root_ou).await?;
    /// assert!(now.decision.is_allowed());
    /// assert_eq!(now.given_by[0].actor, "user:admin@acme.com");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn as_of(&self, seq: u64) -> Result<AsOf> {
        let read = self.read_since(seq).await?;
        let mut past = read.past;
        for entry in read.since.iter().rev() {
            past.undo(&self.cp.plane.catalogue, entry)?;
        }
        let snapshot = past.compile(self.caller.org)?;
        Ok(AsOf { seq, at: read.first.row.ts, snapshot })
    }

    /// Decides as it would have been decided right after audit entry `seq`, and tells who had given what it rests on.
    /// The principal is called what it was called then.
    ///
    /// # Errors
    /// As [`as_of`](Self::as_of).
    pub async fn decide_as_of(
        &self,
        seq: u64,
        who: impl Into<About<'_>>,
        permission: Permission,
        ou: ResourceId,
    ) -> Result<Judged> {
        let who = who.into();
        let past = self.as_of(seq).await?;
        let who = who.resolve(self.caller, &past.snapshot).ok_or_else(|| who.unknown(self.caller))?;
        let decision = past.decide(&who, permission, ou);
        let mut given_by = Vec::new();
        for binding in decision.bindings.iter().filter_map(|binding| binding.binding) {
            given_by.extend(self.given_by(binding, seq).await?);
        }
        Ok(Judged { seq, at: past.at, decision, given_by })
    }

    /// Who made a binding. The entry is believed because the chain from it to `until` is whole.
    async fn given_by(&self, binding: ResourceId, until: u64) -> Result<Option<GivenBy>> {
        let (plane, org) = (&self.cp.plane, self.caller.org);
        let query = AuditQuery {
            verb: Some("role_binding.create".to_owned()),
            resource_kind: Some(RoleBinding::KIND.to_string()),
            resource_id: Some(binding.to_string()),
            decision: Some(crate::audit::AuditDecision::Allow),
            to_seq: Some(until),
            limit: 1,
            ..AuditQuery::default()
        };
        let mut found = plane.store.audit_query(org, &query).await?.into_iter().next();
        if found.is_none() {
            // The first binding of all is made with the organization.
            let first = plane.store.audit_rows(org, 0, 1).await?.into_iter().next();
            let key = ResourceKey::of::<RoleBinding>(binding).to_string();
            let made = |entry: &AuditEntry| {
                let change = entry.change()?;
                let made = change.get("detail")?.get("also_created")?.as_array()?;
                made.iter().any(|other| other.as_str() == Some(&key)).then_some(())
            };
            found = first.filter(|entry| made(entry).is_some());
        }
        let Some(entry) = found else { return Ok(None) };
        self.verify(entry.row.seq, until, |_| Ok(())).await?;
        Ok(Some(GivenBy {
            binding,
            seq: entry.row.seq,
            at: entry.row.ts,
            actor: entry.row.actor,
            delegated_from_session: entry.row.delegated_from_session,
            approval_request_id: entry.row.approval_request_id,
        }))
    }

    /// Reads the records that decide and the entries since `seq`, verified, so that the ones fit the others.
    pub(super) async fn read_since(&self, seq: u64) -> Result<Read> {
        let (plane, org) = (&self.cp.plane, self.caller.org);
        let root = plane.org(org).await?.root_ou;
        for permission in [Permission::AUDIT_READ, Permission::BINDING_READ] {
            self.cp.require(self.caller, permission, root).await?;
        }
        for _ in 0..plane.limits.attempts {
            let head = plane.store.audit_head(org).await?;
            if seq == 0 || seq > head.seq {
                return Err(Error::not_found("audit entry", seq));
            }
            let past = Past::new(self.deciding_rows().await?);
            let (mut first, mut since) = (None, Vec::new());
            let trusted = self
                .verify(seq, head.seq, |entry| {
                    if entry.row.seq == seq {
                        first = Some(entry);
                    } else if matters(&entry) {
                        since.push(entry);
                    }
                    if since.len() > MAX_UNDONE {
                        let allowed =
                            format!("an entry with at most {MAX_UNDONE} changes of authorization since");
                        return Err(Invalid::new("seq", seq, allowed).into());
                    }
                    Ok(())
                })
                .await?;
            if trusted != head {
                return Err(damaged("the audit chain does not end with its head", None));
            }
            if self.changed_since(head).await? {
                continue;
            }
            let first = first.ok_or_else(|| Error::not_found("audit entry", seq))?;
            return Ok(Read { past, first, since });
        }
        Err(Conflict::Busy.into())
    }

    /// Whether authorization may have changed after `head`.
    async fn changed_since(&self, head: AuditHead) -> Result<bool> {
        let mut after = head.seq;
        loop {
            let page = self.cp.plane.store.audit_rows(self.caller.org, after, MAX_PAGE).await?;
            let Some(last) = page.last() else { return Ok(false) };
            after = last.row.seq;
            if page.iter().any(matters) {
                return Ok(true);
            }
        }
    }

    /// Verifies the entries from `first` to `last` and hands each over; answers the head they lead to.
    async fn verify(
        &self,
        first: u64,
        last: u64,
        mut each: impl FnMut(AuditEntry) -> Result<()>,
    ) -> Result<AuditHead> {
        let org = self.caller.org;
        let mut verifier: Option<Verifier> = None;
        let mut head = AuditHead::GENESIS;
        let mut after = first.saturating_sub(1);
        while after < last {
            let page = self.cp.plane.store.audit_rows(org, after, MAX_PAGE).await?;
            let Some(end) = page.last().map(|entry| entry.row.seq) else {
                return Err(damaged("the audit chain ends before its head", None));
            };
            for entry in page.into_iter().take_while(|entry| entry.row.seq <= last) {
                let verifier = verifier.get_or_insert_with(|| {
                    // What lies before the first entry is not read: it is believed.
                    let from = AuditHead { seq: first.saturating_sub(1), hash: entry.prev_hash };
                    Verifier::new(org, Some(from), None)
                });
                verifier
                    .push(&entry)
                    .map_err(|broken| damaged("the audit chain is broken", Some(Box::new(broken))))?;
                head = entry.head();
                each(entry)?;
            }
            after = end;
        }
        Ok(head)
    }

    /// All records that decide, archived ones too.
    async fn deciding_rows(&self) -> Result<Vec<RecordRow>> {
        let mut rows = Vec::new();
        for kind in DECIDING {
            let mut query = RecordQuery { kind: Some(kind), archived: true, ..RecordQuery::default() };
            loop {
                let page = self.cp.plane.store.list_records(self.caller.org, &query).await?;
                let Some(last) = page.last() else { break };
                query.after = Some(RecordCursor {
                    kind: last.kind.clone(),
                    name: last.meta.name.clone(),
                    id: last.meta.id,
                });
                rows.extend(page);
            }
        }
        Ok(rows)
    }
}

fn damaged(message: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    StoreError::Corrupt { message: message.to_owned(), source }.into()
}

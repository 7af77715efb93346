//! Kind `ApprovalRequest`: a change that waits for people, exactly as it was asked for (sem. 2.8; rows P97–P101).
//!
//! What is asked and what it needs are the spec, frozen when it was asked; votes and what came of them are the status.
//! A request is live while it is pending and archived once it is decided: so no two pending ones are ever the same.

use crate::approval::id::ApprovalId;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::caller::{Caller, TokenKind};
use crate::id::{OrgId, ResourceId, SessionId};
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::approval_policy::Approver;
use crate::resource::field::Field;
use crate::resource::kind::{Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A request for approval. The door makes it; votes, a cancellation or time decide it.
#[derive(Debug)]
pub struct ApprovalRequest;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalPurpose))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new purpose must break whoever decides on one")]
pub enum Purpose {
    /// One change: it is made in the commit of the vote that decides.
    Change,
    /// A saved plan: once approved, each of its steps may be applied once, by whoever asked.
    Plan,
    /// A change that was made by break-glass already: people say afterwards whether it was right.
    Review,
}

/// Who asked, and what narrowed them: the change is made as this caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalRequester))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Requester {
    /// The principal.
    pub principal: Principal,
    /// The principal as people write it, when it asked.
    pub written: String,
    /// What it was authenticated by.
    pub token: TokenKind,
    /// The session out of which it asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Nothing beyond this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<PermissionSet>,
}

impl Requester {
    /// The caller who asks, written so.
    pub(crate) fn of(caller: &Caller, written: String) -> Self {
        Self {
            principal: caller.principal.clone(),
            written,
            token: caller.token,
            session: caller.delegated_from_session,
            ceiling: caller.ceiling,
        }
    }

    /// Whether this is the caller, narrowed in the same way: what somebody asked in person is not for a token of theirs.
    #[must_use]
    pub fn is(&self, caller: &Caller) -> bool {
        self.principal == caller.principal
            && self.session == caller.delegated_from_session
            && self.ceiling == caller.ceiling
    }

    /// The caller as whom the change is made.
    #[must_use]
    pub fn caller(&self, org: OrgId) -> Caller {
        let mut caller = Caller::new(org, self.principal.clone()).by(self.token);
        caller.delegated_from_session = self.session;
        caller.ceiling = self.ceiling;
        caller
    }
}

/// What one policy asks for, as the policy was when the request was made: changing or deleting it releases nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalRequirement))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Requirement {
    /// The policy.
    pub policy: ResourceId,
    /// Its name.
    pub name: String,
    /// The touched OU by which it matched: who decides is judged there.
    pub ou: ResourceId,
    /// Who may decide.
    pub approvers: Vec<Approver>,
    /// How many different people must agree.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 50))]
    pub quorum: u32,
    /// How many different people end it by refusing.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 50))]
    pub reject_threshold: u32,
    /// Whoever asked may be one of them, in person.
    pub allow_self: bool,
}

/// The target and the version the change was asked for: if it has moved on, the approval is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalBase))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a base has these two parts")]
pub struct Base {
    /// Which record.
    pub key: ResourceKey,
    /// Its version.
    pub version: u64,
}

/// What is asked, and what it needs. Nothing of it ever changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ApprovalRequestSpec {
    /// What it is for.
    pub purpose: Purpose,
    /// Who asked.
    pub requester: Requester,
    /// Who may not decide beside the requester: the owner of an agent that asked, the user behind its session.
    pub excluded: Vec<Principal>,
    /// What would be done: `agent.create`.
    pub verb: String,
    /// The kind of what it would be done to.
    pub resource_kind: KindName,
    /// What it would be done to; `None` where it does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The path of the OU it is judged in, when it was asked. The record's own OU is what counts: it survives a rename.
    pub scope_ou: String,
    /// The approved plan it is a step of, if it waits for a policy the plan did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<ApprovalId>,
    /// What a vote is for: [`approval_hash`](crate::digest::approval_hash) of the change; of a plan, its digest.
    pub payload_hash: Digest,
    /// The change itself, as canonical JSON, is kept under this digest.
    pub payload: Digest,
    /// The version of the target it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// What the audit trail would say of it before.
    pub before: Value,
    /// What the audit trail would say of it after.
    pub after: Value,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
    pub justification: Option<String>,
    /// All of these must be met.
    pub requirements: Vec<Requirement>,
    /// From this moment on it is expired; `None` for a review, which has to be decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Where a request is (sem. 3.4). All but `pending` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new state must break whoever decides on one")]
pub enum ApprovalState {
    /// It waits for votes.
    #[default]
    Pending,
    /// It was approved, and the change was made in the same commit.
    Approved,
    /// It was rejected.
    Rejected,
    /// It was taken back.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// It was approved, but the change could not be made any more; nothing was.
    Failed,
}

impl ApprovalState {
    /// Rejected, expired or cancelled (row P100).
    #[must_use]
    pub const fn is_abandoned(self) -> bool {
        matches!(self, Self::Rejected | Self::Expired | Self::Cancelled)
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a vote is for or against")]
pub enum Ballot {
    /// For it.
    Approve,
    /// Against it.
    Reject,
}

/// One person's vote on one requirement; a later one takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalVote))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Vote {
    /// The policy of the requirement.
    pub requirement: ResourceId,
    /// The user who voted.
    pub voter: ResourceId,
    /// The same as people write it.
    pub written: String,
    /// Yes or no.
    pub ballot: Ballot,
    /// What was seen.
    pub payload_hash: Digest,
    /// In their own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What has come of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ApprovalRequestStatus {
    /// Where it is. A pending one may have expired since: ask [`Record::state_at`].
    pub state: ApprovalState,
    /// The votes that stand.
    pub votes: Vec<Vote>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Why it failed, or was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The stable code of the error it failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The record that was made or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Base>,
    /// The session that was started or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Of an approved plan: which of its steps were applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepDone>,
}

/// A step of an approved plan that was applied: it is not applied again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApprovalStepDone))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data of a request")]
pub struct StepDone {
    /// Its place in the plan, from 0.
    pub step: u32,
    /// The half of a replacement: 0 archives, 1 creates; 0 for every other verb.
    #[serde(default)]
    pub part: u8,
    /// The record it made, if it made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<ResourceId>,
}

impl Schema for ApprovalRequest {
    const KIND: KindName = KindName::known("ApprovalRequest");
    type Spec = ApprovalRequestSpec;
    type Status = ApprovalRequestStatus;
}

impl Declared for ApprovalRequest {
    const FIELDS: &'static [Field] = &[];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::APPROVAL_READ,
        create: Permission::APPROVAL_DECIDE,
        update: Permission::APPROVAL_DECIDE,
        archive: Permission::APPROVAL_CANCEL,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 95;
    const ABOUT: &'static str = "A change, or a plan, that waits for somebody to decide on it.";
    const MANIFEST: bool = false;
    const OWN_ACTIONS: bool = true;
}

impl Record<ApprovalRequest> {
    /// Its name, `req_…`.
    #[must_use]
    pub const fn request_id(&self) -> ApprovalId {
        ApprovalId::of(self.meta.id)
    }

    /// Where it is at `now`: time decides even before anybody has noticed (`now >= expires_at` is expired).
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> ApprovalState {
        match self.status.state {
            ApprovalState::Pending if self.spec.expires_at.is_some_and(|end| now >= end) => {
                ApprovalState::Expired
            }
            state => state,
        }
    }
}

//! The one public error: what every face shows, maps to a status and raises in its own language.

use crate::approval::{ApprovalId, ApprovalState, Ineligible};
use crate::audit::Break;
use crate::authz::Decision;
use crate::error_kind::ErrorKind;
use crate::id::SessionId;
use crate::invalid::Invalid;
use crate::record::{Misshapen, ResourceKey};
use crate::runtime::RuntimeError;
use crate::secret::SecretError;
use crate::session::status::IllegalTransition;
use crate::store::StoreError;
use crate::token::TokenError;
use crate::token::external::IssuerUnavailable;
use serde_json::{Value, json};

/// What this crate answers.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. Act on [`kind`](Self::kind) or, finer, on [`code`](Self::code); the text is for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input can never be accepted.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The caller may not (row M33: the text names the permission and the OU, and who could help).
    #[error("{}", .0.denial_text())]
    Denied(Box<Decision>),
    /// The caller holds the permission and yet may not decide this approval request.
    #[error(transparent)]
    Ineligible(Ineligible),
    /// Nothing of that name exists in the caller's organization.
    #[error("{what} `{reference}` does not exist")]
    NotFound {
        /// What kind of thing.
        what: String,
        /// How it was named.
        reference: String,
    },
    /// The state does not allow it now.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The record has another version than the caller expects.
    #[error("{key} has version {found}, not {expected}: read it again")]
    VersionMismatch {
        /// Which.
        key: ResourceKey,
        /// What the caller expects.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// The ticket is used up, expired, for another session, or was never given out. Which of these is not said.
    #[error("the ticket is not valid")]
    TicketRefused,
    /// The bearer's token is not good. Why is the source, for the log: a client is told the same whatever it was.
    #[error("the token is not valid")]
    Unauthenticated(#[from] TokenError),
    /// The keys of an identity provider cannot be had now.
    #[error(transparent)]
    Issuer(#[from] IssuerUnavailable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A stored record cannot be read.
    #[error(transparent)]
    Misshapen(#[from] Misshapen),
    /// The audit chain does not verify, or is not the one it was: somebody must look.
    #[error(transparent)]
    AuditBroken(#[from] Break),
    /// The stored authorization data contradict themselves.
    #[error("the authorization data of the organization cannot be used: {message}")]
    AuthzData {
        /// What contradicts what.
        message: String,
    },
    /// Something this needs is not configured, or failed in a way nobody foresaw.
    #[error("{message}")]
    Internal {
        /// What.
        message: String,
    },
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// Another resource of the kind has the name.
    #[error("a {kind} called `{name}` exists there already")]
    NameTaken {
        /// The kind.
        kind: String,
        /// The name.
        name: String,
    },
    /// The resource is archived, or about to be.
    #[error("{what} `{name}` is archived")]
    Archived {
        /// What kind of thing.
        what: String,
        /// Its name.
        name: String,
    },
    /// The agent is archived, or about to be: it cannot be invoked (sem. 2.7).
    #[error("agent `{agent}` is archived")]
    AgentArchived {
        /// Its name.
        agent: String,
    },
    /// The agent acts for somebody who is disabled or gone: it cannot be invoked (sem. 2.2.8).
    #[error("agent `{agent}` is powerless: its owner is disabled or gone")]
    AgentPowerless {
        /// Its name.
        agent: String,
    },
    /// Others refer to it.
    #[error("{target} is in use by {}", .by.join(", "))]
    InUse {
        /// What is referred to.
        target: String,
        /// Who refers to it.
        by: Vec<String>,
    },
    /// A field that cannot change.
    #[error("`{field}` cannot change: archive the resource and create it anew")]
    Immutable {
        /// The field.
        field: String,
    },
    /// Nobody would be left who can administer the organization (sem. 2.2.7).
    #[error("this would leave the organization without an effective OrgAdmin")]
    LastOrgAdmin,
    /// Groups or OUs would contain themselves.
    #[error("this would make a cycle: {}", .path.join(" -> "))]
    Cycle {
        /// The way around.
        path: Vec<String>,
    },
    /// The agent is not in sync with the runtime (row P71).
    #[error("agent `{agent}` is not synced with the runtime: it is {status}")]
    AgentNotSynced {
        /// Its name.
        agent: String,
        /// Where it stands.
        status: String,
    },
    /// The organization's environment is not in sync (row P72).
    #[error("the organization's environment is not synced with the runtime: it is {status}")]
    EnvironmentNotSynced {
        /// Where it stands.
        status: String,
    },
    /// Too many sessions, too deep a chain, or a chain that bites its tail.
    #[error("the session is refused: {reason}")]
    SessionLimit {
        /// Which limit.
        reason: String,
    },
    /// The session is over.
    #[error("session `{session}` has settled: it is {status}")]
    SessionSettled {
        /// Which.
        session: SessionId,
        /// What it is.
        status: String,
    },
    /// Somebody else streams the session (row P85).
    #[error("session `{session}` has a client already")]
    StreamHeld {
        /// Which.
        session: SessionId,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// A policy wants to know why (sem. 2.14).
    #[error("policy `{policy}` wants a justification: say why")]
    JustificationRequired {
        /// Which.
        policy: String,
    },
    /// The approval request is decided.
    #[error("approval request `{request}` is decided: it is {state}")]
    ApprovalDecided {
        /// Which.
        request: ApprovalId,
        /// How.
        state: ApprovalState,
    },
    /// The approval request's time ran out.
    #[error("approval request `{request}` has expired")]
    ApprovalExpired {
        /// Which.
        request: ApprovalId,
    },
    /// The vote is for something else than what is asked: look at the request again.
    #[error("approval request `{request}` asks for something else than what the vote names")]
    ApprovalHashMismatch {
        /// Which.
        request: ApprovalId,
    },
    /// No policy asks for anybody's approval of the plan: it can be applied as it is.
    #[error("no policy asks for approval of this plan: apply it")]
    NothingToApprove,
    /// The plan is not approved, so nothing is applied under it.
    #[error("plan `{request}` is not approved: it is {state}")]
    PlanNotApproved {
        /// The request.
        request: ApprovalId,
        /// Where it is.
        state: ApprovalState,
    },
    /// The plan was approved too long ago.
    #[error("the approval of plan `{request}` is too old: plan and ask again")]
    PlanExpired {
        /// The request.
        request: ApprovalId,
    },
    /// The step was applied before.
    #[error("`{what}` was applied under plan `{request}` before")]
    StepApplied {
        /// The request.
        request: ApprovalId,
        /// What it is about.
        what: String,
    },
    /// The change is no step of the plan.
    #[error("this change of `{what}` is no step of plan `{request}`")]
    NotInPlan {
        /// The request.
        request: ApprovalId,
        /// What it is about.
        what: String,
    },
    /// The glass was broken in this OU before, and nobody has judged that yet.
    #[error("break-glass is refused in `{ou}` until review `{request}` is decided")]
    ReviewOpen {
        /// The review.
        request: ApprovalId,
        /// The OU.
        ou: String,
    },
    /// What was permitted before a change cannot be told any more.
    #[error("what was permitted before audit entry {seq} cannot be told: {reason}")]
    HistoryLost {
        /// The newest entry that stands in the way.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// The state machine does not know the move.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// Others changed the same thing again and again.
    #[error("others keep changing what this reads: try again")]
    Busy,
}

impl Conflict {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "name_taken",
            Self::Archived { .. } => "archived",
            Self::AgentArchived { .. } => "agent_archived",
            Self::AgentPowerless { .. } => "agent_powerless",
            Self::InUse { .. } => "in_use",
            Self::Immutable { .. } => "immutable",
            Self::LastOrgAdmin => "last_org_admin",
            Self::Cycle { .. } => "cycle",
            Self::AgentNotSynced { .. } => "agent_not_synced",
            Self::EnvironmentNotSynced { .. } => "environment_not_synced",
            Self::SessionLimit { .. } => "session_limit",
            Self::SessionSettled { .. } => "session_settled",
            Self::StreamHeld { .. } => "stream_held",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::JustificationRequired { .. } => "justification_required",
            Self::ApprovalDecided { .. } => "approval_decided",
            Self::ApprovalExpired { .. } => "approval_expired",
            Self::ApprovalHashMismatch { .. } => "approval_hash_mismatch",
            Self::NothingToApprove => "nothing_to_approve",
            Self::PlanNotApproved { .. } => "plan_not_approved",
            Self::PlanExpired { .. } => "plan_expired",
            Self::StepApplied { .. } => "step_applied",
            Self::NotInPlan { .. } => "not_in_plan",
            Self::ReviewOpen { .. } => "review_open",
            Self::HistoryLost { .. } => "history_lost",
            Self::Transition(_) => "illegal_transition",
            Self::Busy => "busy",
        }
    }
}

impl Error {
    /// Nothing called `reference` exists.
    pub(crate) fn not_found(what: impl Into<String>, reference: impl ToString) -> Self {
        Self::NotFound { what: what.into(), reference: reference.to_string() }
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Denied(_) | Self::Ineligible(_) => ErrorKind::Denied,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::VersionMismatch { .. } => ErrorKind::VersionMismatch,
            Self::TicketRefused | Self::Unauthenticated(_) => ErrorKind::Unauthenticated,
            Self::Issuer(_) => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Runtime(error) => error.kind(),
            Self::Secret(error) => error.kind(),
            Self::Misshapen(_) | Self::AuthzData { .. } | Self::AuditBroken(_) => ErrorKind::Corrupt,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// The stable code: the kind's, or finer where a program may want to tell cases apart.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict(conflict) => conflict.code(),
            Self::Ineligible(why) => why.code(),
            Self::TicketRefused => "ticket_refused",
            other => other.kind().code(),
        }
    }

    /// The error as faces send it: `{"error": {"code", "message", "detail"}}` (sem. 2.14).
    #[must_use]
    pub fn envelope(&self) -> Value {
        let detail = match self {
            Self::Invalid(invalid) => json!({
                "field": invalid.field, "value": invalid.value, "allowed": invalid.allowed,
            }),
            Self::Denied(decision) => serde_json::to_value(decision).unwrap_or_default(),
            Self::NotFound { what, reference } => json!({ "what": what, "reference": reference }),
            Self::VersionMismatch { expected, found, .. } => json!({ "expected": expected, "found": found }),
            _ => Value::Null,
        };
        json!({ "error": { "code": self.code(), "message": self.to_string(), "detail": detail } })
    }
}

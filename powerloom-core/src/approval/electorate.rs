//! Who may decide a request: in person, holding `approval:decide` at the OU by which the policy matched, named by that
//! policy, and not in their own cause (sem. 2.8, Vote and Exclusions). Asked when a vote is cast and again whenever votes are counted.

use crate::approval::request::{ApprovalRequest, Requirement};
use crate::authz::AuthzSnapshot;
use crate::clock::Timestamp;
use crate::door::caller::{Caller, TokenKind};
use crate::id::ResourceId;
use crate::principal::Principal;
use crate::record::Record;
use crate::resource::approval_policy::Approver;

/// Why somebody may not decide a request, though they hold `approval:decide` at its OU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a new reason needs a code of its own")]
pub enum Ineligible {
    /// By a token minted for a session: whoever's it is, an agent would decide (row M38).
    #[error("a token of a session decides nothing: vote in person")]
    Delegated,
    /// By a token that is narrowed, or that a program keeps: whoever made it could be several people with it.
    #[error("a token of a program decides nothing: vote in person")]
    NotInPerson,
    /// Not a person: an agent, a service.
    #[error("only people decide")]
    NotAPerson,
    /// Their own request, or one an agent of theirs made.
    #[error("nobody decides their own request")]
    OwnRequest,
    /// No requirement names them.
    #[error("none of the policies behind the request names you as an approver")]
    NotAnApprover,
}

impl Ineligible {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Delegated => "delegated_cannot_decide",
            Self::NotInPerson => "not_in_person",
            Self::NotAPerson => "not_a_person",
            Self::OwnRequest => "own_request",
            Self::NotAnApprover => "not_an_approver",
        }
    }
}

/// The person who calls.
///
/// # Errors
/// [`Ineligible::Delegated`], [`Ineligible::NotInPerson`], [`Ineligible::NotAPerson`].
pub(crate) fn person(caller: &Caller) -> Result<ResourceId, Ineligible> {
    if caller.token == TokenKind::Delegated || caller.delegated_from_session.is_some() {
        return Err(Ineligible::Delegated);
    }
    match caller.principal {
        Principal::User(_) if caller.token == TokenKind::Api || caller.ceiling.is_some() => {
            Err(Ineligible::NotInPerson)
        }
        Principal::User(user) => Ok(user),
        _ => Err(Ineligible::NotAPerson),
    }
}

/// Whether the requirement names `voter` and their own part in the request does not keep them from deciding it.
/// `approval:decide` is asked for separately.
///
/// # Errors
/// [`Ineligible::OwnRequest`], [`Ineligible::NotAnApprover`].
pub(crate) fn entitled(
    snapshot: &AuthzSnapshot,
    request: &Record<ApprovalRequest>,
    requirement: &Requirement,
    voter: ResourceId,
    now: Timestamp,
) -> Result<(), Ineligible> {
    let who = Principal::User(voter);
    let own = request.spec.requester.principal == who;
    let involved = request.spec.excluded.iter().any(|other| snapshot.covers(&who, other));
    if (own && !requirement.allow_self) || (involved && !own) {
        return Err(Ineligible::OwnRequest);
    }
    if names(snapshot, &requirement.approvers, &who, requirement.ou, now) {
        Ok(())
    } else {
        Err(Ineligible::NotAnApprover)
    }
}

/// Whether one of `approvers` is `who`: the user, a group around them, or a role they hold at `ou`.
pub(crate) fn names(
    snapshot: &AuthzSnapshot,
    approvers: &[Approver],
    who: &Principal,
    ou: ResourceId,
    now: Timestamp,
) -> bool {
    approvers.iter().any(|approver| match approver {
        Approver::User(user) => *who == Principal::User(*user),
        Approver::Group(group) => snapshot.covers(who, &Principal::Group(*group)),
        Approver::Role(role) => snapshot.holds_role(who, *role, ou, now),
    })
}

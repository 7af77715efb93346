//! Approvals: changes that wait for people to agree (sem. 2.8; rows P96–P101).
//!
//! - A **policy** ([`ApprovalPolicy`](crate::resource::approval_policy::ApprovalPolicy)) says which changes wait and who may
//!   let them through; [`policy_set`] finds those a change meets, [`condition`] is the language of their conditions.
//! - A **request** ([`ApprovalRequest`]) is one change that waits, frozen with all that is asked for it.
//! - **Votes** are counted by [`tally`]; who may vote is judged when a vote is cast and again when it is counted.
//! - The vote that decides and the change itself are **one commit**: made once, with its audit rows, or not at all.
//! - [`StandingConsent`] confirms in advance what somebody does themselves; **break-glass** makes a change at once and has
//!   people judge it afterwards.
//!
//! What a caller sees of all this is [`Approvals`]; what happens is told by a [`notifier`].

pub(crate) mod bounds;
mod break_glass;
pub mod condition;
mod consent;
pub(crate) mod electorate;
mod expiry;
pub mod facts;
mod id;
mod inbox;
pub mod notifier;
pub mod policy_set;
mod request;
mod standing;
pub mod tally;

pub use break_glass::{BrokenGlass, TakenBack};
pub use consent::{StandingConsent, StandingConsentSpec, StandingConsentStatus};
pub use electorate::Ineligible;
pub use id::ApprovalId;
pub use inbox::{Approvals, Cancelled, Delegated, InboxFilter, Whose};
pub use policy_set::PolicySet;
pub use request::{
    ApprovalRequest, ApprovalRequestSpec, ApprovalRequestStatus, ApprovalState, Ballot, Base, Purpose,
    Requester, Requirement, StepDone, Vote,
};

//! Approvals: changes that wait for people to agree (sem. 2.8).
//!
//! What a policy says is declared like any other resource, see
//! [`approval_policy`](crate::resource::approval_policy); here is what follows from it.

pub(crate) mod bounds;
pub mod condition;
pub mod facts;
pub mod notifier;
pub mod policy_set;

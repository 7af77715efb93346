//! What each action of a [`Mutation`](crate::door::mutation::Mutation) checks and writes, one file each.

pub(crate) mod api_token;
pub(crate) mod archive;
pub(crate) mod attach;
pub(crate) mod cancel_approval;
pub(crate) mod consent;
pub(crate) mod create;
pub(crate) mod credential;
pub(crate) mod desire;
pub(crate) mod erase;
pub(crate) mod escalation;
pub(crate) mod invoke;
pub(crate) mod last_admin;
pub(crate) mod move_ou;
pub(crate) mod policy;
pub(crate) mod publish;
pub(crate) mod reset;
pub(crate) mod rewrap;
pub(crate) mod submit_plan;
pub(crate) mod update;
pub(crate) mod vote;

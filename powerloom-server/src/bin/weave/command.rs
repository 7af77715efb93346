//! The commands, one file each or per group.

pub(crate) mod apply;
pub(crate) mod approval_text;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod audit_verify;
pub(crate) mod authz;
pub(crate) mod completion;
pub(crate) mod context;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod invoke;
pub(crate) mod login;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod session_text;
pub(crate) mod sessions;
pub(crate) mod skill;
pub(crate) mod sync;
pub(crate) mod token;
pub(crate) mod watch;

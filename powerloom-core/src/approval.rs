//! Approvals: changes that wait for people to agree (sem. 2.8).

pub mod notifier;

//! Token exchange (RFC 8693) for agents that start agents: authority is handed on, and only ever shrinks (sem. 2.10).
//!
//! | token | `type`, `aud` | gets it | good for |
//! |---|---|---|---|
//! | workload | `exchanged`, a resource | an actor by its own identity ([`TokenExchange::mint_workload`]), or by an exchange | that resource, at most 120 s |
//! | actor assertion | `exchanged`, [`TokenExchange::endpoint`] | an actor by its own identity | naming itself in one exchange, once |
//! | delegation | `delegation`, `delegation` | an actor by its own identity, or by an exchange | being exchanged by a child, and nothing else |
//!
//! In each, `sub` is the user, and `act` the whole lineage of the actor as the registry has it: the outermost acts now,
//! the nested ones are its ancestors. A child that asks by its own identity does not lose them.
//!
//! # What an exchange demands
//! The subject token is a delegation token of ours. The actor proves itself by an assertion that was not used before, and
//! its record names the subject token's outermost actor as its parent, with the same user and tenant: kinds that match
//! are not enough. Its kind is on the parent's list; its depth is within the limit of *every* ancestor; every member of
//! the chain is active. The scope is said, not empty, and within both the subject token's and what the parent may hand
//! on; what is too much is refused, never taken away in silence. Whatever else the request says of user or tenant is not
//! looked at. The rules are pure (`rules`); [`Actors`] is where instances are known: the registry itself is not here.
//!
//! # What it is not
//! No HTTP: a face hands over the form's parameters ([`ExchangeRequest::from_form`]) and answers with
//! [`ExchangeError::code`]. No verification of a workload's identity: whoever calls `mint_*` has done that. Exchanges are
//! too many for the audit chain; what remains of one is the name of the used assertion, until that has expired.

mod actors;
mod error;
mod gate;
mod lineage;
mod mint;
mod request;
mod rules;
mod scope;
mod service;

pub use actors::{ActorStatus, Actors, DelegationPolicy, RegisteredActor};
pub use error::ExchangeError;
pub use gate::{GateError, GatePass, HopProblem};
pub use request::{ACCESS_TOKEN_TYPE, ExchangeRequest, GRANT_TYPE, JWT_TOKEN_TYPE};
pub use scope::{MAX_SCOPES, Scope, ScopeSet};
pub use service::{DELEGATION_AUDIENCE, Exchanged, TokenExchange};

/// Most actors in a chain: the platform's own ceiling on depth.
pub const MAX_DEPTH: u32 = 8;

//! Authorization: who may do what at which OU (rules 2.1 and 2.2), decided in memory, purely and at once.
//!
//! [`AuthzSnapshot`] is an organization's OUs, users, groups, agents, roles and bindings at one epoch, compiled from
//! [`AuthzData`] and never changed afterwards. Clone it freely: a clone is a few counters.
//!
//! - [`check`](AuthzSnapshot::check) answers yes or no and allocates nothing;
//!   [`decide`](AuthzSnapshot::decide) answers with the bindings that made it so.
//! - [`with_binding`](AuthzSnapshot::with_binding) and [`without_binding`](AuthzSnapshot::without_binding) make the
//!   next snapshot in about a microsecond. Any other change compiles anew.
//! - [`visible`](AuthzSnapshot::visible) is the filter of a list, equal to checking its rows one by one.
//! - [`needs`](AuthzSnapshot::needs) says what a denied request lacks, [`subjects`](AuthzSnapshot::subjects) who may.
//! - [`missing_for_grant`](AuthzSnapshot::missing_for_grant),
//!   [`has_effective_org_admin`](AuthzSnapshot::has_effective_org_admin) and
//!   [`membership_cycle`](AuthzSnapshot::membership_cycle) guard the writes that change authorization itself.
//!
//! # The rule
//! The subjects of a user are itself, every group that contains it through any chain of at most
//! [`MAX_NESTING`] groups, and the `ou:` principals of its home OU and of each OU above. Of their bindings those
//! count that have not expired, whose scope is the OU asked about or lies above it, and whose role contains the
//! permission. One deny among them denies; else one allow allows; else the answer is no. Order and depth never matter.
//!
//! # Reading the code
//! `data` is the input. `compile` numbers the OUs in pre-order, so that "below" is one comparison of numbers, and
//! lists each subject's groups once, giving a `ground`. `slices` keeps the bindings per subject in a persistent tree,
//! and `snapshot` joins both; `check`, `explain`, `guard` and `filter` only read.
//!
//! ```
//! use powerloom_core::authz::{AuthzData, AuthzSnapshot, BindingData, Effect, OuData, RoleRef, UserData};
//! use powerloom_core::{clock::Timestamp, id::{OrgId, ResourceId}, principal::Principal, role::BuiltinRole};
//! # use uuid::Uuid;
//! let id = |n| ResourceId::from_uuid(Uuid::from_u128(n));
//! let (acme, eng, ada) = (id(1), id(2), id(3));
//! let data = AuthzData {
//!     ous: vec![
//!         OuData { id: acme, parent: None, name: "acme".parse()? },
//!         OuData { id: eng, parent: Some(acme), name: "eng".parse()? },
//!     ],
//!     users: vec![UserData { id: ada, email: "ada@acme.com".parse()?, home_ou: eng, disabled: false }],
//!     bindings: vec![BindingData {
//!         id: id(4),
//!         principal: Principal::User(ada),
//!         role: RoleRef::Builtin(BuiltinRole::AgentBuilder),
//!         scope: eng,
//!         effect: Effect::Allow,
//!         expires_at: None,
//!     }],
//!     ..AuthzData::default()
//! };
//! let authz = AuthzSnapshot::compile(OrgId::from_uuid(Uuid::from_u128(9)), 1, data)?;
//! let now = Timestamp::default();
//! assert!(authz.check_str("user:ada@acme.com", "agent:create", "/acme/eng", now)?);
//! assert!(!authz.check_str("user:ada@acme.com", "agent:create", "/acme", now)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod closure;
mod compile;
mod data;
pub(crate) mod decision;
mod error;
mod explain;
mod filter;
mod ground;
mod guard;
mod label;
mod listing;
mod need;
mod slices;
mod snapshot;

pub use closure::MAX_NESTING;
pub use data::{
    AgentData, AgentKind, AuthzData, BindingData, Effect, GroupData, MembershipData, OuData, RoleData,
    RoleRef, UserData,
};
pub use decision::{Decision, Match, Resolution, Verdict, Via};
pub use error::AuthzDataError;
pub use filter::OuFilter;
pub use label::Label;
pub use need::{Expired, Grantable, Need};
pub use snapshot::AuthzSnapshot;

//! Whether a caller may: the pure decision the door, the reads and the sessions all ask.

use crate::authz::{AuthzSnapshot, Decision};
use crate::clock::Timestamp;
use crate::door::caller::Caller;
use crate::id::ResourceId;
use crate::permission::Permission;
use std::fmt;

/// One question.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "plain data between the door and an authorizer")]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What they want to do.
    pub permission: Permission,
    /// Where.
    pub ou: ResourceId,
    /// When; expiries are judged by this.
    pub at: Timestamp,
}

/// Decides whether a caller may do something.
///
/// # Guarantees every implementation gives
/// 1. **Pure**: the answer follows from the snapshot and the request alone; no store, no clock, no wait.
/// 2. **Closed**: what is not allowed is denied; there is no third answer.
/// 3. **Explained**: a denial names the permission and the OU (row M33).
///
/// An implementation of your own usually asks [`Rbac`] and then denies more; it should never allow what [`Rbac`] denies.
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Decides.
    fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision;
}

/// Role-based access control over the OU tree (sem. 2.2), narrowed by the caller's ceiling (sem. 2.10).
#[derive(Debug, Clone, Copy, Default)]
pub struct Rbac;

impl Authorizer for Rbac {
    fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision {
        let decision = snapshot.decide(&request.caller.principal, request.permission, request.ou, request.at);
        match &request.caller.ceiling {
            Some(ceiling) if !ceiling.contains(request.permission) => decision.beyond_ceiling(),
            _ => decision,
        }
    }
}

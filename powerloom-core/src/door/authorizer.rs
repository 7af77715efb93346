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
///
/// # Examples
/// Programs with a long-lived token give no permissions away, whatever they are bound to:
/// ```
/// use powerloom_core::authz::{AuthzSnapshot, Decision};
/// use powerloom_core::door::authorizer::{AccessRequest, Authorizer, Rbac};
/// use powerloom_core::door::caller::TokenKind;
/// use powerloom_core::permission::Permission;
///
/// #[derive(Debug)]
/// struct NoGiftsByPrograms;
///
/// impl Authorizer for NoGiftsByPrograms {
///     fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision {
///         let decision = Rbac.decide(snapshot, request);
///         let gift = request.permission == Permission::BINDING_CREATE;
///         if gift && request.caller.token == TokenKind::Api { decision.beyond_ceiling() } else { decision }
///     }
/// }
/// ```
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
        if request.caller.reach().contains(request.permission) { decision } else { decision.beyond_ceiling() }
    }
}

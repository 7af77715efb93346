//! What people ask about permissions: why, who can, what can, what if, and how it was (sem. 2.2 rules 4–10).
//!
//! [`ControlPlane::answers`] asks in the name of a caller. Nothing here changes anything, and nothing is shown that the
//! caller may not read: asking about others needs `binding:read` where they are asked about.
//!
//! | question | answer |
//! |---|---|
//! | may somebody do something | [`Answers::check`]: the decision |
//! | why may, or may not, somebody do something | [`Answers::why`]: the decision, and what is missing |
//! | who can do something | [`Answers::list_subjects`] |
//! | what can somebody do | [`Answers::list_permissions`] |
//! | what would a change do | [`Answers::what_if`] |
//! | who could, when | [`Answers::as_of`], [`Answers::history_of`] |
//!
//! The first four are answered from the snapshot in memory, at most [`Limits::authz_staleness`] old: that is the whole
//! staleness of a read, also on another replica (row R3 of the reliability list). A change is never made by it.
//!
//! [`Limits::authz_staleness`]: crate::limits::Limits::authz_staleness

mod about;
mod as_of;
mod check;
mod difference;
mod history;
mod overlay;
mod placeholder;
mod subjects;
mod undo;
mod what;
mod what_if;
mod why;

pub use about::About;
pub use as_of::{AsOf, GivenBy, Judged};
pub use difference::Changed;
pub use history::{History, Interval, Turn};
pub use placeholder::MAX_MUTATIONS;
pub use subjects::{Subject, SubjectPage, SubjectQuery};
pub use what::{PermissionList, Permitted};
pub use what_if::{Consequences, Rehearsal, Rehearsed, WhatIf};
pub use why::{Remedy, Why};

use crate::authz::{AuthzSnapshot, Decision};
use crate::control_plane::ControlPlane;
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
use std::sync::Arc;

/// Most rows one answer has.
pub const MAX_ANSWERS: usize = 1000;

/// Answers questions about permissions, in the name of one caller.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    cp: &'a ControlPlane,
    caller: &'a Caller,
}

impl ControlPlane {
    /// Asks about permissions in the name of `caller`: see [`answers`](crate::answers).
    #[must_use]
    pub fn answers<'a>(&'a self, caller: &'a Caller) -> Answers<'a> {
        Answers { cp: self, caller }
    }
}

impl Answers<'_> {
    /// A snapshot that knows `ou` and `who`, if they exist.
    async fn snapshot(&self, who: Option<About<'_>>, ou: Option<ResourceId>) -> Result<Arc<AuthzSnapshot>> {
        let org = self.caller.org;
        let snapshot = self.cp.authz(org).await?;
        let lacks = who.is_some_and(|who| !who.is_known(self.caller, &snapshot))
            || ou.is_some_and(|ou| snapshot.ou_path(ou).is_none());
        if lacks && self.cp.plane.catch_up(org, self.cp.plane.now()).await? {
            return self.cp.authz(org).await;
        }
        Ok(snapshot)
    }

    /// Decides about the caller, with whatever narrows its token.
    fn decide(&self, snapshot: &AuthzSnapshot, permission: Permission, ou: ResourceId) -> Decision {
        let request = AccessRequest { caller: self.caller, permission, ou, at: self.cp.plane.now() };
        self.cp.plane.decide(snapshot, &request)
    }

    /// Decides about anybody: about the caller with whatever narrows its token.
    fn judge(
        &self,
        snapshot: &AuthzSnapshot,
        who: &Principal,
        permission: Permission,
        ou: ResourceId,
    ) -> Decision {
        if *who == self.caller.principal {
            self.decide(snapshot, permission, ou)
        } else {
            snapshot.decide(who, permission, ou, self.cp.plane.now())
        }
    }

    fn may(&self, snapshot: &AuthzSnapshot, permission: Permission, ou: ResourceId) -> bool {
        self.decide(snapshot, permission, ou).is_allowed()
    }

    fn require(&self, snapshot: &AuthzSnapshot, permission: Permission, ou: ResourceId) -> Result<()> {
        let decision = self.decide(snapshot, permission, ou);
        if decision.is_allowed() { Ok(()) } else { Err(Error::Denied(Box::new(decision))) }
    }

    /// Resolves whom is asked about: oneself always, others only with `binding:read` at `ou`, judged first: whether
    /// somebody exists is not for everybody to know.
    fn about(&self, snapshot: &AuthzSnapshot, who: About<'_>, ou: ResourceId) -> Result<Principal> {
        let found = who.resolve(self.caller, snapshot);
        if found.as_ref() != Some(&self.caller.principal) {
            self.require(snapshot, Permission::BINDING_READ, ou)?;
        }
        found.ok_or_else(|| who.unknown(self.caller))
    }
}

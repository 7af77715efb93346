//! What one caller may see and do, by the authorization data of one moment.

use crate::approval::policy_set::PolicySet;
use crate::authz::{AuthzSnapshot, Decision};
use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::door::work::Work;
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::RecordRow;
use crate::record::Schema;
use crate::resource::ou::Ou;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Sight<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
    pub(crate) snapshot: Arc<AuthzSnapshot>,
    /// The approval policies of the same moment.
    pub(crate) policies: Arc<PolicySet>,
    at: Timestamp,
}

impl<'a> Sight<'a> {
    pub(crate) async fn open(control_plane: &'a ControlPlane, caller: &'a Caller) -> Result<Self> {
        let plane = &control_plane.plane;
        let at = plane.now();
        let (snapshot, policies) =
            plane.authz.rules(plane.store.as_ref(), caller.org, at, plane.limits.authz_staleness).await?;
        Ok(Self { control_plane, caller, snapshot, policies, at })
    }

    pub(crate) fn decide(&self, permission: Permission, ou: ResourceId) -> Decision {
        let request = AccessRequest { caller: self.caller, permission, ou, at: self.at };
        self.control_plane.plane.authorizer.decide(&self.snapshot, &request)
    }

    /// Whether the caller may read a record.
    pub(crate) fn reads(&self, row: &RecordRow) -> bool {
        let kind = self.control_plane.plane.kind_of(row);
        kind.is_ok_and(|kind| self.decide(kind.permissions().read, Work::judged_at(row)).is_allowed())
    }

    /// Whether the caller may be told what a record is called. The paths of OUs are in every denial: they are no secret.
    pub(crate) fn names(&self, row: &RecordRow) -> bool {
        row.kind == Ou::KIND || self.reads(row)
    }
}

//! Somebody always holds everything (sem. 2.2.7).

use crate::authz::AuthzSnapshot;
use crate::authz_cache::{binding_data, preview};
use crate::door::work::Work;
use crate::error::{Conflict, Result};
use crate::principal::Principal;
use crate::record::{Record, RecordRow, Schema};
use crate::resource::agent::Agent;
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::group::GroupMembership;
use crate::resource::kind::AuthzPart;
use crate::resource::role_binding::RoleBinding;

impl Work<'_> {
    /// Refuses a change after which nobody would effectively be OrgAdmin, or after which the authorization data would
    /// contradict themselves. `after` holds the changed rows.
    ///
    /// Judged on a preview of the same epoch the commit is conditioned on: of two such changes at once, the second is
    /// judged again.
    pub(crate) async fn guard_last_org_admin(&self, after: &[RecordRow]) -> Result<()> {
        let mut matters = false;
        for row in after {
            matters |= self.is_about_users(row)?;
        }
        if !matters {
            return Ok(());
        }
        let quick = match after {
            [row] if row.kind == RoleBinding::KIND => self.with_one_binding(row)?,
            _ => None,
        };
        let preview = match quick {
            Some(preview) => preview,
            None => preview(self.plane.store.as_ref(), self.org.id, self.snapshot.epoch(), after).await?,
        };
        if preview.has_effective_org_admin(self.now) || !self.snapshot.has_effective_org_admin(self.now) {
            Ok(())
        } else {
            Err(Conflict::LastOrgAdmin.into())
        }
    }

    /// Whether what users may do can depend on this row. Agents and services are never OrgAdmins that count, so reading
    /// all authorization data for them would be in vain.
    fn is_about_users(&self, row: &RecordRow) -> Result<bool> {
        let program =
            |principal: &Principal| matches!(principal, Principal::Agent(_) | Principal::Service(_));
        if row.kind == RoleBinding::KIND {
            return Ok(!program(&Record::<RoleBinding>::read(row)?.spec.principal));
        }
        if row.kind == GroupMembership::KIND {
            return Ok(!program(&Record::<GroupMembership>::read(row)?.spec.member));
        }
        // A policy permits nobody anything: every write of one raises the epoch for another reason.
        let without = row.kind == Agent::KIND || row.kind == ApprovalPolicy::KIND;
        Ok(!without && self.kind_of(row)?.authz() != AuthzPart::None)
    }

    /// The snapshot with one binding more or less; `None` if it does not know the principal yet.
    fn with_one_binding(&self, row: &RecordRow) -> Result<Option<AuthzSnapshot>> {
        let epoch = self.snapshot.epoch();
        let changed = if row.is_live() {
            self.snapshot.with_binding(epoch, &binding_data(row)?)
        } else {
            self.snapshot.without_binding(epoch, row.meta.id)
        };
        Ok(changed.ok())
    }
}

//! Nobody gives what they do not hold (sem. 2.2.6), and somebody always holds everything (sem. 2.2.7).

use crate::authz::{AuthzSnapshot, Effect, RoleRef};
use crate::authz_cache::{binding_data, permissions, preview};
use crate::door::work::Work;
use crate::error::{Conflict, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use crate::record::{Record, RecordRow, ResourceKey, Schema};
use crate::resource::agent::AgentSpec;
use crate::resource::group::{Group, GroupMembershipSpec};
use crate::resource::role::{Role, RoleSpec};
use crate::resource::role_binding::{RoleBinding, RoleBindingSpec};
use serde::Deserialize;
use serde_json::Value;

impl Work<'_> {
    /// Refuses a checked spec by which the caller would give away, or come by, what they do not hold.
    pub(crate) async fn guard_escalation(&self, row: &RecordRow, before: Option<&Value>) -> Result<()> {
        let ou = row.meta.ou;
        match row.kind.as_str() {
            "RoleBinding" => {
                let spec = read::<RoleBindingSpec>(&row.spec)?;
                let held = self.role_permissions(&spec.role, ou).await?;
                if spec.effect == Effect::Allow { self.require_all(held, ou) } else { Ok(()) }
            }
            "Role" => self.require_all(permissions(&read::<RoleSpec>(&row.spec)?.permissions), ou),
            "GroupMembership" => self.guard_membership(&read(&row.spec)?).await,
            "Agent" => self.guard_owner(&read(&row.spec)?, before, ou),
            _ => Ok(()),
        }
    }

    fn require_all(&self, wanted: PermissionSet, ou: ResourceId) -> Result<()> {
        let granter = &self.caller.principal;
        let mut missing = self.snapshot.missing_for_grant(granter, wanted, ou, self.now);
        if let Some(ceiling) = &self.caller.ceiling {
            missing = missing.union(wanted.difference(*ceiling));
        }
        match missing.iter().next() {
            None => Ok(()),
            // The denial names the first permission the caller would give away without holding it.
            Some(permission) => {
                self.require(permission, ou).and_then(|()| self.require(Permission::ROLE_ESCALATE, ou))
            }
        }
    }

    /// What a role permits; a custom role is usable only in its own OU's subtree (sem. 2.2.2).
    async fn role_permissions(&self, role: &RoleRef, scope: ResourceId) -> Result<PermissionSet> {
        match role {
            RoleRef::Builtin(role) => Ok(role.permissions()),
            RoleRef::Custom(id) => {
                let row = self.live(&ResourceKey::of::<Role>(*id)).await?;
                if !self.snapshot.is_within(scope, row.meta.ou) {
                    let allowed = format!(
                        "a role of this OU or of one above; it is usable in {}",
                        self.path(row.meta.ou)
                    );
                    return Err(Invalid::new("role", &row.meta.name, allowed).within("spec").into());
                }
                Ok(permissions(&Record::<Role>::read(&row)?.spec.permissions))
            }
        }
    }

    /// Joining a group gives what the group holds: who adds a member must hold that too.
    async fn guard_membership(&self, spec: &GroupMembershipSpec) -> Result<()> {
        if let Some(path) = self.snapshot.membership_cycle(spec.group, &spec.member) {
            return Err(Conflict::Cycle { path: path.iter().map(ToString::to_string).collect() }.into());
        }
        let group = Principal::Group(spec.group);
        let mut holders = vec![ResourceKey::of::<Group>(spec.group)];
        let mut seen: Vec<ResourceId> = Vec::new();
        while let Some(holder) = holders.pop() {
            if seen.contains(&holder.id) {
                continue;
            }
            seen.push(holder.id);
            for row in self.plane.store.referrers(self.org.id, &holder).await? {
                match row.kind.as_str() {
                    "RoleBinding" => {
                        let binding = Record::<RoleBinding>::read(&row)?.spec;
                        let counts = binding.expires_at.is_none_or(|at| self.now < at);
                        if binding.effect == Effect::Allow
                            && counts
                            && self.snapshot.covers(&group, &binding.principal)
                        {
                            self.require_all(
                                self.role_permissions(&binding.role, row.meta.ou).await?,
                                row.meta.ou,
                            )?;
                        }
                    }
                    "GroupMembership" => {
                        let outer = read::<GroupMembershipSpec>(&row.spec)?;
                        if outer.member.id() == Some(holder.id) {
                            holders.push(ResourceKey::of::<Group>(outer.group));
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Setting an owner other than oneself needs `agent:assign_owner`: the agent would act as them (sem. 2.2.9).
    fn guard_owner(&self, spec: &AgentSpec, before: Option<&Value>, ou: ResourceId) -> Result<()> {
        let same = before.and_then(|before| before.get("owner"))
            == serde_json::to_value(&spec.owner_principal).ok().as_ref();
        if same || spec.owner_principal == self.caller.principal {
            return Ok(());
        }
        self.require(Permission::AGENT_ASSIGN_OWNER, ou)
    }

    /// Refuses a change after which nobody would effectively be OrgAdmin. `after` holds the changed rows.
    ///
    /// Judged on a preview of the same epoch the commit is conditioned on: of two such changes at once, the second is
    /// judged again.
    pub(crate) async fn guard_last_org_admin(&self, after: &[RecordRow]) -> Result<()> {
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

fn read<T: for<'de> Deserialize<'de>>(spec: &Value) -> Result<T> {
    T::deserialize(spec).map_err(|error| Invalid::new("spec", error, "a checked spec").into())
}

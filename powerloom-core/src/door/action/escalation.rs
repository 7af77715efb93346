//! Nobody gives, or comes by, what they do not hold (sem. 2.2.6).
//!
//! A permission can be given by an allow binding, a wider role, a seat in a group, a home in an OU, a wider boundary,
//! another place in the tree; and given back by lifting a deny. Each of these needs every permission concerned, where
//! it counts, or `role:escalate` there.

use crate::authz::{Effect, MAX_NESTING, RoleRef};
use crate::authz_cache::permissions;
use crate::door::work::{Halt, Step, Work};
use crate::error::{Conflict, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use crate::record::{Record, RecordRow, ResourceKey, Schema};
use crate::resource::agent::AgentSpec;
use crate::resource::group::{Group, GroupMembership, GroupMembershipSpec};
use crate::resource::mcp_server::McpServerSpec;
use crate::resource::ou::Ou;
use crate::resource::role::{Role, RoleSpec};
use crate::resource::role_binding::{RoleBinding, RoleBindingSpec};
use crate::store::{RecordCursor, RecordQuery};
use serde::Deserialize;
use serde_json::Value;

impl Work<'_> {
    /// Refuses a checked spec by which the caller would give away, or come by, what they do not hold.
    pub(crate) async fn guard_escalation(&self, row: &RecordRow, before: Option<&Value>) -> Step<()> {
        let ou = row.meta.ou;
        match row.kind.as_str() {
            "RoleBinding" => {
                let spec = read::<RoleBindingSpec>(&row.spec)?;
                self.refuse_unusable("role", &spec.role, ou).await?;
                if spec.effect == Effect::Allow {
                    self.guard_role(&spec.role, ou, ou).await?;
                }
            }
            "Role" => self.guard_role_edit(row, before).await?,
            "GroupMembership" => {
                let spec = read::<GroupMembershipSpec>(&row.spec)?;
                self.refuse_nesting(&spec)?;
                self.guard_group(spec.group, Effect::Allow).await?;
            }
            "User" => match before {
                None => self.guard_named(&self.ancestry(ou).await?, Effect::Allow).await?,
                Some(before) if before.get("disabled") != row.spec.get("disabled") => {
                    self.require(Permission::USER_DISABLE, ou)?;
                }
                Some(_) => {}
            },
            "ApprovalPolicy" => self.guard_policy(row).await?,
            "MCPServerRegistration" => self.guard_delegating(&read(&row.spec)?, before, ou)?,
            "Agent" => self.guard_owner(&read(&row.spec)?, before, ou)?,
            _ => {}
        }
        Ok(())
    }

    /// Lifting a deny gives back what it takes: `gone` are the rows about to be archived.
    pub(crate) async fn guard_lifted(&self, gone: &[RecordRow]) -> Result<()> {
        // Nobody regains anything who goes along. The members of a group that goes do.
        let goes = |principal: &Principal| {
            gone.iter().any(|row| row.kind != Group::KIND && Some(row.meta.id) == principal.id())
        };
        for row in gone {
            if row.kind == RoleBinding::KIND {
                let binding = Record::<RoleBinding>::read(row)?.spec;
                if self.counts(&binding, Effect::Deny) && !goes(&binding.principal) {
                    self.guard_role(&binding.role, row.meta.ou, row.meta.ou).await?;
                }
            } else if row.kind == GroupMembership::KIND {
                let membership = Record::<GroupMembership>::read(row)?.spec;
                if !goes(&membership.member) {
                    self.guard_group(membership.group, Effect::Deny).await?;
                }
            }
        }
        Ok(())
    }

    /// A move gives those who are bound at the new place what they hold there, over all that moves, and lifts what was
    /// denied at the old one; the users that move come by what is given to the OUs they are in from now on.
    pub(crate) async fn guard_move(&self, ou: &RecordRow, to: ResourceId) -> Result<()> {
        let (old, new) = (self.ancestry(ou.meta.ou).await?, self.ancestry(to).await?);
        for (these, others, effect) in [(&new, &old, Effect::Allow), (&old, &new, Effect::Deny)] {
            let only: Vec<ResourceId> = these.iter().filter(|ou| !others.contains(ou)).copied().collect();
            for scope in &only {
                for row in self.bindings_at(*scope).await? {
                    let binding = Record::<RoleBinding>::read(&row)?.spec;
                    if self.counts(&binding, effect) {
                        self.guard_role(&binding.role, *scope, ou.meta.id).await?;
                    }
                }
            }
            self.guard_named(&only, effect).await?;
        }
        Ok(())
    }

    /// Every one of `wanted` is the caller's to give at `ou`.
    pub(crate) fn require_all(&self, wanted: PermissionSet, ou: ResourceId) -> Result<()> {
        let granter = &self.caller.principal;
        let mut missing = self.snapshot.missing_for_grant(granter, wanted, ou, self.now);
        if self.caller.is_narrow() {
            let ceiling = self.caller.reach();
            missing = missing.union(wanted.difference(ceiling));
            // Whose token leaves `role:escalate` out gives only what they hold themselves.
            if !ceiling.contains(Permission::ROLE_ESCALATE)
                && let Some(permission) = wanted.iter().find(|permission| !self.may(*permission, ou))
            {
                return self.require(permission, ou);
            }
        }
        match missing.iter().next() {
            None => Ok(()),
            // The denial names the first permission the caller would give away without holding it.
            Some(permission) => {
                self.require(permission, ou).and_then(|()| self.require(Permission::ROLE_ESCALATE, ou))
            }
        }
    }

    /// What `role`, bound at `scope`, permits is the caller's to give at `ou`.
    async fn guard_role(&self, role: &RoleRef, scope: ResourceId, ou: ResourceId) -> Result<()> {
        let held = match role {
            RoleRef::Builtin(role) => role.permissions(),
            RoleRef::Custom(id) => {
                let row = self.row(&ResourceKey::of::<Role>(*id)).await?;
                // A move may have taken a binding out of its role's reach: there it gives and takes nothing.
                if !self.snapshot.is_within(scope, row.meta.ou) {
                    return Ok(());
                }
                permissions(&Record::<Role>::read(&row)?.spec.permissions)
            }
        };
        self.require_all(held, ou)
    }

    /// A custom role is usable only in its own OU's subtree (sem. 2.2.2).
    pub(crate) async fn refuse_unusable(&self, field: &str, role: &RoleRef, scope: ResourceId) -> Result<()> {
        let RoleRef::Custom(id) = role else { return Ok(()) };
        let row = self.row(&ResourceKey::of::<Role>(*id)).await?;
        if self.snapshot.is_within(scope, row.meta.ou) {
            return Ok(());
        }
        let allowed = "a role of this OU or of one above: a custom role is usable in its own OU and below";
        Err(Invalid::new(field, role, allowed).within("spec").into())
    }

    /// Groups neither contain themselves nor one another deeper than is followed.
    fn refuse_nesting(&self, spec: &GroupMembershipSpec) -> Step<()> {
        let Principal::Group(_) = &spec.member else { return Ok(()) };
        if !self.snapshot.knows(&spec.member) || !self.snapshot.knows(&Principal::Group(spec.group)) {
            return Err(Halt::Outdated);
        }
        if let Some(path) = self.snapshot.membership_cycle(spec.group, &spec.member) {
            return Err(Conflict::Cycle { path: path.iter().map(ToString::to_string).collect() }.into());
        }
        if self.snapshot.membership_too_deep(spec.group, &spec.member) {
            let allowed = format!("a member that makes at most {MAX_NESTING} groups within one another");
            return Err(Invalid::new("member", &spec.member, allowed).within("spec").into());
        }
        Ok(())
    }

    /// Only what is new in a role is given, where it may be bound; what it loses is lifted wherever it denies.
    async fn guard_role_edit(&self, row: &RecordRow, before: Option<&Value>) -> Result<()> {
        let after = permissions(&read::<RoleSpec>(&row.spec)?.permissions);
        let before = match before {
            Some(before) => permissions(&read::<RoleSpec>(before)?.permissions),
            None => PermissionSet::EMPTY,
        };
        self.require_all(after.difference(before), row.meta.ou)?;
        let lifted = before.difference(after);
        if lifted.is_empty() {
            return Ok(());
        }
        for binding in self.plane.store.referrers(self.org.id, &row.key()).await? {
            if binding.kind == RoleBinding::KIND
                && self.counts(&Record::<RoleBinding>::read(&binding)?.spec, Effect::Deny)
            {
                self.require_all(lifted, binding.meta.ou)?;
            }
        }
        Ok(())
    }

    /// What a group and the groups around it are given (or denied) is the caller's to give: joining it, or leaving it,
    /// gives that.
    async fn guard_group(&self, group: ResourceId, effect: Effect) -> Result<()> {
        let mut around = vec![group];
        let mut seen: Vec<ResourceId> = Vec::new();
        while let Some(group) = around.pop() {
            if seen.contains(&group) {
                continue;
            }
            seen.push(group);
            for row in self.plane.store.referrers(self.org.id, &ResourceKey::of::<Group>(group)).await? {
                if row.kind == RoleBinding::KIND {
                    self.guard_binding(&row, effect).await?;
                } else if row.kind == GroupMembership::KIND {
                    let outer = Record::<GroupMembership>::read(&row)?.spec;
                    if outer.member == Principal::Group(group) {
                        around.push(outer.group);
                    }
                }
            }
        }
        Ok(())
    }

    /// What is given to (or denied) everybody at home in one of `ous` is the caller's to give.
    async fn guard_named(&self, ous: &[ResourceId], effect: Effect) -> Result<()> {
        for ou in ous {
            for row in self.plane.store.referrers(self.org.id, &ResourceKey::of::<Ou>(*ou)).await? {
                if row.kind == RoleBinding::KIND {
                    self.guard_binding(&row, effect).await?;
                }
            }
        }
        Ok(())
    }

    async fn guard_binding(&self, row: &RecordRow, effect: Effect) -> Result<()> {
        let binding = Record::<RoleBinding>::read(row)?.spec;
        if self.counts(&binding, effect) {
            self.guard_role(&binding.role, row.meta.ou, row.meta.ou).await?;
        }
        Ok(())
    }

    fn counts(&self, binding: &RoleBindingSpec, effect: Effect) -> bool {
        binding.effect == effect && binding.expires_at.is_none_or(|at| self.now < at)
    }

    /// Setting an owner other than oneself needs `agent:assign_owner`: the agent would act as them (sem. 2.2.9). So does
    /// widening the boundary within which it acts as somebody else. An agent, or a token with a ceiling, widens no
    /// boundary beyond what it may itself.
    fn guard_owner(&self, spec: &AgentSpec, before: Option<&Value>, ou: ResourceId) -> Result<()> {
        let before: Option<AgentSpec> = before.map(read).transpose()?;
        let reach =
            |spec: &AgentSpec| spec.permission_boundary.as_deref().map_or(PermissionSet::ALL, permissions);
        let wider =
            before.as_ref().map_or(PermissionSet::EMPTY, |before| reach(spec).difference(reach(before)));
        if self.caller.is_narrow() || matches!(self.caller.principal, Principal::Agent(_)) {
            self.require_all(wider, ou)?;
        }
        let same = before.is_some_and(|before| before.owner_principal == spec.owner_principal);
        if (same && wider.is_empty()) || spec.owner_principal == self.caller.principal {
            return Ok(());
        }
        self.require(Permission::AGENT_ASSIGN_OWNER, ou)
    }

    /// A delegating server acts with the rights of whoever starts a session: making one takes more than writing the
    /// registration (sem. 2.15).
    fn guard_delegating(&self, spec: &McpServerSpec, before: Option<&Value>, ou: ResourceId) -> Result<()> {
        let before: Option<McpServerSpec> = before.map(read).transpose()?;
        if !spec.delegating || before.is_some_and(|before| before.delegating) {
            return Ok(());
        }
        self.require(Permission::ROLE_ESCALATE, ou)
    }

    /// An OU and all above it.
    async fn ancestry(&self, ou: ResourceId) -> Result<Vec<ResourceId>> {
        let mut found = Vec::new();
        let mut next = ou;
        while !found.contains(&next) {
            found.push(next);
            next = self.row(&ResourceKey::of::<Ou>(next)).await?.meta.ou;
        }
        Ok(found)
    }

    /// The bindings whose scope is this very OU.
    async fn bindings_at(&self, ou: ResourceId) -> Result<Vec<RecordRow>> {
        let mut query = RecordQuery { kind: Some(RoleBinding::KIND), ou: Some(ou), ..RecordQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = self.plane.store.list_records(self.org.id, &query).await?;
            let Some(last) = page.last() else { return Ok(found) };
            query.after = Some(RecordCursor {
                kind: last.kind.clone(),
                name: last.meta.name.clone(),
                id: last.meta.id,
            });
            found.extend(page);
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(spec: &Value) -> Result<T> {
    T::deserialize(spec).map_err(|error| Invalid::new("spec", error, "a checked spec").into())
}

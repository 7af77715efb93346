//! Guards of the writes that change authorization itself, and the questions other guards ask.

use crate::authz::closure::{MAX_NESTING, Walk};
use crate::authz::data::{AgentKind, Effect, RoleRef};
use crate::authz::ground::{Span, Standing, SubjectIx};
use crate::authz::label::Label;
use crate::authz::snapshot::{AuthzSnapshot, role_number};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use crate::role::BuiltinRole;

impl AuthzSnapshot {
    /// Of `permissions`, what `granter` may not hand out at `scope`; empty if it may hand out all (rule 2.2.6).
    ///
    /// For an allow binding pass the role's permissions and its scope; for a custom role, what is new in it and its
    /// owning OU. One can hand out what one holds at the scope and is not denied anywhere below it, since what is handed
    /// out flows down; whoever holds `role:escalate` at the scope can hand out anything. `binding:create` or
    /// `role:create` is asked for separately.
    #[must_use]
    pub fn missing_for_grant(
        &self,
        granter: &Principal,
        permissions: PermissionSet,
        scope: ResourceId,
        now: Timestamp,
    ) -> PermissionSet {
        let held = self.held(granter, scope, now);
        if held.contains(Permission::ROLE_ESCALATE) {
            return PermissionSet::EMPTY;
        }
        let actor = self.ground.subject(granter).and_then(|subject| self.ground.actor(subject));
        let (Some(actor), Some(scope)) = (actor, self.ground.ou(scope)) else { return permissions };
        let below = self.ground.ou_span(scope);
        let denied = self
            .grants_reached(actor)
            .filter(|(_, _, grant)| grant.effect == Effect::Deny && grant.is_live(now))
            .filter(|(_, _, grant)| grant.span != Span::NONE && grant.span.is_within(below))
            .fold(PermissionSet::EMPTY, |denied, (_, _, grant)| denied.union(self.permissions(grant)));
        permissions.difference(held.difference(denied))
    }

    /// Whether at least one enabled user is OrgAdmin for good (rule 2.2.7): by an allow of `OrgAdmin` at the root that
    /// never expires, given to it or to a group around it, and with no deny at the root that takes anything away.
    ///
    /// Ask the snapshot *after* a change, and commit under its epoch. A change that does not make it worse need not be
    /// refused.
    #[must_use]
    pub fn has_effective_org_admin(&self, now: Timestamp) -> bool {
        let all = self.ground.all_ous();
        let gives = |subject: SubjectIx| {
            let lasting = self.grants_of(subject).iter().filter(|grant| grant.never_expires());
            let mut admins = lasting.filter(|grant| grant.role == role_number(BuiltinRole::OrgAdmin));
            !all.contains(subject) && admins.any(|grant| grant.effect == Effect::Allow && grant.span == all)
        };
        let takes = |subject: SubjectIx| {
            self.grants_of(subject).iter().any(|grant| {
                grant.effect == Effect::Deny
                    && grant.span.contains(all.start)
                    && grant.is_live(now)
                    && !self.permissions(grant).is_empty()
            })
        };
        (self.ground.users.start..self.ground.users.end).any(|user| {
            let live = self.ground.actor(user).filter(|actor| actor.standing == Standing::Live);
            live.is_some_and(|actor| {
                let reached = self.ground.reached(actor.reach);
                reached.iter().copied().any(gives) && !reached.iter().copied().any(takes)
            })
        })
    }

    /// Whether what is given to `grantee` reaches `principal`: itself, a group around it, an OU that covers its home, or
    /// any of these for the owner of an agent. Nothing reaches one who may do nothing.
    ///
    /// For grants that are not role bindings, such as access to a skill. An agent's boundary is not looked at: it speaks
    /// of permissions.
    #[must_use]
    pub fn covers(&self, principal: &Principal, grantee: &Principal) -> bool {
        let subject = self.ground.subject(principal).and_then(|subject| self.ground.actor(subject));
        let (Some(actor), Some(grantee)) = (subject, self.ground.subject(grantee)) else {
            return matches!(principal, Principal::Service(_)) && principal == grantee;
        };
        actor.standing == Standing::Live
            && [actor.reach, actor.own].into_iter().any(|span| self.ground.reached(span).contains(&grantee))
    }

    /// Whether `principal` holds `role` at `ou`: by a live allow of exactly this role there or above, given to it or to
    /// whatever it stands for, and no live deny of the same role. What else it may do does not matter.
    #[must_use]
    pub fn holds_role(&self, principal: &Principal, role: RoleRef, ou: ResourceId, now: Timestamp) -> bool {
        let subject = self.ground.subject(principal).and_then(|subject| self.ground.actor(subject));
        let number = match role {
            RoleRef::Builtin(role) => Some(role_number(role)),
            RoleRef::Custom(id) => self.ground.role_numbers.get(&id).copied(),
        };
        let (Some(actor), Some(ou), Some(number)) = (subject, self.ground.ou(ou), number) else {
            return false;
        };
        let (mut given, mut taken) = (false, actor.standing != Standing::Live);
        for (_, _, grant) in self.grants_reached(actor) {
            if grant.role == number && grant.span.contains(ou) && grant.is_live(now) {
                match grant.effect {
                    Effect::Allow => given = true,
                    Effect::Deny => taken = true,
                }
            }
        }
        given && !taken
    }

    /// The user or group that owns an agent, whether it may do anything or not.
    #[must_use]
    pub fn owner(&self, agent: ResourceId) -> Option<Principal> {
        let subject = self.ground.subject(&Principal::Agent(agent))?;
        let (_, owner) = self.ground.identity(subject)?.agent?;
        self.ground.identity(owner?).map(|identity| identity.principal.clone())
    }

    /// The user whose permissions an agent acts with, if it is of kind `user`, owned by a user, and neither is powerless.
    #[must_use]
    pub fn effective_user(&self, agent: ResourceId) -> Option<ResourceId> {
        let subject = self.ground.subject(&Principal::Agent(agent))?;
        self.ground.actor(subject).filter(|actor| actor.standing == Standing::Live)?;
        let (AgentKind::User, Some(owner)) = self.ground.identity(subject)?.agent? else { return None };
        match self.ground.identity(owner)?.principal {
            Principal::User(user) => Some(user),
            _ => None,
        }
    }

    /// The circle that adding `member` to `group` would close: from `group` through the groups around it to `member`, and
    /// back to `group`; `None` if it closes none. A membership that closes one is refused with this path.
    #[must_use]
    pub fn membership_cycle(&self, group: ResourceId, member: &Principal) -> Option<Vec<Label>> {
        let Principal::Group(_) = member else { return None };
        let inner = self.ground.subject(member)?;
        let outer = self.ground.subject(&Principal::Group(group))?;
        let mut walk = Walk::new(&self.ground.groups_of);
        walk.run([outer], usize::MAX);
        let mut place = walk.found.iter().position(|(found, _)| *found == inner)?;
        let mut path = vec![inner];
        while place != 0 {
            place = walk.found.get(place).map_or(0, |(_, through)| *through as usize);
            path.extend(walk.found.get(place).map(|(found, _)| *found));
        }
        path.reverse();
        path.push(outer);
        let label = |subject: SubjectIx| self.ground.identity(subject).map(|identity| identity.label.clone());
        Some(path.into_iter().filter_map(label).collect())
    }

    /// Whether adding `member` to `group` would make a chain of more than [`MAX_NESTING`] groups, counted on the safe
    /// side. Such a membership is refused, for it would make subjects powerless.
    #[must_use]
    pub fn membership_too_deep(&self, group: ResourceId, member: &Principal) -> bool {
        let outer = self.ground.subject(&Principal::Group(group));
        let (Some(outer), Some(member)) = (outer, self.ground.subject(member)) else { return false };
        let mut walk = Walk::new(&self.ground.groups_of);
        let above = walk.run([outer], MAX_NESTING) + 1;
        let mut members_of = vec![Vec::new(); self.ground.groups_of.len()];
        for (subject, groups) in (0u32..).zip(&self.ground.groups_of) {
            for &group in groups.iter().filter(|_| self.ground.groups.contains(subject)) {
                if let Some(members) = members_of.get_mut(group as usize) {
                    members.push(subject);
                }
            }
        }
        let below = Walk::new(&members_of).run([member], MAX_NESTING);
        above + below + usize::from(self.ground.groups.contains(member)) > MAX_NESTING
    }
}

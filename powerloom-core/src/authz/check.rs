//! Yes or no.

use crate::authz::data::Effect;
use crate::authz::ground::{Actor, OuIx, Standing, SubjectIx};
use crate::authz::snapshot::{AuthzSnapshot, Grant};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::ou_path::OuPath;
use crate::permission::{Permission, PermissionSet};
use crate::principal::{Principal, PrincipalRef};

impl AuthzSnapshot {
    /// Whether `principal` may do `permission` at `ou`. Allocates nothing. Whoever or whatever is unknown is denied.
    #[must_use]
    pub fn check(
        &self,
        principal: &Principal,
        permission: Permission,
        ou: ResourceId,
        now: Timestamp,
    ) -> bool {
        match (self.ground.subject(principal), self.ground.ou(ou)) {
            (Some(subject), Some(ou)) => self.allows(subject, permission, ou, now),
            _ => false,
        }
    }

    /// The same by the written forms: `user:ada@acme.com`, `agent:create`, `/acme/eng`.
    ///
    /// Allocates nothing when the principal and the path are known and written as the snapshot writes them; other
    /// spellings of the same (an e-mail in capitals, a trailing slash) are understood, at the price of parsing them.
    ///
    /// # Errors
    /// [`Invalid`] if one of the three cannot be the written form of anything. Something well-formed and unknown is
    /// denied, not refused.
    pub fn check_str(
        &self,
        principal: &str,
        permission: &str,
        ou_path: &str,
        now: Timestamp,
    ) -> Result<bool, Invalid> {
        let Some(permission) = Permission::find(permission) else {
            return permission.parse::<Permission>().map(|_| false);
        };
        let subject = match self.ground.by_name.get(principal) {
            Some(&subject) => Some(subject),
            None => {
                let written: PrincipalRef = principal.parse()?;
                self.ground.by_name.get(written.to_string().as_str()).copied()
            }
        };
        let ou = match self.ground.by_path.get(ou_path) {
            Some(&ou) => Some(ou),
            None => self.ground.by_path.get(ou_path.parse::<OuPath>()?.as_str()).copied(),
        };
        Ok(matches!((subject, ou), (Some(subject), Some(ou)) if self.allows(subject, permission, ou, now)))
    }

    /// All that `principal` may do at `ou`.
    #[must_use]
    pub fn held(&self, principal: &Principal, ou: ResourceId, now: Timestamp) -> PermissionSet {
        let subject = self.ground.subject(principal).and_then(|subject| self.ground.actor(subject));
        let (Some(actor), Some(ou)) = (subject, self.ground.ou(ou)) else { return PermissionSet::EMPTY };
        if actor.standing != Standing::Live {
            return PermissionSet::EMPTY;
        }
        let unasked =
            if actor.runtime.contains(ou) { self.ground.agent_runtime } else { PermissionSet::EMPTY };
        let (mut allowed, mut denied) = (unasked, PermissionSet::EMPTY);
        for (_, _, grant) in self.grants_reached(actor) {
            if grant.span.contains(ou) && grant.is_live(now) {
                let side = match grant.effect {
                    Effect::Allow => &mut allowed,
                    Effect::Deny => &mut denied,
                };
                *side = side.union(self.permissions(grant));
            }
        }
        allowed.difference(denied).intersection(actor.within)
    }

    /// Everyone who may do `permission` at `ou`: users and agents, in no particular order. Asks each in turn.
    #[must_use]
    pub fn who_can(&self, permission: Permission, ou: ResourceId, now: Timestamp) -> Vec<Principal> {
        let Some(ou) = self.ground.ou(ou) else { return Vec::new() };
        (self.ground.users.start..self.ground.agents.end)
            .filter(|&subject| self.allows(subject, permission, ou, now))
            .filter_map(|subject| self.ground.identity(subject).map(|identity| identity.principal.clone()))
            .collect()
    }

    fn allows(&self, subject: SubjectIx, permission: Permission, ou: OuIx, now: Timestamp) -> bool {
        let Some(actor) = self.ground.actor(subject) else { return false };
        if actor.standing != Standing::Live || !actor.within.contains(permission) {
            return false;
        }
        let mut allowed = actor.runtime.contains(ou) && self.ground.agent_runtime.contains(permission);
        let mut denied = false;
        for &subject in self.ground.reached(actor.reach) {
            // Whether a grant applies is a coin toss to the processor: so it is computed, not branched upon.
            for grant in self.grants_of(subject) {
                let applies = self.applies(grant, permission, ou, now);
                allowed |= applies & matches!(grant.effect, Effect::Allow);
                denied |= applies & matches!(grant.effect, Effect::Deny);
            }
        }
        allowed && !denied && !self.denied_itself(actor, permission, ou, now)
    }

    fn denied_itself(&self, actor: &Actor, permission: Permission, ou: OuIx, now: Timestamp) -> bool {
        let own = self.ground.reached(actor.own).iter().flat_map(|&subject| self.grants_of(subject));
        own.filter(|grant| grant.effect == Effect::Deny).any(|grant| self.applies(grant, permission, ou, now))
    }

    /// Whether the grant speaks about `permission` at `ou` now.
    pub(super) fn applies(&self, grant: &Grant, permission: Permission, ou: OuIx, now: Timestamp) -> bool {
        grant.span.contains(ou) & self.permissions(grant).contains(permission) & grant.is_live(now)
    }

    pub(super) fn permissions(&self, grant: &Grant) -> PermissionSet {
        self.ground.roles.get(grant.role as usize).map_or(PermissionSet::EMPTY, |role| role.permissions)
    }
}

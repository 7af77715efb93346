//! Who is known, in order, and whether two snapshots can differ about somebody.

use crate::authz::label::Label;
use crate::authz::snapshot::AuthzSnapshot;
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;

impl AuthzSnapshot {
    /// Everybody a check can be about: OUs, groups, users, agents, and the services that something names.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> + '_ {
        self.ground.identities.iter().map(|identity| &identity.principal)
    }

    /// Who may do `permission` at `ou`, of every kind, ordered by the written form; strictly after `after`, at most
    /// `limit`. The same as checking [`principals`](Self::principals) one by one.
    ///
    /// A group stands in the list if what is given to it suffices; its members stand there too.
    #[must_use]
    pub fn subjects(
        &self,
        permission: Permission,
        ou: ResourceId,
        now: Timestamp,
        after: Option<&Label>,
        limit: usize,
    ) -> Vec<(Principal, Label)> {
        let mut found: Vec<_> = self
            .ground
            .identities
            .iter()
            .filter(|identity| after.is_none_or(|after| identity.label > *after))
            .filter(|identity| self.check(&identity.principal, permission, ou, now))
            .collect();
        if found.len() > limit {
            found.select_nth_unstable_by(limit, |a, b| a.label.cmp(&b.label));
            found.truncate(limit);
        }
        found.sort_unstable_by(|a, b| a.label.cmp(&b.label));
        found.into_iter().map(|identity| (identity.principal.clone(), identity.label.clone())).collect()
    }

    /// What a binding gives or takes, wherever it counts.
    pub(crate) fn binding_permissions(&self, id: ResourceId) -> Option<PermissionSet> {
        let holder = self.holder_of(id)?;
        let grant = self.grants_of(holder).iter().find(|grant| grant.id == id)?;
        Some(self.permissions(grant))
    }

    /// A user's home OU.
    pub(crate) fn home_of(&self, user: ResourceId) -> Option<ResourceId> {
        let subject = self.ground.subject(&Principal::User(user))?;
        // Right after the subject itself come its home and the OUs above, nearest first.
        let home = *self.ground.reached(self.ground.actor(subject)?.reach).get(1)?;
        self.ground.ous.get(home as usize).map(|ou| ou.id)
    }

    /// The OU above; `None` for the root and for an unknown one.
    pub(crate) fn parent_of(&self, ou: ResourceId) -> Option<ResourceId> {
        let above = self.ground.ous.get(self.ground.ou(ou)? as usize)?.parent?;
        self.ground.ous.get(above as usize).map(|ou| ou.id)
    }

    /// Whether both have the same OUs at the same places.
    pub(crate) fn has_tree_of(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.ground.ous, &other.ground.ous);
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.id == b.id && a.path == b.path)
    }

    /// Whether both certainly decide alike about `principal`, the trees being the same. `false` means: perhaps not.
    pub(crate) fn agrees_about(&self, other: &Self, principal: &Principal) -> bool {
        let (ours, theirs) = match (self.ground.subject(principal), other.ground.subject(principal)) {
            (Some(ours), Some(theirs)) => (self.ground.actor(ours), other.ground.actor(theirs)),
            (ours, theirs) => return ours.is_none() && theirs.is_none(),
        };
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
        let alike = ours.standing == theirs.standing
            && ours.within == theirs.within
            && ours.runtime == theirs.runtime
            && self.ground.agent_runtime == other.ground.agent_runtime;
        alike
            && self
                .grants_reached(ours)
                .map(|(_, _, grant)| (grant.id, grant.span, grant.effect, self.permissions(grant)))
                .eq(other
                    .grants_reached(theirs)
                    .map(|(_, _, grant)| (grant.id, grant.span, grant.effect, other.permissions(grant))))
    }
}

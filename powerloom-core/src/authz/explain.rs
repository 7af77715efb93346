//! The same answer as `check`, with all that led to it.

use crate::authz::data::Effect;
use crate::authz::decision::{Decision, Match, Resolution, Via};
use crate::authz::ground::{Actor, OuIx, Span, Standing, SubjectIx};
use crate::authz::label::Label;
use crate::authz::snapshot::{AuthzSnapshot, role_number};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::role::BuiltinRole;

impl AuthzSnapshot {
    /// Decides as [`check`](Self::check) does, and tells which bindings made it so. About a microsecond.
    #[must_use]
    pub fn decide(
        &self,
        principal: &Principal,
        permission: Permission,
        ou: ResourceId,
        now: Timestamp,
    ) -> Decision {
        let subject = self.ground.subject(principal);
        let number = self.ground.ou(ou);
        let mut bindings = Vec::new();
        let resolution = match (subject.and_then(|subject| self.ground.actor(subject)), number) {
            (_, None) => Resolution::UnknownOu,
            (Some(actor), Some(number)) => self.resolve_for(actor, permission, number, now, &mut bindings),
            // A service nobody named yet exists as soon as it calls.
            (None, _) if matches!(principal, Principal::Service(_)) => Resolution::NoMatchingGrant,
            (None, _) => Resolution::UnknownPrincipal,
        };
        let known = number.and_then(|number| self.ground.ous.get(number as usize));
        Decision {
            principal: principal.clone(),
            name: subject.map_or_else(|| Label::from(principal.to_string()), |subject| self.label(subject)),
            permission,
            ou: known.map_or_else(|| Label::from(ou.to_string()), |ou| ou.label.clone()),
            verdict: resolution.verdict(),
            resolution,
            bindings,
        }
    }

    fn resolve_for(
        &self,
        actor: &Actor,
        permission: Permission,
        ou: OuIx,
        now: Timestamp,
        bindings: &mut Vec<Match>,
    ) -> Resolution {
        match actor.standing {
            Standing::Live => {}
            Standing::Disabled => return Resolution::DisabledUser,
            Standing::Archived => return Resolution::ArchivedAgent,
            Standing::OwnerPowerless => return Resolution::OwnerPowerless,
            Standing::NestedTooDeep => return Resolution::NestedTooDeep,
        }
        if actor.runtime.contains(ou) && self.ground.agent_runtime.contains(permission) {
            bindings.push(Match {
                binding: None,
                scope: self.ou_label(actor.runtime.start),
                role: self.role_label(role_number(BuiltinRole::AgentRuntime)),
                effect: Effect::Allow,
                via: Via::Direct,
            });
        }
        for (span, place, grant) in self.grants_reached(actor) {
            if self.applies(grant, permission, ou, now) {
                bindings.push(Match {
                    binding: Some(grant.id),
                    scope: self.ou_label(grant.scope),
                    role: self.role_label(grant.role),
                    effect: grant.effect,
                    via: self.via(actor, span, place),
                });
            }
        }
        let any = |effect| bindings.iter().any(|binding| binding.effect == effect);
        if any(Effect::Deny) {
            Resolution::ExplicitDeny
        } else if !actor.within.contains(permission) {
            Resolution::OutsideBoundary
        } else if any(Effect::Allow) {
            Resolution::Allowed
        } else {
            Resolution::NoMatchingGrant
        }
    }

    pub(super) fn via(&self, actor: &Actor, span: Span, place: u32) -> Via {
        let through = self.ground.chain(span, place);
        let first = self.ground.reached(span).first().copied();
        // An agent with a span of its own acts through its owner's.
        if span == actor.reach && actor.own != Span::NONE {
            return Via::Owner {
                chain: first.into_iter().chain(through).map(|subject| self.label(subject)).collect(),
            };
        }
        let Some(&last) = through.last() else { return Via::Direct };
        if self.ground.all_ous().contains(last) {
            Via::Ou { ou: self.label(last) }
        } else {
            // Of the OUs on the way only the one inside the group matters.
            let inner =
                through.iter().rposition(|&subject| self.ground.all_ous().contains(subject)).unwrap_or(0);
            Via::Group { chain: through.into_iter().skip(inner).map(|subject| self.label(subject)).collect() }
        }
    }

    fn label(&self, subject: SubjectIx) -> Label {
        self.ground.identity(subject).map_or_else(|| Label::from(""), |identity| identity.label.clone())
    }

    pub(super) fn ou_label(&self, ou: OuIx) -> Label {
        self.ground.ous.get(ou as usize).map_or_else(|| Label::from(""), |ou| ou.label.clone())
    }

    pub(super) fn role_label(&self, role: u32) -> Label {
        self.ground.roles.get(role as usize).map_or_else(|| Label::from(""), |role| role.label.clone())
    }
}

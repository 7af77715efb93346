//! What a denied request lacks: the smallest change after which it would be allowed (row M33).

use crate::authz::data::{AgentKind, Effect, RoleRef};
use crate::authz::decision::{Match, Resolution};
use crate::authz::ground::{Actor, OuIx, Standing, SubjectIx};
use crate::authz::label::Label;
use crate::authz::snapshot::{AuthzSnapshot, Grant};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use crate::role::BuiltinRole;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that must happen before a denied request would be allowed. Where there are several, all must happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "need", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever advises must know every way out")]
pub enum Need {
    /// No binding gives it: one of these would, the nearest first; or an expired one, renewed.
    Grant {
        /// What to bind. The first gives the fewest further permissions.
        choices: Vec<Grantable>,
        /// Bindings that would have sufficed.
        expired: Vec<Expired>,
    },
    /// This binding takes it and would have to go.
    Lift {
        /// The deny.
        deny: Match,
        /// The OU it is bound at.
        scope: ResourceId,
    },
    /// This user is disabled: the principal itself, or the owner of the agent.
    Enable {
        /// Whom, in the written form.
        user: Label,
        /// Its id.
        id: ResourceId,
    },
    /// The permission boundary of this agent leaves it out.
    Widen {
        /// Which, in the written form.
        agent: Label,
    },
    /// The token leaves it out: another one is needed, whatever is bound.
    Token,
    /// Nothing that could be given helps: the principal is unknown, archived, owned by nobody, or nested too deep; or
    /// the OU does not exist.
    Nothing {
        /// Why.
        because: Resolution,
    },
}

/// A binding that would give what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Grantable {
    /// To whom: the principal; for an agent that acts as its owner, the owner; or a group around either.
    pub to: Principal,
    /// The same in the written form.
    pub name: Label,
    /// Which role.
    pub role: RoleRef,
    /// Its name.
    pub role_name: Label,
    /// What the role gives besides.
    pub further: PermissionSet,
    /// Where: the OU asked about, the narrowest place that helps.
    pub at: Label,
    /// The id of that OU.
    pub ou: ResourceId,
    /// For a group: an OU where it holds the role already.
    #[cfg_attr(feature = "schema", schema(required))]
    pub held_at: Option<Label>,
    /// The OU that owns a custom role.
    #[cfg_attr(feature = "schema", schema(required))]
    pub owned_at: Option<ResourceId>,
}

/// A binding that would have sufficed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ExpiredBinding))]
#[non_exhaustive]
pub struct Expired {
    /// The binding.
    pub binding: Match,
    /// The first moment at which it did not count.
    pub at: Timestamp,
}

impl AuthzSnapshot {
    /// All that must happen before `principal` may do `permission` at `ou`; empty if it may.
    ///
    /// Whoever does all of it has made [`check`](Self::check) answer yes: a test does so at random. Groups and roles
    /// are named without asking who may know of them.
    ///
    /// # Examples
    /// ```
    /// # use powerloom_core::authz::{AuthzData, AuthzSnapshot, Need, OuData, UserData};
    /// # use powerloom_core::clock::Timestamp;
    /// # use powerloom_core::id::{OrgId, ResourceId};
    /// # use powerloom_core::permission::Permission;
    /// # use powerloom_core::principal::Principal;
    /// # use uuid::Uuid;
    /// # let id = |n| ResourceId::from_uuid(Uuid::from_u128(n));
    /// # let (acme, ada) = (id(1), id(2));
    /// # let data = AuthzData {
    /// #     ous: vec![OuData { id: acme, parent: None, name: "acme".parse()? }],
    /// #     users: vec![UserData { id: ada, email: "ada@acme.com".parse()?, home_ou: acme, disabled: false }],
    /// #     ..AuthzData::default()
    /// # };
    /// let authz = AuthzSnapshot::compile(OrgId::from_uuid(Uuid::from_u128(9)), 1, data)?;
    /// let needs = authz.needs(&Principal::User(ada), Permission::SKILL_USE, acme, Timestamp::default());
    /// // Of the roles that hold it, `SkillUser` gives the least besides.
    /// assert_eq!(needs[0].to_string(), "bind `SkillUser` to `user:ada@acme.com` at `/acme`");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn needs(
        &self,
        principal: &Principal,
        permission: Permission,
        ou: ResourceId,
        now: Timestamp,
    ) -> Vec<Need> {
        let Some(number) = self.ground.ou(ou) else {
            return vec![Need::Nothing { because: Resolution::UnknownOu }];
        };
        let Some(subject) = self.ground.subject(principal) else {
            // A service nobody named yet exists as soon as it calls.
            if matches!(principal, Principal::Service(_)) {
                let to = (principal.clone(), Label::from(principal.to_string()));
                let choices = self.roles_for(to, permission, number);
                return vec![Need::Grant { choices, expired: Vec::new() }];
            }
            return vec![Need::Nothing { because: Resolution::UnknownPrincipal }];
        };
        let mut needs = Vec::new();
        let Some(actor) = self.acting(subject, &mut needs) else { return needs };
        self.missing(subject, &actor, (permission, number, now), &mut needs);
        needs
    }

    /// Whose grants would count if nobody were disabled; `None` if nothing could help.
    fn acting(&self, subject: SubjectIx, needs: &mut Vec<Need>) -> Option<Actor> {
        let nothing = |needs: &mut Vec<Need>, because| needs.push(Need::Nothing { because });
        let mut actor = self.ground.actor(subject)?.clone();
        match actor.standing {
            Standing::Live => {}
            Standing::Disabled => needs.push(self.enable(subject)?),
            Standing::Archived => {
                nothing(needs, Resolution::ArchivedAgent);
                return None;
            }
            Standing::NestedTooDeep => {
                nothing(needs, Resolution::NestedTooDeep);
                return None;
            }
            Standing::OwnerPowerless => {
                let owner = match self.ground.identity(subject)?.agent {
                    Some((AgentKind::User, Some(owner))) => Some(owner),
                    _ => None,
                };
                let held = owner.and_then(|owner| Some((owner, self.ground.actor(owner)?)));
                match held.filter(|(_, held)| held.standing == Standing::Disabled) {
                    Some((owner, held)) => {
                        needs.push(self.enable(owner)?);
                        (actor.own, actor.reach) = (actor.reach, held.reach);
                    }
                    None => {
                        nothing(needs, Resolution::OwnerPowerless);
                        return None;
                    }
                }
            }
        }
        Some(actor)
    }

    fn enable(&self, user: SubjectIx) -> Option<Need> {
        let identity = self.ground.identity(user)?;
        Some(Need::Enable { user: identity.label.clone(), id: identity.principal.id()? })
    }

    fn missing(
        &self,
        subject: SubjectIx,
        actor: &Actor,
        asked: (Permission, OuIx, Timestamp),
        needs: &mut Vec<Need>,
    ) {
        let (permission, ou, now) = asked;
        let mut given = actor.runtime.contains(ou) && self.ground.agent_runtime.contains(permission);
        let (mut expired, mut elsewhere, mut denies) = (Vec::new(), Vec::new(), Vec::new());
        for (span, place, grant) in self.grants_reached(actor) {
            if !self.permissions(grant).contains(permission) {
                continue;
            }
            let (here, live) = (grant.span.contains(ou), grant.is_live(now));
            match grant.effect {
                // One that reaches both the owner and the agent is one.
                Effect::Deny if here && live && !denies.contains(&grant.id) => {
                    denies.push(grant.id);
                    needs.push(Need::Lift {
                        deny: self.matched(actor, span, place, grant),
                        scope: self.ou_id_of(grant.scope),
                    });
                }
                Effect::Allow if here && live => given = true,
                Effect::Allow if here => expired.extend(
                    grant
                        .expires_at()
                        .map(|at| Expired { binding: self.matched(actor, span, place, grant), at }),
                ),
                Effect::Allow if live => {
                    let holder = self.ground.reached(span).get(place as usize).copied();
                    elsewhere.extend(holder.map(|holder| (holder, *grant)));
                }
                _ => {}
            }
        }
        if !actor.within.contains(permission)
            && let Some(agent) = self.ground.identity(subject)
        {
            needs.push(Need::Widen { agent: agent.label.clone() });
        }
        if given {
            return;
        }
        // Whose bindings count: the owner's, for an agent that acts as its owner.
        let first = self.ground.reached(actor.reach).first().copied().unwrap_or(subject);
        let mut choices = match self.ground.identity(first) {
            Some(to) => self.roles_for((to.principal.clone(), to.label.clone()), permission, ou),
            None => Vec::new(),
        };
        choices.extend(elsewhere.into_iter().filter_map(|(holder, grant)| {
            let group = self.ground.groups.contains(holder) && holder != first;
            let to = self.ground.identity(holder).filter(|_| group)?;
            let held_at = Some(self.ou_label(grant.scope));
            let to = (to.principal.clone(), to.label.clone());
            Some(Grantable { held_at, ..self.grantable(to, grant.role, permission, ou)? })
        }));
        choices.sort_by_cached_key(|choice| {
            (choice.further.len(), choice.held_at.is_some(), choice.role_name.clone(), choice.name.clone())
        });
        choices.dedup_by(|a, b| a.to == b.to && a.role == b.role);
        needs.push(Need::Grant { choices, expired });
    }

    /// Every role that holds `permission` and may be bound at `ou`, the narrowest first.
    fn roles_for(&self, to: (Principal, Label), permission: Permission, ou: OuIx) -> Vec<Grantable> {
        let count = u32::try_from(self.ground.roles.len()).unwrap_or(u32::MAX);
        let mut choices: Vec<Grantable> =
            (0..count).filter_map(|role| self.grantable(to.clone(), role, permission, ou)).collect();
        choices.sort_by_cached_key(|choice| (choice.further.len(), choice.role_name.clone()));
        choices
    }

    fn grantable(
        &self,
        to: (Principal, Label),
        role: u32,
        permission: Permission,
        ou: OuIx,
    ) -> Option<Grantable> {
        let held = self.ground.roles.get(role as usize)?;
        if !held.permissions.contains(permission) || !held.usable.contains(ou) {
            return None;
        }
        let (of, owned_at) = match BuiltinRole::ALL.get(role as usize) {
            Some(builtin) => (RoleRef::Builtin(*builtin), None),
            None => {
                let (id, _) = self.ground.role_numbers.iter().find(|(_, number)| **number == role)?;
                (RoleRef::Custom(*id), Some(self.ou_id_of(held.usable.start)))
            }
        };
        Some(Grantable {
            to: to.0,
            name: to.1,
            role: of,
            role_name: held.label.clone(),
            further: held.permissions.difference(PermissionSet::of(&[permission])),
            at: self.ou_label(ou),
            ou: self.ou_id_of(ou),
            held_at: None,
            owned_at,
        })
    }

    fn matched(&self, actor: &Actor, span: crate::authz::ground::Span, place: u32, grant: &Grant) -> Match {
        Match {
            binding: Some(grant.id),
            scope: self.ou_label(grant.scope),
            role: self.role_label(grant.role),
            effect: grant.effect,
            via: self.via(actor, span, place),
        }
    }

    fn ou_id_of(&self, ou: OuIx) -> ResourceId {
        // Numbers come from the ground itself, so the root stands in for nothing that happens.
        let found = self.ground.ous.get(ou as usize).or_else(|| self.ground.ous.first());
        found.map_or(ResourceId::from_uuid(uuid::Uuid::nil()), |ou| ou.id)
    }
}

impl fmt::Display for Grantable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind `{}` to `{}` at `{}`", self.role_name, self.name, self.at)?;
        match &self.held_at {
            Some(held) => write!(f, ", as at `{held}`"),
            None => Ok(()),
        }
    }
}

/// What to do, in a few words.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { choices, expired } => {
                match choices.first() {
                    Some(nearest) => write!(f, "{nearest}")?,
                    None => f.write_str("bind a role that holds it")?,
                }
                for old in expired {
                    write!(f, "; {} expired at {}", old.binding, old.at)?;
                }
                Ok(())
            }
            Self::Lift { deny, .. } => write!(f, "remove {deny}, which denies it"),
            Self::Enable { user, .. } => write!(f, "enable `{user}`"),
            Self::Widen { agent } => write!(f, "widen the permission boundary of `{agent}`"),
            Self::Token => f.write_str("use a token that holds it"),
            Self::Nothing { because } => f.write_str(match because {
                Resolution::UnknownPrincipal => "nothing helps: the principal does not exist",
                Resolution::UnknownOu => "nothing helps: the OU does not exist",
                Resolution::ArchivedAgent => "nothing helps: the agent is archived",
                Resolution::NestedTooDeep => "nothing given helps: groups are nested too deeply around it",
                _ => "nothing given helps: the owner is unknown or no user or group",
            }),
        }
    }
}

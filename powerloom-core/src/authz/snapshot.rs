//! The snapshot: the ground and the bindings upon it.

use crate::authz::compile;
use crate::authz::data::{AuthzData, BindingData, Effect, RoleRef};
use crate::authz::error::AuthzDataError;
use crate::authz::ground::{Actor, Ground, OuIx, Role, Span, SubjectIx};
use crate::authz::label::Label;
use crate::authz::slices::Slices;
use crate::clock::Timestamp;
use crate::id::{OrgId, ResourceId};
use crate::name::Email;
use crate::ou_path::OuPath;
use crate::permission::PermissionSet;
use crate::principal::{Principal, PrincipalRef};
use crate::role::BuiltinRole;
use std::fmt;
use std::sync::Arc;

/// One organization's authorization at one epoch: immutable, cheap to clone, safe to share.
///
/// Every question is answered from memory. Ids of another organization are unknown here, and what is unknown is denied.
#[derive(Clone)]
pub struct AuthzSnapshot {
    pub(super) ground: Arc<Ground>,
    grants: Slices<Grant>,
    /// Whose a binding is, in buckets by the binding's id.
    holders: Slices<(ResourceId, SubjectIx)>,
    bucket_bits: u32,
    bindings: usize,
    epoch: u64,
}

/// A binding, as a check reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    pub(super) id: ResourceId,
    /// Where it counts: the scope and below, as far as the role is usable.
    pub(super) span: Span,
    pub(super) scope: OuIx,
    pub(super) role: u32,
    /// Microseconds; never reached if there is no expiry.
    expires: i64,
    pub(super) effect: Effect,
}

impl Grant {
    pub(super) const fn is_live(&self, now: Timestamp) -> bool {
        (now.as_micros() < self.expires) | self.never_expires()
    }

    pub(super) const fn never_expires(&self) -> bool {
        self.expires == i64::MAX
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        (!self.never_expires()).then(|| Timestamp::from_micros(self.expires))
    }
}

impl AuthzSnapshot {
    /// Compiles `data` as it was read at `epoch`.
    ///
    /// # Errors
    /// [`AuthzDataError`] if the data contradicts itself: no root OU or two, a cycle of OUs, an id or a name twice, a
    /// reference that leads nowhere. Cycles of groups are no error, they end; nor is an agent's unknown owner, which
    /// makes the agent powerless.
    pub fn compile(org: OrgId, epoch: u64, data: AuthzData) -> Result<Self, AuthzDataError> {
        let ground = compile::ground(org, &data)?;
        let bucket_bits = (data.bindings.len() / 2).max(1024).next_power_of_two().trailing_zeros();
        let mut snapshot = Self {
            grants: Slices::new(ground.identities.len()),
            holders: Slices::new(1 << bucket_bits),
            ground: Arc::new(ground),
            bucket_bits,
            bindings: data.bindings.len(),
            epoch,
        };
        let mut held = Vec::with_capacity(data.bindings.len());
        for binding in &data.bindings {
            held.push((snapshot.holder(binding)?, snapshot.grant(binding)?));
        }
        held.sort_unstable_by_key(|(subject, grant)| (*subject, grant.id));
        for same in held.chunk_by(|a, b| a.0 == b.0) {
            if let Some((subject, _)) = same.first() {
                snapshot.grants.set(*subject, same.iter().map(|(_, grant)| *grant).collect());
            }
        }
        let mut holders: Vec<_> =
            held.iter().map(|(subject, grant)| (snapshot.bucket(grant.id), (grant.id, *subject))).collect();
        holders.sort_unstable();
        for same in holders.chunk_by(|a, b| a.0 == b.0) {
            let twice = |pair: &[(u32, (ResourceId, SubjectIx))]| match pair {
                [(_, (a, _)), (_, (b, _))] if a == b => Some(*a),
                _ => None,
            };
            if let Some(id) = same.windows(2).find_map(twice) {
                return Err(AuthzDataError::DuplicateId { id });
            }
            if let Some((bucket, _)) = same.first() {
                snapshot.holders.set(*bucket, same.iter().map(|(_, holder)| *holder).collect());
            }
        }
        Ok(snapshot)
    }

    /// The same with one binding more, at `epoch`. Constant time, about a microsecond, plus a copy of the other bindings
    /// of the same principal; the first binding of a service nobody named before copies the ground once.
    ///
    /// # Errors
    /// [`AuthzDataError`] if the binding's id is taken, or its principal, role or scope does not exist.
    pub fn with_binding(&self, epoch: u64, binding: &BindingData) -> Result<Self, AuthzDataError> {
        let bucket = self.bucket(binding.id);
        if self.holders.get(bucket).iter().any(|(id, _)| *id == binding.id) {
            return Err(AuthzDataError::DuplicateId { id: binding.id });
        }
        let grant = self.grant(binding)?;
        let mut next = Self { epoch, bindings: self.bindings + 1, ..self.clone() };
        let subject = match (self.holder(binding), &binding.principal) {
            (Err(_), Principal::Service(_)) => {
                compile::add_service(Arc::make_mut(&mut next.ground), binding.principal.clone())
            }
            (found, _) => found?,
        };
        let held = self.grants.get(subject);
        let place = held.partition_point(|other| other.id < grant.id);
        let (before, after) = held.split_at_checked(place).unwrap_or_default();
        next.grants.set(subject, before.iter().chain([&grant]).chain(after).copied().collect());
        let holders = self.holders.get(bucket);
        next.holders.set(bucket, holders.iter().copied().chain([(binding.id, subject)]).collect());
        Ok(next)
    }

    /// The same without the binding `id`, at `epoch`; constant time as for [`with_binding`](Self::with_binding).
    ///
    /// # Errors
    /// [`AuthzDataError::UnknownBinding`] if there is none.
    pub fn without_binding(&self, epoch: u64, id: ResourceId) -> Result<Self, AuthzDataError> {
        let bucket = self.bucket(id);
        let holders = self.holders.get(bucket);
        let Some(&(_, subject)) = holders.iter().find(|(other, _)| *other == id) else {
            return Err(AuthzDataError::UnknownBinding { id });
        };
        let mut next = Self { epoch, bindings: self.bindings - 1, ..self.clone() };
        next.grants.set(subject, self.grants.get(subject).iter().filter(|g| g.id != id).copied().collect());
        next.holders.set(bucket, holders.iter().filter(|(other, _)| *other != id).copied().collect());
        Ok(next)
    }

    /// The organization.
    #[must_use]
    pub fn org(&self) -> OrgId {
        self.ground.org
    }

    /// The epoch it was compiled at: the number a write names as its precondition.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The root OU.
    #[must_use]
    pub fn root(&self) -> Option<ResourceId> {
        self.ground.ous.first().map(|root| root.id)
    }

    /// The path of an OU.
    #[must_use]
    pub fn ou_path(&self, ou: ResourceId) -> Option<&OuPath> {
        self.ground.ous.get(self.ground.ou(ou)? as usize).map(|ou| &ou.path)
    }

    /// The OU of a path.
    #[must_use]
    pub fn ou_id(&self, path: &OuPath) -> Option<ResourceId> {
        let number = *self.ground.by_path.get(path.as_str())?;
        self.ground.ous.get(number as usize).map(|ou| ou.id)
    }

    /// Whether `ou` is `ancestor` or lies below it; an unknown OU is nowhere.
    #[must_use]
    pub fn is_within(&self, ou: ResourceId, ancestor: ResourceId) -> bool {
        match (self.ground.ou(ou), self.ground.ou(ancestor)) {
            (Some(ou), Some(ancestor)) => self.ground.ou_span(ancestor).contains(ou),
            _ => false,
        }
    }

    /// An OU and all above it, itself first; nothing for an unknown one.
    pub fn self_and_ancestors(&self, ou: ResourceId) -> impl Iterator<Item = ResourceId> + '_ {
        let number = |ix: OuIx| self.ground.ous.get(ix as usize);
        let first = self.ground.ou(ou).and_then(number);
        std::iter::successors(first, move |ou| ou.parent.and_then(number)).map(|ou| ou.id)
    }

    /// An OU and all below it, in pre-order; nothing for an unknown one.
    pub fn subtree(&self, ou: ResourceId) -> impl Iterator<Item = ResourceId> + '_ {
        let span = self.ground.ou(ou).map_or(Span::NONE, |number| self.ground.ou_span(number));
        let ous = self.ground.ous.get(span.start as usize..span.end as usize).unwrap_or_default();
        ous.iter().map(|ou| ou.id)
    }

    /// The user of an e-mail, disabled or not.
    #[must_use]
    pub fn user_by_email(&self, email: &Email) -> Option<ResourceId> {
        self.resolve(&PrincipalRef::User(email.clone()))?.id()
    }

    /// Resolves a written principal; `None` if nobody has that name. A service has no id and is always somebody.
    #[must_use]
    pub fn resolve(&self, written: &PrincipalRef) -> Option<Principal> {
        if let PrincipalRef::Service(name) = written {
            return Some(Principal::Service(name.clone()));
        }
        let subject = *self.ground.by_name.get(written.to_string().as_str())?;
        self.ground.identity(subject).map(|identity| identity.principal.clone())
    }

    /// Whether the principal is known; a service always is.
    #[must_use]
    pub fn knows(&self, principal: &Principal) -> bool {
        matches!(principal, Principal::Service(_)) || self.ground.subject(principal).is_some()
    }

    /// How a known principal is written; a service only once something names it.
    #[must_use]
    pub fn written(&self, principal: &Principal) -> Option<&Label> {
        self.ground.identity(self.ground.subject(principal)?).map(|identity| &identity.label)
    }

    /// What a role holds here; `None` for an unknown one.
    #[must_use]
    pub fn role_permissions(&self, role: RoleRef) -> Option<PermissionSet> {
        self.role(role).map(|role| role.permissions)
    }

    /// Whether a role may be bound at `scope`: a custom one only in its owning OU and below (rule 2.2.2). A binding
    /// elsewhere should be refused; one that is there nevertheless reaches no further than the owning OU.
    #[must_use]
    pub fn role_is_usable_at(&self, role: RoleRef, scope: ResourceId) -> bool {
        match (self.role(role), self.ground.ou(scope)) {
            (Some(role), Some(scope)) => role.usable.contains(scope),
            _ => false,
        }
    }

    fn role(&self, role: RoleRef) -> Option<&Role> {
        let number = match role {
            RoleRef::Builtin(role) => role_number(role),
            RoleRef::Custom(id) => *self.ground.role_numbers.get(&id)?,
        };
        self.ground.roles.get(number as usize)
    }

    /// Whose a binding is.
    pub(super) fn holder_of(&self, binding: ResourceId) -> Option<SubjectIx> {
        let bucket = self.holders.get(self.bucket(binding));
        bucket.iter().find(|(id, _)| *id == binding).map(|(_, subject)| *subject)
    }

    pub(super) fn grants_of(&self, subject: SubjectIx) -> &[Grant] {
        self.grants.get(subject)
    }

    /// The grants that decide about `actor`, each with its span of reach and its place there; those reached through
    /// `own` count only if they deny.
    pub(super) fn grants_reached(&self, actor: &Actor) -> impl Iterator<Item = (Span, u32, &Grant)> {
        let each = move |span: Span| {
            let reached = (0u32..).zip(self.ground.reached(span));
            reached.flat_map(move |(place, &subject)| {
                self.grants_of(subject).iter().map(move |grant| (span, place, grant))
            })
        };
        each(actor.reach).chain(each(actor.own).filter(|(_, _, grant)| grant.effect == Effect::Deny))
    }

    fn bucket(&self, id: ResourceId) -> u32 {
        let (high, low) = id.as_uuid().as_u64_pair();
        let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u32::try_from(mixed >> (64 - self.bucket_bits)).unwrap_or_default()
    }

    fn holder(&self, binding: &BindingData) -> Result<SubjectIx, AuthzDataError> {
        self.ground.subject(&binding.principal).ok_or_else(|| AuthzDataError::Dangling {
            from: binding.id,
            what: "principal",
            missing: binding.principal.to_string(),
        })
    }

    fn grant(&self, binding: &BindingData) -> Result<Grant, AuthzDataError> {
        let missing = |what, id: ResourceId| AuthzDataError::Dangling {
            from: binding.id,
            what,
            missing: id.to_string(),
        };
        let scope = self.ground.ou(binding.scope).ok_or_else(|| missing("OU", binding.scope))?;
        let role = match binding.role {
            RoleRef::Builtin(role) => role_number(role),
            RoleRef::Custom(id) => *self.ground.role_numbers.get(&id).ok_or_else(|| missing("role", id))?,
        };
        let usable = self.ground.roles.get(role as usize).map_or(Span::NONE, |role| role.usable);
        Ok(Grant {
            id: binding.id,
            span: self.ground.ou_span(scope).common(usable),
            scope,
            role,
            expires: binding.expires_at.map_or(i64::MAX, Timestamp::as_micros),
            effect: binding.effect,
        })
    }
}

impl fmt::Debug for AuthzSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthzSnapshot")
            .field("org", &self.ground.org)
            .field("epoch", &self.epoch)
            .field("ous", &self.ground.ous.len())
            .field("subjects", &self.ground.identities.len())
            .field("bindings", &self.bindings)
            .finish_non_exhaustive()
    }
}

/// A built-in role's number: its place in [`BuiltinRole::ALL`].
pub(super) const fn role_number(role: BuiltinRole) -> u32 {
    role as u32
}

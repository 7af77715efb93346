//! Which decisions differ between two snapshots.

use crate::authz::{AuthzSnapshot, Decision, Label};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::PermissionSet;
use crate::principal::Principal;
use serde::Serialize;

/// Most pairs of principal and OU that are compared.
const MAX_COMPARED: usize = 1_000_000;

/// What changes for one principal at one OU, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccessChange))]
#[non_exhaustive]
pub struct Changed {
    /// Who.
    pub principal: Principal,
    /// The same in the written form.
    pub name: Label,
    /// Where: the OU's id.
    pub ou_id: ResourceId,
    /// Where: its path, as it would be; as it is, if it would be gone.
    pub ou: Label,
    /// What would be allowed that is not.
    pub gained: PermissionSet,
    /// What would not be allowed any more.
    pub lost: PermissionSet,
    /// The decision about the first of these permissions as it is; the others rest on the same bindings.
    pub before: Decision,
    /// The decision as it would be.
    pub after: Decision,
}

/// What is compared.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) principals: Vec<Principal>,
    pub(super) permissions: PermissionSet,
    /// Above before below.
    pub(super) ous: Vec<ResourceId>,
    /// Tell a change only where it begins, not below, where it goes on alike.
    pub(super) uppermost: bool,
    pub(super) limit: usize,
}

/// The decisions that differ, and whether there may be more.
pub(super) fn difference(
    before: &AuthzSnapshot,
    after: &AuthzSnapshot,
    scope: &Scope,
    now: Timestamp,
) -> (Vec<Changed>, bool) {
    let same_tree = before.has_tree_of(after);
    let (mut changes, mut compared) = (Vec::new(), 0);
    for principal in &scope.principals {
        if same_tree && before.agrees_about(after, principal) {
            continue;
        }
        let shifts = shifts(before, after, scope, (principal, now));
        compared += scope.ous.len();
        for (ou, shift) in &shifts {
            let above = after.parent_of(*ou).or_else(|| before.parent_of(*ou));
            let goes_on = above.and_then(|above| shifts.iter().find(|(ou, _)| *ou == above));
            if scope.uppermost && goes_on.is_some_and(|(_, above)| above == shift) {
                continue;
            }
            let subject = (principal, *ou, now);
            changes.extend(by_reason(before, after, subject, shift.0.union(shift.1)));
            if changes.len() > scope.limit {
                changes.truncate(scope.limit);
                return (changes, true);
            }
        }
        if compared > MAX_COMPARED {
            return (changes, true);
        }
    }
    (changes, false)
}

/// What one principal gains and loses, where it does.
fn shifts(
    before: &AuthzSnapshot,
    after: &AuthzSnapshot,
    scope: &Scope,
    (principal, now): (&Principal, Timestamp),
) -> Vec<(ResourceId, (PermissionSet, PermissionSet))> {
    let held =
        |snapshot: &AuthzSnapshot, other, ou| snapshot.held(principal, place(snapshot, other, ou), now);
    let shift = |ou: &ResourceId| {
        let (was, is) = (held(before, after, *ou), held(after, before, *ou));
        let (gained, lost) = (is.difference(was), was.difference(is));
        (*ou, (gained.intersection(scope.permissions), lost.intersection(scope.permissions)))
    };
    let moved =
        |(_, (gained, lost)): &(_, (PermissionSet, PermissionSet))| !(gained.is_empty() && lost.is_empty());
    scope.ous.iter().map(shift).filter(moved).collect()
}

/// `ou` itself or, where there is no such OU, the nearest above it: one that is made begins as the one above it, so what is
/// only inherited there is no change.
fn place(snapshot: &AuthzSnapshot, other: &AuthzSnapshot, ou: ResourceId) -> ResourceId {
    let mut at = ou;
    while snapshot.ou_path(at).is_none() {
        let Some(above) = other.parent_of(at) else { break };
        at = above;
    }
    at
}

/// The permissions that change, those together that rest on the same bindings before and after.
fn by_reason(
    before: &AuthzSnapshot,
    after: &AuthzSnapshot,
    (principal, ou, now): (&Principal, ResourceId, Timestamp),
    permissions: PermissionSet,
) -> Vec<Changed> {
    let mut found: Vec<Changed> = Vec::new();
    for permission in permissions.iter() {
        let was = before.decide(principal, permission, place(before, after, ou), now);
        let is = after.decide(principal, permission, place(after, before, ou), now);
        let one = PermissionSet::of(&[permission]);
        let same = |decision: &Decision, other: &Decision| {
            decision.resolution == other.resolution && decision.bindings == other.bindings
        };
        let index = match found.iter().position(|it| same(&it.before, &was) && same(&it.after, &is)) {
            Some(index) => index,
            None => {
                let known = if after.written(principal).is_some() { &is } else { &was };
                let place = if after.ou_path(ou).is_some() { &is } else { &was };
                found.push(Changed {
                    principal: principal.clone(),
                    name: known.name.clone(),
                    ou_id: ou,
                    ou: place.ou.clone(),
                    gained: PermissionSet::EMPTY,
                    lost: PermissionSet::EMPTY,
                    before: was,
                    after: is.clone(),
                });
                found.len() - 1
            }
        };
        if let Some(group) = found.get_mut(index) {
            let side = if is.is_allowed() { &mut group.gained } else { &mut group.lost };
            *side = side.union(one);
        }
    }
    found
}

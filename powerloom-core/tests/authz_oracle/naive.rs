//! The rules of part 2.2 written as a reader would say them, slowly, sharing nothing with the code under test but data.

use powerloom_core::authz::{AgentKind, AuthzData, Effect, RoleRef};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::ResourceId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole;
use std::collections::HashSet;

/// The ids from the root to the OU; `None` if it does not exist.
fn lineage(data: &AuthzData, ou: ResourceId) -> Option<Vec<ResourceId>> {
    let found = data.ous.iter().find(|other| other.id == ou)?;
    let mut line = match found.parent {
        Some(parent) => lineage(data, parent)?,
        None => Vec::new(),
    };
    line.push(ou);
    Some(line)
}

fn is_within(data: &AuthzData, ou: ResourceId, ancestor: ResourceId) -> bool {
    lineage(data, ou).is_some_and(|line| line.contains(&ancestor))
}

pub(crate) fn subjects(data: &AuthzData, who: &Principal) -> HashSet<Principal> {
    let mut all = HashSet::from([who.clone()]);
    let covered_by = match who {
        Principal::User(user) => data.users.iter().find(|u| u.id == *user).map(|u| u.home_ou),
        Principal::Ou(ou) => Some(*ou),
        _ => None,
    };
    if let Some(line) = covered_by.and_then(|ou| lineage(data, ou)) {
        all.extend(line.into_iter().map(Principal::Ou));
    }
    loop {
        let before = all.len();
        for membership in &data.memberships {
            if all.contains(&membership.member) {
                all.insert(Principal::Group(membership.group));
            }
        }
        if all.len() == before {
            return all;
        }
    }
}

fn role_holds(data: &AuthzData, role: RoleRef, what: Permission, ou: ResourceId) -> bool {
    match role {
        RoleRef::Builtin(BuiltinRole::AgentRuntime) => data.agent_runtime.contains(what),
        RoleRef::Builtin(role) => role.permissions().contains(what),
        RoleRef::Custom(id) => {
            let role = data.roles.iter().find(|role| role.id == id).unwrap();
            role.permissions.contains(what) && role.owning_ou.is_none_or(|owner| is_within(data, ou, owner))
        }
    }
}

fn effects(
    data: &AuthzData,
    subjects: &HashSet<Principal>,
    what: Permission,
    ou: ResourceId,
    now: Timestamp,
) -> Vec<Effect> {
    data.bindings
        .iter()
        .filter(|binding| subjects.contains(&binding.principal))
        .filter(|binding| binding.expires_at.is_none_or(|end| now < end))
        .filter(|binding| is_within(data, ou, binding.scope))
        .filter(|binding| role_holds(data, binding.role, what, ou))
        .map(|binding| binding.effect)
        .collect()
}

pub(crate) fn check(
    data: &AuthzData,
    who: &Principal,
    what: Permission,
    ou: ResourceId,
    now: Timestamp,
) -> bool {
    let said = |who: &Principal| effects(data, &subjects(data, who), what, ou, now);
    let decided = |said: &[Effect]| said.contains(&Effect::Allow) && !said.contains(&Effect::Deny);
    match who {
        Principal::User(id) => {
            data.users.iter().any(|user| user.id == *id && !user.disabled) && decided(&said(who))
        }
        Principal::Group(_) | Principal::Ou(_) | Principal::Service(_) => decided(&said(who)),
        Principal::Agent(id) => {
            let Some(agent) = data.agents.iter().find(|agent| agent.id == *id) else { return false };
            if agent.archived || !agent.boundary.unwrap_or(PermissionSet::ALL).contains(what) {
                return false;
            }
            match (agent.kind, &agent.owner) {
                (AgentKind::Service, _) => {
                    let mut said = said(who);
                    if data.agent_runtime.contains(what) && is_within(data, ou, agent.ou) {
                        said.push(Effect::Allow);
                    }
                    decided(&said)
                }
                (AgentKind::User, owner @ (Principal::User(_) | Principal::Group(_))) => {
                    check(data, owner, what, ou, now) && !said(who).contains(&Effect::Deny)
                }
                (AgentKind::User, _) => false,
            }
        }
    }
}

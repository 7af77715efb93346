//! From plain data to a numbered ground.

use crate::authz::closure::{MAX_NESTING, Walk};
use crate::authz::data::{AgentData, AgentKind, AuthzData, OuData, UserData};
use crate::authz::error::AuthzDataError;
use crate::authz::ground::{Actor, FastMap, Ground, Identity, Ou, OuIx, Role, Span, Standing, SubjectIx};
use crate::authz::label::Label;
use crate::id::{OrgId, ResourceId};
use crate::name::Name;
use crate::ou_path::{MAX_OU_DEPTH, OuPath};
use crate::permission::PermissionSet;
use crate::principal::Principal;
use crate::role::BuiltinRole;
use std::collections::BTreeSet;

/// Numbers everything but the bindings, which are only asked for the services they name.
pub(super) fn ground(org: OrgId, data: &AuthzData) -> Result<Ground, AuthzDataError> {
    let mut ground = Ground {
        org,
        ous: walk_tree(&data.ous)?,
        by_path: FastMap::default(),
        actors: Vec::new(),
        identities: Vec::new(),
        by_id: FastMap::default(),
        by_name: FastMap::default(),
        reach: Vec::new(),
        via: Vec::new(),
        groups_of: Vec::new(),
        groups: Span::NONE,
        users: Span::NONE,
        agents: Span::NONE,
        roles: Vec::new(),
        role_numbers: FastMap::default(),
        agent_runtime: data.agent_runtime,
    };
    name_subjects(&mut ground, data)?;
    ground.groups_of = memberships(&ground, data)?;
    let homes = homes(&ground, data)?;
    reach_all(&mut ground, &homes);
    set_standings(&mut ground, data)?;
    number_roles(&mut ground, data)?;
    Ok(ground)
}

/// Adds a service that nothing named before.
pub(super) fn add_service(ground: &mut Ground, principal: Principal) -> SubjectIx {
    let label = Label::from(principal.to_string());
    let subject = number(ground.identities.len());
    ground.by_name.insert(label.clone(), subject);
    ground.identities.push(Identity { principal, label, agent: None });
    ground.groups_of.push(Vec::new());
    let start = number(ground.reach.len());
    ground.reach.push(subject);
    ground.via.push(0);
    ground.actors.push(actor(Span { start, end: start + 1 }));
    subject
}

/// What every subject starts as.
const fn actor(reach: Span) -> Actor {
    Actor {
        reach,
        own: Span::NONE,
        within: PermissionSet::ALL,
        runtime: Span::NONE,
        standing: Standing::Live,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn dangling(from: ResourceId, what: &'static str, missing: impl ToString) -> AuthzDataError {
    AuthzDataError::Dangling { from, what, missing: missing.to_string() }
}

/// The OUs in pre-order, siblings by name.
fn walk_tree(data: &[OuData]) -> Result<Vec<Ou>, AuthzDataError> {
    let mut children: FastMap<ResourceId, Vec<&OuData>> = FastMap::default();
    let mut ids: FastMap<ResourceId, ()> = FastMap::default();
    let mut root: Option<&OuData> = None;
    for ou in data {
        if ids.insert(ou.id, ()).is_some() {
            return Err(AuthzDataError::DuplicateId { id: ou.id });
        }
        match (ou.parent, root) {
            (Some(parent), _) => children.entry(parent).or_default().push(ou),
            (None, None) => root = Some(ou),
            (None, Some(first)) => return Err(AuthzDataError::TwoRoots { first: first.id, second: ou.id }),
        }
    }
    let root = root.ok_or(AuthzDataError::NoRoot)?;
    for ou in data {
        if let Some(parent) = ou.parent.filter(|parent| !ids.contains_key(parent)) {
            return Err(dangling(ou.id, "OU", parent));
        }
    }
    for siblings in children.values_mut() {
        siblings.sort_by(|a, b| b.name.cmp(&a.name));
    }

    let mut ous: Vec<Ou> = Vec::with_capacity(data.len());
    let mut open: Vec<(&OuData, Option<OuIx>, usize)> = vec![(root, None, 1)];
    while let Some((ou, parent, depth)) = open.pop() {
        if depth > MAX_OU_DEPTH {
            return Err(AuthzDataError::OuTooDeep { ou: ou.id });
        }
        let above = parent.and_then(|parent| ous.get(parent as usize));
        let path = match above {
            Some(above) => above.path.child(&ou.name).map_err(|_| AuthzDataError::OuTooDeep { ou: ou.id })?,
            None => OuPath::root(&ou.name),
        };
        let start = number(ous.len());
        let label = Label::from(path.as_str());
        ous.push(Ou { id: ou.id, parent, span: Span { start, end: start + 1 }, path, label });
        let below = children.remove(&ou.id).unwrap_or_default();
        open.extend(below.into_iter().map(|child| (child, Some(start), depth + 1)));
    }
    if let Some(ou) = children.values().flatten().map(|ou| ou.id).min() {
        return Err(AuthzDataError::OuCycle { ou });
    }
    for index in (1..ous.len()).rev() {
        let Some((end, parent)) = ous.get(index).map(|ou| (ou.span.end, ou.parent)) else { continue };
        if let Some(parent) = parent.and_then(|parent| ous.get_mut(parent as usize)) {
            parent.span.end = parent.span.end.max(end);
        }
    }
    Ok(ous)
}

/// Gives every subject its number, its id and its name.
fn name_subjects(ground: &mut Ground, data: &AuthzData) -> Result<(), AuthzDataError> {
    let count = data.ous.len() + data.groups.len() + data.users.len() + data.agents.len();
    ground.identities.reserve(count);
    ground.by_id.reserve(count);
    ground.by_name.reserve(count);
    ground.by_path.reserve(data.ous.len());

    for index in 0..ground.ous.len() {
        let Some((id, label)) = ground.ous.get(index).map(|ou| (ou.id, ou.label.clone())) else { continue };
        if ground.by_path.insert(label.clone(), number(index)).is_some() {
            return Err(AuthzDataError::DuplicateName { name: label.into() });
        }
        add(ground, Principal::Ou(id), format!("ou:{label}"), true)?;
    }
    ground.groups.start = number(ground.identities.len());
    for group in &data.groups {
        let label = named(ground, "group", group.id, group.ou, &group.name)?;
        add(ground, Principal::Group(group.id), label, true)?;
    }
    ground.groups.end = number(ground.identities.len());
    ground.users.start = ground.groups.end;
    for user in &data.users {
        add(ground, Principal::User(user.id), format!("user:{}", user.email), true)?;
    }
    ground.users.end = number(ground.identities.len());
    ground.agents.start = ground.users.end;
    for agent in &data.agents {
        let label = named(ground, "agent", agent.id, agent.ou, &agent.name)?;
        add(ground, Principal::Agent(agent.id), label, !agent.archived)?;
    }
    ground.agents.end = number(ground.identities.len());

    let members = data.memberships.iter().map(|membership| &membership.member);
    let bound = data.bindings.iter().map(|binding| &binding.principal);
    let services: BTreeSet<_> = members.chain(bound).filter(|p| matches!(p, Principal::Service(_))).collect();
    for service in services {
        add(ground, service.clone(), service.to_string(), true)?;
    }
    // An archived agent keeps its name only until another takes it.
    for (subject, _) in (ground.agents.start..).zip(&data.agents).filter(|(_, agent)| agent.archived) {
        if let Some(label) = ground.identity(subject).map(|identity| identity.label.clone()) {
            ground.by_name.entry(label).or_insert(subject);
        }
    }
    Ok(())
}

fn named(
    ground: &Ground,
    kind: &str,
    id: ResourceId,
    ou: ResourceId,
    name: &Name,
) -> Result<String, AuthzDataError> {
    let ou = ground
        .ou(ou)
        .and_then(|number| ground.ous.get(number as usize))
        .ok_or_else(|| dangling(id, "OU", ou))?;
    Ok(format!("{kind}:{}/{name}", ou.label))
}

fn add(
    ground: &mut Ground,
    principal: Principal,
    label: String,
    by_name: bool,
) -> Result<(), AuthzDataError> {
    let subject = number(ground.identities.len());
    let label = Label::from(label);
    if let Some(id) = principal.id()
        && ground.by_id.insert(id, subject).is_some()
    {
        return Err(AuthzDataError::DuplicateId { id });
    }
    if by_name && ground.by_name.insert(label.clone(), subject).is_some() {
        return Err(AuthzDataError::DuplicateName { name: label.into() });
    }
    ground.identities.push(Identity { principal, label, agent: None });
    Ok(())
}

fn memberships(ground: &Ground, data: &AuthzData) -> Result<Vec<Vec<SubjectIx>>, AuthzDataError> {
    let mut groups_of: Vec<Vec<SubjectIx>> = vec![Vec::new(); ground.identities.len()];
    for membership in &data.memberships {
        let of = membership.group;
        let group = ground.subject(&Principal::Group(of)).ok_or_else(|| dangling(of, "group", of))?;
        let member =
            ground.subject(&membership.member).ok_or_else(|| dangling(of, "member", &membership.member))?;
        if let Some(groups) = groups_of.get_mut(member as usize) {
            groups.push(group);
        }
    }
    // The order of the data must not show, not even in which of two equally short chains is told.
    for groups in &mut groups_of {
        groups.sort_by_key(|&group| ground.identity(group).map(|identity| &identity.label));
        groups.dedup();
    }
    Ok(groups_of)
}

/// The home OU of each user, in their order.
fn homes(ground: &Ground, data: &AuthzData) -> Result<Vec<OuIx>, AuthzDataError> {
    let home = |user: &UserData| ground.ou(user.home_ou).ok_or_else(|| dangling(user.id, "OU", user.home_ou));
    data.users.iter().map(home).collect()
}

fn reach_all(ground: &mut Ground, homes: &[OuIx]) {
    let mut walk = Walk::new(&ground.groups_of);
    let (mut reach, mut via, mut actors) = (Vec::new(), Vec::new(), Vec::new());
    for subject in 0..number(ground.identities.len()) {
        let covering = if ground.all_ous().contains(subject) {
            ground.ous.get(subject as usize).and_then(|ou| ou.parent)
        } else {
            homes.get(subject.wrapping_sub(ground.users.start) as usize).copied()
        };
        let parent = |&ou: &OuIx| ground.ous.get(ou as usize).and_then(|ou| ou.parent);
        let line = std::iter::once(subject).chain(std::iter::successors(covering, parent));
        let depth = walk.run(line, MAX_NESTING);
        let start = number(reach.len());
        reach.extend(walk.found.iter().map(|(subject, _)| *subject));
        via.extend(walk.found.iter().map(|(_, through)| *through));
        let mut actor = actor(Span { start, end: number(reach.len()) });
        if depth > MAX_NESTING {
            actor.standing = Standing::NestedTooDeep;
        }
        actors.push(actor);
    }
    (ground.reach, ground.via, ground.actors) = (reach, via, actors);
}

fn set_standings(ground: &mut Ground, data: &AuthzData) -> Result<(), AuthzDataError> {
    for (subject, _) in (ground.users.start..).zip(&data.users).filter(|(_, user)| user.disabled) {
        if let Some(actor) = ground.actors.get_mut(subject as usize) {
            actor.standing = Standing::Disabled;
        }
    }
    for (subject, agent) in (ground.agents.start..).zip(&data.agents) {
        let owner = match agent.owner {
            Principal::User(_) | Principal::Group(_) => ground.subject(&agent.owner),
            _ => None,
        };
        let ou = ground.ou(agent.ou).ok_or_else(|| dangling(agent.id, "OU", agent.ou))?;
        let owned =
            owner.and_then(|owner| ground.actor(owner)).filter(|owner| owner.standing == Standing::Live);
        let (owned, runtime) = (owned.map(|owner| owner.reach), ground.ou_span(ou));
        if let Some(actor) = ground.actors.get_mut(subject as usize) {
            set_agent(actor, agent, owned, runtime);
        }
        if let Some(identity) = ground.identities.get_mut(subject as usize) {
            identity.agent = Some((agent.kind, owner));
        }
    }
    Ok(())
}

fn set_agent(actor: &mut Actor, agent: &AgentData, owned: Option<Span>, runtime: Span) {
    actor.within = agent.boundary.unwrap_or(PermissionSet::ALL);
    match (agent.kind, owned) {
        (AgentKind::Service, _) => actor.runtime = runtime,
        (AgentKind::User, Some(reach)) => {
            actor.own = actor.reach;
            actor.reach = reach;
        }
        (AgentKind::User, None) => actor.standing = Standing::OwnerPowerless,
    }
    if agent.archived {
        actor.standing = Standing::Archived;
    }
}

fn number_roles(ground: &mut Ground, data: &AuthzData) -> Result<(), AuthzDataError> {
    let everywhere = ground.all_ous();
    for role in BuiltinRole::ALL {
        let permissions =
            if role == BuiltinRole::AgentRuntime { data.agent_runtime } else { role.permissions() };
        ground.roles.push(Role { permissions, usable: everywhere, label: Label::from(role.name()) });
    }
    for role in &data.roles {
        let usable = match role.owning_ou {
            Some(ou) => ground.ou_span(ground.ou(ou).ok_or_else(|| dangling(role.id, "OU", ou))?),
            None => everywhere,
        };
        if ground.role_numbers.insert(role.id, number(ground.roles.len())).is_some() {
            return Err(AuthzDataError::DuplicateId { id: role.id });
        }
        let label = Label::from(role.name.as_str());
        ground.roles.push(Role { permissions: role.permissions, usable, label });
    }
    Ok(())
}

//! Organizations to test with: one written by hand, and random ones.

use powerloom_core::authz::{
    AgentData, AgentKind, AuthzData, AuthzSnapshot, BindingData, Effect, GroupData, MembershipData, OuData,
    RoleData, RoleRef, UserData,
};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole;
use proptest::prelude::*;
use uuid::Uuid;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(2);

pub(crate) fn id(number: u128) -> ResourceId {
    ResourceId::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn compile(data: &AuthzData) -> AuthzSnapshot {
    AuthzSnapshot::compile(OrgId::from_uuid(Uuid::from_u128(1)), 1, data.clone()).unwrap()
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// An organization written by hand: things are named by their texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Org {
    pub(crate) data: AuthzData,
    next: u128,
}

impl Org {
    /// The tree of the vectors: `/acme`, `/acme/eng`, `/acme/eng/platform`, `/acme/engineering`, and ada at home in
    /// `/acme/eng`.
    pub(crate) fn acme() -> Self {
        let mut org = Self { next: 1000, ..Self::default() };
        for path in ["/acme", "/acme/eng", "/acme/eng/platform", "/acme/engineering"] {
            let (above, name) = path.rsplit_once('/').unwrap();
            let parent = (!above.is_empty()).then(|| org.ou(above));
            let id = org.fresh();
            org.data.ous.push(OuData { id, parent, name: name.parse().unwrap() });
        }
        org.user("ada@acme.com", "/acme/eng");
        org
    }

    pub(crate) fn fresh(&mut self) -> ResourceId {
        self.next += 1;
        id(self.next)
    }

    pub(crate) fn ou(&self, path: &str) -> ResourceId {
        let mut found = None;
        for name in path.split('/').skip(1) {
            let here = |ou: &&OuData| ou.parent == found && ou.name.as_str() == name;
            found = Some(self.data.ous.iter().find(here).unwrap().id);
        }
        found.unwrap()
    }

    pub(crate) fn user(&mut self, email: &str, home: &str) -> Principal {
        let (id, home_ou) = (self.fresh(), self.ou(home));
        self.data.users.push(UserData { id, email: email.parse().unwrap(), home_ou, disabled: false });
        Principal::User(id)
    }

    pub(crate) fn group(&mut self, name: &str, members: &[&Principal]) -> Principal {
        let (id, ou) = (self.fresh(), self.ou("/acme"));
        self.data.groups.push(GroupData { id, ou, name: name.parse().unwrap() });
        for member in members {
            self.join(&Principal::Group(id), member);
        }
        Principal::Group(id)
    }

    pub(crate) fn join(&mut self, group: &Principal, member: &Principal) {
        self.data.memberships.push(MembershipData { group: group.id().unwrap(), member: member.clone() });
    }

    pub(crate) fn agent(&mut self, name: &str, kind: AgentKind, owner: &Principal) -> Principal {
        let (id, ou) = (self.fresh(), self.ou("/acme/eng"));
        let name = name.parse().unwrap();
        self.data.agents.push(AgentData {
            id,
            ou,
            name,
            kind,
            owner: owner.clone(),
            boundary: None,
            archived: false,
        });
        Principal::Agent(id)
    }

    pub(crate) fn bind(
        &mut self,
        principal: &Principal,
        role: BuiltinRole,
        effect: Effect,
        scope: &str,
    ) -> ResourceId {
        let (id, scope) = (self.fresh(), self.ou(scope));
        let role = RoleRef::Builtin(role);
        let principal = principal.clone();
        self.data.bindings.push(BindingData { id, principal, role, scope, effect, expires_at: None });
        id
    }

    pub(crate) fn allow(&mut self, principal: &Principal, role: BuiltinRole, scope: &str) -> ResourceId {
        self.bind(principal, role, Effect::Allow, scope)
    }

    pub(crate) fn deny(&mut self, principal: &Principal, role: BuiltinRole, scope: &str) -> ResourceId {
        self.bind(principal, role, Effect::Deny, scope)
    }

    pub(crate) fn compile(&self) -> AuthzSnapshot {
        compile(&self.data)
    }

    /// Asks for ada.
    pub(crate) fn ada_may(&self, permission: &str, ou: &str) -> bool {
        self.compile().check_str("user:ada@acme.com", permission, ou, NOW).unwrap()
    }

    pub(crate) fn ada(&self) -> Principal {
        Principal::User(self.data.users[0].id)
    }
}

/// The permissions random roles are made of.
pub(crate) const ASKED: [Permission; 4] =
    [Permission::AGENT_CREATE, Permission::AGENT_READ, Permission::SKILL_USE, Permission::ROLE_ESCALATE];

fn set_of(bits: u8) -> PermissionSet {
    (0..4).filter(|bit| bits & 1 << bit != 0).map(|bit| ASKED[bit]).collect()
}

/// Everyone in the data, and somebody who is not.
pub(crate) fn principals(data: &AuthzData) -> Vec<Principal> {
    let mut all = vec![Principal::User(id(1)), Principal::Service("ci".parse().unwrap())];
    all.extend(data.ous.iter().map(|ou| Principal::Ou(ou.id)));
    all.extend(data.users.iter().map(|user| Principal::User(user.id)));
    all.extend(data.groups.iter().map(|group| Principal::Group(group.id)));
    all.extend(data.agents.iter().map(|agent| Principal::Agent(agent.id)));
    all
}

/// The `pick`th of the principals a binding or membership may name.
fn somebody(pick: (u8, usize), ous: usize, users: usize, groups: usize, agents: usize) -> Principal {
    let (kind, index) = pick;
    match kind {
        0..=2 => Principal::User(id(200 + (index % users) as u128)),
        3..=5 => Principal::Group(id(300 + (index % groups) as u128)),
        6 => Principal::Ou(id(100 + (index % ous) as u128)),
        7 => Principal::Agent(id(400 + (index % agents) as u128)),
        _ => Principal::Service("ci".parse().unwrap()),
    }
}

prop_compose! {
    /// A small organization of any shape: prefix siblings, nested and circular groups, expiries, disabled users, agents.
    pub(crate) fn worlds()(
        parents in prop::collection::vec(0usize..100, 0..9),
        users in prop::collection::vec((0usize..100, prop::bool::weighted(0.15)), 1..5),
        groups in 1usize..5,
        memberships in prop::collection::vec((0usize..100, (0u8..9, 0usize..100)), 0..9),
        roles in prop::collection::vec((0u8..16, prop::option::weighted(0.4, 0usize..100)), 1..4),
        agents in prop::collection::vec(
            (0usize..100, any::<bool>(), (0u8..8, 0usize..100), prop::option::weighted(0.3, 0u8..16), prop::bool::weighted(0.1)),
            1..4,
        ),
        bindings in prop::collection::vec(
            ((0u8..9, 0usize..100), 0usize..100, 0usize..100, prop::bool::weighted(0.3), prop::option::weighted(0.3, 0i64..5)),
            0..14,
        ),
        runtime in prop::option::weighted(0.3, 0u8..16),
    ) -> AuthzData {
        let count = parents.len() + 1;
        let some = |pick| somebody(pick, count, users.len(), groups, agents.len());
        let ou = |index: usize| id(100 + (index % count) as u128);
        // Each name starts with the one before it: `e`, `en`, `enn`, …
        let name = |index: usize| format!("e{}", "n".repeat(index)).parse().unwrap();
        AuthzData {
            ous: (0..count).map(|index| OuData {
                id: ou(index),
                parent: (index > 0).then(|| id(100 + (parents[index - 1] % index) as u128)),
                name: name(index),
            }).collect(),
            users: (0u128..).zip(&users).map(|(index, &(home, disabled))| UserData {
                id: id(200 + index), email: format!("u{index}@acme.com").parse().unwrap(), home_ou: ou(home), disabled,
            }).collect(),
            groups: (0..groups).map(|index| GroupData {
                id: id(300 + index as u128), ou: ou(index), name: name(index),
            }).collect(),
            memberships: memberships.iter().map(|&(group, pick)| MembershipData {
                group: id(300 + (group % groups) as u128), member: some(pick),
            }).collect(),
            roles: (0u128..).zip(&roles).map(|(index, &(bits, owning))| RoleData {
                id: id(500 + index), name: format!("r{index}").parse().unwrap(), permissions: set_of(bits),
                owning_ou: owning.map(ou),
            }).collect(),
            agents: (0u128..).zip(&agents).map(|(index, &(home, user, owner, boundary, archived))| AgentData {
                id: id(400 + index), ou: ou(home), name: format!("a{index}").parse().unwrap(),
                kind: if user { AgentKind::User } else { AgentKind::Service },
                owner: some(owner), boundary: boundary.map(set_of), archived,
            }).collect(),
            bindings: (0u128..).zip(&bindings).map(|(index, &(pick, role, scope, deny, expires))| BindingData {
                id: id(600 + index), principal: some(pick),
                role: match role % (roles.len() + 3) {
                    0 => RoleRef::Builtin(BuiltinRole::OrgAdmin),
                    1 => RoleRef::Builtin(BuiltinRole::AgentBuilder),
                    2 => RoleRef::Builtin(BuiltinRole::AgentRuntime),
                    custom => RoleRef::Custom(id(500 + custom as u128 - 3)),
                },
                scope: ou(scope), effect: if deny { Effect::Deny } else { Effect::Allow },
                expires_at: expires.map(Timestamp::from_micros),
            }).collect(),
            agent_runtime: set_of(runtime.unwrap_or(0)),
        }
    }
}

/// Every answer: principals × permissions × OUs × moments, in one fixed order.
pub(crate) fn answers(data: &AuthzData, snapshot: &AuthzSnapshot) -> Vec<bool> {
    questions(data).into_iter().map(|(who, what, ou, now)| snapshot.check(&who, what, ou, now)).collect()
}

pub(crate) fn questions(data: &AuthzData) -> Vec<(Principal, Permission, ResourceId, Timestamp)> {
    let mut all = Vec::new();
    for who in principals(data) {
        for what in ASKED {
            for ou in data.ous.iter().map(|ou| ou.id).chain([id(7)]) {
                for now in [at(1), at(3)] {
                    all.push((who.clone(), what, ou, now));
                }
            }
        }
    }
    all
}

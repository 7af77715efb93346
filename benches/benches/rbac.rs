//! How close is a check to the limit of the machine?
//!
//! 1,000 OUs (depth 6), 10,000 users in about five groups each, 1,000 groups, 5,000 bindings, 50 roles. The limit is
//! written by hand for this data set alone: flattened grants, OU intervals, permission bits and three string look-ups;
//! no reasons, no agents, no expiry, no change without a rebuild. Both answer the same 10,000 questions in turns, in the
//! same run; what counts is the ratio. Run with `cargo bench --bench rbac`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_core::authz::{
    AuthzData, AuthzSnapshot, BindingData, Effect, GroupData, MembershipData, OuData, RoleData, RoleRef,
    UserData,
};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::hint::black_box;
use std::time::Instant;
use uuid::Uuid;

const OUS: usize = 1_000;
const USERS: usize = 10_000;
const GROUPS: usize = 1_000;
const BINDINGS: usize = 5_000;
const ROLES: usize = 50;
const QUESTIONS: usize = 10_000;
const ROUNDS: usize = 15;

/// A sequence of numbers, the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Shaped as a real id is: time first, then bits that look random.
fn id(kind: u64, index: usize) -> ResourceId {
    let mut hash = DefaultHasher::new();
    hash.write_u64(kind << 32 | index as u64);
    ResourceId::from_uuid(Uuid::from_u64_pair(0x0198_c0de_0000_7000 + index as u64, hash.finish()))
}

fn world() -> AuthzData {
    let mut numbers = Numbers(7);
    let mut depth = vec![1usize];
    let mut ous = vec![OuData { id: id(1, 0), parent: None, name: "acme".parse().unwrap() }];
    while ous.len() < OUS {
        let (parent, index) = (numbers.below(ous.len()), ous.len());
        if depth[parent] < 6 {
            let name = format!("unit-{index}").parse().unwrap();
            ous.push(OuData { id: id(1, index), parent: Some(id(1, parent)), name });
            depth.push(depth[parent] + 1);
        }
    }
    let group = |index, numbers: &mut Numbers| {
        let name = format!("group-{index}").parse().unwrap();
        GroupData { id: id(2, index), ou: id(1, numbers.below(OUS)), name }
    };
    let groups = (0..GROUPS).map(|index| group(index, &mut numbers)).collect();
    let user = |index, numbers: &mut Numbers| {
        let email = format!("user{index}@acme.com").parse().unwrap();
        UserData { id: id(3, index), email, home_ou: id(1, numbers.below(OUS)), disabled: false }
    };
    let users = (0..USERS).map(|index| user(index, &mut numbers)).collect();
    let mut memberships = Vec::new();
    for user in 0..USERS {
        for _ in 0..5 {
            let group = id(2, numbers.below(GROUPS));
            memberships.push(MembershipData { group, member: Principal::User(id(3, user)) });
        }
    }
    for group in 1..GROUPS {
        if numbers.below(10) == 0 {
            let member = Principal::Group(id(2, group));
            memberships.push(MembershipData { group: id(2, numbers.below(group)), member });
        }
    }
    let any = |numbers: &mut Numbers| Permission::ALL[numbers.below(Permission::ALL.len())];
    let role = |index, numbers: &mut Numbers| {
        let permissions = (0..7 + numbers.below(7)).map(|_| any(numbers)).collect();
        RoleData {
            id: id(4, index),
            name: format!("role-{index}").parse().unwrap(),
            permissions,
            owning_ou: None,
        }
    };
    let roles = (0..ROLES).map(|index| role(index, &mut numbers)).collect();
    let bindings = (0..BINDINGS).map(|index| binding(&mut numbers, index)).collect();
    AuthzData { ous, users, groups, memberships, roles, bindings, ..AuthzData::default() }
}

fn binding(numbers: &mut Numbers, index: usize) -> BindingData {
    BindingData {
        id: id(5, index),
        principal: match numbers.below(10) {
            0..=4 => Principal::Group(id(2, numbers.below(GROUPS))),
            5..=8 => Principal::User(id(3, numbers.below(USERS))),
            _ => Principal::Ou(id(1, numbers.below(OUS))),
        },
        role: RoleRef::Custom(id(4, numbers.below(ROLES))),
        scope: id(1, numbers.below(if index.is_multiple_of(3) { 20 } else { OUS })),
        effect: if numbers.below(10) == 0 { Effect::Deny } else { Effect::Allow },
        expires_at: None,
    }
}

/// Eight bytes at a time: what one would write for short keys.
#[derive(Default)]
struct Fast(u64);

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_le_bytes(chunk.try_into().unwrap());
            self.0 = (self.0 ^ word).wrapping_mul(ODD).rotate_left(23);
        }
        for &byte in chunks.remainder() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.0 = self.0.wrapping_mul(ODD);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fast>>;

/// One grant of one user, flattened.
struct Flat {
    start: u32,
    end: u32,
    permissions: u128,
    deny: bool,
}

/// The limit: all that can be done beforehand is done.
#[derive(Default)]
struct Limit {
    users: Map<String, (u32, u32)>,
    ous: Map<String, u32>,
    permissions: Map<&'static str, u32>,
    grants: Vec<Flat>,
}

impl Limit {
    fn load(data: &AuthzData) -> Self {
        let mut limit = Self::default();
        let number: HashMap<_, _> = data.ous.iter().zip(0usize..).map(|(ou, index)| (ou.id, index)).collect();
        let parents: Vec<_> = data.ous.iter().map(|ou| ou.parent.map(|parent| number[&parent])).collect();
        let mut children = vec![Vec::new(); data.ous.len()];
        for (index, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(index);
            }
        }
        let mut spans = vec![(0u32, 0u32); data.ous.len()];
        limit.walk(0, "", data, &children, &mut spans);

        limit.permissions = Permission::ALL.iter().zip(0u32..).map(|(p, bit)| (p.as_str(), bit)).collect();
        let bits =
            |set: PermissionSet| set.iter().fold(0u128, |all, p| all | 1 << limit.permissions[p.as_str()]);
        let roles: HashMap<_, _> = data.roles.iter().map(|role| (role.id, bits(role.permissions))).collect();
        let mut bound: HashMap<&Principal, Vec<&BindingData>> = HashMap::new();
        for binding in &data.bindings {
            bound.entry(&binding.principal).or_default().push(binding);
        }
        let mut groups: HashMap<&Principal, Vec<Principal>> = HashMap::new();
        for membership in &data.memberships {
            groups.entry(&membership.member).or_default().push(Principal::Group(membership.group));
        }
        for user in &data.users {
            let mut subjects = vec![Principal::User(user.id)];
            let mut home = Some(number[&user.home_ou]);
            while let Some(ou) = home {
                subjects.push(Principal::Ou(data.ous[ou].id));
                home = parents[ou];
            }
            let mut at = 0;
            while at < subjects.len() {
                for group in groups.get(&subjects[at]).into_iter().flatten() {
                    if !subjects.contains(group) {
                        subjects.push(group.clone());
                    }
                }
                at += 1;
            }
            let start = limit.grants.len() as u32;
            for binding in subjects.iter().filter_map(|subject| bound.get(subject)).flatten() {
                let RoleRef::Custom(role) = binding.role else { unreachable!() };
                let (first, end) = spans[number[&binding.scope]];
                let deny = binding.effect == Effect::Deny;
                limit.grants.push(Flat { start: first, end, permissions: roles[&role], deny });
            }
            limit.users.insert(format!("user:{}", user.email), (start, limit.grants.len() as u32));
        }
        limit
    }

    fn walk(
        &mut self,
        at: usize,
        above: &str,
        data: &AuthzData,
        children: &[Vec<usize>],
        spans: &mut [(u32, u32)],
    ) {
        let path = format!("{above}/{}", data.ous[at].name);
        let start = self.ous.len() as u32;
        self.ous.insert(path.clone(), start);
        for &child in &children[at] {
            self.walk(child, &path, data, children, spans);
        }
        spans[at] = (start, self.ous.len() as u32);
    }

    fn check(&self, user: &str, permission: &str, ou: &str) -> bool {
        let (Some(&(start, end)), Some(&bit), Some(&ou)) =
            (self.users.get(user), self.permissions.get(permission), self.ous.get(ou))
        else {
            return false;
        };
        let mut allowed = false;
        for grant in &self.grants[start as usize..end as usize] {
            if grant.start <= ou && ou < grant.end && grant.permissions >> bit & 1 == 1 {
                if grant.deny {
                    return false;
                }
                allowed = true;
            }
        }
        allowed
    }
}

struct Question {
    user: String,
    permission: &'static str,
    ou: String,
    who: Principal,
    what: Permission,
    at: ResourceId,
}

/// Half of the questions aim at something a binding of the user gives, half at anything.
fn questions(data: &AuthzData, authz: &AuthzSnapshot) -> Vec<Question> {
    let mut numbers = Numbers(11);
    let ask = |index: usize| {
        let user = &data.users[numbers.below(USERS)];
        let who = Principal::User(user.id);
        let (mut what, mut at) =
            (Permission::ALL[numbers.below(Permission::ALL.len())], id(1, numbers.below(OUS)));
        let tries = if index.is_multiple_of(2) { 200 } else { 0 };
        for _ in 0..tries {
            let permission = Permission::ALL[numbers.below(Permission::ALL.len())];
            let visible: Vec<_> = authz.visible(&who, permission, Timestamp::default()).iter().collect();
            if !visible.is_empty() {
                (what, at) = (permission, visible[numbers.below(visible.len())]);
                break;
            }
        }
        let ou = authz.ou_path(at).unwrap().to_string();
        Question { user: format!("user:{}", user.email), permission: what.as_str(), ou, who, what, at }
    };
    (0..QUESTIONS).map(ask).collect()
}

/// Nanoseconds per question, and how many were answered with yes.
fn time(questions: &[Question], mut ask: impl FnMut(&Question) -> bool) -> (f64, usize) {
    let start = Instant::now();
    let yes = questions.iter().filter(|question| black_box(ask(black_box(question)))).count();
    (start.elapsed().as_nanos() as f64 / questions.len() as f64, yes)
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Resident memory in MiB, where the system tells it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .map_or(0.0, |kib: f64| kib / 1024.0)
}

/// Prints the medians of figures and of their ratios to the limit of the same round.
fn report(name: &str, unit: &str, rounds: &[(f64, f64)], gate: f64) {
    let figure = median(rounds.iter().map(|round| round.0));
    let ratio = median(rounds.iter().map(|round| round.0 / round.1));
    let verdict = if ratio <= gate { "ok" } else { "OVER" };
    println!("{name:<20} {figure:>8.1} {unit:<3} {ratio:>6.2} x limit, gate {gate:>4.1} x: {verdict}");
}

/// What people ask beside yes or no, next to one check: the list asks about everybody, the nearest grant about every role.
fn answers(authz: &AuthzSnapshot, questions: &[Question], check: f64) {
    let now = Timestamp::default();
    let everybody = authz.principals().count() as f64;
    let few = &questions[..200];
    let list = |question: &Question| authz.subjects(question.what, question.at, now, None, 100).len() == 100;
    let list = median((0..5).map(|_| time(few, list).0));
    println!(
        "{:<20} {:>8.1} us, {:>6.2} x a check of each of {everybody} principals",
        "list 100 who can",
        list / 1e3,
        list / (check * everybody)
    );
    let denied =
        |question: &Question| !authz.needs(&question.who, question.what, question.at, now).is_empty();
    let needs = median((0..ROUNDS).map(|_| time(questions, denied).0));
    println!("{:<20} {needs:>8.1} ns, {:>6.1} x a check", "nearest grant", needs / check);
}

fn main() {
    // `cargo bench` says so; whoever only wants to know that this compiles does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let org = OrgId::from_uuid(Uuid::from_u128(1));
    let now = Timestamp::default();
    let data = world();

    let authz = AuthzSnapshot::compile(org, 1, data.clone()).unwrap();
    let before = resident();
    let many: Vec<_> = (0..8).map(|_| AuthzSnapshot::compile(org, 1, data.clone()).unwrap()).collect();
    let memory = (resident() - before) / many.len() as f64;
    drop(many);
    let limit = Limit::load(&data);
    let questions = questions(&data, &authz);

    let (mut by_text, mut by_id, mut reasons, mut limits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut allowed = 0;
    for _ in 0..ROUNDS {
        let (base, yes) = time(&questions, |q| limit.check(&q.user, q.permission, &q.ou));
        let (text, by_text_yes) =
            time(&questions, |q| authz.check_str(&q.user, q.permission, &q.ou, now).unwrap());
        let (ids, by_id_yes) = time(&questions, |q| authz.check(&q.who, q.what, q.at, now));
        let (why, why_yes) = time(&questions, |q| authz.decide(&q.who, q.what, q.at, now).is_allowed());
        assert_eq!([by_text_yes, by_id_yes, why_yes], [yes; 3], "all give the same answers");
        allowed = yes;
        limits.push(base);
        by_text.push((text, base));
        by_id.push((ids, base));
        reasons.push((why, base));
    }
    println!("{QUESTIONS} questions, {} % allowed", allowed * 100 / QUESTIONS);
    println!("{:<20} {:>8.1} ns", "limit, strings", median(limits));
    report("check_str", "ns", &by_text, 3.0);
    report("check by id", "ns", &by_id, 3.0);
    report("decide", "ns", &reasons, 12.0);

    answers(&authz, &questions, median(by_id.iter().map(|round| round.0)));

    let load = |_| {
        let start = Instant::now();
        drop(black_box(Limit::load(&data)));
        let base = start.elapsed().as_secs_f64() * 1e3;
        let copy = data.clone();
        let start = Instant::now();
        drop(black_box(AuthzSnapshot::compile(org, 1, copy).unwrap()));
        (start.elapsed().as_secs_f64() * 1e3, base)
    };
    report("compile", "ms", &(0..5).map(load).collect::<Vec<_>>(), 5.0);
    println!("{:<20} {memory:>8.1} MiB, gate 16", "memory");

    let mut numbers = Numbers(13);
    let mut changes = Vec::new();
    let mut current = authz;
    for index in 0..2_000 {
        let new = binding(&mut numbers, BINDINGS + index);
        let start = Instant::now();
        let added = current.with_binding(2, &new).unwrap();
        changes.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        current = added.without_binding(3, id(5, index)).unwrap();
        changes.push(start.elapsed().as_secs_f64() * 1e6);
    }
    println!("{:<20} {:>8.2} us, gate 2", "binding changed", median(changes));
}

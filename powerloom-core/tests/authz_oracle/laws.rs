//! Laws that hold between two organizations that differ in one thing (R2).

use crate::world::{answers, at, compile, id, principals, questions, worlds};
use powerloom_core::authz::{AuthzData, BindingData, Effect, OuData, RoleRef};
use powerloom_core::permission::Permission;
use proptest::prelude::*;
use proptest::sample::Index;

/// Answers of two organizations to the questions of the first.
fn both(first: &AuthzData, second: &AuthzData) -> Vec<(bool, bool)> {
    answers(first, &compile(first)).into_iter().zip(answers(first, &compile(second))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_deny_never_adds_an_allow(data in worlds(), pick: Index, expires in prop::option::of(0i64..5)) {
        let named = principals(&data);
        let roles: Vec<_> = data.roles.iter().map(|role| RoleRef::Custom(role.id)).collect();
        let mut more = data.clone();
        more.bindings.push(BindingData {
            id: id(9_000),
            // The first of those named is a stranger.
            principal: named[1 + pick.index(named.len() - 1)].clone(),
            role: roles[pick.index(roles.len())],
            scope: data.ous[pick.index(data.ous.len())].id,
            effect: Effect::Deny,
            expires_at: expires.map(at),
        });
        for (before, after) in both(&data, &more) {
            prop_assert!(before || !after);
        }
    }

    #[test]
    fn removing_an_allow_never_adds_one(data in worlds(), pick: Index) {
        let allows: Vec<_> = data.bindings.iter().filter(|b| b.effect == Effect::Allow).map(|b| b.id).collect();
        prop_assume!(!allows.is_empty());
        let gone = allows[pick.index(allows.len())];
        let mut less = data.clone();
        less.bindings.retain(|binding| binding.id != gone);
        for (before, after) in both(&data, &less) {
            prop_assert!(before || !after);
        }
    }

    #[test]
    fn an_unrelated_ou_changes_no_answer(data in worlds(), pick: Index) {
        let parent = data.ous[pick.index(data.ous.len())].id;
        let mut more = data.clone();
        for (number, name) in [(9_000, "a"), (9_001, "enen"), (9_002, "z")] {
            more.ous.push(OuData { id: id(number), parent: Some(parent), name: name.parse().unwrap() });
        }
        for (before, after) in both(&data, &more) {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn renaming_everything_keeps_every_answer(data in worlds()) {
        let mut renamed = data.clone();
        let name = |index: usize| format!("z{}x", 1000 - index).parse().unwrap();
        for (index, ou) in renamed.ous.iter_mut().enumerate() { ou.name = name(index); }
        for (index, group) in renamed.groups.iter_mut().enumerate() { group.name = name(index); }
        for (index, agent) in renamed.agents.iter_mut().enumerate() { agent.name = name(index); }
        for (index, role) in renamed.roles.iter_mut().enumerate() { role.name = name(index); }
        for (index, user) in renamed.users.iter_mut().enumerate() {
            user.email = format!("z{}@acme.org", 1000 - index).parse().unwrap();
        }
        for (before, after) in both(&data, &renamed) {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn the_order_of_the_data_is_irrelevant_even_to_the_reasons(data in worlds()) {
        let mut turned = data.clone();
        turned.ous.reverse();
        turned.users.reverse();
        turned.groups.reverse();
        turned.memberships.reverse();
        turned.roles.reverse();
        turned.agents.reverse();
        turned.bindings.reverse();
        let (one, other) = (compile(&data), compile(&turned));
        for (who, what, ou, now) in questions(&data) {
            prop_assert_eq!(one.decide(&who, what, ou, now), other.decide(&who, what, ou, now));
        }
    }

    #[test]
    fn a_list_shows_what_one_by_one_is_allowed(data in worlds()) {
        let snapshot = compile(&data);
        for who in principals(&data) {
            for now in [at(1), at(3)] {
                let filter = snapshot.visible(&who, Permission::AGENT_READ, now);
                let listed: Vec<_> = filter.iter().collect();
                for ou in data.ous.iter().map(|ou| ou.id).chain([id(7)]) {
                    let allowed = snapshot.check(&who, Permission::AGENT_READ, ou, now);
                    prop_assert_eq!(filter.contains(ou), allowed);
                    prop_assert_eq!(listed.contains(&ou), allowed);
                }
                prop_assert_eq!(filter.is_empty(), listed.is_empty());
                prop_assert_eq!(filter.is_everything(), listed.len() == data.ous.len());
            }
        }
    }

    #[test]
    fn a_changed_snapshot_equals_a_compiled_one(data in worlds(), steps in prop::collection::vec(any::<Index>(), 0..12)) {
        let mut held = data.clone();
        held.bindings.clear();
        let mut snapshot = compile(&held);
        for (round, step) in steps.iter().enumerate() {
            if data.bindings.is_empty() { break; }
            let binding = &data.bindings[step.index(data.bindings.len())];
            let before = answers(&data, &snapshot);
            let next = if let Some(at) = held.bindings.iter().position(|b| b.id == binding.id) {
                held.bindings.remove(at);
                prop_assert!(snapshot.with_binding(0, binding).is_err());
                snapshot.without_binding(10 + round as u64, binding.id).unwrap()
            } else {
                held.bindings.push(binding.clone());
                prop_assert!(snapshot.without_binding(0, binding.id).is_err());
                snapshot.with_binding(10 + round as u64, binding).unwrap()
            };
            prop_assert_eq!(next.epoch(), 10 + round as u64);
            let compiled = compile(&held);
            prop_assert_eq!(answers(&data, &snapshot), before, "the old snapshot changed");
            for (who, what, ou, now) in questions(&data) {
                let (one, other) = (next.decide(&who, what, ou, now), compiled.decide(&who, what, ou, now));
                prop_assert_eq!(one, other);
            }
            snapshot = next;
        }
    }
}

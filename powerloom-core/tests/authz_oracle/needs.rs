//! What a denied request lacks, and the list of those who can.

use crate::world::{ASKED, NOW, Org, at, compile, id, principals, questions, worlds};
use powerloom_core::authz::{AuthzData, BindingData, Effect, Grantable, Need};
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole::{AgentBuilder, AgentOperator, OrgAdmin};
use proptest::prelude::*;

fn texts(org: &Org, who: &Principal, what: Permission, ou: &str) -> Vec<String> {
    org.compile().needs(who, what, org.ou(ou), NOW).iter().map(ToString::to_string).collect()
}

/// Row M33: the nearest missing grant is the role with the fewest further permissions, at the very OU.
#[test]
fn the_narrowest_role_at_the_ou_itself_is_proposed() {
    let org = Org::acme();
    assert_eq!(
        texts(&org, &org.ada(), Permission::AGENT_INVOKE, "/acme/eng/platform"),
        ["bind `AgentOperator` to `user:ada@acme.com` at `/acme/eng/platform`"]
    );
    assert!(texts(&org, &org.ada(), Permission::ROLE_ESCALATE, "/acme")[0].starts_with("bind `OrgAdmin`"));
}

#[test]
fn a_group_that_holds_the_role_elsewhere_is_proposed_too() {
    let mut org = Org::acme();
    let group = org.group("g", &[&org.ada()]);
    org.allow(&group, AgentOperator, "/acme/engineering");
    let needs = org.compile().needs(&org.ada(), Permission::AGENT_INVOKE, org.ou("/acme/eng"), NOW);
    let Need::Grant { choices, .. } = &needs[0] else { panic!("{needs:?}") };
    let proposed: Vec<String> = choices.iter().map(ToString::to_string).collect();
    assert_eq!(
        proposed[..2],
        [
            "bind `AgentOperator` to `user:ada@acme.com` at `/acme/eng`",
            "bind `AgentOperator` to `group:/acme/g` at `/acme/eng`, as at `/acme/engineering`",
        ]
    );
}

#[test]
fn an_expired_binding_and_every_deny_are_named() {
    let mut org = Org::acme();
    let old = org.allow(&org.ada(), AgentBuilder, "/acme");
    org.data.bindings[0].expires_at = Some(at(1));
    let deny = org.deny(&org.ada(), OrgAdmin, "/acme/eng");
    assert_eq!(
        texts(&org, &org.ada(), Permission::AGENT_CREATE, "/acme/eng"),
        [
            format!("remove binding `{deny}` of `OrgAdmin` at `/acme/eng`, which denies it"),
            format!(
                "bind `AgentBuilder` to `user:ada@acme.com` at `/acme/eng`; binding `{old}` of `AgentBuilder` at `/acme` \
                 expired at 1970-01-01T00:00:00.000001Z"
            ),
        ]
    );
}

/// Rule 2.2.8: what an agent lacks that acts as its owner, its owner lacks.
#[test]
fn the_way_of_an_agent_leads_through_its_owner() {
    let mut org = Org::acme();
    let agent = org.agent("bot", powerloom_core::authz::AgentKind::User, &org.ada());
    assert_eq!(
        texts(&org, &agent, Permission::AGENT_INVOKE, "/acme"),
        ["bind `AgentOperator` to `user:ada@acme.com` at `/acme`"]
    );
    org.data.users[0].disabled = true;
    assert_eq!(
        texts(&org, &agent, Permission::AGENT_INVOKE, "/acme"),
        ["enable `user:ada@acme.com`", "bind `AgentOperator` to `user:ada@acme.com` at `/acme`"]
    );
}

/// The organization after what is needed was done, a grant by the `choice`th of its bindings.
fn done(data: &AuthzData, need: &Need, choice: Option<&Grantable>) -> AuthzData {
    let mut data = data.clone();
    match need {
        Need::Grant { .. } => {
            let choice = choice.unwrap();
            data.bindings.push(BindingData {
                id: id(9_000),
                principal: choice.to.clone(),
                role: choice.role,
                scope: choice.ou,
                effect: Effect::Allow,
                expires_at: None,
            });
        }
        Need::Lift { deny, .. } => data.bindings.retain(|binding| Some(binding.id) != deny.binding),
        Need::Enable { id, .. } => {
            data.users.iter_mut().filter(|user| user.id == *id).for_each(|user| user.disabled = false);
        }
        Need::Widen { .. } => data.agents.iter_mut().for_each(|agent| agent.boundary = None),
        Need::Token | Need::Nothing { .. } => {}
    }
    data
}

fn helpless(need: &Need) -> bool {
    matches!(need, Need::Token | Need::Nothing { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Row M33: whoever does what is said has the permission, and whoever leaves out any of it has not.
    #[test]
    fn doing_all_that_is_needed_permits_it_and_less_does_not(data in worlds()) {
        let snapshot = compile(&data);
        for (who, what, ou, now) in questions(&data) {
            let needs = snapshot.needs(&who, what, ou, now);
            prop_assert_eq!(needs.is_empty(), snapshot.check(&who, what, ou, now));
            if needs.is_empty() || needs.iter().any(helpless) {
                continue;
            }
            let after = |left_out: Option<usize>, pick: usize| {
                needs.iter().enumerate().filter(|(index, _)| Some(*index) != left_out).fold(data.clone(), |data, (_, need)| {
                    let Need::Grant { choices, .. } = need else { return done(&data, need, None) };
                    done(&data, need, choices.get(pick).or(choices.first()))
                })
            };
            for pick in 0..3 {
                prop_assert!(compile(&after(None, pick)).check(&who, what, ou, now), "{needs:?}");
            }
            for index in 0..needs.len() {
                prop_assert!(!compile(&after(Some(index), 0)).check(&who, what, ou, now), "{index} of {needs:?}");
            }
        }
    }

    /// Row R2: the list is what one by one is allowed, whatever the size of its pages.
    #[test]
    fn the_list_of_those_who_can_is_what_one_by_one_is_allowed(data in worlds(), size in 1usize..4) {
        let snapshot = compile(&data);
        for what in ASKED {
            for ou in data.ous.iter().map(|ou| ou.id).chain([id(7)]) {
                let mut listed: Vec<_> = Vec::new();
                loop {
                    let page = snapshot.subjects(what, ou, NOW, listed.last().map(|(_, name)| name), size);
                    prop_assert!(page.len() <= size);
                    if page.is_empty() { break; }
                    listed.extend(page);
                }
                prop_assert!(listed.is_sorted_by(|a, b| a.1 < b.1));
                for who in principals(&data) {
                    let allowed = snapshot.check(&who, what, ou, NOW);
                    prop_assert_eq!(listed.iter().filter(|(other, _)| *other == who).count(), usize::from(allowed));
                }
            }
        }
    }
}

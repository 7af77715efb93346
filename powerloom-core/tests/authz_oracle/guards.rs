//! The guards of the writes that change authorization itself (R4, rules 2.2.6 and 2.2.7).

use crate::world::{NOW, Org, at};
use powerloom_core::authz::{AgentKind, Effect};
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole::{
    AgentBuilder, AgentViewer, OrgAdmin, OuAdmin, SkillOwner, SkillUser,
};

/// Vector 4.5: a user with AgentBuilder grants OrgAdmin.
#[test]
fn nobody_hands_out_more_than_it_holds() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    let (authz, ada, eng) = (org.compile(), org.ada(), org.ou("/acme/eng"));
    let missing = |role: powerloom_core::role::BuiltinRole, ou| {
        authz.missing_for_grant(&ada, role.permissions(), ou, NOW)
    };
    assert_eq!(missing(OrgAdmin, eng), PermissionSet::ALL.difference(AgentBuilder.permissions()));
    assert_eq!(missing(AgentBuilder, eng), PermissionSet::EMPTY);
    assert_eq!(missing(AgentViewer, org.ou("/acme/eng/platform")), PermissionSet::EMPTY);
    assert_eq!(missing(AgentBuilder, org.ou("/acme")), AgentBuilder.permissions());
}

#[test]
fn only_who_may_escalate_hands_out_anything() {
    let mut org = Org::acme();
    let bob = org.user("bob@acme.com", "/acme");
    org.allow(&org.ada(), OrgAdmin, "/acme/eng");
    org.allow(&bob, OuAdmin, "/acme/eng");
    let (authz, eng) = (org.compile(), org.ou("/acme/eng"));
    assert!(authz.missing_for_grant(&org.ada(), PermissionSet::ALL, eng, NOW).is_empty());
    let missing = authz.missing_for_grant(&bob, PermissionSet::ALL, eng, NOW);
    assert_eq!(missing.to_string(), "organization:update, role:escalate, approval:break_glass");
}

#[test]
fn what_is_denied_further_down_cannot_be_handed_out_from_above() {
    let mut org = Org::acme();
    org.allow(&org.ada(), OuAdmin, "/acme/eng");
    org.deny(&org.ada(), SkillOwner, "/acme/eng/platform");
    org.deny(&org.ada(), AgentBuilder, "/acme/engineering");
    let (authz, ada) = (org.compile(), org.ada());
    let missing = |role: powerloom_core::role::BuiltinRole| {
        authz.missing_for_grant(&ada, role.permissions(), org.ou("/acme/eng"), NOW)
    };
    assert_eq!(missing(SkillUser), SkillUser.permissions());
    assert_eq!(missing(AgentBuilder).to_string(), "skill:read, skill:use");
}

/// R4: what is new in a role that is in use is a grant.
#[test]
fn widening_a_role_in_use_asks_for_what_is_new() {
    let mut org = Org::acme();
    org.allow(&org.ada(), SkillOwner, "/acme/eng");
    let old = PermissionSet::of(&[Permission::AGENT_INVOKE, Permission::SKILL_READ]);
    let new = old | PermissionSet::of(&[Permission::SKILL_USE, Permission::AGENT_CREATE]);
    let missing = org.compile().missing_for_grant(&org.ada(), new.difference(old), org.ou("/acme/eng"), NOW);
    assert_eq!(missing.to_string(), "agent:create");
}

#[test]
fn an_effective_org_admin_is_an_enabled_user_with_a_lasting_undenied_allow_at_root() {
    let has = |change: &dyn Fn(&mut Org)| {
        let mut org = Org::acme();
        change(&mut org);
        org.compile().has_effective_org_admin(NOW)
    };
    assert!(!has(&|_| ()));
    assert!(has(&|org| {
        org.allow(&org.ada(), OrgAdmin, "/acme");
    }));
    assert!(has(&|org| {
        let inner = org.group("h", &[&org.ada()]);
        let outer = org.group("g", &[&inner]);
        org.allow(&outer, OrgAdmin, "/acme");
    }));
    assert!(
        !has(&|org| {
            org.allow(&org.ada(), OrgAdmin, "/acme/eng");
        }),
        "not at root"
    );
    assert!(
        !has(&|org| {
            org.allow(&org.ada(), OuAdmin, "/acme");
        }),
        "another role"
    );
    assert!(
        !has(&|org| {
            let group = org.group("g", &[]);
            org.allow(&group, OrgAdmin, "/acme");
        }),
        "an empty group"
    );
    assert!(
        !has(&|org| {
            org.allow(&Principal::Ou(org.ou("/acme")), OrgAdmin, "/acme");
        }),
        "through an OU"
    );
    assert!(
        !has(&|org| {
            let agent = org.agent("worker", AgentKind::Service, &org.ada());
            org.allow(&agent, OrgAdmin, "/acme");
        }),
        "an agent"
    );
    assert!(
        !has(&|org| {
            org.allow(&org.ada(), OrgAdmin, "/acme");
            org.data.bindings[0].expires_at = Some(at(1_000_000));
        }),
        "it expires"
    );
    assert!(
        !has(&|org| {
            org.allow(&org.ada(), OrgAdmin, "/acme");
            org.data.users[0].disabled = true;
        }),
        "disabled"
    );
    assert!(
        !has(&|org| {
            let group = org.group("g", &[&org.ada()]);
            org.allow(&org.ada(), OrgAdmin, "/acme");
            org.deny(&group, AgentViewer, "/acme");
        }),
        "denied"
    );
    assert!(
        has(&|org| {
            org.allow(&org.ada(), OrgAdmin, "/acme");
            org.deny(&org.ada(), AgentViewer, "/acme/eng");
        }),
        "a deny below the root leaves the root alone"
    );
}

/// Vector 4.5: of two OrgAdmins one can go, the second cannot; the epoch makes two concurrent removals meet here.
#[test]
fn the_second_of_two_org_admins_cannot_be_removed() {
    let mut org = Org::acme();
    let bob = org.user("bob@acme.com", "/acme");
    let first = org.allow(&org.ada(), OrgAdmin, "/acme");
    let second = org.allow(&bob, OrgAdmin, "/acme");
    let after = org.compile().without_binding(2, first).unwrap();
    assert!(after.has_effective_org_admin(NOW));
    assert!(!after.without_binding(3, second).unwrap().has_effective_org_admin(NOW));
}

#[test]
fn a_membership_that_would_close_a_circle_is_told_with_its_path() {
    let mut org = Org::acme();
    let inner = org.group("inner", &[&org.ada()]);
    let middle = org.group("middle", &[&inner]);
    let outer = org.group("outer", &[&middle]);
    let authz = org.compile();
    let told = |group: &Principal, member: &Principal| {
        let path = authz.membership_cycle(group.id().unwrap(), member)?;
        Some(path.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(" in "))
    };
    assert_eq!(
        told(&inner, &outer).as_deref(),
        Some("group:/acme/inner in group:/acme/middle in group:/acme/outer in group:/acme/inner")
    );
    assert_eq!(told(&inner, &inner).as_deref(), Some("group:/acme/inner in group:/acme/inner"));
    assert_eq!(told(&outer, &inner), None);
    assert_eq!(told(&outer, &org.ada()), None);
}

#[test]
fn a_membership_that_would_nest_too_deep_is_told() {
    let mut org = Org::acme();
    let first = org.group("g0", &[&org.ada()]);
    let mut last = first.clone();
    for depth in 1..32 {
        last = org.group(&format!("g{depth}"), &[&last]);
    }
    let bob = org.user("bob@acme.com", "/acme");
    let (single, top) = (org.group("single", &[]), last);
    let authz = org.compile();
    let deep = |group: &Principal, member: &Principal| authz.membership_too_deep(group.id().unwrap(), member);
    assert!(!deep(&first, &bob), "32 groups around bob");
    assert!(deep(&first, &single) && deep(&single, &top));
    assert!(!deep(&single, &bob));
}

#[test]
fn a_grant_of_another_kind_reaches_through_groups_ous_and_owners() {
    let mut org = Org::acme();
    let group = org.group("g", &[&org.ada()]);
    let agent = org.agent("assistant", AgentKind::User, &org.ada());
    let (ada, eng) = (org.ada(), Principal::Ou(org.ou("/acme/eng")));
    let ci = Principal::Service("ci".parse().unwrap());
    let authz = org.compile();
    for grantee in [&ada, &group, &eng] {
        assert!(authz.covers(&ada, grantee) && authz.covers(&agent, grantee));
    }
    assert!(authz.covers(&agent, &agent) && !authz.covers(&ada, &agent));
    assert!(!authz.covers(&ada, &Principal::Ou(org.ou("/acme/eng/platform"))));
    assert!(authz.covers(&ci, &ci) && !authz.covers(&ci, &ada));
    org.data.users[0].disabled = true;
    assert!(!org.compile().covers(&ada, &group) && !org.compile().covers(&agent, &group));
}

#[test]
fn a_binding_of_a_service_nobody_named_before_counts_at_once() {
    let org = Org::acme();
    let ci = Principal::Service("ci".parse().unwrap());
    let mut more = org.clone();
    let binding = more.bind(&ci, SkillUser, Effect::Allow, "/acme");
    let next = org.compile().with_binding(2, &more.data.bindings[0]).unwrap();
    assert_eq!(next.check_str("service:ci", "skill:use", "/acme/eng", NOW), Ok(true));
    assert!(next.check(&ci, Permission::SKILL_USE, org.ou("/acme"), NOW));
    let gone = next.without_binding(3, binding).unwrap();
    assert!(!gone.check(&ci, Permission::SKILL_USE, org.ou("/acme"), NOW));
}

//! The vectors of part 4.5, each a case, and the refusals of data that contradicts itself.

use crate::world::{NOW, Org, at, id};
use powerloom_core::authz::{AgentKind, AuthzDataError, AuthzSnapshot, OuData, RoleData, RoleRef};
use powerloom_core::id::OrgId;
use powerloom_core::permission::PermissionSet;
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole::{
    AgentBuilder, AgentRuntime, AgentViewer, Auditor, OrgAdmin, SkillUser,
};
use uuid::Uuid;

#[test]
fn without_a_binding_all_is_denied() {
    assert!(!Org::acme().ada_may("agent:create", "/acme/eng"));
}

#[test]
fn an_allow_flows_down_by_segments_and_never_up() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    assert!(org.ada_may("agent:create", "/acme/eng"));
    assert!(org.ada_may("agent:create", "/acme/eng/platform"));
    assert!(!org.ada_may("agent:create", "/acme/engineering"));
    assert!(!org.ada_may("agent:create", "/acme"));
}

#[test]
fn a_deny_above_beats_an_allow_below() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme/eng/platform");
    org.deny(&org.ada(), AgentBuilder, "/acme");
    assert!(!org.ada_may("agent:create", "/acme/eng/platform"));
}

#[test]
fn a_deny_does_not_touch_siblings() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme");
    org.deny(&org.ada(), AgentBuilder, "/acme/eng");
    assert!(org.ada_may("agent:create", "/acme/engineering"));
    assert!(!org.ada_may("agent:create", "/acme/eng/platform"));
}

#[test]
fn a_group_in_a_group_gives() {
    let mut org = Org::acme();
    let inner = org.group("h", &[&org.ada()]);
    let outer = org.group("g", &[&inner]);
    org.allow(&outer, AgentBuilder, "/acme");
    assert!(org.ada_may("agent:create", "/acme/eng"));
}

#[test]
fn a_deny_on_a_group_beats_a_direct_allow() {
    let mut org = Org::acme();
    let group = org.group("g", &[&org.ada()]);
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    org.deny(&group, AgentBuilder, "/acme/eng");
    assert!(!org.ada_may("agent:create", "/acme/eng"));
}

#[test]
fn a_denied_role_takes_only_what_it_holds() {
    let mut org = Org::acme();
    org.deny(&org.ada(), AgentViewer, "/acme");
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    assert!(org.ada_may("agent:create", "/acme/eng"));
    assert!(!org.ada_may("agent:read", "/acme/eng"));
}

#[test]
fn an_expired_binding_neither_gives_nor_takes() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme");
    org.data.bindings[0].expires_at = Some(NOW);
    assert!(!org.ada_may("agent:create", "/acme/eng"));
    org.data.bindings[0].expires_at = Some(at(NOW.as_micros() + 1));
    assert!(org.ada_may("agent:create", "/acme/eng"));
    org.deny(&org.ada(), AgentBuilder, "/acme");
    org.data.bindings[1].expires_at = Some(at(0));
    assert!(org.ada_may("agent:create", "/acme/eng"));
}

#[test]
fn a_smuggled_cycle_of_groups_terminates() {
    let mut org = Org::acme();
    let outer = org.group("g", &[]);
    let inner = org.group("h", &[&outer, &org.ada()]);
    org.join(&outer, &inner);
    org.allow(&outer, AgentBuilder, "/acme");
    assert!(org.ada_may("agent:create", "/acme/eng"));
    assert!(!org.ada_may("skill:delete", "/acme/eng"));
}

#[test]
fn groups_nested_too_deep_make_powerless_instead_of_forgetting_a_deny() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme");
    let mut last = org.ada();
    for depth in 0..32 {
        last = org.group(&format!("g{depth}"), &[&last]);
    }
    assert!(org.ada_may("agent:create", "/acme"));
    let beyond = org.group("beyond", &[&last]);
    org.deny(&beyond, AgentBuilder, "/acme");
    assert!(!org.ada_may("agent:create", "/acme"));
}

#[test]
fn an_ou_principal_covers_the_users_at_home_in_its_subtree() {
    let mut org = Org::acme();
    org.user("bob@acme.com", "/acme/engineering");
    let eng = Principal::Ou(org.ou("/acme/eng"));
    org.allow(&eng, AgentBuilder, "/acme");
    let authz = org.compile();
    assert!(org.ada_may("agent:create", "/acme/engineering"));
    assert!(!authz.check_str("user:bob@acme.com", "agent:create", "/acme/eng", NOW).unwrap());
    assert!(authz.check_str("ou:/acme/eng/platform", "agent:create", "/acme", NOW).unwrap());
}

#[test]
fn a_disabled_user_and_its_agents_may_nothing() {
    let mut org = Org::acme();
    org.allow(&org.ada(), OrgAdmin, "/acme");
    let helper = org.agent("assistant", AgentKind::User, &org.ada());
    let may =
        |org: &Org| org.compile().check_str("agent:/acme/eng/assistant", "agent:read", "/acme", NOW).unwrap();
    assert!(may(&org) && org.compile().effective_user(helper.id().unwrap()) == org.ada().id());
    org.data.users[0].disabled = true;
    assert!(!may(&org) && !org.ada_may("agent:read", "/acme"));
    assert_eq!(org.compile().effective_user(helper.id().unwrap()), None);
    org.data.users[0].disabled = false;
    org.data.agents[0].archived = true;
    assert!(!may(&org));
}

/// Row P15: what the group holds, not the union of its members.
#[test]
fn an_agent_of_a_group_holds_what_the_group_holds() {
    let mut org = Org::acme();
    let group = org.group("g", &[&org.ada()]);
    org.allow(&org.ada(), OrgAdmin, "/acme");
    org.allow(&group, SkillUser, "/acme");
    let agent = org.agent("assistant", AgentKind::User, &group);
    let held = org.compile().held(&agent, org.ou("/acme/eng"), NOW);
    assert_eq!(held, SkillUser.permissions());
    org.data.agents[0].boundary = Some(PermissionSet::of_action("read"));
    assert_eq!(org.compile().held(&agent, org.ou("/acme/eng"), NOW).to_string(), "skill:read");
}

/// Row P14.
#[test]
fn an_agent_of_kind_user_gains_nothing_from_its_own_bindings_but_obeys_its_own_denies() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentViewer, "/acme");
    let agent = org.agent("assistant", AgentKind::User, &org.ada());
    org.allow(&agent, OrgAdmin, "/acme");
    let eng = org.ou("/acme/eng");
    assert_eq!(org.compile().held(&agent, eng, NOW), AgentViewer.permissions());
    org.deny(&agent, SkillUser, "/acme");
    assert_eq!(org.compile().held(&agent, eng, NOW).to_string(), "agent:read, mcp:read, session:read");
}

/// Row P14 and rule 2.2.8.
#[test]
fn a_service_agent_holds_its_bindings_and_the_runtime_role_at_its_ou() {
    let mut org = Org::acme();
    org.allow(&org.ada(), OrgAdmin, "/acme");
    let agent = org.agent("worker", AgentKind::Service, &org.ada());
    let (eng, root) = (org.ou("/acme/eng"), org.ou("/acme"));
    assert!(org.compile().held(&agent, eng, NOW).is_empty());
    org.allow(&agent, SkillUser, "/acme");
    org.data.agent_runtime = PermissionSet::of_resource("tool");
    assert_eq!(org.compile().held(&agent, root, NOW), SkillUser.permissions());
    assert_eq!(
        org.compile().held(&agent, eng, NOW).to_string(),
        "skill:read, skill:use, tool:read, tool:execute"
    );
    org.deny(&agent, AgentRuntime, "/acme");
    assert_eq!(org.compile().held(&agent, eng, NOW), SkillUser.permissions());
}

#[test]
fn a_custom_role_is_usable_only_below_its_owning_ou() {
    let mut org = Org::acme();
    let (role, eng) = (org.fresh(), org.ou("/acme/eng"));
    let permissions = Auditor.permissions();
    org.data.roles.push(RoleData {
        id: role,
        name: "local".parse().unwrap(),
        permissions,
        owning_ou: Some(eng),
    });
    org.allow(&org.ada(), Auditor, "/acme");
    org.data.bindings[0].role = RoleRef::Custom(role);
    assert!(org.ada_may("audit:read", "/acme/eng/platform"));
    assert!(!org.ada_may("audit:read", "/acme") && !org.ada_may("audit:read", "/acme/engineering"));
    let authz = org.compile();
    let usable = |role, ou: &str| authz.role_is_usable_at(role, org.ou(ou));
    assert!(usable(RoleRef::Custom(role), "/acme/eng/platform") && !usable(RoleRef::Custom(role), "/acme"));
    assert!(usable(RoleRef::Builtin(Auditor), "/acme") && !usable(RoleRef::Custom(id(5)), "/acme"));
    assert_eq!(authz.role_permissions(RoleRef::Custom(role)), Some(permissions));
    assert_eq!(authz.role_permissions(RoleRef::Custom(id(5))), None);
}

#[test]
fn other_spellings_of_the_same_are_understood_and_nonsense_is_refused() {
    let mut org = Org::acme();
    org.allow(&org.ada(), AgentBuilder, "/acme");
    let authz = org.compile();
    assert_eq!(authz.check_str("user:ADA@acme.com", "agent:create", "/acme/eng/", NOW), Ok(true));
    assert_eq!(authz.check_str("user:eve@acme.com", "agent:create", "/acme/eng", NOW), Ok(false));
    assert_eq!(authz.check_str("user:ada@acme.com", "agent:create", "/other", NOW), Ok(false));
    assert_eq!(authz.check_str("ada", "agent:create", "/acme", NOW).unwrap_err().field, "principal");
    assert_eq!(
        authz.check_str("user:ada@acme.com", "agent:*", "/acme", NOW).unwrap_err().field,
        "permission"
    );
    assert_eq!(
        authz.check_str("user:ada@acme.com", "agent:create", "acme", NOW).unwrap_err().field,
        "ou_path"
    );
}

#[test]
fn a_written_principal_is_resolved_by_its_name() {
    let mut org = Org::acme();
    let group = org.group("g", &[]);
    let agent = org.agent("worker", AgentKind::Service, &org.ada());
    let authz = org.compile();
    let resolved = |text: &str| authz.resolve(&text.parse().unwrap());
    assert_eq!(resolved("user:Ada@acme.com"), Some(org.ada()));
    assert_eq!(resolved("group:/acme/g"), Some(group));
    assert_eq!(resolved("agent:/acme/eng/worker"), Some(agent));
    assert_eq!(resolved("ou:/acme/eng/"), Some(Principal::Ou(org.ou("/acme/eng"))));
    assert_eq!(resolved("service:ci").map(|p| p.to_string()), Some("service:ci".to_owned()));
    assert_eq!(resolved("group:/acme/eng/g"), None);
    assert_eq!(authz.written(&org.ada()).unwrap().as_str(), "user:ada@acme.com");
    assert!(authz.knows(&org.ada()) && !authz.knows(&Principal::User(id(1))));
}

#[test]
fn a_name_belongs_to_the_agent_that_is_not_archived() {
    let mut org = Org::acme();
    let old = org.agent("worker", AgentKind::Service, &org.ada());
    org.data.agents[0].archived = true;
    let named = |org: &Org| org.compile().resolve(&"agent:/acme/eng/worker".parse().unwrap());
    assert_eq!(named(&org), Some(old));
    let new = org.agent("worker", AgentKind::Service, &org.ada());
    assert_eq!(named(&org), Some(new));
    org.agent("worker", AgentKind::Service, &org.ada());
    let refused = AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, org.data).unwrap_err();
    assert_eq!(refused, AuthzDataError::DuplicateName { name: "agent:/acme/eng/worker".into() });
}

#[test]
fn the_tree_answers_for_itself() {
    let org = Org::acme();
    let authz = org.compile();
    let (root, eng, platform) = (org.ou("/acme"), org.ou("/acme/eng"), org.ou("/acme/eng/platform"));
    assert_eq!(authz.root(), Some(root));
    assert_eq!(authz.ou_path(platform).unwrap().as_str(), "/acme/eng/platform");
    assert_eq!(authz.ou_id(&"/acme/eng".parse().unwrap()), Some(eng));
    assert_eq!(authz.user_by_email(&"Ada@acme.com".parse().unwrap()), org.ada().id());
    assert!(authz.is_within(platform, eng) && authz.is_within(eng, eng) && !authz.is_within(eng, platform));
    assert!(!authz.is_within(org.ou("/acme/engineering"), eng));
    assert_eq!(authz.subtree(eng).collect::<Vec<_>>(), [eng, platform]);
    assert_eq!(authz.subtree(root).count(), 4);
}

#[test]
fn data_that_contradicts_itself_is_refused() {
    let refused = |change: &dyn Fn(&mut Org)| {
        let mut org = Org::acme();
        let group = org.group("g", &[]);
        org.allow(&group, AgentBuilder, "/acme");
        change(&mut org);
        AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, org.data).unwrap_err().to_string()
    };
    let ou = |number, parent, name: &str| OuData { id: id(number), parent, name: name.parse().unwrap() };
    assert_eq!(refused(&|org| org.data.ous.clear()), "the organization has no root OU");
    assert!(refused(&|org| org.data.ous.push(ou(5, None, "other"))).ends_with("are both root OUs"));
    assert!(refused(&|org| org.data.ous.push(ou(5, Some(id(6)), "lost"))).contains("refers to OU"));
    let circle = |org: &mut Org| org.data.ous.extend([ou(5, Some(id(6)), "a"), ou(6, Some(id(5)), "b")]);
    assert!(refused(&circle).ends_with("lies in a cycle of parents"));
    let deep = |org: &mut Org| {
        let root = org.ou("/acme");
        org.data.ous.extend((0..32).map(|n| ou(50 + n, Some(if n == 0 { root } else { id(49 + n) }), "x")));
    };
    assert!(refused(&deep).ends_with("lies deeper than 32 levels"));
    assert_eq!(
        refused(&|org| drop(org.user("ada@acme.com", "/acme"))),
        "`user:ada@acme.com` is the name of two"
    );
    assert!(refused(&|org| org.data.ous.push(ou(5, Some(org.ou("/acme")), "eng"))).contains("`/acme/eng`"));
    assert!(refused(&|org| org.data.groups[0].id = org.ou("/acme")).ends_with("is used twice"));
    assert!(refused(&|org| org.data.bindings.push(org.data.bindings[0].clone())).ends_with("is used twice"));
    assert!(refused(&|org| org.data.users[0].home_ou = id(5)).contains("refers to OU"));
    assert!(refused(&|org| org.data.bindings[0].scope = id(5)).contains("refers to OU"));
    assert!(refused(&|org| org.data.bindings[0].role = RoleRef::Custom(id(5))).contains("refers to role"));
    assert!(
        refused(&|org| org.data.bindings[0].principal = Principal::User(id(5)))
            .contains("refers to principal")
    );
    assert!(refused(&|org| org.join(&Principal::Group(id(5)), &org.ada())).contains("refers to group"));
    let stranger = |org: &mut Org| {
        org.data.memberships.push(powerloom_core::authz::MembershipData {
            group: org.data.groups[0].id,
            member: Principal::User(id(5)),
        })
    };
    assert!(refused(&stranger).contains("refers to member"));
}

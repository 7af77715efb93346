//! What people read: the decision, its reason, and the text of a refusal.

use crate::world::{NOW, Org, id};
use powerloom_core::authz::{AgentKind, Decision};
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::role::BuiltinRole::{AgentBuilder, AgentViewer, OrgAdmin, SkillUser};

fn decide(org: &Org, who: &Principal, what: Permission, ou: &str) -> Decision {
    org.compile().decide(who, what, org.ou(ou), NOW)
}

/// Row M33.
#[test]
fn a_refusal_names_the_permission_the_ou_and_whom_to_ask() {
    let org = Org::acme();
    let decision = decide(&org, &org.ada(), Permission::AGENT_CREATE, "/acme/engineering");
    assert_eq!(
        decision.reason(),
        "no binding gives `user:ada@acme.com` `agent:create` on `/acme/engineering` or above it"
    );
    assert_eq!(
        decision.denial_text(),
        "insufficient permissions: you need `agent:create` on `/acme/engineering`; ask an OrgAdmin to grant a binding \
         there (`AgentBuilder`, `OUAdmin` or `OrgAdmin` would give it), or use an OU where you have access"
    );
}

#[test]
fn an_explicit_deny_is_named() {
    let mut org = Org::acme();
    let group = org.group("g", &[&org.ada()]);
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    let deny = org.deny(&group, AgentBuilder, "/acme");
    let decision = decide(&org, &org.ada(), Permission::AGENT_CREATE, "/acme/eng/platform");
    assert_eq!(decision.bindings.len(), 2);
    assert_eq!(
        decision.denial_text(),
        format!(
            "insufficient permissions: you need `agent:create` on `/acme/eng/platform`, but binding `{deny}` of \
             `AgentBuilder` at `/acme` through `group:/acme/g` denies it; ask an OrgAdmin to remove that binding"
        )
    );
}

#[test]
fn a_decision_is_written_with_every_binding_and_how_it_reaches() {
    let mut org = Org::acme();
    let inner = org.group("inner", &[&org.ada()]);
    let outer = org.group("outer", &[&inner]);
    let eng = Principal::Ou(org.ou("/acme/eng"));
    org.allow(&org.ada(), AgentBuilder, "/acme/eng");
    org.allow(&outer, AgentViewer, "/acme");
    org.allow(&eng, AgentViewer, "/acme");
    org.allow(&org.ada(), SkillUser, "/acme");
    let decision = decide(&org, &org.ada(), Permission::AGENT_READ, "/acme/eng/platform");
    assert_eq!(
        serde_json::to_value(&decision).unwrap(),
        serde_json::json!({
            "principal": org.ada().to_string(),
            "name": "user:ada@acme.com",
            "permission": "agent:read",
            "ou": "/acme/eng/platform",
            "verdict": "allow",
            "resolution": "allowed",
            "bindings": [
                {
                    "binding": org.data.bindings[0].id, "scope": "/acme/eng", "role": "AgentBuilder", "effect": "allow",
                    "via": {"kind": "direct"},
                },
                {
                    "binding": org.data.bindings[2].id, "scope": "/acme", "role": "AgentViewer", "effect": "allow",
                    "via": {"kind": "ou", "ou": "ou:/acme/eng"},
                },
                {
                    "binding": org.data.bindings[1].id, "scope": "/acme", "role": "AgentViewer", "effect": "allow",
                    "via": {"kind": "group", "chain": ["group:/acme/inner", "group:/acme/outer"]},
                },
            ],
            "reason": format!(
                "binding `{}` of `AgentBuilder` at `/acme/eng` allows `agent:read` on `/acme/eng/platform`",
                org.data.bindings[0].id
            ),
        })
    );
    let read: Decision = serde_json::from_str(&serde_json::to_string(&decision).unwrap()).unwrap();
    assert_eq!(read, decision);
}

#[test]
fn an_agent_is_told_by_its_owner_and_a_group_by_the_ou_in_it() {
    let mut org = Org::acme();
    let eng = Principal::Ou(org.ou("/acme"));
    let group = org.group("g", &[&eng]);
    org.allow(&group, AgentViewer, "/acme");
    let agent = org.agent("assistant", AgentKind::User, &org.ada());
    let via = |who: &Principal| decide(&org, who, Permission::AGENT_READ, "/acme").bindings[0].to_string();
    assert!(
        via(&org.ada()).ends_with("at `/acme` through `ou:/acme` in `group:/acme/g`"),
        "{}",
        via(&org.ada())
    );
    assert!(via(&agent).contains("through `user:ada@acme.com` in "), "{}", via(&agent));
}

#[test]
fn every_other_refusal_says_why() {
    let mut org = Org::acme();
    org.allow(&org.ada(), OrgAdmin, "/acme");
    let agent = org.agent("assistant", AgentKind::User, &org.ada());
    let reason = |org: &Org, who: &Principal| decide(org, who, Permission::SKILL_USE, "/acme").reason();
    let mut bounded = org.clone();
    bounded.data.agents[0].boundary = Some(PermissionSet::of_action("read"));
    assert_eq!(
        reason(&bounded, &agent),
        "the permission boundary of `agent:/acme/eng/assistant` leaves out `skill:use`"
    );
    let mut archived = org.clone();
    archived.data.agents[0].archived = true;
    assert_eq!(reason(&archived, &agent), "`agent:/acme/eng/assistant` is archived");
    let mut disabled = org.clone();
    disabled.data.users[0].disabled = true;
    assert_eq!(reason(&disabled, &org.ada()), "`user:ada@acme.com` is disabled");
    assert!(reason(&disabled, &agent).starts_with("the owner of `agent:/acme/eng/assistant` is disabled"));
    let stranger = Principal::User(id(5));
    assert_eq!(reason(&org, &stranger), format!("`{stranger}` does not exist"));
    let nowhere = org.compile().decide(&org.ada(), Permission::SKILL_USE, id(5), NOW);
    assert_eq!(nowhere.reason(), format!("OU `{}` does not exist", id(5)));
    assert!(nowhere.denial_text().contains("you need `skill:use` on"));
}

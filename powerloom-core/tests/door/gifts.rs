//! Every way to come by permissions one does not hold, closed (sem. 2.2.6 to 2.2.9).

use crate::world::{code, denied, skill_files, world};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::SessionId;
use powerloom_core::record::ResourceKey;
use serde_json::json;
use uuid::Uuid;

/// Rule 2.2.9: the use of one skill is not the use of another by way of its version.
#[tokio::test]
async fn a_pinned_version_is_one_of_the_skill() {
    let w = world().await;
    let mine = w.create("Skill", w.root(), "mine", json!({})).await;
    let theirs = w.create("Skill", w.root(), "theirs", json!({})).await;
    let files = skill_files("theirs", "secret ways");
    let publish = Action::PublishSkillVersion { skill: theirs.meta.id, files };
    let version = w.cp.submit(&w.admin, publish).await.unwrap().record().unwrap().meta.id;
    let pinned = json!([{ "skill": mine.meta.id, "version": { "pinned": version } }]);
    let mut spec = w.agent_spec();
    spec["skills"] = pinned.clone();
    assert_eq!(code(w.try_create(&w.admin, "Agent", Some(w.root()), Some("new"), spec).await), "invalid");
    let agent = w.agent(w.root(), "old").await;
    assert_eq!(code(w.update(&w.admin, &agent, json!({ "skills": pinned })).await), "invalid");
    let attach = Action::AttachSkill {
        agent: agent.meta.id,
        skill: mine.meta.id,
        version: Some(version),
        expect: None,
    };
    assert_eq!(code(w.cp.submit(&w.admin, attach).await), "invalid");
}

/// A deny that is lifted gives back what it took: who lifts it must hold that.
#[tokio::test]
async fn nobody_lifts_a_deny_from_themselves() {
    let w = world().await;
    let rights = ["binding:delete", "binding:read", "agent:read"];
    let (ada, as_ada) = w.holder(w.root(), "ada", &rights).await;
    let deny = w.try_bind(&w.admin, format!("user:{ada}"), "AgentViewer", w.root(), "deny").await.unwrap();
    denied(w.archive(&as_ada, &deny.key()).await);
    let (_, as_grace) = w.holder(w.root(), "grace", &["binding:delete", "agent:read", "skill:read"]).await;
    assert!(denied(w.archive(&as_grace, &deny.key()).await).contains("mcp:read"));
    w.archive(&w.admin, &deny.key()).await.unwrap();
}

#[tokio::test]
async fn nobody_leaves_a_group_or_ends_it_to_be_rid_of_its_denies() {
    let w = world().await;
    let (ada, as_ada) = w.holder(w.root(), "ada", &["group:*", "agent:read"]).await;
    let outer = w.create("Group", w.root(), "suspended", json!({})).await;
    let inner = w.create("Group", w.root(), "team", json!({})).await;
    let nested = json!({ "group": outer.meta.id, "member": format!("group:{}", inner.meta.id) });
    let nested = w.derive("GroupMembership", nested).await;
    let seat = json!({ "group": inner.meta.id, "member": format!("user:{ada}") });
    let seat = w.derive("GroupMembership", seat).await;
    w.try_bind(&w.admin, format!("group:{}", outer.meta.id), "AgentViewer", w.root(), "deny").await.unwrap();
    for way_out in [seat.key(), nested.key(), inner.key(), outer.key()] {
        denied(w.archive(&as_ada, &way_out).await);
    }
    let (grace, _) = w.user(w.root(), "grace@acme.com").await;
    let harmless = w.create("Group", w.root(), "readers", json!({})).await;
    let seat = json!({ "group": harmless.meta.id, "member": format!("user:{grace}") });
    let seat = w.derive("GroupMembership", seat).await;
    w.archive(&as_ada, &seat.key()).await.unwrap();
    w.archive(&as_ada, &harmless.key()).await.unwrap();
}

/// Only what is new in a role counts; and what it loses, where it denies.
#[tokio::test]
async fn a_role_edit_is_judged_by_what_it_changes() {
    let w = world().await;
    let rights = ["role:update", "role:read", "role:delete", "agent:read"];
    let (ada, as_ada) = w.holder(w.root(), "ada", &rights).await;
    let role = w.create("Role", w.root(), "ops", json!({ "permissions": ["agent:create"] })).await;
    w.update(&as_ada, &role, json!({ "display_name": "Operators" })).await.unwrap();
    w.update(&as_ada, &role, json!({ "permissions": ["agent:create", "agent:read"] })).await.unwrap();
    let wider = json!({ "permissions": ["agent:create", "agent:read", "agent:update"] });
    assert!(denied(w.update(&as_ada, &role, wider).await).contains("agent:update"));
    w.update(&as_ada, &role, json!({ "permissions": ["agent:read"] })).await.unwrap();

    let taken = json!({ "permissions": ["agent:update", "skill:read"] });
    let taken = w.create("Role", w.root(), "taken", taken).await;
    let name = format!("role:{}", taken.meta.id);
    w.try_bind(&w.admin, format!("user:{ada}"), &name, w.root(), "deny").await.unwrap();
    let narrower = json!({ "permissions": ["skill:read"] });
    assert!(denied(w.update(&as_ada, &taken, narrower).await).contains("agent:update"));
    denied(w.archive(&as_ada, &taken.key()).await);
}

/// A new user holds what is given to the OU they are at home in.
#[tokio::test]
async fn nobody_makes_a_user_where_users_hold_more_than_they() {
    let w = world().await;
    let admins = w.ou(w.root(), "admins").await;
    let inside = w.ou(admins, "inside").await;
    w.bind(format!("ou:{admins}"), "OrgAdmin", w.root()).await;
    let (_, as_ada) = w.holder(w.root(), "ada", &["user:create"]).await;
    let mallory = || json!({ "email": "mallory@acme.com" });
    for home in [admins, inside] {
        denied(w.try_create(&as_ada, "User", Some(home), None, mallory()).await);
    }
    w.try_create(&as_ada, "User", Some(w.root()), None, mallory()).await.unwrap();
}

/// A move gives whoever is bound at the new place what they hold there.
#[tokio::test]
async fn nobody_moves_an_ou_to_come_by_what_is_in_it_or_above_it() {
    let w = world().await;
    let (mine, theirs) = (w.ou(w.root(), "mine").await, w.ou(w.root(), "theirs").await);
    let (ada, as_ada) = w.holder(w.root(), "ada", &["ou:update", "ou:create"]).await;
    w.bind(format!("user:{ada}"), "OUAdmin", mine).await;
    denied(w.cp.submit(&as_ada, Action::MoveOu { ou: theirs, to: mine, expect: None }).await);

    let (jail, cell) = (w.ou(w.root(), "jail").await, w.ou(w.root(), "cell").await);
    w.cp.submit(&w.admin, Action::MoveOu { ou: cell, to: jail, expect: None }).await.unwrap();
    w.try_bind(&w.admin, format!("user:{ada}"), "AgentViewer", jail, "deny").await.unwrap();
    denied(w.cp.submit(&as_ada, Action::MoveOu { ou: cell, to: w.root(), expect: None }).await);

    let admins = w.ou(w.root(), "admins").await;
    w.bind(format!("ou:{admins}"), "OrgAdmin", w.root()).await;
    let (home, plain) = (w.ou(w.root(), "home").await, w.ou(w.root(), "plain").await);
    denied(w.cp.submit(&as_ada, Action::MoveOu { ou: home, to: admins, expect: None }).await);
    w.cp.submit(&as_ada, Action::MoveOu { ou: home, to: plain, expect: None }).await.unwrap();
}

/// Sem. 2.2.8: what narrows an agent is not the agent's to take away, nor anybody's who may not choose its owner.
#[tokio::test]
async fn a_boundary_is_not_widened_by_the_bounded() {
    let w = world().await;
    let mut spec = w.agent_spec();
    spec["permission_boundary"] = json!(["agent:read", "agent:update", "agent:assign_owner"]);
    let agent = w.create("Agent", w.root(), "bounded", spec).await;
    let session = SessionId::from_uuid(Uuid::from_u128(1));
    let itself = Caller::agent(w.org.id, agent.meta.id, session);
    for wider in [json!(null), json!(["agent:*"])] {
        denied(w.update(&itself, &agent, json!({ "permission_boundary": wider })).await);
    }
    let (_, as_ada) = w.holder(w.root(), "ada", &["agent:update", "agent:read"]).await;
    let open = json!({ "permission_boundary": null });
    assert!(denied(w.update(&as_ada, &agent, open.clone()).await).contains("agent:assign_owner"));
    w.update(&as_ada, &agent, json!({ "permission_boundary": ["agent:read"] })).await.unwrap();
    w.update(&w.admin, &agent, open).await.unwrap();
}

/// Sem. 2.10: a token without `role:escalate` gives nothing its holder does not hold.
#[tokio::test]
async fn a_ceiling_also_narrows_what_one_may_give() {
    use powerloom_core::door::caller::TokenKind;
    use powerloom_core::permission::{Permission, PermissionSet};
    let w = world().await;
    let (_, as_ada) = w.holder(w.root(), "ada", &["role:create", "role:escalate"]).await;
    let ceiling = PermissionSet::of(&[Permission::ROLE_CREATE, Permission::AGENT_CREATE]);
    let narrow = as_ada.clone().by(TokenKind::Api).narrowed(ceiling);
    let spec = || json!({ "permissions": ["agent:create"] });
    denied(w.try_create(&narrow, "Role", Some(w.root()), Some("builders"), spec()).await);
    w.try_create(&as_ada, "Role", Some(w.root()), Some("builders"), spec()).await.unwrap();
}

/// Rule 2.2.7, by the ways that are no bindings.
#[tokio::test]
async fn the_last_org_admin_is_not_taken_out_by_a_group_or_a_move() {
    let w = world().await;
    let group = w.create("Group", w.root(), "suspended", json!({})).await;
    w.try_bind(&w.admin, format!("group:{}", group.meta.id), "AgentViewer", w.root(), "deny").await.unwrap();
    let seat = json!({ "group": group.meta.id, "member": w.admin.principal.to_string() });
    assert_eq!(code(w.try_create(&w.admin, "GroupMembership", None, None, seat).await), "last_org_admin");

    let (people, restricted) = (w.ou(w.root(), "people").await, w.ou(w.root(), "restricted").await);
    let (grace, as_grace) = w.user(people, "grace@acme.com").await;
    w.bind(format!("user:{grace}"), "OrgAdmin", w.root()).await;
    let first = ResourceKey { kind: crate::world::kind("User"), id: w.org.admin };
    w.archive(&as_grace, &first).await.unwrap();
    w.try_bind(&as_grace, format!("ou:{restricted}"), "AgentViewer", w.root(), "deny").await.unwrap();
    let moved = w.cp.submit(&as_grace, Action::MoveOu { ou: people, to: restricted, expect: None }).await;
    assert_eq!(code(moved), "last_org_admin");
}

/// What stands in the way is named only as far as the caller may read it.
#[tokio::test]
async fn a_refusal_names_nothing_the_caller_may_not_read() {
    let w = world().await;
    let secret = w.ou(w.root(), "secret-project").await;
    let server = w.server(w.root(), "files").await;
    let agent = w.agent(secret, "hidden-agent").await;
    w.update(&w.admin, &agent, json!({ "mcp_servers": [server.meta.id] })).await.unwrap();
    let (_, as_ada) = w.holder(w.root(), "ada", &["mcp:delete", "ou:delete"]).await;
    for target in [server.key(), ResourceKey { kind: crate::world::kind("OU"), id: secret }] {
        let error = w.archive(&as_ada, &target).await.unwrap_err();
        assert!(error.code() == "in_use" && !error.to_string().contains("hidden-agent"), "{error}");
        let named = w.archive(&w.admin, &target).await.unwrap_err();
        assert!(named.to_string().contains("hidden-agent"), "{named}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_nothing_about_what_is_there() {
    let w = world().await;
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    let skill = w.create("Skill", w.root(), "code-name", json!({})).await;
    let server = w.server(w.root(), "vault-of-gold").await;
    let bad = vec![];
    denied(w.cp.submit(&nobody, Action::PublishSkillVersion { skill: skill.meta.id, files: bad }).await);
    denied(w.update(&nobody, &server, json!({ "url": "https://guess.example.com" })).await);
    w.archive(&w.admin, &server.key()).await.unwrap();
    let mut spec = w.agent_spec();
    spec["mcp_servers"] = json!([server.meta.id]);
    denied(w.try_create(&nobody, "Agent", Some(w.root()), Some("mine"), spec).await);
    for who in ["user:admin@acme.com", "user:no-such-person@acme.com"] {
        let permission = powerloom_core::permission::Permission::AGENT_READ;
        let answer = w.cp.explain(&nobody, &who.parse().unwrap(), permission, w.root()).await;
        assert_eq!(answer.unwrap_err().code(), "denied", "{who}");
    }
}

/// `user:disable` is a permission of its own: neither disabling nor enabling comes with `user:update`.
#[tokio::test]
async fn disabling_a_user_needs_more_than_updating_one() {
    let w = world().await;
    let (grace, _) = w.user(w.root(), "grace@acme.com").await;
    let grace = w.row(&ResourceKey { kind: crate::world::kind("User"), id: grace }).await;
    let (_, as_ada) = w.holder(w.root(), "ada", &["user:update"]).await;
    w.update(&as_ada, &grace, json!({ "display_name": "Grace" })).await.unwrap();
    assert!(denied(w.update(&as_ada, &grace, json!({ "disabled": true })).await).contains("user:disable"));
    w.update(&w.admin, &grace, json!({ "disabled": true })).await.unwrap();
    denied(w.update(&as_ada, &grace, json!({ "disabled": false })).await);
}

//! Who may give what: the escalation guard, the last OrgAdmin, and the vectors of sem. 4.5 that need the door.

use crate::world::{World, code, denied, world};
use powerloom_core::error::Error;
use powerloom_core::permission::Permission;
use powerloom_core::record::ResourceKey;
use serde_json::json;
use std::time::Duration;

/// Vector 4.5; R4: somebody with AgentBuilder cannot give OrgAdmin.
#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", w.root()).await;
    let role = w
        .create(
            "Role",
            w.root(),
            "binder",
            json!({ "permissions": ["binding:create", "binding:read", "role:create"] }),
        )
        .await;
    w.bind(format!("user:{ada}"), &format!("role:{}", role.meta.id), w.root()).await;
    for escalation in ["OrgAdmin", "OUAdmin", "AgentOwner"] {
        let answer = w.try_bind(&as_ada, format!("user:{ada}"), escalation, w.root(), "allow").await;
        assert!(matches!(answer, Err(Error::Denied(_))), "{escalation}");
    }
    assert!(
        w.try_bind(&as_ada, format!("user:{ada}"), "AgentBuilder", w.root(), "allow")
            .await
            .is_err_and(|e| e.code() == "name_taken")
    );
    let custom = json!({ "permissions": ["*:*"] });
    assert!(matches!(
        w.try_create(&as_ada, "Role", Some(w.root()), Some("all"), custom).await,
        Err(Error::Denied(_))
    ));
    let custom = json!({ "permissions": ["agent:read"] });
    w.try_create(&as_ada, "Role", Some(w.root()), Some("some"), custom).await.unwrap();
}

/// R4: editing a role that is in use is giving, too.
#[tokio::test]
async fn a_role_in_use_cannot_be_widened_beyond_what_its_editor_holds() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let permissions = json!({ "permissions": ["role:create", "role:update", "role:read"] });
    let role = w.create("Role", w.root(), "roles", permissions).await;
    w.bind(format!("user:{ada}"), &format!("role:{}", role.meta.id), w.root()).await;
    let wider = json!({ "permissions": ["role:create", "role:update", "role:read", "agent:create"] });
    assert!(matches!(w.update(&as_ada, &role, wider).await, Err(Error::Denied(_))));
}

/// Joining a group gives what the group holds.
#[tokio::test]
async fn a_group_admin_cannot_join_a_group_that_holds_more() {
    let w = world().await;
    let admins = w.create("Group", w.root(), "admins", json!({})).await;
    w.bind(format!("group:{}", admins.meta.id), "OrgAdmin", w.root()).await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "GroupAdmin", w.root()).await;
    let join = json!({ "group": admins.meta.id, "member": format!("user:{ada}") });
    let answer = w.try_create(&as_ada, "GroupMembership", None, None, join).await;
    assert!(matches!(answer, Err(Error::Denied(_))));
    let harmless = w.create("Group", w.root(), "readers", json!({})).await;
    let join = json!({ "group": harmless.meta.id, "member": format!("user:{ada}") });
    w.try_create(&as_ada, "GroupMembership", None, None, join).await.unwrap();
}

/// Rule 2.1: groups do not contain themselves, however long the way around.
#[tokio::test]
async fn a_membership_cycle_is_refused_with_its_path() {
    let w = world().await;
    let groups = [
        w.create("Group", w.root(), "a", json!({})).await,
        w.create("Group", w.root(), "b", json!({})).await,
        w.create("Group", w.root(), "c", json!({})).await,
    ];
    let join = async |inner: usize, outer: usize| {
        let spec =
            json!({ "group": groups[outer].meta.id, "member": format!("group:{}", groups[inner].meta.id) });
        w.try_create(&w.admin, "GroupMembership", None, None, spec).await
    };
    join(0, 1).await.unwrap();
    join(1, 2).await.unwrap();
    let error = join(2, 0).await.unwrap_err();
    assert_eq!(error.code(), "cycle");
    assert!(error.to_string().contains("/acme/b"), "{error}");
}

/// Rule 2.2.7.
#[tokio::test]
async fn the_last_org_admin_cannot_be_removed_disabled_or_denied() {
    let w = world().await;
    let binding = admin_binding(&w).await;
    assert_eq!(code(w.archive(&w.admin, &binding).await), "last_org_admin");
    let user = w.row(&ResourceKey { kind: crate::world::kind("User"), id: w.org.admin }).await;
    assert_eq!(code(w.update(&w.admin, &user, json!({ "disabled": true })).await), "last_org_admin");
    let answer = w.try_bind(&w.admin, format!("ou:{}", w.root()), "OrgAdmin", w.root(), "deny").await;
    assert_eq!(answer.unwrap_err().code(), "last_org_admin");
    w.verify().await;
}

/// Vector 4.5; R4: two OrgAdmins, removed at the same moment.
#[tokio::test]
async fn of_two_org_admins_removed_at_once_one_stays() {
    for _ in 0..20 {
        let w = world().await;
        let (grace, as_grace) = w.user(w.root(), "grace@acme.com").await;
        let second = w.bind(format!("user:{grace}"), "OrgAdmin", w.root()).await;
        let first = admin_binding(&w).await;
        let second_key = second.key();
        let (a, b) = tokio::join!(w.archive(&as_grace, &first), w.archive(&w.admin, &second_key));
        assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1, "{a:?} {b:?}");
        let snapshot = w.cp.authz(w.org.id).await.unwrap();
        assert!(snapshot.has_effective_org_admin(w.cp.clock().now()));
    }
}

async fn admin_binding(w: &World) -> ResourceKey {
    let admin = ResourceKey { kind: crate::world::kind("User"), id: w.org.admin };
    let rows = w.cp.store().referrers(w.org.id, &admin).await.unwrap();
    rows.iter().find(|row| row.kind.as_str() == "RoleBinding").unwrap().key()
}

/// Vector 4.5 and R3 in one process: what is taken away is gone at the very next call.
#[tokio::test]
async fn a_withdrawn_permission_is_gone_at_once() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let binding = w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    let ou = async |name: &str| w.try_create(&as_ada, "OU", Some(w.root()), Some(name), json!({})).await;
    ou("one").await.unwrap();
    w.archive(&w.admin, &binding.key()).await.unwrap();
    denied(ou("two").await);
    w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    ou("two").await.unwrap();
    w.try_bind(&w.admin, format!("user:{ada}"), "OUAdmin", w.root(), "deny").await.unwrap_err();
}

/// Vector 4.5: expired counts no more, at the exact moment.
#[tokio::test]
async fn an_expired_binding_counts_no_more() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let spec = json!({
        "principal": format!("user:{ada}"), "role": "OUAdmin", "effect": "allow",
        "expires_at": "2026-01-01T01:00:00Z",
    });
    w.try_create(&w.admin, "RoleBinding", Some(w.root()), None, spec).await.unwrap();
    w.clock.advance(Duration::from_micros(3_600_000_000 - 1));
    w.try_create(&as_ada, "OU", Some(w.root()), Some("in-time"), json!({})).await.unwrap();
    w.clock.advance(Duration::from_micros(1));
    denied(w.try_create(&as_ada, "OU", Some(w.root()), Some("too-late"), json!({})).await);
}

/// A custom role is usable in its OU's subtree only (sem. 2.2.2).
#[tokio::test]
async fn a_custom_role_cannot_be_bound_outside_its_ou() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let sales = w.ou(w.root(), "sales").await;
    let role = w.create("Role", engineering, "reader", json!({ "permissions": ["agent:read"] })).await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let role = format!("role:{}", role.meta.id);
    w.bind(format!("user:{ada}"), &role, engineering).await;
    for elsewhere in [sales, w.root()] {
        let answer = w.try_bind(&w.admin, format!("user:{ada}"), &role, elsewhere, "allow").await;
        assert_eq!(answer.unwrap_err().code(), "invalid");
    }
}

#[tokio::test]
async fn an_explanation_names_the_way_to_a_permission() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let team = w.create("Group", w.root(), "team", json!({})).await;
    let (ada, as_ada) = w.user(engineering, "ada@acme.com").await;
    let join = json!({ "group": team.meta.id, "member": format!("user:{ada}") });
    w.try_create(&w.admin, "GroupMembership", None, None, join).await.unwrap();
    w.bind(format!("group:{}", team.meta.id), "AgentBuilder", w.root()).await;
    let ada_ref = "user:ada@acme.com".parse().unwrap();
    let yes = w.cp.explain(&w.admin, &ada_ref, Permission::AGENT_CREATE, engineering).await.unwrap();
    assert!(yes.is_allowed() && yes.reason().contains("/acme/team"), "{yes}");
    let own = w.cp.explain(&as_ada, &ada_ref, Permission::AGENT_ARCHIVE, engineering).await.unwrap();
    assert!(own.is_allowed());
    let admin_ref = "user:admin@acme.com".parse().unwrap();
    let other = w.cp.explain(&as_ada, &admin_ref, Permission::AGENT_CREATE, engineering).await;
    assert!(matches!(other, Err(Error::Denied(_))), "asking about others needs `binding:read`");
}

/// Rule 2.1: whoever is nested deeper than is followed may do nothing, so nobody gets there.
#[tokio::test]
async fn groups_are_not_nested_deeper_than_is_followed() {
    let w = world().await;
    let mut inner = w.create("Group", w.root(), "g0", json!({})).await.meta.id;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.derive("GroupMembership", json!({ "group": inner, "member": format!("user:{ada}") })).await;
    let mut deepest = 1;
    loop {
        let outer = w.create("Group", w.root(), &format!("g{deepest}"), json!({})).await.meta.id;
        let spec = json!({ "group": outer, "member": format!("group:{inner}") });
        match w.try_create(&w.admin, "GroupMembership", None, None, spec).await {
            Ok(_) => (inner, deepest) = (outer, deepest + 1),
            Err(error) => break assert_eq!(error.code(), "invalid", "{error}"),
        }
        assert!(deepest <= 32);
    }
    assert!(deepest > 20, "{deepest}");
    let agent = w.agent(w.root(), "a").await;
    w.bind(format!("group:{inner}"), "AgentViewer", w.root()).await;
    w.cp.get(&as_ada, &agent.key()).await.unwrap();
}

//! Why, who can, what can: in the name of a caller, and showing only what the caller may read.

use crate::world::{World, kind, world};
use powerloom_core::answers::SubjectQuery;
use powerloom_core::authz::{Need, Resolution};
use powerloom_core::error::Error;
use powerloom_core::id::SessionId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::PrincipalRef;
use powerloom_core::record::ResourceKey;
use serde_json::json;
use std::time::Duration;

fn named(text: &str) -> PrincipalRef {
    text.parse().unwrap()
}

async fn texts(w: &World, who: &str, what: Permission) -> Vec<String> {
    let why = w.cp.answers(&w.admin).why(&named(who), what, w.root()).await.unwrap();
    why.remedies.iter().map(|remedy| remedy.need.to_string()).collect()
}

/// Row M33: the text keeps its form, and goes on with the nearest grant and who could give it.
#[tokio::test]
async fn a_denial_names_the_nearest_grant_and_who_could_give_it() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    // Grace may bind, but holds nothing of what an operator holds; Alan holds it.
    let (_, _) = w.holder(w.root(), "grace", &["binding:create"]).await;
    let operator =
        ["binding:create", "agent:read", "agent:invoke", "session:read", "session:stream", "session:cancel"];
    let (_, _) = w.holder(w.root(), "alan", &operator).await;
    let me = named("user:ada@acme.com");
    let asked = w.cp.answers(&w.admin).why(&me, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    let by: Vec<&str> = asked.remedies[0].by.iter().flatten().map(|label| label.as_str()).collect();
    assert_eq!(by, ["user:admin@acme.com", "user:alan@acme.com"]);
    let text = asked.text();
    assert!(text.starts_with(&asked.decision.denial_text()), "{text}");
    assert!(text.ends_with("; nearest: bind `AgentOperator` to `user:ada@acme.com` at `/acme`"), "{text}");

    // Ada may ask about herself, and is not told who else there is, nor of roles she may not read.
    let own = w.cp.answers(&as_ada).why(&me, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert_eq!(own.remedies[0].by, None);
    let Need::Grant { choices, .. } = &own.remedies[0].need else { panic!("{own:?}") };
    assert!(choices.iter().all(|choice| choice.owned_at.is_none()), "{choices:?}");
    let Need::Grant { choices, .. } = &asked.remedies[0].need else { panic!("{asked:?}") };
    assert!(choices.iter().any(|choice| choice.role_name.as_str() == "alan"), "{choices:?}");

    // What is proposed is enough.
    w.bind(format!("user:{ada}"), "AgentOperator", w.root()).await;
    let now = w.cp.answers(&as_ada).why(&me, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert!(now.decision.is_allowed() && now.remedies.is_empty() && now.text() == now.decision.reason());
}

/// Rules 2.2.4 and 2.2.8; sem. 2.10.
#[tokio::test]
async fn whatever_denies_is_named() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    let deny = w.try_bind(&w.admin, format!("user:{ada}"), "AgentViewer", w.root(), "deny").await.unwrap();
    let lift = texts(&w, "user:ada@acme.com", Permission::AGENT_READ).await;
    assert_eq!(
        lift,
        [format!("remove binding `{}` of `AgentViewer` at `/acme`, which denies it", deny.meta.id)]
    );

    let row = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
    assert_eq!(texts(&w, "user:ada@acme.com", Permission::SKILL_READ).await[0], "enable `user:ada@acme.com`");
    w.update(&w.admin, &w.row(&row.key()).await, json!({ "disabled": false })).await.unwrap();

    let narrow = as_ada.delegated(SessionId::from_uuid(uuid()), PermissionSet::of(&[Permission::OU_READ]));
    let me = named("user:ada@acme.com");
    let why = w.cp.answers(&narrow).why(&me, Permission::SKILL_READ, w.root()).await.unwrap();
    assert_eq!(why.decision.resolution, Resolution::BeyondCeiling);
    let needs: Vec<_> = why.remedies.iter().map(|remedy| &remedy.need).collect();
    assert!(matches!(needs.last(), Some(Need::Token)), "{needs:?}");

    let until = json!({
        "principal": "service:ci", "role": "AgentOperator", "expires_at": "2026-01-01T01:00:00Z",
    });
    w.try_create(&w.admin, "RoleBinding", Some(w.root()), None, until).await.unwrap();
    w.clock.advance(Duration::from_secs(3600));
    let expired = texts(&w, "service:ci", Permission::AGENT_INVOKE).await;
    assert!(expired[0].contains("`/acme` expired at 2026-01-01T01:00:00.000000Z"), "{expired:?}");
}

fn uuid() -> uuid::Uuid {
    uuid::Uuid::from_u128(7)
}

/// Asking about others needs `binding:read` there; whether they exist is not told before.
#[tokio::test]
async fn nobody_asks_about_others_without_permission() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let role = w.role("looker", &["binding:read"]).await;
    w.bind(format!("user:{ada}"), &role, eng).await;
    let answers = w.cp.answers(&as_ada);
    for other in ["user:admin@acme.com", "user:nobody@acme.com"] {
        let other = named(other);
        assert!(matches!(answers.why(&other, Permission::OU_READ, w.root()).await, Err(Error::Denied(_))));
        assert!(matches!(answers.list_permissions(&other, w.root()).await, Err(Error::Denied(_))));
    }
    let all = SubjectQuery::default();
    assert!(matches!(
        answers.list_subjects(Permission::OU_READ, w.root(), &all).await,
        Err(Error::Denied(_))
    ));
    assert!(answers.list_subjects(Permission::OU_READ, eng, &all).await.is_ok());
    let nobody = named("user:nobody@acme.com");
    assert!(matches!(answers.why(&nobody, Permission::OU_READ, eng).await, Err(Error::NotFound { .. })));
}

/// Row R2: pages, order and ways.
#[tokio::test]
async fn those_who_can_are_listed_with_the_way_it_comes() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    let (ada, _) = w.user(eng, "ada@acme.com").await;
    let (inner, outer) = (
        w.create("Group", w.root(), "inner", json!({})).await,
        w.create("Group", w.root(), "outer", json!({})).await,
    );
    w.derive("GroupMembership", json!({ "group": inner.meta.id, "member": format!("user:{ada}") })).await;
    w.derive(
        "GroupMembership",
        json!({ "group": outer.meta.id, "member": format!("group:{}", inner.meta.id) }),
    )
    .await;
    w.bind(format!("group:{}", outer.meta.id), "AgentOperator", w.root()).await;
    w.bind("service:ci", "AgentOperator", eng).await;
    let mut spec = w.agent_spec();
    spec["owner"] = format!("user:{ada}").into();
    w.create("Agent", eng, "bot", spec).await;

    let (mut names, mut query) = (Vec::new(), SubjectQuery::default().limit(2));
    loop {
        let page = w.cp.answers(&w.admin).list_subjects(Permission::AGENT_INVOKE, eng, &query).await.unwrap();
        for subject in &page.subjects {
            assert!(!subject.by.is_empty());
            names.push(format!("{}: {}", subject.name, subject.by[0]));
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    let ways: Vec<String> = names
        .iter()
        .map(|name| {
            let (who, by) = name.split_once(": ").unwrap();
            format!("{who} {}", by.split_once("of ").unwrap().1)
        })
        .collect();
    assert_eq!(
        ways,
        [
            "agent:/acme/eng/bot `AgentOperator` at `/acme` through `user:ada@acme.com` in `group:/acme/inner` in `group:/acme/outer`",
            "group:/acme/inner `AgentOperator` at `/acme` through `group:/acme/outer`",
            "group:/acme/outer `AgentOperator` at `/acme`",
            "service:ci `AgentOperator` at `/acme/eng`",
            "user:ada@acme.com `AgentOperator` at `/acme` through `group:/acme/inner` in `group:/acme/outer`",
            "user:admin@acme.com `OrgAdmin` at `/acme`",
        ]
    );
    for limit in [0, 1001] {
        let query = SubjectQuery::default().limit(limit);
        let refused = w.cp.answers(&w.admin).list_subjects(Permission::AGENT_INVOKE, eng, &query).await;
        assert_eq!(refused.unwrap_err().code(), "invalid");
    }
}

/// Oneself always; the ceiling of the token counts, and what it takes is told.
#[tokio::test]
async fn what_somebody_can_is_listed_with_what_gives_it_and_what_withholds_it() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", w.root()).await;
    w.try_bind(&w.admin, format!("user:{ada}"), "SkillUser", w.root(), "deny").await.unwrap();
    let me = named("user:ada@acme.com");
    let list = w.cp.answers(&as_ada).list_permissions(&me, w.root()).await.unwrap();
    let snapshot = w.cp.authz(w.org.id).await.unwrap();
    let held = snapshot.held(&as_ada.principal, w.root(), w.cp.clock().now());
    assert_eq!(list.allowed.iter().map(|it| it.permission).collect::<PermissionSet>(), held);
    assert!(list.allowed.iter().all(|it| it.by[0].role.as_str() == "AgentBuilder"));
    let withheld: PermissionSet = list.withheld.iter().map(|it| it.permission).collect();
    assert_eq!(withheld, PermissionSet::of(&[Permission::SKILL_READ, Permission::SKILL_USE]));

    let ceiling = PermissionSet::of(&[Permission::AGENT_READ, Permission::AUDIT_READ]);
    let narrow = as_ada.delegated(SessionId::from_uuid(uuid()), ceiling);
    let list = w.cp.answers(&narrow).list_permissions(&me, w.root()).await.unwrap();
    let allowed: Vec<_> = list.allowed.iter().map(|it| it.permission).collect();
    assert_eq!(allowed, [Permission::AGENT_READ]);
    assert!(list.withheld.iter().any(|it| it.resolution == Resolution::BeyondCeiling));
    assert!(list.withheld.iter().all(|it| !it.by.is_empty()));
}

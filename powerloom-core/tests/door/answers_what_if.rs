//! What if: answered as it would be, and nothing written.

use crate::world::{World, kind, world};
use powerloom_core::answers::{Consequences, Rehearsed, WhatIf};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::error::{Error, Result};
use powerloom_core::id::ResourceId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::record::ResourceKey;
use serde_json::{Value, json};

fn create(of: &str, ou: Option<ResourceId>, name: Option<&str>, spec: Value) -> Mutation {
    let spec = spec.as_object().cloned().unwrap();
    Action::Create { kind: kind(of), ou, name: name.map(str::to_owned), spec }.into()
}

fn archive(key: ResourceKey) -> Mutation {
    Action::Archive { target: key, expect: None }.into()
}

async fn ask(w: &World, caller: &Caller, mutations: &[Mutation], ask: WhatIf) -> Result<Consequences> {
    let before = w.cp.store().audit_head(w.org.id).await.unwrap();
    let epoch = w.cp.store().org(w.org.id).await.unwrap().unwrap().authz_epoch;
    let answer = w.cp.answers(caller).what_if(mutations, &ask).await;
    assert_eq!(w.cp.store().audit_head(w.org.id).await.unwrap(), before, "nothing is audited");
    assert_eq!(w.cp.store().org(w.org.id).await.unwrap().unwrap().authz_epoch, epoch, "nothing is written");
    answer
}

fn told(answer: &Consequences) -> Vec<String> {
    let line = |it: &powerloom_core::answers::Changed| {
        format!("{} at {}: +[{}] -[{}]", it.name, it.ou, it.gained, it.lost)
    };
    answer.changes.iter().map(line).collect()
}

fn all_allowed(answer: &Consequences) -> bool {
    answer.mutations.iter().all(|it| matches!(it.result, Rehearsed::Allowed { .. }))
}

#[tokio::test]
async fn a_binding_tells_whom_it_would_give_what_and_where_it_begins() {
    let w = world().await;
    let eng = w.ou(w.root(), "eng").await;
    let platform = w.ou(eng, "platform").await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let group = w.create("Group", w.root(), "team", json!({})).await;
    w.derive("GroupMembership", json!({ "group": group.meta.id, "member": format!("user:{ada}") })).await;
    let bind = json!({ "principal": format!("group:{}", group.meta.id), "role": "SkillUser" });
    let answer =
        ask(&w, &w.admin, &[create("RoleBinding", Some(eng), None, bind)], WhatIf::default()).await.unwrap();
    assert!(all_allowed(&answer) && !answer.truncated);
    assert_eq!(
        told(&answer),
        [
            "group:/acme/team at /acme/eng: +[skill:read, skill:use] -[]",
            "user:ada@acme.com at /acme/eng: +[skill:read, skill:use] -[]",
        ]
    );
    assert!(
        !answer.changes[1].before.is_allowed()
            && answer.changes[1].after.reason().contains("group:/acme/team")
    );

    // Asked about an OU by name, it is told there, below too.
    let bind = json!({ "principal": format!("user:{ada}"), "role": "SkillUser" });
    let one = WhatIf::default()
        .ous([platform, w.root()])
        .principals([Principal::User(ada)])
        .permissions(PermissionSet::of(&[Permission::SKILL_USE]));
    let answer = ask(&w, &w.admin, &[create("RoleBinding", Some(eng), None, bind)], one).await.unwrap();
    assert_eq!(told(&answer), ["user:ada@acme.com at /acme/eng/platform: +[skill:use] -[]"]);
}

#[tokio::test]
async fn later_changes_build_on_earlier_ones() {
    let w = world().await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let old = w.bind(format!("user:{ada}"), "SkillUser", w.root()).await;
    let mutations = [
        create("OU", Some(w.root()), Some("lab"), json!({})),
        create("Role", Some(WhatIf::made_by(0)), Some("namer"), json!({ "permissions": ["ou:update"] })),
        create(
            "RoleBinding",
            Some(WhatIf::made_by(0)),
            None,
            json!({ "principal": format!("user:{ada}"), "role": format!("role:{}", WhatIf::made_by(1)) }),
        ),
        archive(old.key()),
    ];
    let only_ada = WhatIf::default().principals([Principal::User(ada)]);
    let answer = ask(&w, &w.admin, &mutations, only_ada).await.unwrap();
    assert!(all_allowed(&answer), "{:?}", answer.mutations);
    assert_eq!(
        told(&answer),
        [
            "user:ada@acme.com at /acme: +[] -[skill:read, skill:use]",
            "user:ada@acme.com at /acme/lab: +[ou:update] -[]",
            "user:ada@acme.com at /acme/lab: +[] -[skill:read, skill:use]",
        ],
        "where it goes on otherwise than above, all of it is told"
    );

    let early = [mutations[1].clone(), mutations[0].clone()];
    let error = ask(&w, &w.admin, &early, WhatIf::default()).await.unwrap_err();
    assert!(error.to_string().contains("mutations[0]"), "{error}");
    let many = vec![mutations[3].clone(); 51];
    assert_eq!(ask(&w, &w.admin, &many, WhatIf::default()).await.unwrap_err().code(), "invalid");
}

/// What would be refused is told as it would be refused, and nothing after it is looked at.
#[tokio::test]
async fn what_the_caller_may_not_do_is_told_and_ends_the_question() {
    let w = world().await;
    let (ada, as_ada) = w.holder(w.root(), "ada", &["binding:read", "ou:create", "ou:read"]).await;
    let ou = create("OU", Some(w.root()), Some("lab"), json!({}));
    let crown = create(
        "RoleBinding",
        Some(w.root()),
        None,
        json!({ "principal": format!("user:{ada}"), "role": "OrgAdmin" }),
    );
    let answer = ask(&w, &as_ada, &[ou.clone(), crown, ou.clone()], WhatIf::default()).await.unwrap();
    assert_eq!(answer.mutations.len(), 2);
    assert!(matches!(&answer.mutations[1].result, Rehearsed::Denied { decision }
        if decision.permission == Permission::BINDING_CREATE));
    assert!(answer.changes.iter().all(|change| !change.gained.contains(Permission::ROLE_ESCALATE)));

    let answer = ask(&w, &as_ada, &[ou.clone(), ou], WhatIf::default()).await.unwrap();
    assert!(matches!(&answer.mutations[1].result, Rehearsed::Refused { code: "name_taken", .. }));

    let last =
        w.cp.store().referrers(w.org.id, &ResourceKey { kind: kind("User"), id: w.org.admin }).await.unwrap();
    let answer = ask(&w, &w.admin, &[archive(last[0].key())], WhatIf::default()).await.unwrap();
    assert!(matches!(&answer.mutations[0].result, Rehearsed::Refused { code: "last_org_admin", .. }));
}

/// Nothing is told of an OU where the caller lacks `binding:read`.
#[tokio::test]
async fn nothing_unreadable_is_told() {
    let w = world().await;
    let (eng, sales) = (w.ou(w.root(), "eng").await, w.ou(w.root(), "sales").await);
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let role =
        w.role("engineer", &["binding:read", "binding:create", "ou:create", "skill:read", "skill:use"]).await;
    w.bind(format!("user:{ada}"), &role, eng).await;
    let creator = w.role("creator", &["ou:create"]).await;
    w.bind(format!("user:{ada}"), &creator, sales).await;

    let bind =
        |at| create("RoleBinding", Some(at), None, json!({ "principal": "service:ci", "role": "SkillUser" }));
    let answer = ask(&w, &as_ada, &[bind(eng)], WhatIf::default()).await.unwrap();
    assert_eq!(told(&answer), ["service:ci at /acme/eng: +[skill:read, skill:use] -[]"]);
    let elsewhere = create("OU", Some(sales), Some("emea"), json!({}));
    assert!(matches!(ask(&w, &as_ada, &[elsewhere], WhatIf::default()).await, Err(Error::Denied(_))));
    let peek = WhatIf::default().ous([sales]);
    assert!(matches!(ask(&w, &as_ada, &[bind(eng)], peek).await, Err(Error::Denied(_))));
}

/// The answer is what happens: rehearsed, then made, the held permissions are those foretold.
#[tokio::test]
async fn what_is_foretold_happens() {
    let w = world().await;
    let (eng, sales) = (w.ou(w.root(), "eng").await, w.ou(w.root(), "sales").await);
    let (ada, _) = w.user(eng, "ada@acme.com").await;
    let group = w.create("Group", w.root(), "team", json!({})).await;
    let seat = json!({ "group": group.meta.id, "member": format!("user:{ada}") });
    let seat = w.derive("GroupMembership", seat).await;
    w.bind(format!("ou:{sales}"), "AgentBuilder", w.root()).await;
    w.bind(format!("group:{}", group.meta.id), "SkillOwner", eng).await;
    w.try_bind(&w.admin, format!("ou:{eng}"), "AgentViewer", w.root(), "deny").await.unwrap();
    let role = w.create("Role", w.root(), "tools", json!({ "permissions": ["tool:read"] })).await;
    w.bind(format!("user:{ada}"), &format!("role:{}", role.meta.id), w.root()).await;
    let user = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    let patch = |value: Value| value.as_object().cloned().unwrap();

    let questions: Vec<Mutation> = vec![
        Action::MoveOu { ou: eng, to: sales, expect: None }.into(),
        archive(seat.key()),
        Action::Update {
            target: role.key(),
            expect: None,
            patch: patch(json!({ "permissions": ["tool:*"] })),
        }
        .into(),
        Action::Update { target: user.key(), expect: None, patch: patch(json!({ "disabled": true })) }.into(),
        Action::Update { target: user.key(), expect: None, patch: patch(json!({ "disabled": false })) }
            .into(),
        archive(group.key()),
    ];
    for mutation in questions {
        let all = WhatIf::default().ous([w.root(), eng, sales]).limit(1000);
        let answer = ask(&w, &w.admin, std::slice::from_ref(&mutation), all).await.unwrap();
        assert!(all_allowed(&answer), "{answer:?}");
        assert!(!answer.changes.is_empty(), "{mutation:?}");
        let before = w.cp.authz(w.org.id).await.unwrap();
        w.cp.submit(&w.admin, mutation).await.unwrap();
        let after = w.cp.authz(w.org.id).await.unwrap();
        let now = w.cp.clock().now();
        let everybody: Vec<Principal> = before.principals().cloned().collect();
        for who in everybody {
            for ou in [w.root(), eng, sales] {
                let (was, is) = (before.held(&who, ou, now), after.held(&who, ou, now));
                let told = answer.changes.iter().filter(|it| it.principal == who && it.ou_id == ou);
                let (gained, lost) = told.fold((PermissionSet::EMPTY, PermissionSet::EMPTY), |all, it| {
                    (all.0.union(it.gained), all.1.union(it.lost))
                });
                assert_eq!((is.difference(was), was.difference(is)), (gained, lost), "{who} at {ou}");
            }
        }
    }
}

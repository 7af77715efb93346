//! Why, who can, what can, what if, since when.

use crate::held::{held, object, words};
use crate::world::{kind, world};
use powerloom_core::answers::{SubjectQuery, WhatIf};
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::id::SessionId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::{Principal, PrincipalRef};
use powerloom_core::record::ResourceKey;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

fn tags(value: &Value, tag: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(tag).and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| tags(member, tag, found));
        }
        Value::Array(items) => items.iter().for_each(|item| tags(item, tag, found)),
        _ => {}
    }
}

/// Rows M33, M43: with every need there is, and every way a binding reaches somebody.
#[tokio::test]
async fn why_is_as_its_schema_says_whatever_is_missing() {
    let w = world().await;
    let root = w.root();
    let (ada, as_ada) = w.user(root, "ada@acme.com").await;
    let mut answers = Vec::new();
    let me: PrincipalRef = "user:ada@acme.com".parse().unwrap();
    let asked = w.cp.answers(&w.admin);
    let nearest = || asked.why(&me, Permission::AGENT_INVOKE, root);
    answers.push(held(&nearest().await.unwrap()));
    answers.push(held(&w.cp.answers(&as_ada).why(&me, Permission::AGENT_INVOKE, root).await.unwrap()));

    let group = w.create("Group", root, "operators", json!({})).await.meta.id;
    w.derive("GroupMembership", json!({ "group": group, "member": format!("user:{ada}") })).await;
    let mut until = json!({ "principal": format!("group:{group}"), "role": "AgentOperator" });
    until["expires_at"] = json!("2026-01-01T01:00:00Z");
    w.try_create(&w.admin, "RoleBinding", Some(root), None, until).await.unwrap();
    answers.push(held(&nearest().await.unwrap()));
    w.clock.advance(Duration::from_secs(3600));
    answers.push(held(&nearest().await.unwrap()));
    w.bind(format!("user:{ada}"), "OUAdmin", root).await;
    w.bind(format!("ou:{root}"), "AgentViewer", root).await;
    w.try_bind(&w.admin, format!("group:{group}"), "AgentOwner", root, "deny").await.unwrap();
    answers.push(held(&nearest().await.unwrap()));
    answers.push(held(&asked.why(&me, Permission::AGENT_READ, root).await.unwrap()));

    let mut spec = w.agent_spec();
    spec["owner"] = json!(format!("user:{ada}"));
    spec["permission_boundary"] = json!(["ou:read"]);
    w.create("Agent", root, "clerk", spec).await;
    let clerk: PrincipalRef = "agent:/acme/clerk".parse().unwrap();
    answers.push(held(&asked.why(&clerk, Permission::SKILL_READ, root).await.unwrap()));
    answers.push(held(&asked.why(&clerk, Permission::OU_READ, root).await.unwrap()));

    let row = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    let narrow = as_ada
        .clone()
        .delegated(SessionId::from_uuid(Uuid::from_u128(7)), PermissionSet::of(&[Permission::OU_READ]));
    answers.push(held(&w.cp.answers(&narrow).why(&me, Permission::SKILL_READ, root).await.unwrap()));
    w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
    answers.push(held(&nearest().await.unwrap()));
    held(&w.cp.explain(&w.admin, &me, Permission::OU_READ, root).await.unwrap());

    let (mut needs, mut vias) = (BTreeSet::new(), BTreeSet::new());
    answers.iter().for_each(|answer| tags(answer, "need", &mut needs));
    answers.iter().for_each(|answer| tags(answer, "kind", &mut vias));
    let missing: Vec<String> =
        words("Need", "need").into_iter().filter(|word| !needs.contains(word)).collect();
    assert_eq!(missing, ["nothing"], "every need but the hopeless one, which the pure part has");
    assert_eq!(words("AuthzVia", "kind"), vias.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn lists_and_histories_are_as_their_schemas_say() {
    let w = world().await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let binding = w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    w.try_bind(&w.admin, format!("user:{ada}"), "AgentViewer", w.root(), "deny").await.unwrap();
    let asked = w.cp.answers(&w.admin);
    let page =
        asked.list_subjects(Permission::OU_READ, w.root(), &SubjectQuery::default().limit(1)).await.unwrap();
    assert!(held(&page)["next"].is_string());
    held(&asked.list_subjects(Permission::OU_READ, w.root(), &SubjectQuery::default()).await.unwrap());
    let me: PrincipalRef = "user:ada@acme.com".parse().unwrap();
    let list = held(&asked.list_permissions(&me, w.root()).await.unwrap());
    assert!(!list["withheld"].as_array().unwrap().is_empty());
    w.archive(&w.admin, &binding.key()).await.unwrap();
    let who = Principal::User(ada);
    let history = held(&asked.history_of(&who, Permission::OU_READ, w.root(), 1).await.unwrap());
    assert_eq!(history["intervals"].as_array().unwrap().len(), 3);
    held(&asked.decide_as_of(3, &me, Permission::OU_READ, w.root()).await.unwrap());
    held(
        &asked
            .decide_as_of(
                3,
                &"user:admin@acme.com".parse::<PrincipalRef>().unwrap(),
                Permission::OU_READ,
                w.root(),
            )
            .await
            .unwrap(),
    );
}

/// Allowed, unchanged, denied and refused.
#[tokio::test]
async fn what_if_is_as_its_schema_says_however_it_ends() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let create = |of: &str, name: Option<&str>, spec: Value| -> Mutation {
        let (ou, name) = (Some(w.root()), name.map(str::to_owned));
        Action::Create { kind: kind(of), ou, name, spec: object(spec) }.into()
    };
    let bind =
        create("RoleBinding", None, json!({ "principal": format!("user:{ada}"), "role": "SkillUser" }));
    let group = create("Group", Some("team"), json!({}));
    let root = ResourceKey { kind: kind("OU"), id: w.root() };
    let same: Mutation = Action::Update { target: root, expect: None, patch: object(json!({})) }.into();
    let ask = WhatIf::default();
    let mut results = BTreeSet::new();
    for (caller, changes) in [
        (&w.admin, vec![bind.clone(), same, group.clone(), group.clone()]),
        (&w.admin, vec![create("Group", Some("A b"), json!({}))]),
    ] {
        let answer = held(&w.cp.answers(caller).what_if(&changes, &ask).await.unwrap());
        tags(&answer["mutations"], "result", &mut results);
    }
    w.bind(format!("user:{ada}"), "Auditor", w.root()).await;
    let answer = held(&w.cp.answers(&as_ada).what_if(&[bind], &ask).await.unwrap());
    tags(&answer["mutations"], "result", &mut results);
    assert_eq!(words("Rehearsed", "result"), results.into_iter().collect::<Vec<_>>());
}

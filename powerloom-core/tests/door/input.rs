//! Bad input: refused by field, before anything changes, and no secret is said again.

use crate::world::{code, kind, world};
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Error;
use serde_json::{Value, json};

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!({ "in": inner }))
}

/// What could not be hashed, kept or shown is refused where it is given, not when it is committed.
#[tokio::test]
async fn a_spec_without_a_bound_or_a_canonical_form_is_refused_by_field() {
    let w = world().await;
    let before = w.trail().await;
    let cases = [
        ("spec.config.limit", json!({ "limit": 9_007_199_254_740_993_u64 })),
        ("spec", nested(40)),
        ("spec", nested(200)),
        ("spec", json!({ "text": "x".repeat(10 * 1024 * 1024) })),
        ("spec.config", json!("postgres://u:hunter2@db/x")),
        ("spec.config.source.dsn_secret", json!({ "source": { "dsn_secret": "postgres://u:hunter2@db/x" } })),
        ("spec.config.all.dsn_secret", json!({ "all": [{ "dsn_secret": "postgres://u:hunter2@db/x" }] })),
    ];
    for (field, config) in cases {
        let spec = json!({ "template_kind": "echo", "config": config });
        let answer = w.try_create(&w.admin, "MCPDeployment", Some(w.root()), Some("echo"), spec).await;
        let error = answer.expect_err(field);
        assert_eq!(error.code(), "invalid", "{error}");
        let said = format!("{error} {error:?} {}", error.envelope());
        assert!(said.contains(field) && said.len() < 2000 && !said.contains("hunter2"), "{field}: {said}");
    }
    assert_eq!(w.trail().await, before);
}

#[tokio::test]
async fn texts_are_plain_and_lists_bounded() {
    let w = world().await;
    for (field, value) in [
        ("display_name", json!("\u{1b}[2J")),
        ("description", json!("nul\u{0}")),
        ("system_prompt", json!("bell\u{7}")),
        ("display_name", json!("")),
    ] {
        let mut spec = w.agent_spec();
        spec[field] = value;
        let error = w.try_create(&w.admin, "Agent", Some(w.root()), Some("a"), spec).await.unwrap_err();
        assert!(error.code() == "invalid" && error.to_string().contains(field), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let mut spec = w.agent_spec();
    spec["system_prompt"] = json!("Two lines,\n\tone of them with a tab. Ünïcödé 🙂");
    w.create("Agent", w.root(), "a", spec).await;
    let limited = |packages: Value| json!({ "packages": packages });
    for (field, spec) in [
        ("spec.packages.pip[0]", limited(json!({ "pip": ["x".repeat(300)] }))),
        ("spec.packages.pip[1]", limited(json!({ "pip": ["numpy", "a\nb"] }))),
        ("spec.packages.pip", limited(json!({ "pip": vec!["numpy"; 1000] }))),
        ("spec.packages", limited(json!(["numpy"]))),
        ("spec.allowed_hosts", json!({ "networking": "limited", "allowed_hosts": "example.com" })),
    ] {
        let error = w.try_create(&w.admin, "Environment", Some(w.root()), Some("e"), spec).await.unwrap_err();
        assert!(error.to_string().contains(&format!("`{field}`")), "{field}: {error}");
    }
}

#[tokio::test]
async fn a_justification_is_a_short_plain_text() {
    let w = world().await;
    let ou = || Action::Create {
        kind: kind("OU"),
        ou: Some(w.root()),
        name: Some("x".into()),
        spec: Default::default(),
    };
    for why in ["", "   ", &"x".repeat(2001), "\u{1b}[31m"] {
        let options = SubmitOptions::default().justification(why);
        assert_eq!(code(w.cp.submit_with(&w.admin, ou(), &options).await), "invalid");
    }
    let options = SubmitOptions::default().justification("The team of the new product\nneeds a place.");
    w.cp.submit_with(&w.admin, ou(), &options).await.unwrap();
}

/// The JSON form says no less and no more than it means.
#[test]
fn a_mutation_in_json_is_read_strictly() {
    let id = "00000000-0000-7000-8000-000000000001";
    let good = json!({ "v": 1, "action": "move_ou", "ou": id, "to": id });
    let mutation: Mutation = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(serde_json::to_value(&mutation).unwrap(), good);
    for bad in [
        json!({ "v": 1, "action": "move_ou", "ou": id, "to": id, "force": true }),
        json!({ "v": 1, "action": "explode" }),
        json!({ "action": "move_ou", "ou": id, "to": id }),
        json!({ "v": 1, "action": "move_ou", "ou": "../root", "to": id }),
    ] {
        assert!(serde_json::from_value::<Mutation>(bad.clone()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn another_version_of_the_form_is_refused() {
    let w = world().await;
    let action = Action::MoveOu { ou: w.root(), to: w.root(), expect: None };
    assert_eq!(code(w.cp.submit(&w.admin, Mutation { v: 2, ..action.into() }).await), "invalid");
}

/// A value of the wrong type is refused by its field, and by its place in a list.
#[tokio::test]
async fn a_refusal_names_the_field_that_has_the_wrong_type() {
    let w = world().await;
    let agent = |field: &str, value: Value| {
        let mut spec = w.agent_spec();
        spec[field] = value;
        ("Agent", spec)
    };
    let role = |permissions: Value| ("Role", json!({ "permissions": permissions }));
    let binding = |field: &str, value: Value| {
        let mut spec = json!({ "principal": format!("user:{}", w.org.admin), "role": "AgentOperator" });
        spec[field] = value;
        ("RoleBinding", spec)
    };
    for (field, (of, spec)) in [
        ("spec.owner", agent("owner", json!(7))),
        ("spec.owner", agent("owner", json!("ada"))),
        ("spec.skills", agent("skills", json!("python-lint"))),
        ("spec.skills[0]", agent("skills", json!([{ "skill": w.root(), "pin": 1 }]))),
        ("spec.mcp_servers[1]", agent("mcp_servers", json!([w.root(), "pg"]))),
        ("spec.permission_boundary[0]", agent("permission_boundary", json!(["agnet:read"]))),
        ("spec.permissions", role(json!("agent:read"))),
        ("spec.permissions[1]", role(json!(["agent:read", 7]))),
        ("spec.role", binding("role", json!("OrgAdmn"))),
        ("spec.expires_at", binding("expires_at", json!("tomorrow"))),
        ("spec.email", ("User", json!({ "email": { "at": "acme" } }))),
    ] {
        let name = (!matches!(of, "RoleBinding" | "User")).then_some("a");
        let error = w.try_create(&w.admin, of, Some(w.root()), name, spec).await.expect_err(field);
        let Error::Invalid(invalid) = &error else { panic!("{field}: {error}") };
        assert_eq!(invalid.field, field, "{error}");
    }
}

/// `null` is as good as absent when something is created, as it is when it is changed.
#[tokio::test]
async fn a_field_that_is_null_counts_as_absent() {
    let w = world().await;
    let spec = json!({ "email": "ada@acme.com", "disabled": null, "display_name": null });
    let user = w.try_create(&w.admin, "User", Some(w.root()), None, spec).await.unwrap();
    assert_eq!(user.record().unwrap().spec, json!({ "email": "ada@acme.com", "disabled": false }));
    let missing = w.try_create(&w.admin, "User", Some(w.root()), None, json!({ "email": null })).await;
    assert!(missing.unwrap_err().to_string().contains("spec.email"));
}

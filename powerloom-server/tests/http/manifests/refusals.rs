//! What is refused, and why.

use crate::manifests::{declare, documents, export, plan, skills, under};
use crate::world::World;
use powerloom_core::id::ResourceId;
use reqwest::Method;
use serde_json::{Value, json};

/// Sem. 2.3.7: what was agreed to is what is done: a changed plan is refused by its digest, before anything is done.
#[tokio::test]
async fn a_plan_that_is_not_the_one_that_was_meant_is_refused_as_a_whole() {
    let world = World::start().await;
    let planned = plan(&world, &skills(&["lint", "test"])).await;
    let before = export(&world).await;
    let changed = |pointer: &str, value: Value| {
        let mut body = json!({ "plan": planned["plan"], "digest": planned["digest"] });
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value;
        body
    };
    for (field, body) in [
        ("digest", changed("/plan/steps/1/name", json!("other"))),
        ("digest", changed("/digest", json!("0".repeat(64)))),
        ("plan.v", changed("/plan/v", json!(2))),
        ("plan.org", changed("/plan/org", json!(world.other.id))),
        ("plan.steps[0].verb", changed("/plan/steps/0/verb", json!("explode"))),
        ("plan.force", changed("/plan/force", json!(true))),
        ("under", changed("/under", json!("42"))),
        ("digest", changed("/digest", json!("short"))),
        ("yes", changed("/yes", json!(true))),
    ] {
        let refused = world.post("/manifests/apply", body.clone()).await.expect(400);
        assert_eq!(refused.code(), "invalid");
        assert_eq!(refused.body["error"]["detail"]["field"], field, "{}", refused.text);
    }
    // A plan of this organization, sent by somebody of another.
    let other = world.token(world.other.id, world.other.admin).await;
    let foreign = json!({ "plan": planned["plan"] });
    for path in ["/manifests/apply", "/manifests/submit"] {
        let refused = world.as_of(&other, Method::POST, path, Some(foreign.clone())).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], "plan.org", "{}", refused.text);
    }
    assert_eq!(export(&world).await, before, "nothing of it was done");
}

/// What can never be accepted, field by field.
#[tokio::test]
async fn a_request_that_can_never_be_met_names_its_field() {
    let world = World::start().await;
    let planned = plan(&world, &skills(&["lint"])).await;
    let given = documents(&[("x", "{}")]);
    let with = |more: Value| {
        let mut body = given.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (field, body) in [
        ("documents", json!({})),
        ("documents", json!({ "documents": "x" })),
        ("documents[0].text", json!({ "documents": [{ "name": "x", "text": 1 }] })),
        ("documents[0].path", json!({ "documents": [{ "name": "x", "text": "", "path": "/etc" }] })),
        ("force", with(json!({ "force": true }))),
        ("prune", with(json!({ "prune": true }))),
        ("take", with(json!({ "take": "all" }))),
        ("take_ownership", with(json!({ "take_ownership": true }))),
        ("set", with(json!({ "set": " " }))),
        ("set", with(json!({ "set": "x".repeat(300) }))),
        ("take", with(json!({ "set": "s", "take": "some" }))),
        ("strict", with(json!({ "strict": "yes" }))),
    ] {
        let refused = world.post("/manifests/plan", body.clone()).await.expect(400);
        assert_eq!(
            (refused.code(), &refused.body["error"]["detail"]["field"]),
            ("invalid", &json!(field)),
            "{body}: {}",
            refused.text
        );
    }
    let body = json!({ "plan": planned["plan"] });
    for (path, header, value) in [
        ("/manifests/apply", "powerloom-break-glass", "true"),
        ("/manifests/submit", "powerloom-break-glass", "true"),
        ("/manifests/submit", "powerloom-under-plan", "req_00000000-0000-4000-8000-000000000001"),
        ("/manifests/apply", "idempotency-key", ""),
        ("/manifests/apply", "powerloom-justification", "%20"),
    ] {
        let refused = under(&world, path, (header, value), body.clone()).await.expect(400);
        assert_eq!(refused.code(), "invalid", "{header}: {}", refused.text);
    }
    let both = json!({ "plan": planned["plan"], "justification": "one" });
    let refused =
        under(&world, "/manifests/submit", ("powerloom-justification", "two"), both).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["field"], "justification");
    let unknown = world.get("/manifests/export?ou=/acme").await.expect(400);
    assert!(unknown.text.contains("`ou`"), "{}", unknown.text);
    let long = documents(&[("long.yaml", &"#".repeat((1 << 20) + 1))]);
    let refused = world.post("/manifests/plan", long).await.expect(422);
    assert!(refused.text.contains("at most 1048576"), "{}", refused.text);
    let longer = documents(&[("longer.yaml", &"#".repeat(5 << 20))]);
    assert_eq!(world.post("/manifests/plan", longer).await.expect(413).code(), "payload_too_large");
    let nobody = world.send(world.request(Method::GET, "/manifests/export")).await.expect(401);
    assert_eq!(nobody.code(), "unauthenticated");
}

/// Rows M33–M36: nothing is planned, made or exported that the caller may not.
#[tokio::test]
async fn a_plan_reaches_as_far_as_its_caller() {
    let world = World::start().await;
    declare(&world, &skills(&["lint"])).await;
    let (_, eve) = world.person("eve@acme.com", &[]).await;
    let body = documents(&[("x", &skills(&["lint"]))]);
    let refused = world.as_of(&eve, Method::POST, "/manifests/plan", Some(body)).await.expect(403);
    assert!(refused.text.contains("skill:read") && refused.text.contains("/acme"), "{}", refused.text);
    let items = world.as_of(&eve, Method::GET, "/manifests/export", None).await.expect(200);
    assert_eq!(items.body["items"], json!([]));
    let planned = plan(&world, &skills(&["new"])).await;
    let body = json!({ "plan": planned["plan"] });
    let report =
        world.as_of(&eve, Method::POST, "/manifests/apply", Some(body.clone())).await.expect(200).body;
    assert_eq!(
        (&report["lines"][0]["result"], &report["lines"][0]["kind"]),
        (&json!("failed"), &json!("denied"))
    );
    assert!(report["lines"][0]["message"].as_str().unwrap().contains("skill:create"), "{report}");
    let refused = world.as_of(&eve, Method::POST, "/manifests/submit", Some(body)).await.expect(403);
    assert!(refused.text.contains("skill:create"), "{}", refused.text);

    // The other organization sees nothing of it.
    let other = world.token(world.other.id, world.other.admin).await;
    let theirs = world.as_of(&other, Method::GET, "/manifests/export", None).await.expect(200);
    assert!(!theirs.text.contains("acme"), "{}", theirs.text);
}

/// A request nobody has made lets nothing through.
#[tokio::test]
async fn an_application_under_a_plan_that_does_not_exist_makes_nothing() {
    let world = World::start().await;
    let planned = plan(&world, &skills(&["lint"])).await;
    let nobody: ResourceId = world.other.admin;
    let body = json!({ "plan": planned["plan"], "under": format!("req_{nobody}") });
    let report = world.post("/manifests/apply", body).await.expect(200).body;
    assert_eq!(
        (&report["lines"][0]["kind"], &report["is_complete"]),
        (&json!("not_found"), &json!(false)),
        "{report}"
    );
}

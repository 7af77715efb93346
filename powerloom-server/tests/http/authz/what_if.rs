//! What changes would come to.

use super::tree;
use serde_json::{Value, json};

/// The id of what the first change of a question would make.
const FIRST: &str = "706c616e-6e65-8000-8000-000000000000";

#[tokio::test]
async fn a_change_is_rehearsed_and_nothing_is_written() {
    let t = tree().await;
    let head = t.w.loom.store().audit_head(t.w.acme.id).await.unwrap();
    let archive = json!({ "v": 1, "action": "archive", "target": { "kind": "RoleBinding", "id": t.grant } });
    let answer = t.asked("what-if", json!({ "mutations": [archive] })).await;
    assert_eq!(answer["mutations"][0]["result"]["result"], "allowed");
    let changes = answer["changes"].as_array().unwrap();
    let of = |name: &str| changes.iter().find(|change| change["name"] == name).cloned().unwrap_or_default();
    let lost = of("user:ada@acme.com");
    assert!(lost["lost"].as_array().unwrap().contains(&json!("agent:create")), "{lost}");
    assert_eq!((&lost["gained"], &lost["ou"]), (&json!([]), &json!("/acme/eng")));
    assert!(!of("group:/acme/reviewers").is_null());

    // Narrowed to whom, what and where.
    let mut ask = json!({
        "mutations": [archive], "principal_refs": ["user:ada@acme.com"], "permissions": ["agent:create"],
        "ous": [t.eng],
    });
    let narrow = t.asked("what-if", ask.clone()).await;
    assert_eq!(narrow["changes"].as_array().unwrap().len(), 1);
    assert_eq!(narrow["changes"][0]["lost"], json!(["agent:create"]));
    ask.as_object_mut().unwrap().remove("principal_refs");
    ask["principals"] = json!([format!("user:{}", t.ada_id)]);
    assert_eq!(t.asked("what-if", ask.clone()).await, narrow);
    ask["permissions"] = json!(["approval:decide"]);
    assert_eq!(t.asked("what-if", ask.clone()).await["changes"], json!([]));
    ask["permissions"] = json!(["agent:*"]);
    ask["limit"] = json!(1);
    assert_eq!(t.asked("what-if", ask).await["changes"].as_array().unwrap().len(), 1);
    assert_eq!(t.w.loom.store().audit_head(t.w.acme.id).await.unwrap(), head);
    t.w.get(&format!("/role-bindings/{}", t.grant)).await.expect(200);
}

#[tokio::test]
async fn a_later_change_names_what_an_earlier_one_makes() {
    let t = tree().await;
    let root = t.w.acme.root_ou;
    let user = json!({ "v": 1, "action": "create", "kind": "User", "ou": root, "spec": { "email": "new@acme.com" } });
    let spec = json!({ "principal": format!("user:{FIRST}"), "role": "SkillUser" });
    let bind = json!({ "v": 1, "action": "create", "kind": "RoleBinding", "ou": root, "spec": spec });
    let answer = t.asked("what-if", json!({ "mutations": [user, bind] })).await;
    assert_eq!(answer["changes"][0]["name"], "user:new@acme.com");
    assert!(answer["changes"][0]["gained"].as_array().unwrap().contains(&json!("skill:use")));
    // What nobody may is denied here too, and nothing after it is looked at.
    let denied = t.ask(&t.ada, "what-if", json!({ "mutations": [user, bind] })).await.expect(200);
    assert_eq!(denied.body["mutations"].as_array().unwrap().len(), 1);
    assert_eq!(denied.body["mutations"][0]["result"]["result"], "denied");
    let refused = t.ask(&t.w.admin, "what-if", json!({ "mutations": [bind] })).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["field"], "mutations[0]");
}

#[tokio::test]
async fn what_is_no_question_is_refused_and_the_field_is_named() {
    let t = tree().await;
    let change = json!({ "v": 1, "action": "rewrap_secrets" });
    let many: Vec<Value> = vec![change.clone(); 51];
    for (body, field) in [
        (json!({}), "mutations"),
        (json!({ "mutations": many }), "mutations"),
        (json!({ "mutations": [{ "v": 2, "action": "rewrap_secrets" }] }), "mutations[0].v"),
        (json!({ "mutations": [{ "v": 1, "action": "fly" }] }), "mutations[0]"),
        (json!({ "mutations": [], "limit": 0 }), "limit"),
        (json!({ "mutations": [], "permissions": ["agent:fly"] }), "permissions[0]"),
        (json!({ "mutations": [], "ous": ["/acme"] }), "ous[0]"),
        (json!({ "mutations": [], "now": true }), "now"),
    ] {
        let refused = t.ask(&t.w.admin, "what-if", body.clone()).await.expect(400);
        let named = refused.body["error"]["detail"]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{body}: {}", refused.text);
    }
    let unknown = json!({ "mutations": [], "principal_refs": ["user:nobody@acme.com"] });
    assert_eq!(t.ask(&t.w.admin, "what-if", unknown).await.expect(404).code(), "not_found");
    let foreign = json!({ "mutations": [], "ous": [t.w.other.root_ou] });
    t.ask(&t.w.admin, "what-if", foreign).await.expect(403);
}

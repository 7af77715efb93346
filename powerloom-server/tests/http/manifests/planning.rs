//! From documents to a plan and back.

use crate::manifests::{EXAMPLES, apply, documents, export, plan, results, skills};
use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// Rows P20–P29: several files as one set, and a second time nothing is to be done.
#[tokio::test]
async fn documents_are_planned_and_applied_and_a_second_time_change_nothing() {
    let world = World::start().await;
    let before = export(&world).await;
    let planned = world.post("/manifests/plan", documents(&EXAMPLES)).await.expect(200).body;
    assert_eq!(planned["is_noop"], false);
    assert!(planned["text"].as_str().unwrap().contains("+ OU /acme/engineering"), "{}", planned["text"]);
    let digest = planned["digest"].as_str().unwrap();
    assert_eq!(export(&world).await, before, "planning changes nothing");

    let body = json!({ "plan": planned["plan"], "digest": digest });
    let applied = world.post("/manifests/apply", body).await.expect(200).body;
    assert_eq!(applied["is_complete"], true, "{applied}");
    assert!(results(&applied).iter().all(|result| *result == "created"), "{applied}");
    let again = world.post("/manifests/plan", documents(&EXAMPLES)).await.expect(200).body;
    assert_eq!((&again["is_noop"], again["digest"] == planned["digest"]), (&json!(true), false));

    // What was planned before it was made is outdated now, each line by itself.
    let stale = apply(&world, &planned["plan"]).await.expect(200).body;
    assert_eq!(stale["is_complete"], false);
    assert!(results(&stale).iter().all(|result| ["failed", "skipped"].contains(result)), "{stale}");
}

/// A bare document is accepted with a warning, and refused where strictness is asked for (row P26).
#[tokio::test]
async fn what_is_odd_is_warned_of_or_refused() {
    let world = World::start().await;
    let mut body = documents(&[("lint.yaml", &skills(&["lint"]))]);
    let lenient = world.post("/manifests/plan", body.clone()).await.expect(200).body;
    assert_eq!(lenient["warnings"][0]["at"]["source"], "lint.yaml", "{lenient}");
    body["strict"] = true.into();
    let strict = world.post("/manifests/plan", body).await.expect(422);
    assert_eq!(
        (strict.code(), &strict.body["error"]["detail"]["faults"][0]["code"]),
        ("manifest", &json!("missing"))
    );
}

/// All faults of all files, each with its place; those that only show against the store as well.
#[tokio::test]
async fn the_faults_of_all_documents_come_at_once_with_their_places() {
    let world = World::start().await;
    let bad = [
        ("a.yaml", "kind: Skill\nmetadata: {name: lint, ou_path: /acme}\nspec: {discription: x}\n"),
        ("b.yaml", "kind: Agnt\n---\n{kind: [\n"),
    ];
    let refused = world.post("/manifests/plan", documents(&bad)).await.expect(422);
    let faults = refused.body["error"]["detail"]["faults"].as_array().unwrap();
    let at = |fault: &Value| {
        (fault["at"]["source"].as_str().unwrap().to_owned(), fault["at"]["line"].as_u64().unwrap())
    };
    let places: Vec<_> = faults.iter().map(at).collect();
    assert_eq!(places[..2], [("a.yaml".to_owned(), 3), ("b.yaml".to_owned(), 1)], "{}", refused.text);
    assert!(places.len() > 2, "the broken document too: {}", refused.text);
    assert_eq!(faults[0]["document"], "Skill lint");
    assert!(faults[0]["message"].as_str().unwrap().ends_with("did you mean `description`?"));

    let nowhere = "{kind: Skill, metadata: {name: lint, ou_path: /acme/nowhere}}";
    let refused = world.post("/manifests/plan", documents(&[("c.yaml", nowhere)])).await.expect(422);
    assert_eq!(refused.body["error"]["detail"]["faults"][0]["code"], "not_found", "{}", refused.text);
}

/// A set owns what it declares: what it has left is named, and archived if that is asked for; what others changed is left alone
/// unless it is taken.
#[tokio::test]
async fn a_set_prunes_what_it_left_and_takes_what_others_changed() {
    let world = World::start().await;
    let text = "{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: mine}}\n---\n\
                {kind: Skill, metadata: {name: test, ou_path: /acme}}";
    let of = |text: &str, more: Value| {
        let mut body = documents(&[("skills.yaml", text)]);
        body["set"] = "skills".into();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let planned = world.post("/manifests/plan", of(text, json!({}))).await.expect(200).body;
    assert_eq!(apply(&world, &planned["plan"]).await.expect(200).body["is_complete"], true);
    let items = world.get("/skills?name=lint").await.expect(200).body;
    let path = format!("/skills/{}", items["items"][0]["id"].as_str().unwrap());
    world.patch(&path, json!({ "description": "theirs" })).await.expect(200);

    let lint = text.split("\n---\n").next().unwrap();
    let left = world.post("/manifests/plan", of(lint, json!({}))).await.expect(200).body;
    assert_eq!(left["plan"]["left"][0]["path"], "/acme/test", "{left}");
    assert_eq!(left["plan"]["steps"][0]["clashes"][0]["field"], "description", "{left}");
    for take in [json!("all"), json!(["description"])] {
        let options = json!({ "prune": true, "take": take, "take_ownership": true });
        let taken = world.post("/manifests/plan", of(lint, options)).await.expect(200).body;
        let verbs: Vec<_> =
            taken["plan"]["steps"].as_array().unwrap().iter().map(|step| &step["verb"]).collect();
        assert_eq!(verbs, ["update", "archive"], "{taken}");
    }
    let options = json!({ "prune": true, "take": ["description"] });
    let taken = world.post("/manifests/plan", of(lint, options)).await.expect(200).body;
    assert_eq!(apply(&world, &taken["plan"]).await.expect(200).body["is_complete"], true);
    assert_eq!(world.get(&path).await.expect(200).body["description"], "mine");
    assert_eq!(world.get("/skills?name=test").await.expect(200).body["items"], json!([]));
}

/// Row P29: what is exported applies again and changes nothing, as YAML and as JSON.
#[tokio::test]
async fn an_export_planned_again_changes_nothing() {
    let world = World::start().await;
    let planned = world.post("/manifests/plan", documents(&EXAMPLES)).await.expect(200).body;
    apply(&world, &planned["plan"]).await.expect(200);
    let request = world.request(Method::GET, "/manifests/export").bearer_auth(&world.admin);
    let yaml = world.send(request.header("accept", "application/yaml")).await.expect(200);
    assert_eq!(yaml.header("content-type"), "application/yaml; charset=utf-8");
    assert_eq!(yaml.header("vary"), "accept");
    assert!(yaml.text.contains("\n---\n") && !yaml.text.starts_with(['{', '[']), "{}", yaml.text);
    let items = export(&world).await["items"].as_array().unwrap().clone();
    let json = items.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    for text in [&yaml.text, &json] {
        let again = plan(&world, text).await;
        assert_eq!(again["is_noop"], true, "{}", again["text"]);
        assert_eq!(again["plan"]["steps"].as_array().unwrap().len(), items.len());
    }
}

//! Any kind by its name, those of the embedder included: governance, audit, lists and changes come for free.

use crate::world::World;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::permission::Permission;
use powerloom_core::record::{KindName, Schema};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{Declared, Home, KindPermissions, Rules};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug)]
struct Queue;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueSpec {
    depth: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl Schema for Queue {
    const KIND: KindName = KindName::known("Queue");
    type Spec = QueueSpec;
    type Status = ();
}

impl Declared for Queue {
    const FIELDS: &'static [Field] = &[
        Field::new("depth", Form::Integer { min: 1, max: 100 }).required(),
        Field::new("version", Form::Text { min: 1, max: 9 }),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 90;
}

async fn world() -> World {
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = ControlPlane::builder(store).kind(Arc::new(Rules::<Queue>::default())).unwrap().build();
    World::over(loom, |config| config).await
}

#[tokio::test]
async fn a_kind_of_the_embedders_own_is_created_read_changed_listed_and_archived() {
    let world = world().await;
    let body = json!({ "ou_id": world.acme.root_ou, "name": "builds", "depth": 7, "spec_version": "v2" });
    let made = world.post("/resources/Queue", body).await.expect(201);
    let path = format!("/resources/Queue/{}", made.id());
    assert_eq!(made.header("location"), path);
    assert!(made.header("etag").starts_with("\"1-"), "{:?}", made.headers);
    // What every resource shows is not hidden by a field that is called the same.
    assert_eq!((&made.body["version"], &made.body["spec_version"]), (&json!(1), &json!("v2")));
    assert_eq!(world.get(&path).await.expect(200).body, made.body);

    let change = |tag: &str, depth: u32| {
        let request = world.request(Method::PATCH, &path).bearer_auth(&world.admin).header("if-match", tag);
        request.json(&json!({ "depth": depth, "spec_version": null }))
    };
    let changed = world.send(change("\"1\"", 8)).await.expect(200);
    assert_eq!((&changed.body["depth"], changed.body.get("spec_version")), (&json!(8), None));
    assert_eq!(world.send(change("\"1\"", 9)).await.expect(412).code(), "version_mismatch");
    let refused = world.patch(&path, json!({ "depth": 101 })).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["field"], "depth");
    let unknown = world.patch(&path, json!({ "dept": 1 })).await.expect(400);
    assert!(unknown.text.contains("did you mean `depth`?"), "{}", unknown.text);
    assert_eq!(world.get("/resources/Queue").await.expect(200).body["items"], json!([changed.body]));

    let (_, viewer) = world.person("viewer@acme.com", &["AgentViewer"]).await;
    let seen = world.as_of(&viewer, Method::GET, "/resources/Queue", None).await.expect(200);
    assert_eq!(seen.body["items"], json!([]));
    let denied = world.as_of(&viewer, Method::DELETE, &path, None).await.expect(403);
    assert!(denied.text.contains("custom:delete") && denied.text.contains("/acme"), "{}", denied.text);

    world.delete(&path).await.expect(204);
    assert_eq!(world.get("/resources/Queue").await.expect(200).body["items"], json!([]));
    let rows = world.loom.store().audit_rows(world.acme.id, 0, 1000).await.unwrap();
    let verbs: Vec<&str> =
        rows.iter().map(|entry| entry.row.verb.as_str()).filter(|verb| verb.starts_with("queue.")).collect();
    assert_eq!(verbs, ["queue.create", "queue.update", "queue.archive", "queue.archive"]);
}

#[tokio::test]
async fn the_kinds_say_what_can_be_given_of_them() {
    let world = world().await;
    let kinds = world.get("/kinds").await.expect(200).body["items"].clone();
    let kind = |name: &str| -> Value {
        kinds.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap().clone()
    };
    let queue = kind("Queue");
    assert_eq!((&queue["path"], &queue["home"]), (&Value::Null, &json!("named")));
    let depth = json!({
        "name": "depth", "form": "a whole number from 1 to 100", "required": true, "immutable": false,
        "schema": { "type": "integer", "minimum": 1, "maximum": 100 },
    });
    assert_eq!((&queue["fields"][0], &queue["fields"][1]["name"]), (&depth, &json!("spec_version")));
    assert_eq!(queue["permissions"]["archive"], "custom:delete");
    let agent = kind("Agent");
    assert_eq!(agent["path"], "/agents");
    let owner =
        agent["fields"].as_array().unwrap().iter().find(|field| field["reference"].is_string()).unwrap();
    assert_eq!(
        (&owner["name"], &owner["reference"]),
        (&json!("owner_principal_id"), &json!("owner_principal_ref"))
    );
    let token = kind("ApiToken");
    assert_eq!((&token["declarable"], &token["changeable"]), (&json!(false), &json!(false)));
    assert_eq!(kinds.as_array().unwrap().len(), world.loom.catalogue().kinds().count());
}

#[tokio::test]
async fn every_kind_is_readable_and_those_with_ways_of_their_own_are_not_written() {
    let world = World::start().await;
    world.everything().await;
    for kind in world.loom.catalogue().kinds() {
        let list = world.get(&format!("/resources/{}", kind.name())).await.expect(200);
        for item in list.body["items"].as_array().unwrap() {
            let one = format!("/resources/{}/{}", kind.name(), item["id"].as_str().unwrap());
            assert_eq!(world.get(&one).await.expect(200).body, *item);
        }
    }
    let vault = world.get("/resources/Vault").await.expect(200).body["items"][0]["id"].clone();
    let vault = format!("/resources/Vault/{}", vault.as_str().unwrap());
    assert_eq!(world.post("/resources/Vault", json!({ "agent": "x" })).await.expect(400).code(), "invalid");
    assert_eq!(world.patch(&vault, json!({ "agent": null })).await.expect(400).code(), "invalid");
    let absent = "00000000-0000-7000-8000-000000000001";
    for kind in ["ApiToken", "ApprovalRequest", "StandingConsent"] {
        let path = format!("/resources/{kind}/{absent}");
        world.post(&format!("/resources/{kind}"), json!({})).await.expect(400);
        world.patch(&path, json!({})).await.expect(400);
        world.delete(&path).await.expect(400);
        world.get(&path).await.expect(404);
    }
    for path in ["/resources/Agnet", "/resources/agent", &format!("/resources/Agnet/{absent}")] {
        world.get(path).await.expect(400);
    }
    let near = world.get("/resources/Agnet").await.expect(400);
    assert!(near.text.contains("did you mean `Agent`?"), "{}", near.text);
}

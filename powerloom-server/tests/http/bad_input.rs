//! Bad input, to every collection: one envelope, the field is named, and nothing changes.

use crate::contract::{document, faults};
use crate::samples::Sample;
use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

/// Every path that takes a JSON body by `POST`.
fn writable(all: &[Sample]) -> Vec<String> {
    let at = |path: &str, below: &str| format!("{path}/{}{below}", crate::samples::id(all, path));
    let mut paths: Vec<String> = all.iter().map(|sample| sample.path.to_owned()).collect();
    paths.extend([
        "/resources/OU".to_owned(),
        at("/agents", "/skills"),
        at("/agents", "/mcp-servers"),
        at("/skills", "/versions"),
        at("/ous", "/move"),
        at("/groups", "/members"),
    ]);
    paths
}

async fn raw(world: &World, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = world.request(Method::POST, path).bearer_auth(&world.admin);
    world.send(request.header("content-type", content_type).body(body)).await
}

fn field(answer: &Answer) -> &str {
    answer.body["error"]["detail"]["field"].as_str().unwrap_or_else(|| panic!("{}", answer.text))
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_refused_everywhere() {
    let world = World::start().await;
    let all = world.everything().await;
    let before = world.trail().await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let bodies = [
        String::new(),
        "{".to_owned(),
        "{}x".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "7".to_owned(),
        "\"text\"".to_owned(),
        "{'a': 1}".to_owned(),
        "{\"a\": NaN}".to_owned(),
        "{\"a\": \"\\ud800\"}".to_owned(),
        "{\"ou_id\": 1, \"ou_id\": 1}".to_owned(),
        "{\"a\": {\"b\": 1, \"b\": 1}}".to_owned(),
        "{\"a\": 1e999}".to_owned(),
        deep("[", "]"),
        format!("{{\"a\": {}}}", deep("{\"a\":", "}")),
    ];
    for path in writable(&all) {
        for body in &bodies {
            let refused = raw(&world, &path, "application/json", body.clone()).await.expect(400);
            assert_eq!(refused.code(), "invalid", "{path}: {}", refused.text);
            assert!(refused.text.len() < 1500, "{path}: {}", refused.text);
        }
        let torn = raw(&world, &path, "application/json", vec![b'"', 0xff, b'"']).await.expect(400);
        assert_eq!(field(&torn), "body", "{path}");
        for content_type in ["text/plain", "application/xml", "text/json", "application/", "x"] {
            let refused = raw(&world, &path, content_type, "{}").await.expect(415);
            assert_eq!(refused.code(), "unsupported_media_type", "{path}");
            assert_eq!(field(&refused), "content-type");
        }
        let unknown = world.post(&path, json!({ "nme\u{1b}[2J": 1 })).await.expect(400);
        assert!(unknown.text.contains("nme") && !unknown.text.contains('\u{1b}'), "{}", unknown.text);
        let endless = json!({ "x".repeat(100_000): 1 });
        let endless = world.post(&path, endless).await.expect(400).text;
        assert!(endless.len() < 2000, "{path}: {} bytes", endless.len());
    }
    assert_eq!(world.trail().await, before);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_everywhere() {
    let world = World::with(|mut config| {
        (config.bounds.body_bytes, config.bounds.upload_bytes) = (2000, 2000);
        config
    })
    .await;
    let all = world.everything().await;
    let before = world.trail().await;
    for path in writable(&all) {
        let body = format!("{{\"name\": \"{}\"}}", "x".repeat(2000));
        let refused = raw(&world, &path, "application/json", body.clone()).await.expect(413);
        assert_eq!(refused.code(), "payload_too_large");
        assert_eq!(refused.body["error"]["detail"], json!({ "max_bytes": 2000 }), "{path}");
        // Without a length said before.
        let parts = body.as_bytes().chunks(500).map(|part| Ok::<_, std::io::Error>(part.to_vec()));
        let parts = futures::stream::iter(parts.collect::<Vec<_>>());
        raw(&world, &path, "application/json", reqwest::Body::wrap_stream(parts)).await.expect(413);
    }
    assert_eq!(world.trail().await, before);
}

/// Each field of each kind, given in another type than it has.
#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused_by_its_field() {
    let world = World::start().await;
    let all = world.everything().await;
    let before = world.trail().await;
    let document = document(&world.loom);
    let wrong = [json!(true), json!(7.5), json!("\u{0}"), json!([[]]), json!({ "a\u{0}b": { "c": 1 } })];
    let mut tried = 0;
    for sample in &all {
        let name = format!("{}Create", sample.name);
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        let fields = document["components"]["schemas"][&name]["properties"].as_object().unwrap();
        for (name, of) in fields {
            for value in wrong.iter().filter(|value| !faults(document, of, value).is_empty()) {
                let mut body = sample.body.clone();
                body[name] = value.clone();
                if let Some(other) = name.strip_suffix("_ref") {
                    body.as_object_mut()
                        .unwrap()
                        .retain(|key, _| key != other && *key != format!("{other}_id"));
                }
                assert!(!faults(document, &schema, &body).is_empty());
                let refused = world.post(sample.path, body).await.expect(400);
                let at = field(&refused);
                let fits =
                    at == name || at.starts_with(&format!("{name}.")) || at.starts_with(&format!("{name}["));
                assert!(fits, "{}: {name} is {value}: {}", sample.path, refused.text);
                tried += 1;
            }
        }
        let mut unknown = sample.body.clone();
        unknown["naem"] = json!(null);
        let refused = world.post(sample.path, unknown).await.expect(400);
        assert_eq!(field(&refused), "naem");
        assert!(refused.text.contains("did you mean"), "{}", refused.text);
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(world.trail().await, before);
}

#[tokio::test]
async fn a_list_refuses_what_it_does_not_know() {
    let world = World::start().await;
    let all = world.everything().await;
    let at = |path: &str, below: &str| format!("{path}/{}{below}", crate::samples::id(&all, path));
    let mut lists: Vec<String> = all.iter().map(|sample| sample.path.to_owned()).collect();
    lists.extend([
        "/resources/OU".into(),
        "/sync".into(),
        at("/skills", "/versions"),
        at("/groups", "/members"),
    ]);
    for path in lists {
        for (query, wanted) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("limit=70000", "limit"),
            ("limit=ten", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "query"),
            ("cursor=!", "cursor"),
            ("cursor=e30", "cursor"),
            ("cursor=", "cursor"),
            ("bogus=1", "bogus"),
            ("%ff=1", "\u{fffd}"),
        ] {
            let refused = world.get(&format!("{path}?{query}")).await.expect(400);
            assert_eq!(field(&refused), wanted, "{path}?{query}: {}", refused.text);
        }
        let page = world.get(&format!("{path}?limit=1")).await.expect(200).body;
        if let (Some(cursor), false) = (page["next_cursor"].as_str(), path.starts_with("/ous")) {
            let elsewhere = world.get(&format!("/ous?cursor={cursor}")).await;
            assert!(elsewhere.status == 400 || path == "/resources/OU", "{path}: {}", elsewhere.text);
        }
    }
    for (method, path) in [
        (Method::GET, "/whoami".to_owned()),
        (Method::GET, "/kinds".to_owned()),
        (Method::GET, at("/agents", "")),
        (Method::GET, at("/agents", "/skills")),
        (Method::POST, "/agents".to_owned()),
        (Method::DELETE, at("/agents", "")),
        (Method::POST, at("/credentials", "/rotate")),
    ] {
        let path = format!("{path}?force=true");
        let refused = world.as_of(&world.admin, method, &path, Some(json!({}))).await.expect(400);
        assert_eq!(field(&refused), "force", "{path}");
    }
    for sample in &all {
        let other = if sample.path == "/credentials" { "ou" } else { "agent_id" };
        world.get(&format!("{}?{other}={}", sample.path, sample.id)).await.expect(400);
        world.get(&format!("{}?ou_id=x", sample.path)).await.expect(400);
        world.get(&format!("{}?archived=1", sample.path)).await.expect(400);
    }
}

#[tokio::test]
async fn an_unknown_path_and_an_unknown_method_have_the_same_envelope() {
    let world = World::start().await;
    let all = world.everything().await;
    for path in [
        "/agent",
        "/agents/x/y/z",
        "/AGENTS",
        "/agents/",
        "/..%2fagents",
        "/%00",
        "/resources",
        "/sync/Agent",
    ] {
        let refused = world.get(path).await.expect(404);
        assert_eq!(refused.code(), "not_found", "{path}");
    }
    for sample in &all {
        let one = format!("{}/{}", sample.path, sample.id);
        for (method, path, allowed) in
            [(Method::PUT, sample.path, "GET,HEAD,POST"), (Method::PUT, one.as_str(), "GET,HEAD,DELETE")]
        {
            let refused = world.as_of(&world.admin, method, path, None).await.expect(405);
            assert_eq!(refused.code(), "method_not_allowed");
            let said = refused.header("allow").to_owned();
            assert!(allowed.split(',').all(|method| said.contains(method)), "{path}: {said}");
        }
        for id in ["x", "00000000-0000-7000-8000-00000000000", "%ff", &"9".repeat(5000)] {
            let refused = world.get(&format!("{}/{id}", sample.path)).await.expect(400);
            assert!(field(&refused) == "path" && refused.text.len() < 500, "{}", refused.text);
        }
    }
    let anonymous = world.send(world.request(Method::GET, "/agents")).await.expect(401);
    assert_eq!((anonymous.code(), anonymous.header("www-authenticate")), ("unauthenticated", "Bearer"));
    for value in ["Basic x", "Bearer", "Bearer x", "bearer eyJh.eyJh.x"] {
        let request = world.request(Method::GET, "/agents").header("authorization", value);
        world.send(request).await.expect(401);
    }
    let head = world.request(Method::HEAD, "/agents").bearer_auth(&world.admin);
    assert_eq!(world.client.execute(head.build().unwrap()).await.unwrap().status(), 200);
    let _: Value = world.get("/openapi.json").await.expect(200).body;
}

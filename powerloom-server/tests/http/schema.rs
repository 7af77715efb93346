//! The document describes exactly what is accepted: who generates bodies from it is not refused, and who sends others is.

use crate::contract::{document, faults};
use crate::samples::Sample;
use crate::world::World;
use powerloom_core::clock::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

/// Values at the bounds of every form there is.
fn candidates(world: &World, all: &[Sample]) -> Vec<Value> {
    let uuid = |path: &str| json!(crate::samples::id(all, path));
    let text = |length: usize| json!("a".repeat(length));
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(50),
        json!(51),
        json!(59),
        json!(60),
        json!(86_400),
        json!(86_401),
        json!(7_776_000),
        json!(7_776_001),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("a"),
        json!("a-"),
        json!("-a"),
        json!("A"),
        json!("a b"),
        json!("a\nb"),
        json!("a\u{7}"),
        json!("é🙂"),
        json!("a\u{85}b"),
        json!("\u{200b}"),
        json!([]),
        json!({}),
        json!([null]),
        json!([1]),
    ];
    values.extend([63, 64, 255, 256, 257, 1024, 1025, 2048, 2049, 32_768, 32_769].map(text));
    values.extend(
        ["user", "service", "allow", "deny", "shared", "dedicated", "postgres", "warn", "require_approval"]
            .map(|word| json!(word)),
    );
    // Addresses and URLs.
    values.extend(
        [
            "ada@acme.com",
            "Ada@ACME.com",
            "a@b",
            "a@b.",
            "@b.c",
            "a b@c.d",
            "a@b@c",
            "user:a@b.c",
            "https://acme.com",
            "http://acme.com:8080/mcp?x=y",
            "http://localhost",
            "https://10.0.0.1/x",
            "https://pg-analytics.internal/mcp",
            "ftp://acme.com",
            "https://u:p@acme.com",
            "https://",
            "acme.com",
            "https://999.1.1.1",
            "https://a..b",
            "https://xn--a",
            "https://acme.com:99999",
            "HTTPS://acme.com/ x",
        ]
        .map(|text| json!(text)),
    );
    // Times.
    values.extend(
        [
            "2030-01-01T00:00:00Z",
            "2030-01-01T00:00:00.123456+02:00",
            "2030-01-01",
            "2030-13-01T00:00:00Z",
            "now",
        ]
        .map(|text| json!(text)),
    );
    // Ids, principals, roles.
    values.extend([
        uuid("/users"),
        uuid("/agents"),
        uuid("/ous"),
        json!("0198C0DE-0000-7000-8000-00000000000A"),
    ]);
    for path in ["/users", "/groups", "/agents", "/ous"] {
        let word = path.trim_start_matches('/').trim_end_matches('s');
        values.push(json!(format!("{word}:{}", crate::samples::id(all, path))));
    }
    values.extend(
        [
            "user:ada@acme.com",
            "group:/acme/reviewers",
            "ou:/acme",
            "agent:/acme/code-reviewer",
            "service:ci",
            "robot:x",
            "group:reviewers",
            "user:",
            "OrgAdmin",
            "AgentViewer",
            "OrgAdmn",
            "role:OrgAdmin",
        ]
        .map(|text| json!(text)),
    );
    values.push(json!(format!("role:{}", crate::samples::id(all, "/roles"))));
    // Lists.
    let skill = uuid("/skills");
    let patterns = |count: usize| json!(vec!["agent:read"; count]);
    values.extend([
        json!([uuid("/mcp-servers")]),
        json!(["x"]),
        json!([{ "skill": skill }]),
        json!([{ "skill": skill, "version": "current" }]),
        json!([{ "skill": skill, "version": "newest" }]),
        json!([{ "skill": skill, "version": { "pinned": skill } }]),
        json!([{ "skill": skill, "more": 1 }]),
        json!(["agent:*", "*:*"]),
        json!(["agent:raed"]),
        patterns(1),
        patterns(256),
        patterns(257),
        json!(["role:OrgAdmin", format!("user:{}", world.acme.admin)]),
        json!((0..51).map(|n| format!("user:00000000-0000-7000-8000-0000000000{n:02}")).collect::<Vec<_>>()),
        json!((0..21).map(|n| format!("00000000-0000-7000-8000-0000000000{n:02}")).collect::<Vec<_>>()),
        json!((0..20).map(|n| format!("00000000-0000-7000-8000-0000000000{n:02}")).collect::<Vec<_>>()),
    ]);
    // Objects.
    values.extend([
        json!({ "team": "search" }),
        json!({ "Team": "search" }),
        json!({ "team": "a\u{7}" }),
        json!({ "team": "a".repeat(256) }),
        json!({ "team": 1 }),
        json!((0..17).map(|n| (format!("l{n}"), "x")).collect::<std::collections::BTreeMap<_, _>>()),
        json!({ "limit": 9_007_199_254_740_991_i64 }),
        json!({ "limit": 9_007_199_254_740_993_i64 }),
        json!({ "nested": { "list": [1, "a", null, { "b": true }] } }),
        json!({ "resource_kinds": ["Agent"], "actions": ["create"], "ou_depth": "exact" }),
        json!({ "actions": ["craete"] }),
        json!({ "resource_kinds": ["agent"] }),
        json!({ "ou_depth": "deep" }),
        json!({ "condition": "action == 'create'" }),
        json!({ "condition": null }),
        json!({ "resource_kinds": null }),
        json!({ "kinds": [] }),
    ]);
    values
}

/// Whether a value says anything about a field.
fn is_for(field: &str, value: &Value) -> bool {
    // The longest texts only where they are near the bound: they take the time.
    field == "system_prompt" || value.as_str().is_none_or(|text| text.len() < 3000)
}

/// Where the rule is no regular language the schema is narrower: a URL, an address, a point in time.
fn is_narrower(field: &str, value: &Value) -> bool {
    match field {
        "url" => value.as_str().is_some_and(|url| url.parse::<reqwest::Url>().is_ok()),
        "email" => value.as_str().is_some_and(|text| text.parse::<powerloom_core::name::Email>().is_ok()),
        "expires_at" => value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        _ => false,
    }
}

/// Fails unless the schema and the server are of one mind about a body.
async fn agree(world: &World, method: &Method, path: &str, schema: &str, field: &str, body: Value) {
    let document = document(&world.loom);
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    let faults = faults(document, &reference, &body);
    let answer = world.as_of(&world.admin, method.clone(), path, Some(body.clone())).await;
    let accepted = answer.status != 400;
    let one_mind = accepted == faults.is_empty() || (accepted && is_narrower(field, &body[field]));
    assert!(
        one_mind,
        "{schema} {field}: {} -> {} {}\nthe schema: {faults:?}",
        short(&body[field]),
        answer.status,
        answer.text
    );
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

#[tokio::test]
async fn a_body_is_accepted_if_and_only_if_it_fits_the_schema() {
    let world = World::with(|mut config| {
        config.bounds.requests_per_second = None;
        config
    })
    .await;
    let all = world.everything().await;
    let document = document(&world.loom);
    let mut tried = 0;
    for sample in &all {
        let create = format!("{}Create", sample.name);
        let schema = &document["components"]["schemas"][&create];
        for field in schema["properties"].as_object().unwrap().keys() {
            for value in candidates(&world, &all).into_iter().filter(|value| is_for(field, value)) {
                // No group is in itself: which group it is, the other field says.
                if field.starts_with("member")
                    && value.as_str().is_some_and(|text| text.starts_with("group:"))
                {
                    continue;
                }
                let mut body = sample.body.clone();
                body[field] = value;
                agree(&world, &Method::POST, sample.path, &create, field, body.clone()).await;
                if let Some(other) = field.strip_suffix("_ref") {
                    // One way to name somebody in the place of the other.
                    body.as_object_mut()
                        .unwrap()
                        .retain(|key, _| key != other && *key != format!("{other}_id"));
                    agree(&world, &Method::POST, sample.path, &create, field, body).await;
                }
                tried += 1;
            }
            let mut without = sample.body.clone();
            without.as_object_mut().unwrap().remove(field);
            agree(&world, &Method::POST, sample.path, &create, field, without).await;
        }
        let patch = format!("{}Patch", sample.name);
        let Some(fields) = document["components"]["schemas"][&patch]["properties"].as_object() else {
            continue;
        };
        for field in fields.keys() {
            for value in candidates(&world, &all).into_iter().filter(|value| is_for(field, value)) {
                // What a policy's mode and its approvers allow depends on what the other one is already.
                if sample.path == "/approval-policies" && matches!(field.as_str(), "mode" | "approvers") {
                    continue;
                }
                let path = format!("{}/{}", sample.path, sample.id);
                agree(&world, &Method::PATCH, &path, &patch, field, json!({ field: value })).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 5000, "{tried}");
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere() {
    let world = World::start().await;
    let document = document(&world.loom);
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}"));
            assert!(names.insert(name), "{name} twice");
            for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let said = operation["parameters"].as_array().unwrap();
                assert!(
                    said.iter().any(|it| it["name"] == parameter && it["in"] == "path"),
                    "{method} {path}"
                );
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let of = match parameter["schema"]["$ref"].as_str() {
                    Some(reference) => &document.pointer(&reference[1..]).unwrap()["type"],
                    None => &parameter["schema"]["type"],
                };
                let or_null = of.as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
                assert!(!or_null, "{method} {path}: {parameter}");
            }
            for response in operation["responses"].as_object().unwrap().values() {
                for link in response["links"].as_object().into_iter().flat_map(|links| links.values()) {
                    let to = link["operationId"].as_str().unwrap();
                    assert!(
                        document.to_string().contains(&format!("\"operationId\":\"{to}\"")),
                        "{name} -> {to}"
                    );
                }
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let reference = reference.split('"').next().unwrap();
        let found = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(found.is_some(), "{reference} leads nowhere");
    }
}

//! What is refused, and why.

use crate::audit::{check, ou, seqs};
use crate::world::World;
use powerloom_core::audit::signer::Ed25519Signer;
use powerloom_server::Checkpoints;
use powerloom_store::anchor::FileAnchor;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

/// Without a signer nothing pretends to be one.
#[tokio::test]
async fn checkpoints_that_are_not_configured_are_refused_by_a_code_of_their_own() {
    let world = World::start().await;
    for (method, path) in [
        (Method::GET, "/audit/checkpoints"),
        (Method::POST, "/audit/checkpoints"),
        (Method::GET, "/audit/export?checkpoint=true"),
    ] {
        let refused = world.as_of(&world.admin, method, path, None).await.expect(409);
        assert_eq!(refused.code(), "checkpoints_not_configured", "{path}");
    }
}

/// Invariant 1: places in the trail are counted in each organization by itself, and nothing of one is in the other.
#[tokio::test]
async fn nobody_sees_the_trail_of_another_organization() {
    let world = World::start().await;
    ou(&world, world.acme.root_ou, "secret-plans").await;
    let other = world.token(world.other.id, world.other.admin).await;
    let theirs = world.as_of(&other, Method::GET, "/audit", None).await.expect(200);
    assert_eq!(seqs(&theirs), [1]);
    let first = world.as_of(&other, Method::GET, "/audit/1", None).await.expect(200).body;
    assert_ne!(first["row_hash"], world.get("/audit/1").await.expect(200).body["row_hash"]);
    assert_eq!(first["org_id"], json!(world.other.id));
    let nothing = world.as_of(&other, Method::GET, "/audit/2", None).await.expect(404);
    assert!(!nothing.text.contains("acme"));
    let export = world.as_of(&other, Method::GET, "/audit/export", None).await.expect(200);
    assert!(!export.text.contains("secret-plans") && export.text.contains("\"slug\":\"other\""));
    assert_eq!(check(&export.text, None).entries, 1);
    let tree = world.as_of(&other, Method::GET, "/audit/tree", None).await.expect(200).body;
    assert_eq!(tree["size"], 1);
    // By an OU of the other organization nothing is found out about it.
    let root = world.acme.root_ou;
    let refused = world.as_of(&other, Method::GET, &format!("/audit?ou_id={root}"), None).await;
    assert!(refused.status == 403 || seqs(&refused).is_empty(), "{}", refused.text);
    assert!(!refused.text.contains("secret-plans") && !refused.text.contains("/acme"), "{}", refused.text);
}

/// Rows M33, M40–M43: each route names what is missing, and where; an auditor of one OU asks for that OU.
#[tokio::test]
async fn each_route_needs_its_permission_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let signer = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32]).unwrap());
    let checkpoints = Checkpoints::new(signer, Arc::new(FileAnchor::new(folder.path()))).unwrap();
    let world = World::with(|config| config.checkpoints(checkpoints)).await;
    let eng = ou(&world, world.acme.root_ou, "eng").await;
    let (eve, token) = world.person("eve@acme.com", &[]).await;
    for (method, path, body, permission) in [
        (Method::GET, "/audit".to_owned(), None, "audit:read"),
        (Method::GET, format!("/audit?ou_id={eng}"), None, "audit:read"),
        (Method::GET, "/audit/1".to_owned(), None, "audit:read"),
        (Method::POST, "/audit/1/erase".to_owned(), None, "organization:update"),
        (Method::POST, "/audit/verify".to_owned(), Some(json!({})), "audit:verify"),
        (Method::GET, "/audit/export".to_owned(), None, "audit:export"),
        (Method::GET, "/audit/tree".to_owned(), None, "audit:verify"),
        (Method::GET, "/audit/proofs/inclusion?seq=1&size=1".to_owned(), None, "audit:verify"),
        (Method::GET, "/audit/proofs/consistency?from=1&to=2".to_owned(), None, "audit:verify"),
        (Method::GET, "/audit/checkpoints".to_owned(), None, "audit:verify"),
        (Method::POST, "/audit/checkpoints".to_owned(), None, "audit:export"),
        (Method::GET, "/audit/export?checkpoint=true".to_owned(), None, "audit:verify"),
    ] {
        let refused = world.as_of(&token, method, &path, body).await.expect(403);
        assert_eq!(
            (refused.code(), &refused.body["error"]["detail"]["permission"]),
            ("denied", &json!(permission)),
            "{path}: {}",
            refused.text
        );
        assert!(refused.text.contains("/acme"), "{path}: {}", refused.text);
    }
    let binding = json!({ "ou_id": eng, "principal": format!("user:{eve}"), "role": "Auditor" });
    world.post("/role-bindings", binding).await.expect(201);
    let listed = world.as_of(&token, Method::GET, &format!("/audit?ou_id={eng}"), None).await.expect(200);
    assert!(!seqs(&listed).is_empty());
    let seq = seqs(&listed)[0];
    world.as_of(&token, Method::GET, &format!("/audit/{seq}?ou_id={eng}"), None).await.expect(200);
    world.as_of(&token, Method::GET, &format!("/audit/{seq}"), None).await.expect(403);
    world.as_of(&token, Method::GET, "/audit/export", None).await.expect(403);
}

/// What can never be answered, parameter by parameter.
#[tokio::test]
async fn a_query_that_can_never_be_met_is_refused() {
    let world = World::start().await;
    ou(&world, world.acme.root_ou, "eng").await;
    for (path, named) in [
        ("/audit?who=ada", "who"),
        ("/audit?depth=1", "depth"),
        ("/audit?from_seq=3&to_seq=2", "from_seq"),
        ("/audit?from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
        ("/audit?from=yesterday", "from"),
        ("/audit?limit=0", "limit"),
        ("/audit?limit=1001", "limit"),
        ("/audit?limit=many", "limit"),
        ("/audit?from_seq=-1", "from_seq"),
        ("/audit?cursor=!", "cursor"),
        ("/audit?cursor=MQ", "cursor"),
        ("/audit?cursor=eyJhIjoxfQ", "cursor"),
        ("/audit?decision=maybe", "decision"),
        ("/audit?ou_id=eng", "ou_id"),
        ("/audit/first", "path"),
        ("/audit/-1", "path"),
        ("/audit/1?depth=1", "depth"),
        ("/audit/export?from=0", "from"),
        ("/audit/export?from=9", "from"),
        ("/audit/export?from=2&to=0", "to"),
        ("/audit/export?checkpoint=yes", "checkpoint"),
        ("/audit/export?since=1", "since"),
        ("/audit/tree?size=1", "size"),
        ("/audit/proofs/inclusion?seq=1", "size"),
        ("/audit/proofs/inclusion?seq=0&size=1", "seq"),
        ("/audit/proofs/inclusion?seq=2&size=1", "seq"),
        ("/audit/proofs/inclusion?seq=1&size=99", "size"),
        ("/audit/proofs/consistency?from=2&to=1", "from"),
        ("/audit/proofs/consistency?from=1&to=99", "to"),
        ("/audit/checkpoints?all=true", "all"),
    ] {
        let refused = world.get(path).await.expect(400);
        assert_eq!(refused.code(), "invalid", "{path}");
        let field = refused.body["error"]["detail"]["field"].as_str().unwrap();
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(field == named || message.contains(&format!("`{named}`")), "{path}: {message}");
    }
    for body in [
        json!({ "trust": 1 }),
        json!({ "trusted": { "seq": 1 } }),
        json!({ "trusted": { "seq": 1, "hash": "00" } }),
    ] {
        assert_eq!(world.post("/audit/verify", body).await.expect(400).code(), "invalid");
    }
}

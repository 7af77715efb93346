//! API tokens over REST: made once, shown once, narrow, and worthless once revoked (sem. 2.10).

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

fn wanted(name: &str, scopes: &[&str]) -> Value {
    json!({ "name": name, "scopes": scopes, "lifetime_seconds": 3600 })
}

fn text(created: &Answer) -> &str {
    created.body["token"].as_str().unwrap_or_else(|| panic!("no text in {created:?}"))
}

/// The text is in the answer that makes the token, and nowhere else: not in a list, not in a record, not in the trail.
#[tokio::test]
async fn the_text_of_a_token_is_shown_once() {
    let world = World::start().await;
    let made = world.post("/tokens", wanted("ci", &["agent:read", "ou:*"])).await.expect(201);
    let secret = text(&made).rsplit_once('.').unwrap().1;
    assert!(text(&made).starts_with("pat_"));
    assert_eq!((made.header("cache-control"), made.header("etag")), ("no-store", "\"1\""));
    assert_eq!(made.header("location"), format!("/tokens/{}", made.id()));
    assert_eq!(made.body["principal_ref"], "user:admin@acme.com");
    assert_eq!((&made.body["scopes"], &made.body["stage"]), (&json!(["agent:read", "ou:*"]), &json!("live")));
    assert_eq!(made.body["last_used_at"], Value::Null);

    let read = world.get(&format!("/tokens/{}", made.id())).await.expect(200);
    let mut shown = made.body.clone();
    shown.as_object_mut().unwrap().remove("token");
    assert_eq!(read.body, shown);
    let list = world.get("/tokens").await.expect(200);
    assert_eq!(list.body["items"], json!([shown]));
    let mut kept = format!("{}{}", read.text, list.text);
    let trail = world.loom.store().audit_rows(world.acme.id, 0, 1000).await.unwrap();
    kept += &trail.iter().map(|entry| format!("{entry:?} {:?}", entry.change())).collect::<String>();
    assert!(kept.contains("api_token.create"));
    assert!(!kept.contains(secret) && !kept.contains("digest"), "{kept}");
}

/// Row M33: what its scopes leave out is denied, though its owner may do everything.
#[tokio::test]
async fn a_token_does_what_its_scopes_and_its_owner_both_allow() {
    let world = World::start().await;
    let made = world.post("/tokens", wanted("ci", &["ou:*"])).await.expect(201);
    let list = world.as_of(text(&made), Method::GET, "/ous", None).await.expect(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let user = json!({ "ou_id": world.acme.root_ou, "email": "ada@acme.com" });
    let denied = world.as_of(text(&made), Method::POST, "/users", Some(user)).await.expect(403);
    assert_eq!(denied.code(), "denied");
    let detail = &denied.body["error"]["detail"];
    assert_eq!((&detail["permission"], &detail["ou"]), (&json!("user:create"), &json!("/acme")));
    assert_eq!(detail["resolution"], "beyond_ceiling");
    let message = denied.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("`user:create` on `/acme`") && message.contains("OrgAdmin"), "{message}");
    // Its own record is not within its scopes either, and it makes no further tokens.
    world.as_of(text(&made), Method::GET, &format!("/tokens/{}", made.id()), None).await.expect(403);
    let more = world.as_of(text(&made), Method::POST, "/tokens", Some(wanted("more", &["ou:*"]))).await;
    assert_eq!(more.expect(403).code(), "denied");
    let used = world.get(&format!("/tokens/{}", made.id())).await.expect(200);
    assert!(used.body["last_used_at"].is_string(), "{}", used.text);
}

#[tokio::test]
async fn a_revoked_token_is_worthless_at_once() {
    let world = World::start().await;
    let made = world.post("/tokens", wanted("ci", &["*:*"])).await.expect(201);
    let path = format!("/tokens/{}", made.id());
    world.as_of(text(&made), Method::GET, "/whoami", None).await.expect(200);
    world.delete(&path).await.expect(204);
    let refused = world.as_of(text(&made), Method::GET, "/whoami", None).await.expect(401);
    assert_eq!(refused.code(), "unauthenticated");
    world.delete(&path).await.expect(204);
    assert_eq!(world.get("/tokens").await.body["items"], json!([]));
    let all = world.get("/tokens?revoked=true").await.expect(200);
    assert_eq!(all.body["items"][0]["stage"], "archived");
    world.post("/tokens", wanted("ci", &["*:*"])).await.expect(201);
}

/// Sem. 2.14: one key, one token. Its text was in the first answer; there is none to show again.
#[tokio::test]
async fn a_creation_that_is_sent_again_makes_no_second_token_and_shows_no_text() {
    let world = World::start().await;
    let create = async |key: &str, body: Value| {
        let request = world.request(Method::POST, "/tokens").bearer_auth(&world.admin);
        world.send(request.header("idempotency-key", key).json(&body)).await
    };
    let first = create("k1", wanted("ci", &["agent:read"])).await.expect(201);
    let again = create("k1", wanted("ci", &["agent:read"])).await.expect(200);
    assert_eq!((again.id(), &again.body["token"]), (first.id(), &Value::Null));
    assert_eq!(create("k1", wanted("ci", &["agent:*"])).await.expect(409).code(), "idempotency_mismatch");
    assert_eq!(create("k2", wanted("ci", &["agent:read"])).await.expect(409).code(), "name_taken");
    assert_eq!(world.get("/tokens").await.body["items"].as_array().unwrap().len(), 1);
    world.as_of(text(&first), Method::GET, "/whoami", None).await.expect(200);
}

#[tokio::test]
async fn a_token_is_made_for_others_by_id_or_as_they_are_written() {
    let world = World::start().await;
    let (ada, as_ada) = world.person("ada@acme.com", &["AgentViewer"]).await;
    let mut by_name = wanted("one", &["agent:read"]);
    by_name["principal_ref"] = json!("user:ada@acme.com");
    let one = world.post("/tokens", by_name.clone()).await.expect(201);
    assert_eq!(one.body["principal"], format!("user:{ada}"));
    let who = world.as_of(text(&one), Method::GET, "/whoami", None).await.expect(200);
    assert_eq!(
        (&who.body["principal_ref"], &who.body["token"]),
        (&json!("user:ada@acme.com"), &json!("api"))
    );
    let mut by_id = wanted("ci", &["agent:read"]);
    by_id["principal"] = json!("service:ci");
    let service = world.post("/tokens", by_id.clone()).await.expect(201);
    let who = world.as_of(text(&service), Method::GET, "/whoami", None).await.expect(200);
    assert_eq!(who.body["principal"], "service:ci");

    // Ada sees and revokes her own only, and makes none for a program.
    let seen = world.as_of(&as_ada, Method::GET, "/tokens", None).await.expect(200);
    assert_eq!(seen.body["items"][0]["id"], one.body["id"]);
    assert_eq!(seen.body["items"].as_array().unwrap().len(), 1);
    world.as_of(&as_ada, Method::GET, &format!("/tokens/{}", service.id()), None).await.expect(403);
    world.as_of(&as_ada, Method::DELETE, &format!("/tokens/{}", service.id()), None).await.expect(403);
    let denied = world.as_of(&as_ada, Method::POST, "/tokens", Some(by_id)).await.expect(403);
    assert_eq!(denied.body["error"]["detail"]["permission"], "token:create");
    world.as_of(&as_ada, Method::DELETE, &format!("/tokens/{}", one.id()), None).await.expect(204);
    // Row M35.
    by_name["principal_ref"] = json!("user:nobody@acme.com");
    let nobody = world.post("/tokens", by_name).await.expect(404);
    assert!(nobody.text.contains("user:nobody@acme.com"), "{}", nobody.text);
}

/// Its text is shown while it waits, because it is shown never again; until it is approved it is worthless.
#[tokio::test]
async fn a_token_that_waits_for_approval_is_good_once_it_is_approved() {
    let world = World::start().await;
    let (_, grace) = world.person("grace@acme.com", &["Approver"]).await;
    let policy = json!({
        "name": "tokens", "ou_id": world.acme.root_ou, "approvers": ["role:Approver"],
        "match": { "resource_kinds": ["ApiToken"] },
    });
    world.post("/approval-policies", policy).await.expect(201);
    let awaited = world.post("/tokens", wanted("ci", &["ou:read"])).await.expect(202);
    assert_eq!(awaited.body["status"], "pending_approval");
    assert_eq!(awaited.header("location"), awaited.body["inbox"].as_str().unwrap());
    world.as_of(text(&awaited), Method::GET, "/whoami", None).await.expect(401);
    let inbox = awaited.body["inbox"].as_str().unwrap();
    let request = world.as_of(&grace, Method::GET, inbox, None).await.expect(200);
    let vote = json!({ "ballot": "approve", "payload_hash": request.body["payload_hash"] });
    world.as_of(&grace, Method::POST, &format!("{inbox}/votes"), Some(vote)).await.expect(200);
    world.as_of(text(&awaited), Method::GET, "/whoami", None).await.expect(200);
    world.get(&format!("/tokens/{}", awaited.id())).await.expect(200);
}

/// One of another organization reads as one that never was.
#[tokio::test]
async fn a_foreign_token_and_an_unknown_one_are_answered_alike() {
    let world = World::start().await;
    let made = world.post("/tokens", wanted("ci", &["*:*"])).await.expect(201);
    let stranger = world.token(world.other.id, world.other.admin).await;
    let unknown = "0198c0de-0000-7000-8000-000000000001";
    for method in [Method::GET, Method::DELETE] {
        let mut answers = Vec::new();
        for id in [made.id(), unknown] {
            let answer = world.as_of(&stranger, method.clone(), &format!("/tokens/{id}"), None).await;
            answers.push(answer.expect(404).text.replace(id, "X"));
        }
        assert_eq!(answers[0], answers[1], "{method}");
    }
    assert_eq!(world.as_of(&stranger, Method::GET, "/tokens", None).await.body["items"], json!([]));
    world.as_of(text(&made), Method::GET, "/whoami", None).await.expect(200);
}

#[tokio::test]
async fn tokens_are_listed_page_by_page() {
    let world = World::start().await;
    for name in ["c", "a", "b"] {
        world.post("/tokens", wanted(name, &["ou:read"])).await.expect(201);
    }
    let (mut path, mut names) = ("/tokens?limit=2".to_owned(), Vec::new());
    loop {
        let page = world.get(&path).await.expect(200);
        names.extend(page.body["items"].as_array().unwrap().iter().map(|token| token["name"].clone()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/tokens?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_token_that_could_never_be_is_refused_and_the_field_is_named() {
    let world = World::start().await;
    let admin = format!("user:{}", world.acme.admin);
    for (name, value, field) in [
        ("name", json!(""), "name"),
        ("name", json!("x".repeat(64)), "name"),
        ("scopes", json!([]), "scopes"),
        ("scopes", json!(["agent:fly"]), "scopes[0]"),
        ("lifetime_seconds", json!(0), "lifetime_seconds"),
        ("lifetime_seconds", json!(366 * 86_400), "lifetime_seconds"),
        ("lifetime_seconds", json!(u64::MAX), "lifetime_seconds"),
        ("lifetime_seconds", json!(-1), "lifetime_seconds"),
        ("expires_at", json!("2030-01-01T00:00:00Z"), "lifetime_seconds"),
        ("expires_at", json!("tomorrow"), "expires_at"),
        ("principal", json!("user:ada@acme.com"), "principal"),
        ("principal", json!(format!("ou:{}", world.acme.root_ou)), "principal"),
        ("principal_ref", json!("ada"), "principal_ref"),
        ("secret", json!("x"), "secret"),
    ] {
        let mut body = wanted("ci", &["agent:read"]);
        body[name] = value;
        let refused = world.post("/tokens", body).await.expect(400);
        assert_eq!(refused.code(), "invalid");
        assert_eq!(refused.body["error"]["detail"]["field"], field, "{}", refused.text);
    }
    let mut both = wanted("ci", &["agent:read"]);
    both["principal"] = json!(admin);
    both["principal_ref"] = json!("user:admin@acme.com");
    let refused = world.post("/tokens", both).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["field"], "principal_ref");
    let mut past = wanted("ci", &["agent:read"]);
    past.as_object_mut().unwrap().remove("lifetime_seconds");
    past["expires_at"] = json!("2020-01-01T00:00:00Z");
    let refused = world.post("/tokens", past).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["field"], "expires_at");
    for query in ["limit=0", "cursor=x", "revoked=maybe", "scope=all"] {
        let refused = world.get(&format!("/tokens?{query}")).await.expect(400);
        assert_eq!(refused.code(), "invalid", "{query}");
    }
    assert_eq!(world.get("/tokens?revoked=true").await.body["items"], json!([]));
}

/// Anybody can make up tokens and tickets, and each would cost the store a look-up. Who was in stays in, and so does whoever has
/// a signed token.
#[tokio::test]
async fn guesses_are_refused_before_the_store_is_asked() {
    let world = World::with(|mut config| {
        config.bounds.guesses_per_second = std::num::NonZeroU32::new(2);
        config
    })
    .await;
    let made = world.post("/tokens", wanted("ci", &["ou:*"])).await.expect(201);
    let good = text(&made).to_owned();
    world.as_of(&good, Method::GET, "/ous", None).await.expect(200);
    // As long as a token is, of the same organization, with another secret.
    let end = if good.ends_with('A') { 'E' } else { 'A' };
    let guess = format!("{}{end}", &good[..good.len() - 1]);
    let mut refused = None;
    for _ in 0..20 {
        let answer = world.as_of(&guess, Method::GET, "/ous", None).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.expect(401).code(), "unauthenticated");
    }
    let refused = refused.expect("twenty at once are more than two a second");
    assert_eq!((refused.code(), refused.header("retry-after")), ("rate_limited", "1"));
    world.as_of(&good, Method::GET, "/ous", None).await.expect(200);
    world.get("/ous").await.expect(200);
    world.as_of("nonsense", Method::GET, "/ous", None).await.expect(401);
}

//! Tokens that are none (T1–T3): every one is refused with the same words, and nothing happens.

use crate::every_route::forge::Forge;
use crate::every_route::house::House;
use crate::every_route::rows::{Does, Row};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use powerloom_core::clock::{Clock, Timestamp};
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::session::handle::SessionHandle;
use powerloom_core::token::MetaTool;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Operations of every sort: what anybody may, a list, one record, a change of each kind, a secret, a question, figures.
const SOME: [&str; 10] = [
    "GET /whoami",
    "GET /agents",
    "GET /agents/{id}",
    "POST /ous",
    "PATCH /agents/{id}",
    "DELETE /agents/{id}",
    "POST /sessions/{id}/ticket",
    "POST /authz/check",
    "POST /manifests/apply",
    "GET /metrics",
];

/// What stands in `Authorization`, each in a header of its own.
type Presented = (String, Vec<String>);

fn bearer(what: &str, token: impl std::fmt::Display) -> Presented {
    (what.to_owned(), vec![format!("Bearer {token}")])
}

impl House {
    async fn present(&self, row: &Row, headers: &[String]) -> crate::world::Answer {
        let mut request = self.world().request(row.method(), &row.path);
        for header in headers {
            request = request.header("authorization", header.as_bytes());
        }
        if let Some(body) = &row.body {
            request = request.json(body);
        }
        self.world().send(request).await
    }

    /// A token of one minute, a microsecond before it ends and then as it ends.
    async fn expired(&self) -> String {
        let world = self.world();
        let minute = Duration::from_secs(60);
        let token = world.tokens.mint_access(world.acme.id, world.acme.admin, minute).await.unwrap();
        let payload = token.reveal().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let exp = Timestamp::from_micros(claims["exp"].as_i64().unwrap() * 1_000_000);
        self.clock.set(Timestamp::from_micros(exp.as_micros() - 1));
        world.as_of(token.reveal(), Method::GET, "/whoami", None).await.expect(200);
        self.clock.set(exp);
        token.reveal().to_owned()
    }

    /// A good token of each kind that opens no route, or none any more.
    async fn worthless(&self, forge: &Forge) -> Vec<Presented> {
        let world = self.world();
        let session = self.stage.running().await;
        let ticket = self.stage.ticket(session).await;
        let handle = SessionHandle::mint(world.acme.id, session, &SystemEntropy);
        let wanted = |name: &str| json!({ "name": name, "scopes": ["*:*"], "lifetime_seconds": 3600 });
        let revoked = world.post("/tokens", wanted("revoked")).await.expect(201);
        world.delete(&format!("/tokens/{}", revoked.id())).await.expect(204);
        let (ada, of_ada) = world.person("disabled@acme.com", &["OrgAdmin"]).await;
        let mut orphan = wanted("orphan");
        orphan["principal"] = json!(format!("user:{ada}"));
        let orphan = world.post("/tokens", orphan).await.expect(201);
        let (orphan, revoked) =
            (orphan.body["token"].as_str().unwrap(), revoked.body["token"].as_str().unwrap());
        world.as_of(orphan, Method::GET, "/whoami", None).await.expect(200);
        let record = world.loom.store().session(world.acme.id, session).await.unwrap().unwrap();
        let delegated = world.tokens.mint_delegated_claims(&record, MetaTool::ListOus).unwrap();
        self.stage.runtime.end_turn(session);
        self.stage.wait(session).await;
        world.patch(&format!("/users/{ada}"), json!({ "disabled": true })).await.expect(200);
        let short = json!({ "exp": self.seconds() + 60 });
        let kind = |typ: &str, of: &str, aud: String| {
            let mut claims = short.clone();
            (claims["type"], claims["aud"]) = (json!(of), json!(aud));
            forge.with(json!({ "typ": typ }), claims)
        };
        let own = world.tokens.issuer();
        vec![
            bearer("a ticket of a stream", ticket),
            bearer("a session's handle", handle.bearer().expose_str().unwrap()),
            bearer("a token of a session that has ended", delegated.reveal()),
            bearer("a revoked API token", revoked),
            bearer("an API token whose owner is disabled", orphan),
            bearer("an API token with another ending", format!("{orphan}x")),
            bearer("a token of a disabled user", of_ada),
            bearer("an exchanged token", kind("exchanged+jwt", "exchanged", format!("{own}#exchanged"))),
            bearer("an exchanged token for us", kind("exchanged+jwt", "exchanged", own.to_owned())),
            bearer("a delegation token", kind("delegation+jwt", "delegation", "delegation".to_owned())),
            bearer(
                "a delegated token of no session",
                kind("delegated+jwt", "delegated", format!("{own}#delegated")),
            ),
            bearer("a key of the runtime", format!("sk-ant-api03-{}", "A".repeat(95))),
        ]
    }

    fn seconds(&self) -> u64 {
        u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap()
    }

    /// Signed tokens that are not as ours are.
    fn forged(&self, forge: &Forge) -> Vec<Presented> {
        let world = self.world();
        let jwks = serde_json::to_value(world.tokens.jwks()).unwrap();
        let jwk = jwks["keys"][0].clone();
        let x = jwk["x"].as_str().unwrap();
        let own = URL_SAFE_NO_PAD.decode(x).unwrap();
        let (good, none) = (forge.good(), json!({}));
        let cut = good.rsplit_once('.').unwrap().0;
        let mut all = vec![
            bearer("alg none", forge.unsigned()),
            bearer("alg none, signed", forge.with(json!({ "alg": "none" }), none.clone())),
            bearer("the public key as a secret", forge.shared(&own)),
            bearer("the public key's text as a secret", forge.shared(x.as_bytes())),
            bearer("the JWK as a secret", forge.shared(jwk.to_string().as_bytes())),
            bearer("an empty secret", forge.shared(b"")),
            bearer("HS256 by name", forge.with(json!({ "alg": "HS256" }), none.clone())),
            bearer("another key, by its own name", forge.by_another(json!({ "kid": "mine" }))),
            bearer("another key, by our name", forge.by_another(none.clone())),
            bearer("a kid that is a path", forge.with(json!({ "kid": "../../dev/null" }), none.clone())),
            bearer("no kid", forge.with(json!({ "kid": null }), none.clone())),
            bearer("no signature", cut),
            bearer("an empty signature", format!("{cut}.")),
            bearer("a byte more", format!("{good}x")),
            bearer("a part more", format!("{good}.x")),
            bearer("padding", format!("{good}==")),
            bearer("a word more", format!("{good} {good}")),
            bearer("10 kB", "x".repeat(10_000)),
            bearer(
                "10 kB that are signed",
                forge.with(none.clone(), json!({ "filler": "x".repeat(10_000) })),
            ),
            bearer("no token", "token"),
        ];
        for members in [
            json!({ "jwk": jwk }),
            json!({ "jku": "http://127.0.0.1:1/jwks" }),
            json!({ "x5u": "http://127.0.0.1:1/cert" }),
            json!({ "x5c": ["AAAA"] }),
            json!({ "crit": ["exp"] }),
            json!({ "crit": ["b64"], "b64": false }),
            json!({ "b64": true }),
            json!({ "typ": "JWT" }),
        ] {
            all.push(bearer(
                &format!("signed by us, with {members}"),
                forge.with(members.clone(), none.clone()),
            ));
            all.push(bearer(&format!("signed by another, with {members}"), forge.by_another(members)));
        }
        let now = self.seconds();
        for claims in [
            json!({ "iss": "https://example.com" }),
            json!({ "iss": format!("{}/", world.tokens.issuer()) }),
            json!({ "aud": "https://example.com" }),
            json!({ "aud": [world.tokens.issuer()] }),
            json!({ "aud": null }),
            json!({ "org": world.other.id }),
            json!({ "org": "00000000-0000-7000-8000-0000000000ff" }),
            json!({ "sub": world.other.admin }),
            json!({ "sub": format!("user:{}", world.acme.admin) }),
            json!({ "type": "delegated" }),
            json!({ "exp": now, "iat": now - 300, "nbf": now - 300 }),
            json!({ "exp": null }),
            json!({ "exp": now + 3601 }),
            json!({ "iat": now + 1, "nbf": now + 1 }),
        ] {
            all.push(bearer(&format!("signed by us, with {claims}"), forge.with(none.clone(), claims)));
        }
        all
    }
}

#[tokio::test]
async fn a_token_that_is_none_opens_nothing_and_is_refused_with_the_same_words() {
    let house = House::new().await;
    let expired = house.expired().await;
    let forge = Forge::of(&house);
    let mut all = house.worthless(&forge).await;
    all.push(bearer("a token that ends now", expired));
    all.extend(house.forged(&Forge::of(&house)));
    let whoami = house.rows.iter().find(|row| row.operation == "GET /whoami").unwrap();
    house.present(whoami, &[format!("Bearer {}", forge.good())]).await.expect(200);
    let before = house.print().await;
    for operation in SOME {
        let row = house.rows.iter().find(|row| row.operation == operation).unwrap();
        for (what, headers) in &all {
            let refused = house.present(row, headers).await;
            assert_eq!(refused.status, 401, "{operation}, {what}: {}", refused.text);
            assert_eq!(refused.header("www-authenticate"), "Bearer");
            assert_eq!(refused.text, INVALID, "{operation}, {what}");
        }
        // What does not even present a token is told how to.
        let good = format!("Bearer {}", forge.good());
        for headers in [
            vec![],
            vec!["Bearer".to_owned()],
            vec!["Bearer ".to_owned()],
            vec!["Basic YWRtaW46YWRtaW4=".to_owned()],
            vec![good.clone(), good.clone()],
            vec![good.clone(), "Bearer x".to_owned()],
            vec![good.trim_start_matches("Bearer ").to_owned()],
        ] {
            let refused = house.present(row, &headers).await.expect(401);
            assert_eq!(
                (refused.text.as_str(), refused.header("www-authenticate")),
                (ABSENT, "Bearer"),
                "{headers:?}"
            );
        }
    }
    assert_eq!(house.print().await, before);
}

const INVALID: &str =
    "{\"error\":{\"code\":\"unauthenticated\",\"detail\":null,\"message\":\"the token is not valid\"}}";
const ABSENT: &str = "{\"error\":{\"code\":\"unauthenticated\",\"detail\":null,\
     \"message\":\"say who you are: `Authorization: Bearer <token>`\"}}";

/// The few that are the most common mistakes, on every operation there is.
#[tokio::test]
async fn no_operation_takes_a_token_that_is_unsigned_expired_or_a_ticket() {
    let house = House::new().await;
    let expired = house.expired().await;
    let ticket = house.stage.ticket(house.stage.running().await).await;
    let unsigned = Forge::of(&house).unsigned();
    let before = house.print().await;
    let open = ["GET /healthz", "GET /readyz", "GET /.well-known/jwks.json"];
    for row in house.plain().filter(|row| !open.contains(&row.operation.as_str())) {
        for token in [&unsigned, &expired, &ticket] {
            let refused = house.present(row, &[format!("Bearer {token}")]).await;
            assert_eq!((refused.status, refused.text.as_str()), (401, INVALID), "{}", row.operation);
        }
    }
    for token in [&unsigned, &expired, &ticket] {
        let refused = house.watch(token, &house.stream().path).await;
        assert_eq!((refused.status, refused.body.to_string().as_str()), (401, INVALID));
    }
    assert!(house.rows.iter().filter(|row| row.does == Does::Changes).count() > 50);
    assert_eq!(house.print().await, before);
}

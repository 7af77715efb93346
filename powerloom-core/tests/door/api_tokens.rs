//! API tokens through the door (sem. 2.10, "Personal tokens").

use crate::access_tokens::{MINUTE, refused};
use crate::world::{World, code, denied, kind, world};
use powerloom_core::clock::Timestamp;
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::Result;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::principal::Principal;
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::store::RecordQuery;
use powerloom_core::token::{
    ApiSecret, ApiTokenCreation, ApiTokenRequest, ApiTokenText, Expiry, MetaTool, NewApiToken, TokenService,
    USUAL_LIFETIME,
};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn request(w: &World, principal: &Principal, name: &str, scopes: &[&str]) -> ApiTokenRequest {
    ApiTokenRequest {
        principal: principal.clone(),
        name: name.to_owned(),
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        expires: (w.cp.clock().now() + DAY).into(),
    }
}

/// A token of the caller's own that may do what the caller may.
pub(crate) async fn create(w: &World, tokens: &TokenService, caller: &Caller, name: &str) -> NewApiToken {
    tokens.create_api_token(caller, request(w, &caller.principal, name, &["*:*"])).await.unwrap()
}

async fn try_for(
    w: &World,
    tokens: &TokenService,
    caller: &Caller,
    principal: &Principal,
    scopes: &[&str],
) -> Result<Outcome> {
    tokens.create_api_token(caller, request(w, principal, "ci", scopes)).await.map(|new| new.outcome)
}

async fn revoke(w: &World, caller: &Caller, token: ResourceId) -> Result<Outcome> {
    w.cp.submit(caller, Action::RevokeApiToken { token }).await
}

async fn token_row(w: &World, token: ResourceId) -> RecordRow {
    w.row(&ResourceKey { kind: kind("ApiToken"), id: token }).await
}

#[tokio::test]
async fn an_api_token_is_its_principal_within_its_scopes() {
    let w = world().await;
    let tokens = w.tokens();
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", w.root()).await;
    let wanted = request(&w, &as_ada.principal, "laptop", &["agent:read", "ou:*"]);
    let new = tokens.create_api_token(&as_ada, wanted).await.unwrap();
    let caller = tokens.authenticate(&new.text.reveal()).await.unwrap();
    let scopes = PermissionSet::of_resource("ou").union(PermissionSet::of(&[Permission::AGENT_READ]));
    assert_eq!(caller, as_ada.clone().by(TokenKind::Api).narrowed(scopes));
    assert!(w.cp.decide(&caller, Permission::AGENT_READ, w.root()).await.unwrap().is_allowed());
    let spec = w.agent_spec();
    denied(w.try_create(&caller, "Agent", Some(w.root()), Some("beyond-scope"), spec).await);
    denied(w.try_create(&caller, "OU", Some(w.root()), Some("beyond-ada"), json!({})).await);
}

/// The secret is shown once and kept nowhere: not in the answer, the trail, the record, or the files.
#[tokio::test]
async fn the_secret_is_kept_nowhere() {
    let w = world().await;
    let tokens = w.tokens();
    let new = create(&w, &tokens, &w.admin, "ci").await;
    let text = new.text.reveal();
    let secret = text.rsplit_once('.').unwrap().1;
    let mut seen = serde_json::to_string(&new.outcome).unwrap() + &format!("{new:?}");
    for entry in w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap() {
        seen += &format!("{entry:?} {:?}", entry.change());
    }
    seen += &format!("{:?}", token_row(&w, new.text.token).await);
    assert!(seen.contains("ApiToken") && !seen.contains(secret));
    let digest = new.text.secret().digest(w.org.id, new.text.token).to_string();
    assert!(!format!("{:?}", w.trail().await).contains(&digest));
    assert!(!w.dump().windows(secret.len()).any(|window| window == secret.as_bytes()));
    tokens.authenticate(&text).await.unwrap();
}

/// What is kept under an idempotency key is the answer of the door, which never saw the secret.
#[tokio::test]
async fn a_repeated_creation_answers_the_same_without_the_secret() {
    let w = world().await;
    let (token, secret) =
        (ResourceId::generate(w.cp.clock().now(), &SystemEntropy), ApiSecret::generate(&SystemEntropy));
    let action = Action::CreateApiToken {
        token,
        principal: w.admin.principal.clone(),
        name: "ci".to_owned(),
        scopes: vec!["*:*".parse().unwrap()],
        expires_at: w.cp.clock().now() + DAY,
        digest: secret.digest(w.org.id, token),
    };
    let options = SubmitOptions::default().idempotency_key("k");
    let first = w.cp.submit_with(&w.admin, action.clone(), &options).await.unwrap();
    let again = w.cp.submit_with(&w.admin, action.clone(), &options).await.unwrap();
    assert_eq!(first.record(), again.record());
    assert_eq!(code(w.cp.submit(&w.admin, action).await), "name_taken");
    w.tokens().authenticate(&ApiTokenText::new(w.org.id, token, secret).reveal()).await.unwrap();
}

/// Sem. 2.14: the same key makes no second token, and shows no secret that opens nothing.
#[tokio::test]
async fn a_creation_asked_for_again_tells_which_token_it_was_and_has_no_text() {
    let w = world().await;
    let tokens = w.tokens();
    let options = SubmitOptions::default().idempotency_key("k");
    let wanted = |lifetime| ApiTokenRequest {
        expires: Expiry::After(lifetime),
        ..request(&w, &w.admin.principal, "ci", &["agent:read"])
    };
    let first = tokens.create_api_token_with(&w.admin, wanted(DAY), &options).await.unwrap();
    let ApiTokenCreation::New(new) = first else { panic!("{first:?}") };
    let rows = w.trail().await.len();
    // Later, so that the moment of its end would be another one.
    w.clock.advance(Duration::from_secs(5));
    let again = tokens.create_api_token_with(&w.admin, wanted(DAY), &options).await.unwrap();
    let ApiTokenCreation::Repeated(outcome) = again else { panic!("{again:?}") };
    assert_eq!(outcome.record(), new.outcome.record());
    assert_eq!(w.trail().await.len(), rows);
    tokens.authenticate(&new.text.reveal()).await.unwrap();
    let other = tokens.create_api_token_with(&w.admin, wanted(2 * DAY), &options).await;
    assert_eq!(other.unwrap_err().code(), "idempotency_mismatch");
}

#[tokio::test]
async fn a_token_ends_after_a_month_unless_its_maker_says_otherwise() {
    let w = world().await;
    let wanted =
        ApiTokenRequest { expires: Expiry::Usual, ..request(&w, &w.admin.principal, "ci", &["agent:read"]) };
    let new = w.tokens().create_api_token(&w.admin, wanted).await.unwrap();
    let ends = json!(w.cp.clock().now() + USUAL_LIFETIME);
    assert_eq!(new.outcome.record().unwrap().spec["expires_at"], ends);
}

/// One's own and those one may read; a token whose scopes leave `token:read` out sees none.
#[tokio::test]
async fn everybody_sees_their_own_tokens_and_those_they_may_read() {
    let w = world().await;
    let tokens = w.tokens();
    let (_, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let (_, as_grace) = w.user(w.root(), "grace@acme.com").await;
    let of_ada = create(&w, &tokens, &as_ada, "laptop").await.text;
    let of_grace = create(&w, &tokens, &as_grace, "laptop").await.text;
    let all = RecordQuery::default();
    let seen = async |caller: &Caller, query: &RecordQuery| -> Vec<ResourceId> {
        let found = tokens.api_tokens(caller, query).await.unwrap();
        found.into_iter().map(|token| token.meta.id).collect()
    };
    assert_eq!(seen(&as_ada, &all).await, [of_ada.token]);
    assert_eq!(seen(&w.admin, &all).await.len(), 2);
    assert_eq!(tokens.api_token(&as_ada, of_ada.token).await.unwrap().spec.name, "laptop");
    let others = tokens.api_token(&as_ada, of_grace.token).await.unwrap_err();
    assert_eq!(others.code(), "denied");
    let narrow = as_ada.clone().by(TokenKind::Api).narrowed(PermissionSet::of(&[Permission::AGENT_READ]));
    assert!(seen(&narrow, &all).await.is_empty());
    // Page by page, and revoked ones only if they are asked for.
    let one = seen(&w.admin, &RecordQuery { limit: 1, ..all.clone() }).await;
    assert_eq!(one.len(), 1);
    revoke(&w, &as_ada, of_ada.token).await.unwrap();
    assert!(seen(&as_ada, &all).await.is_empty());
    assert_eq!(seen(&as_ada, &RecordQuery { archived: true, ..all }).await, [of_ada.token]);
}

/// One's own, in person: neither out of a session nor by a token that could outlive itself so.
#[tokio::test]
async fn only_a_person_makes_a_token_of_their_own() {
    let w = world().await;
    let tokens = w.tokens();
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let mine = &as_ada.principal;
    let access = tokens.mint_access(w.org.id, ada, MINUTE).await.unwrap();
    let in_person = tokens.authenticate(access.reveal()).await.unwrap();
    let new = create(&w, &tokens, &in_person, "laptop").await;
    let by_token = tokens.authenticate(&new.text.reveal()).await.unwrap();
    denied(try_for(&w, &tokens, &by_token, mine, &["agent:read"]).await);
    let session = powerloom_core::id::SessionId::from_uuid(Uuid::from_u128(5));
    for tool in MetaTool::ALL {
        let out_of_session = as_ada.clone().delegated(session, tool.permissions());
        denied(try_for(&w, &tokens, &out_of_session, mine, &["agent:read"]).await);
        denied(revoke(&w, &out_of_session, new.text.token).await);
    }
    let agent = w.agent(w.root(), "builder").await;
    let as_agent = Caller::agent(w.org.id, agent.meta.id, session);
    denied(try_for(&w, &tokens, &as_agent, mine, &["agent:read"]).await);
    denied(revoke(&w, &w.user(w.root(), "grace@acme.com").await.1, new.text.token).await);
    let admin_token = create(&w, &tokens, &w.admin, "admin").await.text.reveal();
    let by_admin_token = tokens.authenticate(&admin_token).await.unwrap();
    denied(try_for(&w, &tokens, &by_admin_token, mine, &["agent:read"]).await);
    revoke(&w, &by_admin_token, new.text.token).await.unwrap();
}

/// Sem. 2.2.6: a token for somebody else is a gift to oneself.
#[tokio::test]
async fn a_token_for_others_gives_nothing_its_maker_does_not_hold() {
    let w = world().await;
    let tokens = w.tokens();
    let people = w.ou(w.root(), "people").await;
    let (_, as_ada) = w.user(people, "ada@acme.com").await;
    let (_, as_grace) = w.holder(w.root(), "grace", &["token:create", "token:revoke", "agent:read"]).await;
    let (_, as_eve) = w.user(people, "eve@acme.com").await;
    let theirs = &as_ada.principal;
    denied(try_for(&w, &tokens, &as_eve, theirs, &["agent:read"]).await);
    assert!(denied(try_for(&w, &tokens, &as_grace, theirs, &["agent:*"]).await).contains("agent:create"));
    assert!(
        denied(try_for(&w, &tokens, &as_grace, &w.admin.principal, &["*:*"]).await).contains("organization")
    );
    let made = try_for(&w, &tokens, &as_grace, theirs, &["agent:read"]).await.unwrap();
    let row = made.record().unwrap();
    assert_eq!(row.meta.ou, people, "it lives where its principal does");
    denied(revoke(&w, &as_eve, row.meta.id).await);
    revoke(&w, &as_grace, row.meta.id).await.unwrap();
    assert!(matches!(revoke(&w, &as_ada, row.meta.id).await.unwrap(), Outcome::Unchanged { .. }));
}

#[tokio::test]
async fn a_program_of_the_organization_has_tokens_too() {
    let w = world().await;
    let tokens = w.tokens();
    let ci = Principal::Service("ci".parse().unwrap());
    w.bind(&ci, "AgentViewer", w.root()).await;
    let wanted = request(&w, &ci, "github", &["agent:*"]);
    let new = tokens.create_api_token(&w.admin, wanted).await.unwrap();
    let caller = tokens.authenticate(&new.text.reveal()).await.unwrap();
    assert_eq!((&caller.principal, caller.token), (&ci, TokenKind::Api));
    assert!(w.cp.decide(&caller, Permission::AGENT_READ, w.root()).await.unwrap().is_allowed());
    assert!(!w.cp.decide(&caller, Permission::AGENT_CREATE, w.root()).await.unwrap().is_allowed());
    for nobody in [Principal::Ou(w.root()), Principal::Agent(w.root()), Principal::Group(w.root())] {
        assert_eq!(code(try_for(&w, &tokens, &w.admin, &nobody, &["agent:read"]).await), "invalid");
    }
}

/// T4: exact at the second, and never longer than the organization's bound.
#[tokio::test]
async fn an_api_token_ends() {
    let w = world().await;
    let tokens = w.tokens();
    let now = w.cp.clock().now();
    for expires_at in
        [now, now - DAY, now + 90 * DAY + Duration::from_micros(1), Timestamp::from_micros(i64::MAX)]
    {
        let wanted = ApiTokenRequest {
            expires: expires_at.into(),
            ..request(&w, &w.admin.principal, "ci", &["agent:read"])
        };
        let error = tokens.create_api_token(&w.admin, wanted).await.unwrap_err();
        assert_eq!(error.code(), "invalid", "{expires_at}");
    }
    let wanted = ApiTokenRequest {
        expires: Expiry::After(90 * DAY),
        ..request(&w, &w.admin.principal, "ci", &["agent:read"])
    };
    let text = tokens.create_api_token(&w.admin, wanted).await.unwrap().text.reveal();
    w.clock.advance(90 * DAY - Duration::from_micros(1));
    tokens.authenticate(&text).await.unwrap();
    w.clock.advance(Duration::from_micros(1));
    assert_eq!(refused(&tokens, &text).await.1, "token_expired");
}

/// Unknown, revoked, expired, of a wrong secret, of a foreign organization: one answer.
#[tokio::test]
async fn every_bad_api_token_reads_the_same() {
    let w = world().await;
    let tokens = w.tokens();
    let other =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    let good = create(&w, &tokens, &w.admin, "good").await.text;
    let revoked = create(&w, &tokens, &w.admin, "revoked").await.text;
    revoke(&w, &w.admin, revoked.token).await.unwrap();
    let unknown = ResourceId::generate(w.cp.clock().now(), &SystemEntropy);
    let other_secret = || ApiSecret::generate(&SystemEntropy);
    let texts = [
        ApiTokenText::new(w.org.id, unknown, good.secret().clone()),
        ApiTokenText::new(other.id, good.token, good.secret().clone()),
        ApiTokenText::new(OrgId::from_uuid(Uuid::nil()), good.token, good.secret().clone()),
        ApiTokenText::new(w.org.id, good.token, other_secret()),
        ApiTokenText::new(w.org.id, good.token, revoked.secret().clone()),
        ApiTokenText::new(w.org.id, revoked.token, other_secret()),
        ApiTokenText::new(w.org.id, w.org.admin, other_secret()),
    ];
    let mut answers = Vec::new();
    for text in &texts {
        let (answer, code) = refused(&tokens, &text.reveal()).await;
        assert_eq!(code, "token_unknown", "{text:?}");
        answers.push(answer);
    }
    let (answer, code) = refused(&tokens, &revoked.reveal()).await;
    assert_eq!(code, "token_revoked");
    answers.push(answer);
    tokens.authenticate(&good.reveal()).await.unwrap();
    w.clock.advance(DAY);
    let (answer, code) = refused(&tokens, &good.reveal()).await;
    assert_eq!(code, "token_expired");
    answers.push(answer);
    answers.push(refused(&tokens, "pat_").await.0);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// When it was used is known to the minute, is no change, and keeps nobody from revoking.
#[tokio::test]
async fn a_use_is_written_down_once_a_minute_and_not_audited() {
    let w = world().await;
    let tokens = w.tokens();
    let new = create(&w, &tokens, &w.admin, "ci").await.text;
    let rows = w.trail().await.len();
    let used = || async { token_row(&w, new.token).await.status["last_used_at"].clone() };
    assert!(used().await.is_null());
    let first = w.cp.clock().now();
    for advance in [0, 1, 59] {
        w.clock.advance(Duration::from_millis(advance * 999));
        tokens.authenticate(&new.reveal()).await.unwrap();
        assert_eq!(used().await, json!(first));
    }
    w.clock.advance(Duration::from_secs(1));
    let (one, two) = (new.reveal(), new.reveal());
    let (one, two) = tokio::join!(tokens.authenticate(&one), tokens.authenticate(&two));
    assert!(one.is_ok() && two.is_ok(), "two at once: one of them is not written down");
    assert_eq!(used().await, json!(w.cp.clock().now()));
    assert_eq!(w.trail().await.len(), rows);
    revoke(&w, &w.admin, new.token).await.unwrap();
    assert_eq!(refused(&tokens, &new.reveal()).await.1, "token_revoked");
    let verbs: Vec<String> = w.trail().await.into_iter().map(|row| row.1).collect();
    assert!(verbs.contains(&"api_token.create".to_owned()) && verbs.contains(&"api_token.revoke".to_owned()));
    w.verify().await;
}

#[tokio::test]
async fn a_token_goes_with_its_user_and_its_name_is_free_again() {
    let w = world().await;
    let tokens = w.tokens();
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let first = create(&w, &tokens, &as_ada, "laptop").await.text;
    let twice = tokens.create_api_token(&as_ada, request(&w, &as_ada.principal, "laptop", &["*:*"])).await;
    assert_eq!(twice.unwrap_err().code(), "name_taken");
    revoke(&w, &as_ada, first.token).await.unwrap();
    let second = create(&w, &tokens, &as_ada, "laptop").await.text;

    let user = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    w.update(&w.admin, &user, json!({ "disabled": true })).await.unwrap();
    assert_eq!(refused(&tokens, &second.reveal()).await.1, "token_user_gone");
    denied(
        tokens
            .create_api_token(&as_ada, request(&w, &as_ada.principal, "x", &["*:*"]))
            .await
            .map(|new| new.outcome),
    );
    w.archive(&w.admin, &user.key()).await.unwrap();
    assert!(!token_row(&w, second.token).await.is_live());
    assert_eq!(refused(&tokens, &second.reveal()).await.1, "token_revoked");
}

#[tokio::test]
async fn a_token_is_neither_declared_nor_changed_by_hand() {
    let w = world().await;
    let tokens = w.tokens();
    assert_eq!(code(w.try_create(&w.admin, "ApiToken", None, None, json!({})).await), "invalid");
    let row = token_row(&w, create(&w, &tokens, &w.admin, "ci").await.text.token).await;
    assert_eq!(code(w.update(&w.admin, &row, json!({ "scopes": ["*:*"] })).await), "invalid");
    for (name, scopes) in [("", &["*:*"][..]), ("a\nb", &["*:*"]), (&"x".repeat(64), &["*:*"]), ("x", &[])] {
        let refused = tokens.create_api_token(&w.admin, request(&w, &w.admin.principal, name, scopes)).await;
        assert_eq!(refused.unwrap_err().code(), "invalid", "{name}");
    }
}

//! Every change there is, as a face sends it.

use crate::held::{held, object, words};
use crate::world::world;
use powerloom_core::approval::{ApprovalId, Ballot};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::TokenKind;
use powerloom_core::door::mutation::{Action, Mutation, UploadedFile};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::manifest::{ParseMode, Through, parse};
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::agent::Agent;
use powerloom_core::session::record::InvokeMode;
use powerloom_core::token::MetaTool;
use serde_json::json;
use uuid::Uuid;

/// With every optional field, and without.
#[tokio::test]
async fn every_action_is_as_its_schema_says() {
    let w = world().await;
    let text = "{kind: Group, metadata: {name: team, ou_path: /acme}}";
    let parsed = parse("team.yaml", text, ParseMode::Lenient, w.cp.catalogue()).unwrap();
    let plan = Through::new(&w.cp, &w.admin).plan(parsed.documents).await.unwrap();
    let id = |n| ResourceId::from_uuid(Uuid::from_u128(n));
    let (kind, target, spec) =
        (crate::world::kind("Agent"), ResourceKey::of::<Agent>(id(1)), object(json!({ "a": [1] })));
    let (request, session, at) =
        (ApprovalId::of(id(2)), SessionId::from_uuid(Uuid::from_u128(3)), Timestamp::default());
    let file = UploadedFile { path: "SKILL.md".to_owned(), executable: true, content: vec![0, 255] };
    let some = |text: &str| Some(text.to_owned());
    let actions = vec![
        Action::Create { kind: kind.clone(), ou: Some(id(1)), name: some("a"), spec: spec.clone() },
        Action::Create { kind, ou: None, name: None, spec: spec.clone() },
        Action::Update { target: target.clone(), expect: Some(1), patch: spec.clone() },
        Action::Update { target: target.clone(), expect: None, patch: spec },
        Action::Archive { target: target.clone(), expect: Some(1) },
        Action::AttachSkill { agent: id(1), skill: id(2), version: Some(id(3)), expect: None },
        Action::DetachSkill { agent: id(1), skill: id(2), expect: None },
        Action::AttachMcpServer { agent: id(1), mcp_server: id(2), expect: None },
        Action::DetachMcpServer { agent: id(1), mcp_server: id(2), expect: None },
        Action::PublishSkillVersion { skill: id(1), files: vec![file] },
        Action::MoveOu { ou: id(1), to: id(2), expect: None },
        Action::RotateCredential { credential: id(1), expect: None },
        Action::RewrapSecrets {},
        Action::ResetSync { target },
        Action::Invoke {
            agent: id(1),
            prompt: "How many?".to_owned(),
            mode: InvokeMode::Sync,
            title: some("Orders"),
            timeout_seconds: Some(60),
        },
        Action::CancelSession { session },
        Action::CreateApiToken {
            token: id(1),
            principal: "service:ci".parse().unwrap(),
            name: "ci".to_owned(),
            scopes: vec!["*:*".parse().unwrap(), "agent:*".parse().unwrap(), "skill:use".parse().unwrap()],
            expires_at: at,
            digest: Digest::ZERO,
        },
        Action::RevokeApiToken { token: id(1) },
        Action::EraseAuditPayload { seq: 7 },
        Action::SubmitPlan { plan: Box::new(plan), justification: some("asked for") },
        Action::Vote {
            request,
            ballot: Ballot::Approve,
            payload_hash: Digest::ZERO,
            comment: some("fine"),
            requirements: vec![id(1)],
        },
        Action::CancelApproval { request, reason: some("not needed") },
        Action::GrantConsent {
            ou: id(1),
            verbs: vec!["agent.create".to_owned()],
            uses: 1,
            expires_at: at,
            delegated: true,
        },
        Action::RevokeConsent { consent: id(1) },
    ];
    let mut seen: Vec<String> = actions
        .into_iter()
        .map(|action| held(&Mutation::from(action))["action"].as_str().unwrap().to_owned())
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, words("Action", "action"), "one of each");
}

/// The words of the plain enums are those that are written.
#[test]
fn closed_lists_of_words_are_complete() {
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    let kinds = ErrorKind::ALL.map(|kind| held(&kind).as_str().unwrap().to_owned());
    assert_eq!(words("ErrorKind", ""), sorted(kinds.to_vec()));
    let tools = MetaTool::ALL.map(|tool| held(&tool).as_str().unwrap().to_owned());
    assert_eq!(words("MetaTool", ""), sorted(tools.to_vec()));
    for token in [TokenKind::Embedded, TokenKind::Access, TokenKind::Delegated, TokenKind::Api] {
        held(&token);
    }
}

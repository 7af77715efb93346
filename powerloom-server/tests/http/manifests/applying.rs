//! Plans through the door: at once, under an approval, for a reason, once.

use crate::manifests::{apply, declare, plan, results, skills, under};
use crate::world::World;
use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::gate::{Gate, Proposal, Verdict};
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::Result as CoreResult;
use powerloom_core::manifest::{ParseMode, Through, parse};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_server::{Config, router};
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Sem. 2.8: a plan says whom it will ask, a step waits, and a plan that was approved as a whole asks nobody again.
#[tokio::test]
async fn a_governed_plan_shows_whom_it_asks_and_is_applied_under_its_approval() {
    let world = World::start().await;
    let (grace, _) = world.person("grace@acme.com", &["Approver"]).await;
    declare(&world, "{kind: ApprovalPolicy, metadata: {name: ask, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, approvers: ['role:Approver']}}").await;
    let text =
        format!("{{kind: OU, metadata: {{name: eng, ou_path: /acme}}}}\n---\n{}", skills(&["lint", "test"]));
    let planned = plan(&world, &text).await;
    assert_eq!(planned["plan"]["steps"][1]["governance"]["asks"][0]["policy"], "ask", "{planned}");
    assert!(planned["text"].as_str().unwrap().contains("ask"), "{}", planned["text"]);

    let body = json!({ "plan": planned["plan"], "justification": "we grow" });
    let waiting = world.post("/manifests/submit", body.clone()).await.expect(202);
    let id = waiting.body["request_id"].as_str().unwrap().to_owned();
    assert_eq!(waiting.header("location"), format!("/approvals/{id}"));
    assert!(waiting.body["message"].as_str().unwrap().contains("apply the plan under"), "{}", waiting.text);
    let same = world.post("/manifests/submit", body).await.expect(202);
    assert_eq!(same.body["request_id"], id.as_str(), "the same plan again is the same request");

    let early = json!({ "plan": planned["plan"], "under": id });
    let refused = world.post("/manifests/apply", early.clone()).await.expect(200).body;
    assert!(refused["lines"][0]["message"].as_str().unwrap().contains("is not approved"), "{refused}");

    let approver = Caller::user(world.acme.id, grace);
    let digest = planned["digest"].as_str().unwrap().parse().unwrap();
    world.loom.approvals(&approver).approve(id.parse().unwrap(), digest, None).await.unwrap();
    let applied =
        under(&world, "/manifests/apply", ("powerloom-under-plan", &id), json!({ "plan": planned["plan"] }))
            .await;
    assert_eq!(applied.expect(200).body["is_complete"], true);
    let twice = world.post("/manifests/apply", early).await.expect(200).body;
    assert_eq!(twice["is_complete"], false, "each step is made once: {twice}");

    // Without an approval each step waits for its own.
    let next = plan(&world, &skills(&["a", "b"])).await;
    let report = apply(&world, &next["plan"]).await.expect(200).body;
    assert_eq!(results(&report), ["pending_approval", "pending_approval"]);
    let requests: Vec<_> =
        report["lines"].as_array().unwrap().iter().map(|line| &line["request_id"]).collect();
    assert_ne!(requests[0], requests[1]);
    assert!(requests.iter().all(|request| request.as_str().unwrap().starts_with("req_")), "{report}");
    let free = plan(&world, "{kind: OU, metadata: {name: ops, ou_path: /acme}}").await;
    let refused = world.post("/manifests/submit", json!({ "plan": free["plan"] })).await.expect(409);
    assert_eq!(refused.code(), "nothing_to_approve");
}

/// Row P97: a policy that wants a reason lets a step past that has one.
#[tokio::test]
async fn a_reason_in_the_header_is_given_for_every_step() {
    let world = World::start().await;
    declare(&world, "{kind: ApprovalPolicy, metadata: {name: say-why, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, mode: require_justification}}").await;
    let planned = plan(&world, &skills(&["lint", "test"])).await;
    let silent = apply(&world, &planned["plan"]).await.expect(200).body;
    assert_eq!(results(&silent), ["failed", "failed"]);
    let body = json!({ "plan": planned["plan"] });
    let why = ("powerloom-justification", "f%C3%BCr%20das%20Team");
    let done = under(&world, "/manifests/apply", why, body).await.expect(200);
    assert_eq!(done.body["is_complete"], true, "{}", done.text);
    let trail = world.get("/audit?verb=skill.create").await.expect(200);
    assert_eq!(trail.text.matches("für das Team").count(), 2, "{}", trail.text);
}

/// Sem. 2.14: whoever lost the answer asks again; the key is for this plan alone.
#[tokio::test]
async fn an_application_with_a_key_is_answered_once() {
    let world = World::start().await;
    let planned = plan(&world, &skills(&["lint", "test"])).await;
    let body = json!({ "plan": planned["plan"] });
    let key = ("idempotency-key", "deploy-42");
    let first = under(&world, "/manifests/apply", key, body.clone()).await.expect(200);
    assert_eq!(under(&world, "/manifests/apply", key, body).await.expect(200).body, first.body);
    let other = plan(&world, &skills(&["other"])).await;
    let refused = under(&world, "/manifests/apply", key, json!({ "plan": other["plan"] })).await.expect(409);
    assert_eq!(refused.code(), "idempotency_mismatch");
    assert_eq!(plan(&world, &skills(&["other"])).await["is_noop"], false);
}

/// Lets one change through for each permit.
#[derive(Debug)]
struct Turnstile {
    waiting: Semaphore,
    open: Semaphore,
}

#[async_trait]
impl Gate for Turnstile {
    async fn judge(&self, proposal: &Proposal<'_>) -> CoreResult<Verdict> {
        if proposal.kind.as_str() == "Skill" {
            self.waiting.add_permits(1);
            self.open.acquire().await.unwrap().forget();
        }
        Ok(Verdict::Open)
    }
}

/// Whoever started an application and vanished has started all of it: no step is half done, and none is left out.
#[tokio::test]
async fn an_application_goes_on_when_its_client_is_gone() {
    let turnstile = Arc::new(Turnstile { waiting: Semaphore::new(0), open: Semaphore::new(0) });
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = ControlPlane::builder(store).gate(turnstile.clone()).build();
    let world = World::over(loom, |config| config).await;
    let names: Vec<String> = (0..20).map(|n| format!("skill-{n}")).collect();
    let text = skills(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let planned = plan(&world, &text).await;

    let body = json!({ "plan": planned["plan"] });
    let request = world.request(Method::POST, "/manifests/apply").bearer_auth(&world.admin).json(&body);
    let client = tokio::spawn(request.send());
    turnstile.waiting.acquire().await.unwrap().forget();
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    for _ in 0..50 {
        // Time enough for the server to see that the connection is gone.
        world.get("/whoami").await.expect(200);
    }
    assert_eq!(plan(&world, &text).await["plan"]["steps"][0]["verb"], "create", "not one is made yet");

    turnstile.open.add_permits(20);
    let rest = turnstile.waiting.acquire_many(19);
    tokio::time::timeout(Duration::from_secs(20), rest)
        .await
        .expect("the other steps are tried")
        .unwrap()
        .forget();
    while plan(&world, &text).await["is_noop"] == false {
        tokio::task::yield_now().await;
    }
    let verified = world.post("/audit/verify", json!({})).await.expect(200).body;
    assert_eq!(verified["ok"], true, "{verified}");
    let made = world.get("/audit?verb=skill.create").await.expect(200).body;
    assert_eq!(made["items"].as_array().unwrap().len(), 20, "each was made once, with its entry");
}

/// No step is begun once the server is about to end, and whoever serves the router can wait for the one under way.
#[tokio::test]
async fn an_application_stops_between_its_steps_when_the_server_is_about_to_end() {
    let turnstile = Arc::new(Turnstile { waiting: Semaphore::new(0), open: Semaphore::new(0) });
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = ControlPlane::builder(store).gate(turnstile.clone()).build();
    let mut work = None;
    let world = World::over(loom, |config| {
        work = Some(config.work.clone());
        config
    })
    .await;
    let work = work.unwrap();
    let planned = plan(&world, &skills(&["a", "b", "c"])).await;
    let body = json!({ "plan": planned["plan"] });
    let request = world.request(Method::POST, "/manifests/apply").bearer_auth(&world.admin).json(&body);
    let client = tokio::spawn(request.send());
    turnstile.waiting.acquire().await.unwrap().forget();
    world.stopping.cancel();
    work.close();
    assert_eq!(work.len(), 1, "there is something to wait for");
    turnstile.open.add_permits(3);
    work.wait().await;

    let report: Value = client.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(results(&report), ["created", "failed", "failed"]);
    let last = &report["lines"][2];
    assert_eq!(last["kind"], "unavailable");
    assert!(last["message"].as_str().unwrap().contains("about to end"), "{report}");
    assert_eq!(turnstile.open.available_permits(), 2, "the others did not come to the gate");
}

/// Judges for ten minutes.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Gate for Slow {
    async fn judge(&self, proposal: &Proposal<'_>) -> CoreResult<Verdict> {
        if proposal.kind.as_str() == "Skill" {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Ok(Verdict::Open)
    }
}

/// Without a socket, so that nobody waits for the time that passes.
#[tokio::test(start_paused = true)]
async fn an_application_may_take_longer_than_other_requests() {
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = ControlPlane::builder(store).gate(Arc::new(Slow)).build();
    let acme = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
    let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
    let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
    let bearer = tokens.mint_access(acme.id, acme.admin, Duration::from_secs(900)).await.unwrap();
    let admin = acme.admin_caller();
    let documents =
        parse("a.yaml", &skills(&["lint"]), ParseMode::Lenient, loom.catalogue()).unwrap().documents;
    let plan = Through::new(&loom, &admin).plan(documents).await.unwrap();

    let request = Request::post("/manifests/apply")
        .header("authorization", format!("Bearer {}", bearer.reveal()))
        .body(Body::from(json!({ "plan": plan }).to_string()))
        .unwrap();
    let began = tokio::time::Instant::now();
    let response =
        router(loom, Config::new(tokens), CancellationToken::new()).oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), began.elapsed().as_secs()), (200, 600));
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let report: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(report["is_complete"], true, "{report}");
}

/// Panics once it is asked about a skill.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Gate for Broken {
    async fn judge(&self, proposal: &Proposal<'_>) -> CoreResult<Verdict> {
        assert!(proposal.kind.as_str() != "Skill", "a thing that cannot be");
        Ok(Verdict::Open)
    }
}

/// Keeps what the log says.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        *self.0.lock().unwrap() += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_application_that_panics_is_answered_and_told_in_the_log() {
    let log = Log::default();
    let _here = tracing::subscriber::set_default(log.clone());
    let store = powerloom_store::open("memory:").await.unwrap();
    let loom = ControlPlane::builder(store).gate(Arc::new(Broken)).build();
    let world = World::over(loom, |config| config).await;
    let planned = plan(&world, &skills(&["lint"])).await;
    let failed = apply(&world, &planned["plan"]).await.expect(500);
    assert_eq!(failed.code(), "internal");
    assert!(!failed.text.contains("cannot be"), "{}", failed.text);
    let told = log.0.lock().unwrap().clone();
    assert!(told.contains("a thing that cannot be") && told.contains("applying a plan panicked"), "{told}");
    world.get("/whoami").await.expect(200);
}

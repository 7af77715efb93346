//! Failures of the service, in the classes of the port (sem. 2.4).

use crate::world::{World, agent, push, runtime};
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::record::{KindName, ResourceKey};
use powerloom_core::resource::agent::Agent;
use powerloom_core::runtime::{Payload, Push, Runtime, RuntimeErrorClass};
use powerloom_runtime::emulator::{Fault, FaultRule};
use std::time::Duration;

fn support() -> Push {
    push::<Agent>(7, Payload::Agent(agent("support")))
}

#[tokio::test]
async fn too_many_calls_say_how_long_to_wait() {
    let world = World::start().await;
    world.emulator.faults().add(FaultRule::new("/v1/agents", Fault::rate_limit(7)).count(1));
    let error = world.runtime.push(&support()).await.unwrap_err();
    assert_eq!(error.class, RuntimeErrorClass::RateLimited { retry_after: Some(Duration::from_secs(7)) });
    assert_eq!((error.kind(), error.maybe_applied), (ErrorKind::RateLimited, false));
    assert!(error.to_string().starts_with("the runtime refused to create an agent: "), "{error}");
}

#[tokio::test]
async fn a_refused_key_fails_every_call_alike_and_is_not_shown() {
    let world = World::start().await;
    let stranger = runtime(&world.emulator, "sk-ant-bad");
    let push = support();
    let remote = world.put(&push).await;
    let errors = [
        stranger.push(&push).await.unwrap_err(),
        stranger.observe(&push.key, &remote, &push.payload, &push.placed).await.unwrap_err(),
        stranger.remove(&push.key, &remote).await.unwrap_err(),
        stranger.session("sesn_1").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.class, RuntimeErrorClass::AuthFailed);
        assert!(!format!("{error} {error:?}").contains("sk-ant-bad"));
    }
}

#[tokio::test]
async fn only_a_call_that_may_have_had_its_effect_says_so() {
    let world = World::start().await;
    for (fault, class, doubt) in [
        (Fault::status(400), RuntimeErrorClass::Permanent, false),
        (Fault::status(500), RuntimeErrorClass::Transient, true),
        (Fault::status(529), RuntimeErrorClass::Transient, true),
        (Fault::CutBefore, RuntimeErrorClass::Transient, true),
    ] {
        world.emulator.faults().add(FaultRule::new("/v1/agents", fault.clone()).count(1));
        let error = world.runtime.push(&support()).await.unwrap_err();
        assert_eq!((error.class, error.maybe_applied), (class, doubt), "{fault:?}");
    }
    assert!(world.live("agents").is_empty());
}

#[tokio::test]
async fn a_read_that_fails_is_no_observation() {
    let world = World::start().await;
    let push = support();
    let remote = world.put(&push).await;
    world.emulator.faults().add(FaultRule::new("/v1/agents/*", Fault::status(503)).count(1));
    let error = world.runtime.observe(&push.key, &remote, &push.payload, &push.placed).await.unwrap_err();
    assert_eq!((error.class, error.maybe_applied), (RuntimeErrorClass::Transient, false));
}

#[tokio::test]
async fn a_kind_of_the_embedders_own_is_refused() {
    let world = World::start().await;
    let mut push = push::<Agent>(7, Payload::Custom(serde_json::json!({})));
    push.key = ResourceKey { kind: KindName::known("Database"), id: push.key.id };
    let error = world.runtime.push(&push).await.unwrap_err();
    assert_eq!(error.class, RuntimeErrorClass::Permanent);
    assert!(error.to_string().contains("`Database`"), "{error}");
}

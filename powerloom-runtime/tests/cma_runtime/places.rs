//! Environments and vaults.

use crate::life::{check_life, check_lost_answer};
use crate::world::{World, environment, id, push, vault};
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::environment::Environment;
use powerloom_core::resource::vault::Vault;
use powerloom_core::runtime::{EnvironmentPayload, Payload, Push, Runtime, RuntimeErrorClass};
use powerloom_runtime::emulator::{Fault, FaultRule};
use serde_json::json;
use std::collections::BTreeMap;

fn limited() -> Push {
    let payload = EnvironmentPayload {
        allowed_hosts: Some(vec!["b.example.com".to_owned(), "*.a.example.com".to_owned()]),
        allow_mcp_servers: true,
        allow_package_managers: true,
        packages: BTreeMap::from([("pip".to_owned(), vec!["ruff".to_owned(), "mypy".to_owned()])]),
        ..environment("default")
    };
    push::<Environment>(2, Payload::Environment(payload))
}

/// Row P37.
#[tokio::test]
async fn an_environment_is_what_was_pushed_and_every_change_behind_our_back_is_drift() {
    let world = World::start().await;
    let edits = [
        ("/name", json!("other")),
        ("/config/networking", json!({"type": "unrestricted"})),
        ("/config/networking/allowed_hosts", json!([])),
        ("/config/networking/allow_mcp_servers", json!(false)),
        ("/config/packages/apt", json!(["nmap"])),
        ("/config/packages/pip", json!([])),
        ("/config/networking", json!({"type": "from_the_future"})),
        ("/metadata", json!({})),
    ];
    check_life(&world, &limited(), &Payload::Environment(environment("open")), &edits).await;
}

#[tokio::test]
async fn the_order_of_hosts_and_packages_means_nothing() {
    let world = World::start().await;
    let push = limited();
    let remote = world.put(&push).await;
    world.edit(&remote.id, "/config/networking/allowed_hosts", json!(["*.a.example.com", "b.example.com"]));
    world.edit(&remote.id, "/config/packages/pip", json!(["mypy", "ruff"]));
    assert_eq!(world.seen(&push, &remote).await, Some(push.payload));
}

#[tokio::test]
async fn an_environment_whose_answer_was_lost_is_found_and_not_doubled() {
    let world = World::start().await;
    let now = Payload::Environment(environment("open"));
    check_lost_answer(&world, &limited(), &now, "/v1/environments", "environments").await;
}

#[tokio::test]
async fn a_taken_name_is_ours_by_its_tag_or_a_permanent_failure() {
    let world = World::start().await;
    let taken = FaultRule::new("/v1/environments", Fault::status(409)).method("POST");
    let push = limited();
    world.emulator.faults().add(taken.clone());
    let refused = world.runtime.push(&push).await.unwrap_err();
    assert_eq!(refused.class, RuntimeErrorClass::Conflict, "nobody has the name: some other conflict");
    world.emulator.faults().clear();
    let stranger = world.put(&Push { key: ResourceKey::of::<Environment>(id(3)), ..limited() }).await;
    world.emulator.faults().add(taken.clone());
    let refused = world.runtime.push(&push).await.unwrap_err();
    assert_eq!(refused.class, RuntimeErrorClass::Permanent);
    assert!(refused.to_string().contains("the name `default` is taken"), "{refused}");
    world.emulator.faults().clear();
    let ours = world.put(&push).await;
    world.emulator.faults().add(taken);
    assert_eq!(world.put(&push).await, ours);
    assert_ne!(ours, stranger);
}

#[tokio::test]
async fn a_vault_is_what_was_pushed_and_every_change_behind_our_back_is_drift() {
    let world = World::start().await;
    let edits = [("/display_name", json!("other")), ("/metadata", json!({}))];
    check_life(&world, &push::<Vault>(300, vault("support")), &vault("renamed"), &edits).await;
}

#[tokio::test]
async fn a_vault_whose_answer_was_lost_is_found_and_not_doubled() {
    let world = World::start().await;
    check_lost_answer(&world, &push::<Vault>(300, vault("support")), &vault("b"), "/v1/vaults", "vaults")
        .await;
}

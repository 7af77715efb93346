//! Credentials.

use crate::life::{check_life, check_lost_answer};
use crate::world::{World, again, credential, push, vault};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::resource::vault::Vault;
use powerloom_core::runtime::{Payload, Push, Runtime, RuntimeErrorClass};
use serde_json::json;

const URL: &str = "https://orders.example.com/mcp";
const PATH: &str = "/v1/vaults/*/credentials";

async fn with_vault() -> (World, RemoteRef) {
    let world = World::start().await;
    let remote = world.put(&push::<Vault>(300, vault("support"))).await;
    (world, remote)
}

fn renamed(push: &Push) -> Payload {
    let Payload::Credential(payload) = &push.payload else { panic!("{push:?}") };
    let mut payload = payload.clone();
    payload.display_name = "renamed".to_owned();
    Payload::Credential(payload)
}

/// Row P63.
#[tokio::test]
async fn a_credential_is_what_was_pushed_and_every_change_behind_our_back_is_drift() {
    let (world, vault) = with_vault().await;
    let push = credential(60, URL, "mcp_one", &vault);
    let edits = [
        ("/display_name", json!("other")),
        ("/metadata/powerloom_fingerprint", json!("0")),
        ("/metadata", json!({})),
    ];
    check_life(&world, &push, &renamed(&push), &edits).await;
}

#[tokio::test]
async fn a_credential_whose_answer_was_lost_is_found_and_not_doubled() {
    let (world, vault) = with_vault().await;
    let push = credential(60, URL, "mcp_one", &vault);
    check_lost_answer(&world, &push, &renamed(&push), PATH, "credentials").await;
}

#[tokio::test]
async fn a_taken_address_is_ours_by_its_tag_or_a_permanent_failure_that_names_it() {
    let (world, vault) = with_vault().await;
    let push = credential(60, URL, "mcp_one", &vault);
    let first = world.put(&push).await;
    assert_eq!(world.put(&push).await, first, "a create that meets our own credential takes it");
    let refused = world.runtime.push(&credential(61, URL, "mcp_two", &vault)).await.unwrap_err();
    assert_eq!(refused.class, RuntimeErrorClass::Permanent);
    assert!(refused.to_string().contains(URL), "{refused}");
    assert!(!format!("{refused:?}").contains("mcp_two"));
}

/// Sem. 2.5, row "Vault": a changed address is another credential.
#[tokio::test]
async fn another_address_archives_the_credential_and_makes_another() {
    let (world, vault) = with_vault().await;
    let first = world.put(&credential(60, URL, "mcp_one", &vault)).await;
    let moved = credential(60, "https://new.example.com/mcp", "mcp_one", &vault);
    assert_ne!(world.seen(&moved, &first).await, Some(moved.payload.clone()));
    let second = world.put(&again(&moved, moved.payload.clone(), Some(&first))).await;
    assert_ne!(first.id, second.id);
    assert_eq!(world.live("credentials").len(), 1);
    assert_eq!(world.seen(&moved, &second).await, Some(moved.payload.clone()));
}

#[tokio::test]
async fn a_lost_answer_to_the_change_of_an_address_leaves_one_credential() {
    let (world, vault) = with_vault().await;
    let first = world.put(&credential(60, URL, "mcp_one", &vault)).await;
    let moved = credential(60, "https://new.example.com/mcp", "mcp_one", &vault);
    world.lose_answer(PATH);
    let mut push = again(&moved, moved.payload.clone(), Some(&first));
    assert!(world.runtime.push(&push).await.unwrap_err().maybe_applied);
    push.unsure = true;
    let second = world.put(&push).await;
    assert_eq!(world.live("credentials").len(), 1);
    assert_eq!(world.seen(&moved, &second).await, Some(moved.payload.clone()));
}

#[tokio::test]
async fn an_address_that_differs_only_in_form_is_the_same() {
    let (world, vault) = with_vault().await;
    let first = world.put(&credential(60, URL, "mcp_one", &vault)).await;
    let same = credential(60, "HTTPS://Orders.Example.com:443/mcp/", "mcp_one", &vault);
    assert_eq!(world.seen(&same, &first).await, Some(same.payload.clone()));
    assert_eq!(world.put(&again(&same, same.payload.clone(), Some(&first))).await, first);
}

#[tokio::test]
async fn another_bearer_is_another_fingerprint_and_needs_to_come_along() {
    let (world, vault) = with_vault().await;
    let first = world.put(&credential(60, URL, "mcp_one", &vault)).await;
    let rotated = credential(60, URL, "mcp_two", &vault);
    assert_ne!(world.seen(&rotated, &first).await, Some(rotated.payload.clone()));
    let mut push = again(&rotated, rotated.payload.clone(), Some(&first));
    push.bearer = None;
    assert_eq!(world.runtime.push(&push).await.unwrap_err().class, RuntimeErrorClass::Permanent);
    assert_eq!(world.put(&again(&rotated, rotated.payload.clone(), Some(&first))).await, first);
    assert_eq!(world.seen(&rotated, &first).await, Some(rotated.payload.clone()));
    push.payload = renamed(&rotated);
    world.put(&push).await;
    assert_eq!(world.seen(&push, &first).await, Some(renamed(&rotated)), "a name needs no bearer");
}

#[tokio::test]
async fn a_vault_that_is_not_there_is_waited_for() {
    let (world, vault) = with_vault().await;
    let mut push = credential(60, URL, "mcp_one", &vault);
    world.emulator.edit(&powerloom_runtime::emulator::Edit::remove(&vault.id)).unwrap();
    assert_eq!(world.runtime.push(&push).await.unwrap_err().class, RuntimeErrorClass::Transient);
    push.placed.clear();
    assert_eq!(world.runtime.push(&push).await.unwrap_err().class, RuntimeErrorClass::Transient);
    assert_eq!(world.runtime.find(push.org, &push.key, &push.payload, &push.placed).await.unwrap(), None);
}

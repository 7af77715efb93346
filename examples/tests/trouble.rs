//! What can be wrong where it is set up: each is a clear error at the start or a condition that can be seen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::secret::{FileKeys, KeyProvider, MemoryKeys};
use powerloom_core::store::Store;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::Emulator;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

async fn acme(store: Arc<dyn Store>, keys: Arc<dyn KeyProvider>) -> (ControlPlane, Organization) {
    let loom = ControlPlane::builder(store).keys(keys).build();
    let org = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    (loom, org)
}

fn keys() -> Arc<dyn KeyProvider> {
    Arc::new(MemoryKeys::generate(&SystemEntropy))
}

fn reconciler(loom: &ControlPlane, url: &str, key: &str) -> ReconcilerLoop {
    let client = CmaClient::builder().base_url(url).api_key(key).without_proxy().build().unwrap();
    ReconcilerLoop::builder(loom, Arc::new(CmaRuntime::new(client)))
        .options(ReconcileOptions::default())
        .build()
}

async fn create(
    loom: &ControlPlane,
    org: &Organization,
    kind: &str,
    name: Option<&str>,
    spec: Value,
) -> RecordRow {
    let action = Action::Create {
        kind: kind.parse().unwrap(),
        ou: name.map(|_| org.root_ou),
        name: name.map(str::to_owned),
        spec: spec.as_object().cloned().unwrap(),
    };
    loom.submit(&org.admin_caller(), action).await.unwrap().record().unwrap().clone()
}

async fn environment(loom: &ControlPlane, org: &Organization) -> ResourceKey {
    let kind = "Environment".parse().unwrap();
    let key = format!("{}/default", org.root_ou);
    loom.store().record_by_unique_key(org.id, &kind, &key).await.unwrap().unwrap().key()
}

#[tokio::test]
async fn an_unreachable_runtime_is_a_failure_that_backs_off_and_says_why() {
    let (loom, org) = acme(powerloom_store::open("memory:").await.unwrap(), keys()).await;
    reconciler(&loom, "http://127.0.0.1:9", "any").tick().await.unwrap();
    let (state, status) =
        loom.sync_state(&org.admin_caller(), &environment(&loom, &org).await).await.unwrap();
    assert!(matches!(status, SyncStatus::BackingOff { .. }), "{status:?}");
    assert!(state.last_error.as_deref().is_some_and(|error| error.contains("environment")), "{state:?}");
}

#[tokio::test]
async fn a_refused_key_makes_the_organization_rest_and_parks_nothing() {
    let emulator = Emulator::builder().api_key("right").start().await.unwrap();
    let (loom, org) = acme(powerloom_store::open("memory:").await.unwrap(), keys()).await;
    reconciler(&loom, &emulator.url(), "wrong").tick().await.unwrap();
    let paused = loom.organization(&org.admin_caller()).await.unwrap().paused.expect("it rests");
    assert!(!paused.reason.contains("wrong"), "{}", paused.reason);
    let (state, _) = loom.sync_state(&org.admin_caller(), &environment(&loom, &org).await).await.unwrap();
    assert!(state.parked.is_none() && state.attempts == 0, "{state:?}");
    // Once the key is right, a reset ends the rest at once.
    let reset = Action::ResetSync { target: environment(&loom, &org).await };
    loom.submit(&org.admin_caller(), reset).await.unwrap();
    let unsettled =
        reconciler(&loom, &emulator.url(), "right").until_settled(Duration::from_secs(10)).await.unwrap();
    assert!(unsettled.is_empty(), "{unsettled:?}");
}

#[tokio::test]
async fn a_master_key_that_does_not_open_the_secrets_is_a_condition_of_the_credential() {
    let emulator = Emulator::builder().start().await.unwrap();
    let store = powerloom_store::open("memory:").await.unwrap();
    let (loom, org) = acme(store.clone(), keys()).await;
    let owner = org.admin_caller().principal.to_string();
    let spec = json!({ "model": "claude-sonnet-4-6", "agent_kind": "user", "owner": owner });
    let agent = create(&loom, &org, "Agent", Some("pg-writer"), spec).await;
    let server = json!({ "url": "https://pg.example.com/mcp" });
    let server = create(&loom, &org, "MCPServerRegistration", Some("pg"), server).await;
    let both = json!({ "agent": agent.meta.id, "mcp_server": server.meta.id });
    let credential = create(&loom, &org, "Credential", None, both).await;

    let (stranger, _) = acme(store, keys()).await;
    let unsettled =
        reconciler(&stranger, &emulator.url(), "any").until_settled(Duration::from_secs(1)).await.unwrap();
    let waiting: Vec<&ResourceKey> = unsettled.iter().map(|one| &one.key).collect();
    assert_eq!(waiting, [&credential.key()], "everything else is in sync");
    let (state, status) = stranger.sync_state(&org.admin_caller(), &credential.key()).await.unwrap();
    let reason = state.last_error.clone().unwrap_or_default();
    assert!(reason.contains("key"), "{status:?} {reason}");
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    std::fs::write(&path, "not a key").unwrap();
    let error = FileKeys::open(&path, &SystemEntropy).unwrap_err().to_string();
    assert!(error.contains("master.key") && !error.contains("not a key"), "{error}");
}

/// The demo ends with 1 and says what is wrong; a wrong argument ends with 2.
#[test]
fn the_demo_says_what_is_wrong_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("bad.yaml");
    std::fs::write(&manifest, "kind: Agnt\nmetadata: {name: x, ou_path: /acme}\n").unwrap();
    let demo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(arguments)
            .env_remove("ANTHROPIC_API_KEY");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = demo(&[manifest.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("did you mean `Agent`"), "{code:?} {said}");
    let (code, said) = demo(&["/nowhere/at-all.yaml"]);
    assert!(code == Some(1) && said.contains("/nowhere/at-all.yaml"), "{code:?} {said}");
    assert_eq!(demo(&["--patience", "0"]).0, Some(2));
    std::fs::write(folder.path().join("state/loom.db"), "this is no database, whatever its name says")
        .unwrap();
    let (code, said) = demo(&[]);
    assert!(code == Some(1) && said.contains("loom.db"), "{code:?} {said}");
}

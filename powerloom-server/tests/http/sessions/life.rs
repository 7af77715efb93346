//! The whole story on a runtime that speaks the real protocol: declare, reconcile, invoke, stream (rows P1–P9, P69–P82).

use crate::sessions::client::{Client, numbers, said};
use crate::sessions::stage::PATIENCE;
use crate::world::World;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::runtime::Runtime;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::Emulator;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_declared_reconciled_invoked_and_streamed() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client =
        CmaClient::builder().base_url(emulator.url()).api_key("test").without_proxy().build().unwrap();
    let runtime: Arc<dyn Runtime> = Arc::new(CmaRuntime::new(client));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let loom = ControlPlane::builder(powerloom_store::open(&url).await.unwrap()).build();
    let world = World::over(loom.clone(), |config| config).await;
    let stop = CancellationToken::new();
    let reconciling = tokio::spawn(ReconcilerLoop::builder(&loom, runtime.clone()).build().run(stop.clone()));
    let (sessions, until) = (SessionLoop::builder(&loom, runtime).build(), stop.clone());
    let pumping = tokio::spawn(async move { sessions.run(until).await });

    let agent = json!({
        "name": "code-reviewer", "ou_id": world.acme.root_ou, "model": "claude-sonnet-4-6", "agent_kind": "user",
        "owner_principal_id": world.acme.admin,
    });
    let agent = format!("/agents/{}", world.post("/agents", agent).await.expect(201).id());
    let synced = async {
        while world.get(&agent).await.expect(200).body["sync"]["status"] != "synced" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, synced).await.unwrap();

    let asks = json!({ "prompt": "say 40 messages", "title": "A talk" });
    let started = world.post(&format!("{agent}/invoke"), asks).await.expect(201).body;
    let mut socket = Client::new(&world.url).open(started["ws_url"].as_str().unwrap()).await;
    let (told, closed) = socket.drain().await;
    assert_eq!(said(&closed), (1000, "ended"));
    assert_eq!(numbers(&told), (1..=told.len() as u64).collect::<Vec<_>>());
    assert_eq!(told[0].kind, "powerloom.session_created");
    assert_eq!(told.iter().filter(|told| told.kind == "agent.message").count(), 40);
    let idle = told.iter().find(|told| told.kind == "session.status_idle").unwrap();
    assert_eq!(idle.payload["stop_reason"]["type"], "end_turn");
    let last = told.last().unwrap();
    assert_eq!(
        (last.kind.as_str(), &last.payload["status"]),
        ("powerloom.session_ended", &json!("idle_end_turn"))
    );

    let asks = json!({ "prompt": "say done", "mode": "sync" });
    let done = world.post(&format!("{agent}/invoke"), asks).await.expect(200).body;
    assert_eq!((&done["status"], &done["mode"]), (&json!("idle_end_turn"), &json!("sync")));
    let page =
        world.get(&format!("/sessions/{}/events", done["session_id"].as_str().unwrap())).await.expect(200);
    let said: Vec<&Value> = page.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "agent.message")
        .collect();
    assert_eq!(said[0]["payload"]["content"][0]["text"], "done");

    stop.cancel();
    reconciling.await.unwrap();
    pumping.await.unwrap();
    emulator.shutdown().await;
}

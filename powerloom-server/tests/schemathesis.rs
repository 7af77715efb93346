//! The served OpenAPI document against the server itself, by a tester from outside: Schemathesis generates requests from the
//! document, good and bad ones and chains of them, and judges every answer by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "a test stops at the first surprise, and uses a part of what it shares"
)]

#[path = "http/contract.rs"]
mod contract;
#[path = "http/world.rs"]
mod world;

use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::Emulator;
use powerloom_server::Bounds;
use std::ffi::OsString;
use std::sync::Arc;
use tokio::process::Command;
use world::World;

/// How many requests are generated per operation and phase at most; the number of operations is the other factor.
const EXAMPLES: &str = "25";

/// How many cases a run has at least.
const LEAST: u32 = 2_000;

/// No 5xx, no undocumented status or media type, no answer that is not of its schema, no way around authentication, nothing
/// accepted that the document forbids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_the_document_says() {
    let python: OsString =
        std::env::var_os("POWERLOOM_TEST_PYTHON").expect("run `cargo xtask test`, which prepares Python");
    let mut bounds = Bounds::default();
    bounds.requests_per_second = None;
    let world = World::with(|config| config.bounds(bounds)).await;
    // What is declared becomes real, and what is invoked runs.
    let emulator = Emulator::builder().start().await.unwrap();
    let client =
        CmaClient::builder().base_url(emulator.url()).api_key("test").without_proxy().build().unwrap();
    let runtime = Arc::new(CmaRuntime::new(client));
    tokio::spawn(ReconcilerLoop::builder(&world.loom, runtime.clone()).build().run(world.stopping.clone()));
    let (sessions, stopped) = (SessionLoop::builder(&world.loom, runtime).build(), world.stopping.clone());
    tokio::spawn(async move { sessions.run(stopped).await });
    let hour = std::time::Duration::from_secs(3600);
    let token = world.tokens.mint_access(world.acme.id, world.acme.admin, hour).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut run = Command::new(python);
    run.args(["-m", "schemathesis.cli", "--config-file"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/schemathesis.toml"))
        .args(["run", &format!("{}/openapi.json", world.url)])
        .args(["--header", &format!("Authorization: Bearer {}", token.reveal())])
        .args(["--max-examples", EXAMPLES, "--seed", "20261120", "--checks", "all"])
        .args(["--workers", "1", "--no-color"])
        .arg("--report=json")
        .arg("--report-json-path")
        .arg(&report)
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/schemathesis_hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("POWERLOOM_TEST_OU", world.acme.root_ou.to_string())
        .env("POWERLOOM_TEST_USER", world.acme.admin.to_string())
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path());
    let output = run.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // A run that tested little would have found little.
    let line = text.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    let generated: u32 =
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!(generated >= LEAST, "only {generated} cases:\n{text}");
    for phase in ["Coverage", "Fuzzing", "Stateful"] {
        let ran = |line: &str| line.contains('✅') && line.contains(&format!("{phase} (in"));
        assert!(text.lines().any(ran), "{phase} was left out:\n{text}");
    }
    // What is generated must also come true now and then: a tester that is only refused sees little.
    let figures = world.as_of(token.reveal(), reqwest::Method::GET, "/metrics", None).await.expect(200).text;
    let made = |path: &str| {
        let line = |line: &&str| {
            line.starts_with("powerloom_http_requests_total") && line.contains("status=\"201\"")
        };
        figures.lines().filter(line).any(|line| line.contains(&format!("route=\"{path}\"")))
    };
    for path in ["/agents", "/agents/{id}/invoke", "/tokens"] {
        assert!(made(path), "nothing was made at {path}:\n{figures}");
    }
}

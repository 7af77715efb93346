//! What the doctor finds.

use crate::bench::{Bench, run, weave};
use crate::house::House;
use serde_json::Value;

fn result(report: &Value, check: &str) -> String {
    let items = report["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {report}"))["result"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_passes_and_a_bad_token_fails_with_a_hint() {
    let house = House::new().await;
    let report = house.weave(&["doctor", "-o", "json"]).await.expect(0).json();
    for check in ["where", "server", "ready", "signing keys", "token", "token ends", "runtime"] {
        assert_eq!(result(&report, check), "ok", "{report}");
    }
    assert_eq!(house.weave(&["doctor", "-o", "name"]).await.expect(0).out, "");
    let mut command = house.command(&["doctor"]);
    command.env("POWERLOOM_TOKEN", "nonsense");
    let sick = tokio::task::spawn_blocking(move || run(command, "")).await.unwrap().expect(1);
    assert!(sick.out.contains("fail") && sick.out.contains("weave login"), "{}", sick.out);
}

#[test]
fn the_password_of_a_store_or_a_server_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for place in [
        ["--store", "postgres://loom:hunter2@127.0.0.1:1/loom?password=hunter2"],
        ["--store", "sqlite://loom.db?key=hunter2"],
        ["--server", "https://ada:hunter2@127.0.0.1:1"],
        ["--server", "https://ada:hun/hunter2@127.0.0.1:1"],
        ["--server", "ftp://ada:hunter2@127.0.0.1:1"],
    ] {
        for form in ["table", "json"] {
            let mut command = weave();
            command.current_dir(folder.path()).env("POWERLOOM_CONTEXTS", folder.path().join("none.toml"));
            command.args(place).args(["doctor", "-o", form]);
            let sick = run(command, "").expect(1);
            assert!(!sick.out.contains("hunter2") && !sick.err.contains("hunter2"), "{sick:?}");
        }
    }
}

#[tokio::test]
async fn a_store_is_opened_and_a_server_that_is_not_there_is_named() {
    let bench = Bench::new().await;
    let report = bench.weave(&["doctor", "-o", "json"]).expect(0).json();
    assert_eq!((result(&report, "store").as_str(), result(&report, "master key").as_str()), ("ok", "warn"));
    let mut command = weave();
    command.args(["--server", "http://127.0.0.1:1", "doctor"]);
    command.env("POWERLOOM_CONTEXTS", bench.path("none.toml"));
    let sick = run(command, "").expect(1);
    assert!(sick.out.contains("cannot be reached"), "{}", sick.out);
    let mut command = weave();
    command.arg("doctor").env("POWERLOOM_CONTEXTS", bench.path("none.toml"));
    assert!(run(command, "").expect(1).out.contains("say where"));
}

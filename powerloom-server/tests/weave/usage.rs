//! Help, versions, and what is refused before anything is asked.

use crate::bench::{Bench, Ran, run, weave};

fn told(arguments: &[&str]) -> Ran {
    let mut command = weave();
    command.args(arguments);
    run(command, "")
}

#[test]
fn the_help_tells_how_to_begin_and_what_the_exit_codes_say() {
    let help = told(&["--help"]).expect(0);
    for part in
        ["weave login --server", "Exit codes:", "3    waits for somebody's approval", "apply", "doctor"]
    {
        assert!(help.out.contains(part), "{part} is missing in {}", help.out);
    }
    assert!(told(&["version"]).expect(0).out.starts_with("weave "));
}

#[test]
fn every_command_has_help_that_begins_with_a_sentence() {
    let commands = [
        "plan",
        "apply",
        "diff",
        "export",
        "get",
        "describe",
        "delete",
        "invoke",
        "sessions",
        "skill",
        "sync",
        "approvals",
        "audit",
        "can-i",
        "explain",
        "who-can",
        "what-can",
        "token",
        "login",
        "context",
        "doctor",
        "schema",
        "openapi",
        "completion",
    ];
    for command in commands {
        let help = told(&[command, "--help"]).expect(0);
        let first = help.out.lines().next().unwrap();
        assert!(
            first.chars().next().is_some_and(char::is_uppercase) && first.len() > 20,
            "{command}: {first}"
        );
        assert!(help.out.contains("Usage: weave"), "{command}");
    }
}

#[tokio::test]
async fn wrong_usage_ends_with_two() {
    let bench = Bench::new().await;
    told(&["fly"]).expect(2);
    bench.weave(&["apply"]).expect(2);
    bench.weave(&["plan", "absent.yaml"]).expect(2);
    let both =
        bench.weave(&["--server", "http://127.0.0.1:1", "--store", "memory:", "get", "agents"]).expect(2);
    assert!(both.err.contains("name both a server and a store"), "{}", both.err);
    let token = bench.weave(&["--server", "https://ada:secret@loom.acme.com", "get", "agents"]).expect(2);
    assert!(!token.err.contains("secret"), "{}", token.err);
    let not_a_url = bench.weave(&["--server", "loom", "get", "agents"]).expect(2);
    assert!(not_a_url.err.contains("`loom` is no server"), "{}", not_a_url.err);
}

/// A reader that goes away, as `head` does, is no failure.
#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::new().await;
    let program = env!("CARGO_BIN_EXE_weave");
    let mut shell = std::process::Command::new("bash");
    shell.env("POWERLOOM_STORE", bench.url());
    shell.args(["-c", &format!("set -o pipefail; '{program}' openapi | head -n 1")]);
    let done = run(shell, "").expect(0);
    assert_eq!(done.out, "{\n");
}

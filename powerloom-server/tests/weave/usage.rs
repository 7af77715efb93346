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

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter(|line| {
        // A line that goes on with a description begins further to the right.
        line.strip_prefix("  ").is_some_and(|rest| !rest.starts_with(' '))
    });
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Asks a command and all below it for their help; how many there are.
fn helped(command: &[&str]) -> usize {
    let help = told(&[command, &["--help"]].concat()).expect(0);
    let first = help.out.lines().next().unwrap();
    assert!(first.chars().next().is_some_and(char::is_uppercase) && first.len() > 12, "{command:?}: {first}");
    assert!(help.out.contains("Usage: weave") && help.err.is_empty(), "{command:?}: {help:?}");
    told(&[command, &["-h"]].concat()).expect(0);
    let below = below(&help.out);
    1 + below.iter().map(|name| helped(&[command, &[name.as_str()]].concat())).sum::<usize>()
}

#[test]
fn every_command_however_deep_has_help_that_begins_with_a_sentence() {
    let found = helped(&[]);
    assert!(found >= 55, "only {found} commands are found");
    for command in [["serve"].as_slice(), &["bootstrap"], &["cma-emulator"], &["token", "mint"]] {
        helped(command);
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
    assert!(both.err.contains("--server and --store name two places"), "{}", both.err);
    let token = bench.weave(&["--server", "https://ada:secret@loom.acme.com", "get", "agents"]).expect(2);
    assert!(!token.err.contains("secret"), "{}", token.err);
    let not_a_url = bench.weave(&["--server", "loom", "get", "agents"]).expect(2);
    assert!(not_a_url.err.contains("`loom` is no server"), "{}", not_a_url.err);
}

/// An option that would do nothing is refused: it would look as if it had been heeded.
#[tokio::test]
async fn an_option_that_says_nothing_is_refused() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", "{kind: Skill, metadata: {name: lint, ou_path: /acme}}");
    bench.weave(&["plan", &file, "--out", "plan.json"]).expect(0);
    for option in
        [["--set", "s"].as_slice(), &["--strict"], &["--set", "s", "--prune"], &["--set", "s", "--take", "x"]]
    {
        for command in ["plan", "apply"] {
            let refused = bench.weave(&[&[command, "plan.json"], option].concat()).expect(2);
            assert!(refused.err.contains("is a saved plan"), "{option:?}: {}", refused.err);
        }
    }
    for list in ["sessions", "sync"] {
        assert!(bench.weave(&["get", list, "--ou", "/acme"]).expect(2).err.contains("knows no --ou"));
        assert!(bench.weave(&["get", list, "--archived"]).expect(2).err.contains("knows no --archived"));
    }
    bench.weave(&["get", "approvals", "--ou", "/acme"]).expect(0);
    bench.weave(&["get", "tokens", "--archived"]).expect(0);
    let login = told(&["--store", "memory:", "login", "--server", "http://127.0.0.1:1"]).expect(2);
    assert!(login.err.contains("--store says nothing here"), "{}", login.err);
}

/// What the program does before a reader that has gone away, as `head` does.
#[track_caller]
fn unread(mut command: std::process::Command) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(std::process::Stdio::null()).stdout(writer).stderr(std::process::Stdio::piped());
    let done = command.spawn().unwrap().wait_with_output().unwrap();
    (done.status.code().unwrap_or(-1), String::from_utf8(done.stderr).unwrap())
}

/// The code is the one shells know from a program that a closed pipe has ended.
#[tokio::test]
async fn a_reader_that_goes_away_is_told_by_the_exit_code_alone() {
    let bench = Bench::new().await;
    let (code, told) = unread(bench.command(&["openapi"]));
    assert_eq!((code, told.as_str()), (141, ""));
    let skill = bench.write("a.yaml", "{kind: Skill, metadata: {name: lint, ou_path: /acme}}");
    let (code, told) = unread(bench.command(&["apply", &skill, "--yes"]));
    assert_eq!(code, 141, "{told}");
    let skills = bench.weave(&["get", "skills", "-o", "json"]).expect(0).json();
    assert!(skills["items"].as_array().unwrap().is_empty(), "what could not be shown is not done");
}

/// Their exit code is the answer, read or not.
#[tokio::test]
async fn an_answer_that_is_a_no_stays_one_without_a_reader() {
    let bench = Bench::new().await;
    let ada = bench.write("ada.yaml", "{kind: User, metadata: {email: ada@acme.com, ou_path: /acme}}");
    bench.weave(&["apply", &ada, "--yes"]).expect(0);
    let head = "1:0000000000000000000000000000000000000000000000000000000000000000";
    for (arguments, code) in [
        (["can-i", "agent:create"].as_slice(), 0),
        (&["can-i", "agent:create", "--principal", "user:ada@acme.com"], 1),
        (&["explain", "user:ada@acme.com", "agent:create", "/acme"], 1),
        (&["audit", "verify"], 0),
        (&["audit", "verify", "--trusted", head], 1),
    ] {
        let (found, told) = unread(bench.command(arguments));
        assert_eq!(found, code, "{arguments:?}: {told}");
    }
}

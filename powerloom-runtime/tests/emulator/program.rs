//! The program `cma-emulator`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cma-emulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = program(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim_end().strip_prefix("listening on ").expect("the first line").to_owned())
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

#[tokio::test]
async fn it_tells_its_address_first_and_ends_cleanly_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (mut child, url) = start(&["--state", state.to_str().unwrap(), "--api-key", "k1", "--api-key", "k2"]);
    let ask = async |key: &str| {
        let request = reqwest::Client::new().get(format!("{url}/v1/skills")).header("x-api-key", key);
        request.header("anthropic-version", "2026-10-21").send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("k2").await, ask("k3").await), (200, 401));
    let second = run(&["--state", state.to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is in use by another process"));
    let taken = run(&["--listen", url.strip_prefix("http://").unwrap()]);
    assert_eq!((taken.status.code(), taken.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("cannot listen on"));
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    child.stdout.unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "stdout holds that one line only");
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let arguments = ["--state", state.to_str().unwrap()];
    let http = reqwest::Client::new();
    let request = |method: reqwest::Method, url: &str| {
        let request = http.request(method, format!("{url}/v1/agents")).header("x-api-key", "k");
        request.header("anthropic-version", "2026-10-21").header("anthropic-beta", crate::api::BETA)
    };
    let mut made = Vec::new();
    for round in 0..3 {
        let (mut child, url) = start(&arguments);
        for index in 0..5 {
            let name = format!("{round}.{index}");
            let body = serde_json::json!({"name": name, "model": "m"});
            let sent = request(reqwest::Method::POST, &url).json(&body).send().await.unwrap();
            assert_eq!(sent.status(), 200);
            made.insert(0, name);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, url) = start(&arguments);
    let listed = request(reqwest::Method::GET, &url).send().await.unwrap();
    let listed: serde_json::Value = listed.json().await.unwrap();
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert_eq!(names, made);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn bad_arguments_end_with_two_and_help_shows_an_example() {
    assert_eq!(run(&["--listen", "nowhere"]).status.code(), Some(2));
    assert_eq!(run(&["--surprise"]).status.code(), Some(2));
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("cma-emulator --listen 127.0.0.1:8765"));
}

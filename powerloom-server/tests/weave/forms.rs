//! `-o` says how a result is written, of every command alike.

use crate::bench::{Bench, run, weave};
use serde_json::Value;
use std::io::BufRead;

const SKILLS: &str = "{kind: Skill, metadata: {name: a, ou_path: /acme}}\n---\n{kind: Skill, metadata: {name: b, ou_path: /acme}}\n";

#[tokio::test]
async fn names_are_printed_of_a_dry_run_of_a_change_and_of_nothing_to_do() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", SKILLS);
    let names = "Skill /acme/a\nSkill /acme/b\n";
    for arguments in [["--dry-run"], ["--yes"], ["--yes"]] {
        let told = bench.weave(&[["apply", &file, "-o", "name"].as_slice(), &arguments].concat()).expect(0);
        assert_eq!(told.out, names, "{arguments:?}");
    }
    assert_eq!(bench.weave(&["describe", "skill", "a", "-o", "name"]).expect(0).out, "/acme/a\n");
}

#[tokio::test]
async fn a_plan_beside_the_result_has_no_colour_where_standard_error_has_none() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", SKILLS);
    let told = bench.weave(&["apply", &file, "--yes", "-o", "json"]).expect(0);
    assert!(told.err.contains("+ Skill /acme/a") && !told.err.contains('\u{1b}'), "{:?}", told.err);
    told.json();
}

#[tokio::test]
async fn a_plan_that_is_submitted_is_one_document_with_its_request() {
    let bench = Bench::new().await;
    let rule = "
{kind: User, metadata: {email: grace@acme.com, ou_path: /acme}}
---
{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {principal_ref: 'user:grace@acme.com', role: Approver}}
---
{kind: ApprovalPolicy, metadata: {name: skills, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, approvers: ['role:Approver']}}
";
    run(bench.command(&["apply", "-", "--yes"]), rule).expect(0);
    let file = bench.write("a.yaml", SKILLS);
    let told = bench.weave(&["plan", &file, "--json", "--submit"]).expect(3).json();
    assert!(told["request_id"].as_str().unwrap().starts_with("req_"), "{told}");
    assert!(told["digest"].is_string() && told["plan"]["steps"].is_array(), "{told}");
    let name = bench.weave(&["plan", &file, "-o", "name", "--submit"]).expect(3);
    assert!(name.out.starts_with("req_") && name.out.lines().count() == 1, "{}", name.out);
}

#[tokio::test]
async fn what_has_a_flag_for_json_has_the_same_by_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let mut command = weave();
        command.current_dir(folder.path()).args(arguments);
        run(command, "").expect(0).out
    };
    let bootstrap =
        ["bootstrap", "--store", "sqlite://loom.db", "--org", "acme", "--admin", "admin@acme.com"];
    let made = told(&[bootstrap.as_slice(), &["--json"]].concat());
    assert_eq!(told(&[bootstrap.as_slice(), &["-o", "json"]].concat()), made);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["organization"], "acme");
    assert!(told(&[bootstrap.as_slice(), &["-o", "yaml"]].concat()).contains("organization: acme\n"));
    assert_eq!(told(&[bootstrap.as_slice(), &["-o", "name"]].concat()), "acme\n");
    let version: Value = serde_json::from_str(&told(&["version", "-o", "json"])).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

/// A server to try things on, asked with `-o json`, and the token that is minted beside it.
#[test]
fn a_server_to_try_things_on_and_a_minted_token_are_told_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = weave();
    command
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "-o", "json"]);
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut mint = weave();
    let what = ["token", "mint", "--dev", "--org", "dev", "--user", "admin@dev.com", "-o", "json"];
    mint.current_dir(folder.path()).args(what);
    let minted = run(mint, "");
    server.kill().unwrap();
    server.wait().unwrap();
    let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(told["admin"], "admin@dev.com");
    assert!(minted.expect(0).json()["token"].as_str().unwrap().contains('.'));
}

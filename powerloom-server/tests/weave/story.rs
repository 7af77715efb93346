//! The seeds' story, told at a terminal: apply, plan again, invoke and watch, approve, verify.
#![cfg(unix)]

use crate::house::House;
use rexpect::process::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use std::process::Command;

/// The program at a terminal.
struct Terminal(PtySession);

impl Terminal {
    fn open(mut command: Command) -> Self {
        command.env("TERM", "xterm-256color").env("COLUMNS", "120");
        let options = Options::new().timeout_ms(Some(60_000)).strip_ansi_escape_codes(true);
        Self(spawn_with_options(command, options).unwrap())
    }

    /// Waits until this is on the screen.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("`{text}` is not seen: {error}"))
    }

    fn types(&mut self, line: &str) {
        self.0.send_line(line).unwrap();
    }

    /// Waits for the end.
    #[track_caller]
    fn ends(mut self, code: i32) -> String {
        let rest = self.0.exp_eof().unwrap();
        match self.0.process().wait().unwrap() {
            WaitStatus::Exited(_, found) => assert_eq!(found, code, "{rest}"),
            other => panic!("{other:?}: {rest}"),
        }
        rest
    }
}

const RULE: &str = "
{kind: User, metadata: {email: grace@acme.com, ou_path: /acme}}
---
{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {principal_ref: 'user:grace@acme.com', role: Approver}}
---
{kind: ApprovalPolicy, metadata: {name: skills, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, approvers: ['role:Approver']}}
---
{kind: OU, metadata: {name: engineering, ou_path: /acme}}
---
kind: Agent
metadata: {name: code-reviewer, ou_path: /acme/engineering}
spec:
  display_name: Code Reviewer
  model: claude-sonnet-4-6
  system_prompt: Review Python code. Be concise.
  agent_kind: user
  owner_principal_ref: user:admin@acme.com
";

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_the_seeds_is_told_at_a_terminal() {
    let house = House::new().await;
    std::fs::write(house.folder.path().join("acme.yaml"), RULE).unwrap();
    let skill = "{kind: Skill, metadata: {name: python-lint, ou_path: /acme/engineering}}";
    std::fs::write(house.folder.path().join("skill.yaml"), skill).unwrap();

    // Nothing happens without a yes.
    let command = house.command(&["apply", "acme.yaml"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("as user:admin@acme.com");
        terminal.sees("+ OU /acme/engineering");
        terminal.sees("Plan: 5 to create.");
        terminal.sees("Apply this plan? [y/N]");
        terminal.types("n");
        terminal.sees("nothing was changed");
        terminal.ends(1);
    })
    .await;
    let command = house.command(&["apply", "acme.yaml"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("Apply this plan? [y/N]");
        terminal.types("y");
        terminal.sees("Applied: 5 created.");
        terminal.ends(0);
    })
    .await;
    let command = house.command(&["plan", "acme.yaml"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("nothing is to be done");
        terminal.ends(0);
    })
    .await;

    house.synced("code-reviewer").await;
    let command = house.command(&["invoke", "code-reviewer", "think\nsay Nothing here needs fixing."]);
    at_terminal(command, |mut terminal| {
        terminal.sees("session ");
        terminal.sees("Nothing here needs fixing.");
        terminal.sees("idle end turn");
        terminal.ends(0);
    })
    .await;

    // The keyboard lets go of a session; the session goes on.
    let command = house.command(&["invoke", "code-reviewer", "say I begin.\nwait 600000"]);
    let session = at_terminal(command, |mut terminal| {
        terminal.sees("I begin.");
        terminal.0.send_control('c').unwrap();
        terminal.sees("detached; the session goes on");
        terminal.sees("weave sessions cancel ");
        terminal.ends(130).trim().to_owned()
    })
    .await;
    let shown = house.weave(&["sessions", "show", &session, "-o", "json"]).await.expect(0).json();
    assert_eq!(shown["status"], "running");
    house.weave(&["sessions", "cancel", &session, "--yes"]).await.expect(0);

    let command = house.command(&["apply", "skill.yaml"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("asks 1 of role:Approver");
        terminal.sees("Apply this plan? [y/N]");
        terminal.types("yes");
        terminal.sees("waits for approval req_");
        terminal.ends(3);
    })
    .await;
    let inbox = house.weave(&["approvals", "list", "--view", "mine", "-o", "name"]).await.expect(0);
    let request = inbox.out.trim().to_owned();
    let grace = house.token_of("grace@acme.com").await;
    let command =
        house.command_at(&house.url, &grace, &["approvals", "approve", &request, "--comment", "fine"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("as user:grace@acme.com");
        terminal.sees("signed is");
        terminal.sees("Approve exactly this? [y/N]");
        terminal.types("y");
        terminal.sees("is approved");
        terminal.ends(0);
    })
    .await;

    let command = house.command(&["audit", "verify"]);
    at_terminal(command, |mut terminal| {
        terminal.sees("entries verify");
        terminal.ends(0);
    })
    .await;
}

/// How far it is stands on the terminal alone: what is asked for is whole and clean.
#[tokio::test(flavor = "multi_thread")]
async fn a_bar_shows_how_far_an_export_and_an_upload_are_and_is_not_in_what_was_asked_for() {
    let house = House::new().await;
    let lint = house.folder.path().join("lint");
    std::fs::create_dir(&lint).unwrap();
    std::fs::write(lint.join("SKILL.md"), "---\nname: lint\ndescription: Lints.\n---\nLint it.\n").unwrap();
    std::fs::write(lint.join("words.txt"), "lint ".repeat(60_000)).unwrap();
    at_terminal(house.command(&["skill", "push", "lint", "--ou", "/acme"]), |mut terminal| {
        terminal.sees("uploading 2 files [");
        terminal.sees("KiB");
        terminal.sees("uploaded /acme/lint");
        terminal.ends(0);
    })
    .await;
    let version = house.weave(&["skill", "push", "lint", "-o", "json"]).await.expect(0);
    assert!(version.json()["number"].is_number() && !version.err.contains("uploading"), "{version:?}");

    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" audit export > acme.jsonl", env!("CARGO_BIN_EXE_weave")]);
    shell.current_dir(house.folder.path());
    for (name, value) in house.command(&[]).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    at_terminal(shell, |mut terminal| {
        terminal.sees("exporting [");
        terminal.sees(" entries");
        terminal.ends(0);
    })
    .await;
    let text = std::fs::read_to_string(house.folder.path().join("acme.jsonl")).unwrap();
    assert!(!text.contains("exporting") && !text.contains('\u{1b}'), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    house.weave(&["audit", "verify", "--file", "acme.jsonl"]).await.expect(0);
}

/// A token is asked for at a terminal and never shown on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_typed_is_not_shown() {
    let house = House::new().await;
    let mut command = house.command(&["login"]);
    command.env_remove("POWERLOOM_TOKEN");
    let token = house.admin.clone();
    at_terminal(command, move |mut terminal| {
        terminal.sees("Token: ");
        terminal.types(&token);
        let between = terminal.sees("logged in");
        assert!(!between.contains(&token), "the token is on the screen");
        terminal.ends(0);
    })
    .await;
}

async fn at_terminal<T: Send + 'static>(
    command: Command,
    act: impl FnOnce(Terminal) -> T + Send + 'static,
) -> T {
    tokio::task::spawn_blocking(move || act(Terminal::open(command))).await.unwrap()
}

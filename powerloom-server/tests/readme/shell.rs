//! Commands of the papers, run as they stand but for the program, which is the one that was built.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a block may take.
const BLOCK: Duration = Duration::from_secs(120);
/// How long the server may take to begin, and to end.
const SERVER: Duration = Duration::from_secs(60);

const WEAVE: &str = env!("CARGO_BIN_EXE_weave");

/// What the papers call the program.
const WRITTEN: &str = "cargo weave";

/// A program in this folder, without anything of this process's environment that could change what it does.
fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A server, and the two variables it told to export.
pub struct Server {
    child: Child,
    exports: Vec<(String, String)>,
}

impl Server {
    /// Runs the command of a block, on a free port.
    pub async fn start(block: &str, folder: &Path) -> Self {
        let line = block.lines().find(|line| line.starts_with(WRITTEN)).expect("a command");
        let words = line.split('#').next().unwrap().strip_prefix(WRITTEN).unwrap().split_whitespace();
        let mut command = program(WEAVE, folder);
        command.args(words).args(["--listen", "127.0.0.1:0"]);
        let log = File::create(folder.join("server.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut exports = Vec::new();
        while exports.len() < 2 {
            let line =
                timeout(SERVER, lines.next_line()).await.expect("the server says where it is").unwrap();
            let line = line.unwrap_or_else(|| panic!("{}", said(&folder.join("server.log"))));
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|said| said.split_once('=')) {
                exports.push((name.to_owned(), value.to_owned()));
            }
        }
        // The rest of the story is read, so that nothing waits for it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, exports }
    }

    /// Runs a block in bash, strictly, and returns what it wrote to stdout.
    pub async fn run(&self, block: &str, folder: &Path) -> String {
        let (out, err) = (folder.join("out"), folder.join("err"));
        let mut bash = program("bash", folder);
        let script = block.replace(WRITTEN, &format!("'{WEAVE}'"));
        bash.args(["--norc", "-euo", "pipefail", "-c", &script]).process_group(0);
        bash.envs(self.exports.iter().map(|(name, value)| (name, value)));
        bash.env("POWERLOOM_CONTEXTS", folder.join("contexts.toml"));
        bash.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = bash.spawn().unwrap();
        let group = format!("-{}", child.id().unwrap());
        let Ok(ended) = timeout(BLOCK, child.wait()).await else {
            // With it whatever it waits for.
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &group]).status();
            panic!("it does not come to an end:\n{}\n{}", said(&out), said(&err));
        };
        assert!(ended.unwrap().success(), "it fails:\n{}\n{}", said(&out), said(&err));
        said(&out)
    }

    /// Ends it as Ctrl-C does.
    pub async fn end(mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let ended = timeout(SERVER, self.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(0));
    }
}

/// What `weave` says to these words.
pub async fn weave(words: &[&str], folder: &Path) -> String {
    let output =
        timeout(SERVER, program(WEAVE, folder).args(words).output()).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn said(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

//! A folder with a store in it, and the program run in it.

use powerloom_core::control_plane::ControlPlane;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A store with the organization `acme` and its administrator.
pub struct Bench {
    pub folder: TempDir,
}

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// The program, deaf to what is set around the test.
pub fn weave() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weave"));
    for name in [
        "POWERLOOM_URL",
        "POWERLOOM_STORE",
        "POWERLOOM_TOKEN",
        "POWERLOOM_CONTEXT",
        "POWERLOOM_ORG",
        "POWERLOOM_AS",
        "POWERLOOM_MASTER_KEY",
        "POWERLOOM_MASTER_KEYS",
        "POWERLOOM_CA_CERT",
        "POWERLOOM_CONFIG",
        "POWERLOOM_CONTEXTS",
        "NO_COLOR",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs a command with this on its standard input.
pub fn run(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that reads none of it may have ended already.
    let _unread = stdin.write_all(input.as_bytes());
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: done.status.code().unwrap_or(-1), out: text(done.stdout), err: text(done.stderr) }
}

impl Bench {
    pub async fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let loom = ControlPlane::builder(powerloom_store::open(&bench.url()).await.unwrap()).build();
        loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path("loom.db").display())
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The program on the store, with a home of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weave();
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env_remove("XDG_CONFIG_HOME");
        command.env("POWERLOOM_STORE", self.url()).args(arguments);
        command
    }

    /// Runs the program on the store.
    pub fn weave(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments), "")
    }
}

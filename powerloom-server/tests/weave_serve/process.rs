//! A `weave` that runs, and a client of it.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// A command without anything of this process's environment that could change what it does.
pub fn weave(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weave"));
    command.args(words).current_dir(folder).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a command that ends has said: its exit code, stdout and stderr.
pub async fn said(mut command: Command) -> (i32, String, String) {
    let output =
        tokio::time::timeout(Duration::from_secs(30), command.output()).await.expect("it ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A server that was started.
pub struct Running {
    child: Child,
    pub client: reqwest::Client,
    pub url: String,
    pub token: String,
    /// What `--json` said.
    pub told: Value,
    log: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Running {
    /// `weave serve --dev --json` in this folder.
    pub async fn dev(folder: &Path, words: &[&str]) -> Self {
        let first = ["serve", "--dev", "--json", "--listen", "127.0.0.1:0"];
        Self::start(weave(folder, &[first.as_slice(), words].concat())).await
    }

    /// Waits for its first line.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        let reading = tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut piece).await {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line())
            .await
            .expect("it says something");
        let line = line.unwrap().unwrap_or_else(|| panic!("it ended: {}", log.lock().unwrap()));
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let url = line.strip_prefix("listening on ").or(told["url"].as_str()).unwrap().to_owned();
        let token = told["token"].as_str().unwrap_or_default().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, client, url, token, told, log, reading }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// The body of an agent of the administrator.
    pub fn agent(&self, name: &str) -> Value {
        json!({
            "name": name, "ou_id": self.told["root_ou_id"], "agent_kind": "user",
            "owner_principal_id": self.told["admin_id"], "model": "claude-sonnet-4-6",
            "system_prompt": "Answer briefly.",
        })
    }

    /// The id of a new agent, once it is on the runtime.
    pub async fn synced_agent(&self, name: &str) -> String {
        let (status, created) = self.post("/agents", &self.agent(name)).await;
        assert_eq!(status, 201, "{created}");
        let path = format!("/agents/{}", created["id"].as_str().unwrap());
        let synced = async {
            while self.get(&path).await.1["sync"]["status"] != "synced" {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), synced).await.expect("it is in sync");
        created["id"].as_str().unwrap().to_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Sends SIGTERM, and says with which code it ended and what the log had.
    pub async fn end(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let ended = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await;
        let code = ended.expect("it ends within seconds").unwrap().code();
        self.reading.await.unwrap();
        let log = self.log.lock().unwrap().clone();
        (code, log)
    }

    /// Sends SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub fn hang_up(&self) {
        self.signal("-HUP");
    }
}

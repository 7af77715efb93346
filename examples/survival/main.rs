//! A program that changes, reconciles and invokes as fast as it can, until it is killed.
//!
//! `tests/survival.rs` kills it, again and again, and looks whether anything it acknowledged is missing. Each line on
//! its output is one acknowledgement: `ack create Agent <id>`, `ack update <id> <version>`, `ack session <id>`.

use anyhow::Context;
use clap::Parser;
use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Clock, SystemClock};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::{Action, UploadedFile};
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::entropy::{Entropy, SeededEntropy, SystemEntropy};
use powerloom_core::error::Error;
use powerloom_core::reconcile::options::ReconcileOptions;
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::FileKeys;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_core::store::{RecordQuery, SessionQuery};
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Changes, reconciles and invokes until it is killed.
#[derive(Debug, Parser)]
struct Args {
    /// The database
    #[arg(long)]
    database: PathBuf,
    /// The master key
    #[arg(long)]
    keys: PathBuf,
    /// Where the runtime is
    #[arg(long)]
    runtime: String,
    /// Tells this run's choices and idempotency keys from those of others
    #[arg(long)]
    seed: u64,
    /// Changes nothing: ends once everything is in sync and every session has settled
    #[arg(long)]
    settle: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let store = powerloom_store::open(&format!("sqlite://{}", args.database.display())).await?;
    let keys = FileKeys::open(&args.keys, &SystemEntropy)?;
    let client = CmaClient::builder().base_url(&args.runtime).api_key("survival").without_proxy().build()?;
    let runtime = Arc::new(CmaRuntime::new(client));
    let loom = ControlPlane::builder(store).keys(Arc::new(keys)).build();
    let org = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    let stop = CancellationToken::new();
    let mut options = ReconcileOptions::default();
    // Short leases: the next run takes over from a killed one at once.
    options.lease = Duration::from_secs(1);
    options.tick = Duration::from_millis(100);
    options.rate = None;
    let reconciler = ReconcilerLoop::builder(&loom, runtime.clone()).options(options.clone()).build();
    tokio::spawn(reconciler.run(stop.clone()));
    let poll = Duration::from_millis(100);
    let sessions =
        SessionLoop::builder(&loom, runtime.clone()).lease(Duration::from_secs(1)).poll(poll).build();
    let stopped = stop.clone();
    tokio::spawn(async move { sessions.run(stopped).await });
    if args.settle {
        return settle(&loom, &org, ReconcilerLoop::builder(&loom, runtime).options(options).build()).await;
    }
    let tasks = (0..4).map(|task| Actor::new(&loom, &org, args.seed, task).act());
    futures::future::try_join_all(tasks).await?;
    Ok(())
}

/// Waits until nothing is left to do.
async fn settle(loom: &ControlPlane, org: &Organization, watch: ReconcilerLoop) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    loop {
        let unsettled = watch.unsettled().await?;
        let active = SessionQuery { active: true, ..SessionQuery::default() };
        let sessions = loom.sessions(&org.admin_caller(), &active).await?;
        if unsettled.is_empty() && sessions.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            anyhow::bail!("not settled: {unsettled:?} {} sessions", sessions.len());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One of several that change things at once.
struct Actor<'a> {
    loom: &'a ControlPlane,
    org: &'a Organization,
    dice: SeededEntropy,
    name: String,
    count: u64,
}

impl<'a> Actor<'a> {
    fn new(loom: &'a ControlPlane, org: &'a Organization, seed: u64, task: u64) -> Self {
        let dice = SeededEntropy::new(seed.wrapping_mul(31).wrapping_add(task));
        Self { loom, org, dice, name: format!("{seed}-{task}"), count: 0 }
    }

    fn roll(&self, sides: u64) -> u64 {
        let mut bytes = [0; 8];
        self.dice.fill(&mut bytes);
        u64::from_le_bytes(bytes) % sides
    }

    async fn act(mut self) -> anyhow::Result<()> {
        loop {
            self.count += 1;
            let done = match self.roll(8) {
                0 => self.create_agent().await,
                1 => self.create_skill().await,
                2 => self.create_credential().await,
                3 | 4 => self.update_agent().await,
                5 => self.attach_skill().await,
                _ => self.invoke().await,
            };
            match done {
                // Others got there first, or what is needed is not there yet: all of that is fine.
                Ok(()) | Err(Error::Conflict(_) | Error::VersionMismatch { .. } | Error::Invalid(_)) => {}
                Err(error) => return Err(error).context("a change failed"),
            }
            tokio::time::sleep(Duration::from_millis(self.roll(15))).await;
        }
    }

    async fn submit(&self, action: Action) -> Result<Option<RecordRow>, Error> {
        let options = SubmitOptions::default().idempotency_key(format!("{}-{}", self.name, self.count));
        let outcome = self.loom.submit_with(&self.org.admin_caller(), action, &options).await?;
        Ok(outcome.record().cloned())
    }

    async fn create(
        &self,
        kind: &str,
        spec: Value,
        name: Option<String>,
    ) -> Result<Option<RecordRow>, Error> {
        let spec: Map<String, Value> = spec.as_object().cloned().unwrap_or_default();
        let ou = name.is_some().then_some(self.org.root_ou);
        let row = self.submit(Action::Create { kind: kind.parse()?, ou, name, spec }).await?;
        if let Some(row) = &row {
            ack(format_args!("create {} {}", row.kind, row.meta.id));
        }
        Ok(row)
    }

    async fn create_agent(&self) -> Result<(), Error> {
        let spec = json!({
            "model": "claude-sonnet-4-6", "system_prompt": "Be concise.", "agent_kind": "user",
            "owner": self.org.admin_caller().principal.to_string(),
        });
        self.create("Agent", spec, Some(format!("agent-{}-{}", self.name, self.count))).await.map(drop)
    }

    async fn create_skill(&self) -> Result<(), Error> {
        let name = format!("skill-{}-{}", self.name, self.count);
        let Some(skill) = self.create("Skill", json!({}), Some(name.clone())).await? else { return Ok(()) };
        self.publish(&skill, &name).await
    }

    async fn publish(&self, skill: &RecordRow, name: &str) -> Result<(), Error> {
        let text = format!("---\nname: {name}\ndescription: Does nothing.\n---\n{}\n", self.count);
        let file = UploadedFile { path: "SKILL.md".into(), executable: false, content: text.into_bytes() };
        let publish = Action::PublishSkillVersion { skill: skill.meta.id, files: vec![file] };
        let outcome = self.loom.submit(&self.org.admin_caller(), publish).await?;
        if let Some(version) = outcome.record() {
            ack(format_args!("create {} {}", version.kind, version.meta.id));
        }
        Ok(())
    }

    async fn create_credential(&self) -> Result<(), Error> {
        let Some(agent) = self.pick("Agent").await? else { return Ok(()) };
        let name = format!("server-{}-{}", self.name, self.count);
        let url = format!("https://{name}.example.com/mcp");
        let spec = json!({ "url": url }).as_object().cloned().unwrap_or_default();
        let register = Action::Create {
            kind: "MCPServerRegistration".parse()?,
            ou: Some(self.org.root_ou),
            name: Some(name),
            spec,
        };
        let server = self.loom.submit(&self.org.admin_caller(), register).await?;
        let Some(server) = server.record().cloned() else { return Ok(()) };
        self.create("Credential", json!({ "agent": agent.meta.id, "mcp_server": server.meta.id }), None)
            .await
            .map(drop)
    }

    async fn update_agent(&self) -> Result<(), Error> {
        let Some(agent) = self.pick("Agent").await? else { return Ok(()) };
        let patch = json!({ "system_prompt": format!("Be concise. {}", self.roll(1000)) });
        let patch = patch.as_object().cloned().unwrap_or_default();
        let row = self.submit(Action::Update { target: agent.key(), expect: None, patch }).await?;
        if let Some(row) = row {
            ack(format_args!("update {} {}", row.meta.id, row.meta.version));
        }
        Ok(())
    }

    async fn attach_skill(&self) -> Result<(), Error> {
        let (Some(agent), Some(skill)) = (self.pick("Agent").await?, self.pick("Skill").await?) else {
            return Ok(());
        };
        // A skill whose first version was killed on its way would keep the agent waiting for ever.
        if skill.status.get("current").is_none_or(Value::is_null) {
            return Ok(());
        }
        let attach =
            Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
        if let Some(row) = self.submit(attach).await? {
            ack(format_args!("update {} {}", row.meta.id, row.meta.version));
        }
        Ok(())
    }

    async fn invoke(&self) -> Result<(), Error> {
        let Some(agent) = self.pick("Agent").await? else { return Ok(()) };
        let invoke = Invoke::new(agent.meta.id, "say 3 messages\nuse bash ls\nsay done");
        if let Some(session) = self.loom.invoke(&self.org.admin_caller(), invoke).await?.started() {
            ack(format_args!("session {}", session.session_id));
        }
        Ok(())
    }

    /// Some live record of a kind.
    async fn pick(&self, kind: &str) -> Result<Option<RecordRow>, Error> {
        let kind: KindName = kind.parse()?;
        let query = RecordQuery { kind: Some(kind), limit: 50, ..RecordQuery::default() };
        let rows = self.loom.list(&self.org.admin_caller(), &query).await?;
        let index = usize::try_from(self.roll(rows.len().max(1) as u64)).unwrap_or(0);
        let picked: Option<ResourceKey> = rows.get(index).map(RecordRow::key);
        Ok(match picked {
            Some(key) => Some(self.loom.get(&self.org.admin_caller(), &key).await?),
            None => None,
        })
    }
}

/// Says that something has happened for good.
fn ack(what: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: the test is over.
    let told = writeln!(out, "ack {what} {}", SystemClock.now().as_micros()).and_then(|()| out.flush());
    if told.is_err() {
        std::process::exit(0);
    }
}

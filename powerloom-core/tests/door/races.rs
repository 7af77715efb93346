//! What one change read, another one changes before it is committed.

use crate::world::{World, code, gated, kind, skill_files, world};
use async_trait::async_trait;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::gate::{Gate, Proposal, Verdict};
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::error::Result;
use powerloom_core::record::RecordRow;
use powerloom_core::secret::MemoryKeys;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A gate that holds nothing back: the moment between judging a change and committing it, in which somebody else makes
/// one of their own.
#[derive(Debug, Default)]
struct Meanwhile(Mutex<Option<(ControlPlane, Caller, Action)>>);

#[async_trait]
impl Gate for Meanwhile {
    async fn judge(&self, _: &Proposal<'_>) -> Result<Verdict> {
        let next = self.0.lock().unwrap().take();
        if let Some((cp, caller, action)) = next {
            cp.submit(&caller, action).await?;
        }
        Ok(Verdict::Open)
    }
}

struct Race {
    w: World,
    meanwhile: Arc<Meanwhile>,
    other: ControlPlane,
}

async fn race() -> Race {
    let meanwhile = Arc::new(Meanwhile::default());
    let w = gated(meanwhile.clone()).await;
    let other = ControlPlane::builder(w.cp.store().clone())
        .clock(w.clock.clone())
        .keys(Arc::new(MemoryKeys::generate(&SystemEntropy)))
        .build();
    Race { w, meanwhile, other }
}

impl Race {
    /// Makes `second` while `first` is about to be committed.
    async fn run(&self, first: Action, second: Action) -> Result<powerloom_core::door::outcome::Outcome> {
        *self.meanwhile.0.lock().unwrap() = Some((self.other.clone(), self.w.admin.clone(), second));
        let answer = self.w.cp.submit(&self.w.admin, first).await;
        assert!(self.meanwhile.0.lock().unwrap().is_none(), "the other change was made");
        answer
    }

    /// The agent's hash is what it is when computed anew.
    async fn assert_fresh(&self, agent: &RecordRow) {
        let held = self.w.desired(&agent.key()).await;
        let row = self.w.row(&agent.key()).await;
        self.w.update(&self.w.admin, &row, json!({ "display_name": "Somebody" })).await.unwrap();
        assert_eq!(self.w.desired(&agent.key()).await, held);
    }
}

/// Rows P33, P53: however a publication, an attachment and an update meet, the agent ends with the hash of what it is.
#[tokio::test]
async fn an_agent_never_keeps_the_hash_of_what_was_replaced() {
    let r = race().await;
    let skill = r.w.create("Skill", r.w.root(), "python-lint", json!({})).await;
    let publish = |body: &str| Action::PublishSkillVersion {
        skill: skill.meta.id,
        files: skill_files("python-lint", body),
    };
    r.w.cp.submit(&r.w.admin, publish("one")).await.unwrap();
    let attach = |agent: &RecordRow| Action::AttachSkill {
        agent: agent.meta.id,
        skill: skill.meta.id,
        version: None,
        expect: None,
    };

    let late = r.w.agent(r.w.root(), "late").await;
    r.run(attach(&late), publish("two")).await.unwrap();
    r.assert_fresh(&late).await;

    let early = r.w.agent(r.w.root(), "early").await;
    r.run(publish("three"), attach(&early)).await.unwrap();
    r.assert_fresh(&early).await;

    let patch = json!({ "model": "claude-opus-4-1" }).as_object().cloned().unwrap();
    let update = Action::Update { target: early.key(), expect: None, patch };
    r.run(publish("four"), update).await.unwrap();
    r.assert_fresh(&early).await;
    r.assert_fresh(&late).await;
}

#[tokio::test]
async fn of_two_credentials_at_once_the_one_too_many_is_refused() {
    let r = race().await;
    let agent = r.w.agent(r.w.root(), "pg-writer").await;
    let mut bind = Vec::new();
    for number in 0..21 {
        let server = r.w.server(r.w.root(), &format!("server-{number}")).await;
        let spec = json!({ "agent": agent.meta.id, "mcp_server": server.meta.id });
        let spec = spec.as_object().cloned().unwrap();
        bind.push(Action::Create { kind: kind("Credential"), ou: None, name: None, spec });
    }
    for action in &bind[..19] {
        r.w.cp.submit(&r.w.admin, action.clone()).await.unwrap();
    }
    assert_eq!(code(r.run(bind[19].clone(), bind[20].clone()).await), "invalid");
}

/// Sem. 2.5: a vault of the runtime takes one credential for a URL.
#[tokio::test]
async fn an_agent_has_one_credential_for_a_url() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    let url = json!({ "url": "https://same.example.com/mcp" });
    let one = w.create("MCPServerRegistration", w.root(), "one", url.clone()).await;
    let two = w.create("MCPServerRegistration", w.root(), "two", url).await;
    let spec = |server: &RecordRow| json!({ "agent": agent.meta.id, "mcp_server": server.meta.id });
    w.derive("Credential", spec(&one)).await;
    assert_eq!(code(w.try_create(&w.admin, "Credential", None, None, spec(&two)).await), "invalid");
}

/// What this process adds is known to it at once, whatever else it does in between.
#[tokio::test]
async fn a_new_ou_is_not_forgotten_over_a_new_binding() {
    let w = world().await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentViewer", w.root()).await;
    let engineering = w.ou(w.root(), "engineering").await;
    w.bind(format!("user:{ada}"), "AgentOperator", w.root()).await;
    w.agent(engineering, "code-reviewer").await;
}

//! Claude Managed Agents as a runtime of the control plane.
//!
//! Every object made here carries our key in its metadata (`powerloom_id`, `powerloom_org`; a session
//! `powerloom_session`), a skill its id in its display name. What each kind manages is said in its file below.

mod agent;
mod credential;
mod environment;
mod event;
mod failure;
mod session;
mod skill;
mod skill_archive;
mod tag;
mod toolset;
mod vault;

use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use async_trait::async_trait;
use failure::not_sent;
use futures::stream::BoxStream;
use powerloom_core::id::OrgId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::{KindName, ResourceKey, Schema};
use powerloom_core::resource::agent::Agent;
use powerloom_core::resource::credential::Credential;
use powerloom_core::resource::environment::Environment;
use powerloom_core::resource::skill_version::SkillVersion;
use powerloom_core::resource::vault::Vault;
use powerloom_core::runtime::{
    Capabilities, Payload, Placed, Push, RemoteSession, Runtime, RuntimeError, RuntimeErrorClass,
    RuntimeEvent, RuntimeResult, StartSession, ToolAnswer,
};

/// Claude Managed Agents as a runtime.
///
/// Calls are sent once, as the client does; who calls decides what to do with a failure by its class. An update
/// carries the version that was seen last, so that a change made meanwhile is a
/// [`Conflict`](RuntimeErrorClass::Conflict). Look-ups read at most 10 000 pages.
///
/// ```
/// use powerloom_core::runtime::Runtime;
/// use powerloom_runtime::cma::{CmaClient, CmaRuntime};
///
/// let runtime = CmaRuntime::new(CmaClient::builder().api_key("sk-ant-example").build()?);
/// assert!(runtime.capabilities().resume);
/// # Ok::<(), powerloom_runtime::cma::CmaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CmaRuntime {
    client: CmaClient,
}

impl CmaRuntime {
    /// The workspace that the client's key opens.
    #[must_use]
    pub const fn new(client: CmaClient) -> Self {
        Self { client }
    }

    /// The workspace of the environment's `ANTHROPIC_API_KEY`, at `ANTHROPIC_BASE_URL`.
    ///
    /// # Errors
    /// Those of [`CmaClient::from_env`].
    pub fn from_env() -> Result<Self, CmaError> {
        CmaClient::from_env().map(Self::new)
    }
}

#[async_trait]
impl Runtime for CmaRuntime {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.resume = true;
        capabilities.provider = "anthropic";
        capabilities
    }

    async fn push(&self, push: &Push) -> RuntimeResult<RemoteRef> {
        let client = &self.client;
        match &push.payload {
            Payload::Environment(payload) => environment::push(client, push, payload).await,
            Payload::SkillVersion(payload) => skill::push(client, push, payload).await,
            Payload::Vault(payload) => vault::push(client, push, payload).await,
            Payload::Credential(payload) => credential::push(client, push, payload).await,
            Payload::Agent(payload) => agent::push(client, push, payload).await,
            Payload::Custom(_) => Err(foreign("push", &push.key.kind)),
        }
    }

    async fn observe(
        &self,
        key: &ResourceKey,
        remote: &RemoteRef,
        expected: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        let client = &self.client;
        Ok(match expected {
            Payload::Environment(expected) => environment::observe(client, key, remote, expected)
                .await?
                .map(|(payload, remote)| (Payload::Environment(payload), remote)),
            Payload::SkillVersion(expected) => skill::observe(client, remote, expected)
                .await?
                .map(|(payload, remote)| (Payload::SkillVersion(payload), remote)),
            Payload::Vault(_) => vault::observe(client, key, remote)
                .await?
                .map(|(payload, remote)| (Payload::Vault(payload), remote)),
            Payload::Credential(expected) => credential::observe(client, key, remote, expected, placed)
                .await?
                .map(|(payload, remote)| (Payload::Credential(payload), remote)),
            Payload::Agent(expected) => agent::observe(client, key, remote, expected, placed)
                .await?
                .map(|(payload, remote)| (Payload::Agent(payload), remote)),
            Payload::Custom(_) => return Err(foreign("observe", &key.kind)),
        })
    }

    async fn remove(&self, key: &ResourceKey, remote: &RemoteRef) -> RuntimeResult<()> {
        let client = &self.client;
        match &key.kind {
            kind if *kind == Environment::KIND => environment::remove(client, remote).await,
            kind if *kind == SkillVersion::KIND => skill::remove(client, remote).await,
            kind if *kind == Vault::KIND => vault::remove(client, remote).await,
            kind if *kind == Credential::KIND => credential::remove(client, remote).await,
            kind if *kind == Agent::KIND => agent::remove(client, remote).await,
            kind => Err(foreign("remove", kind)),
        }
    }

    async fn find(
        &self,
        org: OrgId,
        key: &ResourceKey,
        payload: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<RemoteRef>> {
        let client = &self.client;
        match payload {
            Payload::Environment(_) => environment::find(client, org, key).await,
            Payload::SkillVersion(payload) => skill::find(client, payload, placed).await,
            Payload::Vault(_) => vault::find(client, org, key).await,
            Payload::Credential(payload) => credential::find(client, org, key, payload, placed).await,
            Payload::Agent(_) => agent::find(client, org, key).await,
            Payload::Custom(_) => Err(foreign("look for", &key.kind)),
        }
    }

    async fn start_session(&self, start: &StartSession) -> RuntimeResult<String> {
        session::start(&self.client, start).await
    }

    async fn prompt(&self, remote_id: &str, text: &str) -> RuntimeResult<()> {
        session::prompt(&self.client, remote_id, text).await
    }

    async fn stream(
        &self,
        remote_id: &str,
    ) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        session::stream(&self.client, remote_id).await
    }

    async fn history(
        &self,
        remote_id: &str,
    ) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        Ok(session::history(&self.client, remote_id))
    }

    async fn session(&self, remote_id: &str) -> RuntimeResult<Option<RemoteSession>> {
        session::read(&self.client, remote_id).await
    }

    async fn answer_tool(&self, remote_id: &str, event_id: &str, answer: &ToolAnswer) -> RuntimeResult<()> {
        session::answer_tool(&self.client, remote_id, event_id, answer).await
    }

    async fn interrupt(&self, remote_id: &str) -> RuntimeResult<()> {
        session::interrupt(&self.client, remote_id).await
    }

    async fn archive_session(&self, remote_id: &str) -> RuntimeResult<()> {
        session::archive(&self.client, remote_id).await
    }
}

fn foreign(verb: &str, kind: &KindName) -> RuntimeError {
    let why = "this runtime does not know the kind";
    not_sent(&format!("{verb} a resource of kind `{kind}`"), why, RuntimeErrorClass::Permanent)
}

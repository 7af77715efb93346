//! The port to where agents run: what a runtime backend implements.
//!
//! A runtime is told *what* should be there ([`Payload`], in our own words and ids) and *where* the things it
//! refers to are ([`Placed`]); it answers where it put it. Nothing here knows HTTP.

use crate::error_kind::ErrorKind;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::reconcile::state::RemoteRef;
use crate::record::ResourceKey;
use crate::secret::SecretBytes;
use crate::session::record::Usage;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What went wrong on the runtime, by what to do about it (sem. 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the reconciler must handle each class by name")]
pub enum RuntimeErrorClass {
    /// May pass by itself.
    Transient,
    /// Too many calls; the runtime may say how long to wait.
    RateLimited {
        /// At least this long.
        retry_after: Option<Duration>,
    },
    /// Cannot pass by waiting.
    Permanent,
    /// What was to be changed is not there.
    Gone,
    /// Somebody else changed it first: look again.
    Conflict,
    /// Our own key is refused: nothing of this organization will work.
    AuthFailed,
}

/// A call to the runtime failed.
#[derive(Debug, thiserror::Error)]
#[error("the runtime refused to {operation}: {message}")]
#[non_exhaustive]
pub struct RuntimeError {
    /// What was tried, as a verb phrase: `create an agent`.
    pub operation: String,
    /// What the runtime said, shortened, never a secret.
    pub message: String,
    /// What to do about it.
    pub class: RuntimeErrorClass,
    /// The call may have taken effect all the same: the answer was lost, not the request.
    pub maybe_applied: bool,
    /// The transport's error.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RuntimeError {
    /// A failure of `operation`.
    pub fn new(operation: impl Into<String>, message: impl Into<String>, class: RuntimeErrorClass) -> Self {
        Self {
            operation: operation.into(),
            message: message.into(),
            class,
            maybe_applied: false,
            source: None,
        }
    }

    /// Says that the call may have taken effect.
    #[must_use]
    pub fn maybe_applied(mut self, maybe: bool) -> Self {
        self.maybe_applied = maybe;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.class {
            RuntimeErrorClass::Transient | RuntimeErrorClass::AuthFailed => ErrorKind::Unavailable,
            RuntimeErrorClass::RateLimited { .. } => ErrorKind::RateLimited,
            RuntimeErrorClass::Permanent => ErrorKind::Invalid,
            RuntimeErrorClass::Gone => ErrorKind::NotFound,
            RuntimeErrorClass::Conflict => ErrorKind::Conflict,
        }
    }
}

/// The answer of a runtime.
pub type RuntimeResult<T> = Result<T, RuntimeError>;

/// What an environment should be (row P37).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentPayload {
    /// Its name on the runtime.
    pub name: String,
    /// `None`: the network is open. Otherwise only these hosts can be reached.
    pub allowed_hosts: Option<Vec<String>>,
    /// With a limited network: MCP servers can be reached all the same.
    pub allow_mcp_servers: bool,
    /// With a limited network: package registries can be reached all the same.
    pub allow_package_managers: bool,
    /// Packages to install, by package manager (`apt`, `cargo`, `gem`, `go`, `npm`, `pip`).
    pub packages: BTreeMap<String, Vec<String>>,
}

/// One file of a skill version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SkillFile {
    /// Its path below the skill's folder, with `/`.
    pub path: String,
    /// Whether it may be executed.
    pub executable: bool,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub digest: crate::digest::Digest,
}

/// What a skill version should be (rows P50, P51).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillVersionPayload {
    /// The skill it belongs to.
    pub skill: ResourceId,
    /// The skill's name: the folder of the upload.
    pub skill_name: String,
    /// The version's number, counted from 1.
    pub number: u64,
    /// Hash of the file tree.
    pub content_hash: crate::digest::Digest,
}

/// What a vault should be: one per agent, and one per session that delegates (C34). The latter bears the session's id
/// where the former bears its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultPayload {
    /// Its name on the runtime.
    pub display_name: String,
}

/// What a credential should be (row P63). The bearer itself is not part of it: it is only known by fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialPayload {
    /// The vault it is in.
    pub vault: ResourceId,
    /// The server it is for.
    pub mcp_server_url: String,
    /// Its name on the runtime.
    pub display_name: String,
    /// Fingerprint of the bearer.
    pub fingerprint: String,
}

/// One skill an agent has, by stable identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentSkillPayload {
    /// The skill version.
    pub version: ResourceId,
    /// The skill's name.
    pub name: String,
    /// The version's number.
    pub number: u64,
}

/// One MCP server an agent has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentMcpServerPayload {
    /// The frozen server name (row P39).
    pub name: String,
    /// Where it is.
    pub url: String,
}

/// What an agent should be: exactly the managed fields, with references by stable identity (sem. 2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPayload {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The model's id.
    pub model: String,
    /// The system prompt.
    pub system: Option<String>,
    /// Its skills, sorted by name.
    pub skills: Vec<AgentSkillPayload>,
    /// Its MCP servers, sorted by name.
    pub mcp_servers: Vec<AgentMcpServerPayload>,
}

/// What a resource should be on the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "a runtime that does not know a payload must not compile")]
pub enum Payload {
    /// An environment.
    Environment(EnvironmentPayload),
    /// A skill version.
    SkillVersion(SkillVersionPayload),
    /// A vault.
    Vault(VaultPayload),
    /// A credential.
    Credential(CredentialPayload),
    /// An agent.
    Agent(AgentPayload),
    /// A kind of the embedder's own.
    Custom(Value),
}

/// Everything a push needs beside the payload.
#[derive(Debug)]
pub struct Push {
    /// The organization.
    pub org: OrgId,
    /// The resource: goes into the remote object's metadata, so that it can be found again.
    pub key: ResourceKey,
    /// What it should be.
    pub payload: Payload,
    /// Where it is now; `None` creates it.
    pub remote: Option<RemoteRef>,
    /// Where the resources the payload refers to are.
    pub placed: Placed,
    /// A skill version's files.
    pub files: Vec<(SkillFile, Bytes)>,
    /// A credential's bearer.
    pub bearer: Option<SecretBytes>,
    /// A create may have been sent before whose answer never came: look for the object first.
    pub unsure: bool,
}

/// Where resources are on the runtime.
pub type Placed = BTreeMap<ResourceKey, RemoteRef>;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartSession {
    /// The organization.
    pub org: OrgId,
    /// Our session: goes into the remote session's metadata.
    pub session: SessionId,
    /// The agent and the version that runs.
    pub agent: RemoteRef,
    /// The environment.
    pub environment: RemoteRef,
    /// The vaults whose credentials it may use.
    pub vault_ids: Vec<String>,
    /// What the caller calls it.
    pub title: Option<String>,
    /// A create may have been sent before whose answer never came: look for the session first.
    pub unsure: bool,
}

/// An event as the runtime tells it. Unknown types are kept whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeEvent {
    /// The runtime's id of it.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else in it.
    pub body: Value,
    /// Whether the runtime has finished with it; a queued prompt comes twice, unfinished first.
    pub processed: bool,
}

/// Where a remote session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteStatus {
    /// It waits for something to do.
    Idle,
    /// It works.
    Running,
    /// It ended for good.
    Terminated,
    /// A status this version does not know.
    Unknown,
}

/// What the runtime says about a session as a whole.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RemoteSession {
    /// Where it is.
    pub status: RemoteStatus,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it cost, verbatim.
    pub cost: Option<Value>,
}

impl RemoteSession {
    /// The answer of a backend.
    #[must_use]
    pub fn new(status: RemoteStatus, usage: Option<Usage>, cost: Option<Value>) -> Self {
        Self { status, usage, cost }
    }
}

/// The answer to a tool call that waits for one (`requires_action`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new answer must break every runtime")]
pub enum ToolAnswer {
    /// Do it.
    Allow,
    /// Do not; the text is told to the agent.
    Deny(String),
}

/// What a runtime can do beyond the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// A session whose turn has ended takes another prompt.
    pub resume: bool,
    /// Whose models its agents run on, as OpenTelemetry's conventions name them (`gen_ai.provider.name`); empty: not said.
    pub provider: &'static str,
}

/// Where agents run.
///
/// # Guarantees every implementation gives
/// 1. **Tagged**: an object it creates carries the resource's key, and `push` with `unsure` finds it by that
///    instead of creating a second one.
/// 2. **Whole**: `push` leaves exactly the payload's managed fields, clearing what the payload lacks.
/// 3. **Observed in our words**: `observe` of an untouched object returns a payload equal to the one pushed.
/// 4. **Idempotent removal**: removing what is not there is a success.
/// 5. **Secret**: a bearer passes through `push` and is never returned, logged or put into an error.
/// 6. **Honest failure**: an error whose call may have taken effect says so (`maybe_applied`).
/// 7. **Cancel-safe**: dropping a future abandons the call; it may still take effect, as after `maybe_applied`.
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// What it can do beyond the least.
    fn capabilities(&self) -> Capabilities;
    /// Creates or updates, and says where the object is now.
    async fn push(&self, push: &Push) -> RuntimeResult<RemoteRef>;
    /// Reads what is there, in our words; `None` if it is gone. `expected` is what was pushed last: fields the
    /// runtime never returns (a bearer's fingerprint, a content hash) are taken from it.
    async fn observe(
        &self,
        key: &ResourceKey,
        remote: &RemoteRef,
        expected: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<(Payload, RemoteRef)>>;
    /// Takes an object off the runtime.
    async fn remove(&self, key: &ResourceKey, remote: &RemoteRef) -> RuntimeResult<()>;
    /// Finds an object that was created for `key` although its answer was lost; for removal of such.
    async fn find(
        &self,
        org: OrgId,
        key: &ResourceKey,
        payload: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<RemoteRef>>;

    /// Starts a session and returns the runtime's id of it. It does nothing until it is prompted.
    async fn start_session(&self, start: &StartSession) -> RuntimeResult<String>;
    /// Sends a prompt.
    async fn prompt(&self, remote_id: &str, text: &str) -> RuntimeResult<()>;
    /// The events from now on, until the connection ends. No replay: list `history` after opening it.
    async fn stream(&self, remote_id: &str)
    -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>>;
    /// All events so far, oldest first.
    async fn history(
        &self,
        remote_id: &str,
    ) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>>;
    /// The session as a whole; `None` if it is gone.
    async fn session(&self, remote_id: &str) -> RuntimeResult<Option<RemoteSession>>;
    /// Answers a tool call that waits.
    async fn answer_tool(&self, remote_id: &str, event_id: &str, answer: &ToolAnswer) -> RuntimeResult<()>;
    /// Asks the session to stop its turn.
    async fn interrupt(&self, remote_id: &str) -> RuntimeResult<()>;
    /// Ends the session on the runtime for good; its history stays readable.
    async fn archive_session(&self, remote_id: &str) -> RuntimeResult<()>;
}

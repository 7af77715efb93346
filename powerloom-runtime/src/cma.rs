//! The client of Claude Managed Agents.
//!
//! Every call the service has on agents, environments, sessions, their events, vaults, credentials, skills and files,
//! with typed requests and answers. It follows the API version `2026-10-21` with the beta name
//! `managed-agents-2026-04-01`; see [`HeaderGeneration`] for the form before it. Memory stores, threads, deployments
//! and webhooks are not covered.
//!
//! [`CmaRuntime`] makes the service a runtime of the control plane.
//!
//! - **No retries.** A call is sent once. [`CmaError::class`] says what to do with a failure, and
//!   [`CmaError::maybe_applied`] whether to look before creating again: the service takes no idempotency key.
//! - **Answers may grow.** Unknown fields are passed over, unknown words and kinds are kept (`Other`), an [`Event`]
//!   is kept whole.
//! - **Updates are partial.** [`Patch`] tells a field that stays from one that is cleared.
//! - **Secrets do not show.** The API key and every token are a [`Secret`].
//!
//! ```no_run
//! use futures::StreamExt;
//! use powerloom_runtime::cma::{CmaClient, CreateAgent, CreateEnvironment, CreateSession, OutgoingEvent};
//!
//! # async fn run() -> Result<(), powerloom_runtime::cma::CmaError> {
//! let client = CmaClient::from_env()?;
//! let agent = client.agents().create(&CreateAgent::new("Support agent", "claude-opus-5-5")).await?;
//! let place = client.environments().create(&CreateEnvironment::new("shared")).await?;
//! let session = client.sessions().create(&CreateSession::new(agent.id.as_str(), place.id)).await?;
//!
//! // The stream does not replay: open it, then send.
//! let mut events = client.events().stream(&session.id).await?;
//! client.events().send(&session.id, &[OutgoingEvent::message("Where is my order?")]).await?;
//! while let Some(event) = events.next().await {
//!     let event = event?;
//!     println!("{} {:?}", event.kind(), event.body());
//!     if event.ends_turn() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod agent;
mod agent_ref;
mod api_error;
mod budget;
mod call;
mod client;
mod config;
mod content;
mod credential;
mod credential_auth;
mod environment;
mod error;
mod error_class;
mod event;
mod event_log;
mod file;
mod lenient;
mod model;
mod moment;
mod outgoing;
mod page;
mod patch;
mod resource;
mod retry_after;
mod runtime;
mod secret;
mod session;
mod skill;
mod skill_version;
mod sse;
mod tool;
mod upload;
mod vault;

pub use agent::{Agent, Agents, CreateAgent, ListAgents, ListVersions, UpdateAgent};
pub use agent_ref::{AgentOverrides, AgentRef};
pub use api_error::ApiError;
pub use budget::{Budget, Money};
pub use client::CmaClient;
pub use config::{BASE_URL, BETA, CmaClientBuilder, HeaderGeneration};
pub use content::{Content, Source};
pub use credential::{CreateCredential, Credential, Credentials, ListCredentials, UpdateCredential};
pub use credential_auth::{
    CredentialAuth, InjectionLocation, NewAuth, NewRefresh, TokenEndpointAuth, UpdateAuth, UpdateRefresh,
};
pub use environment::{
    CreateEnvironment, Environment, EnvironmentConfig, Environments, ListEnvironments, Networking, Packages,
    UpdateEnvironment,
};
pub use error::{Cause, CmaError, WaitedFor};
pub use error_class::ErrorClass;
pub use event::{Event, EventBody, ModelUsage, RetryStatus, SessionError, StopReason};
pub use event_log::{Events, ListEvents};
pub use file::{File, Files};
pub use model::{Effort, Model, ModelConfig};
pub use outgoing::{Confirmation, OutgoingEvent};
pub use page::{Order, Page};
pub use patch::Patch;
pub use resource::{Checkout, MountedResource};
pub use runtime::CmaRuntime;
pub use secret::Secret;
pub use session::{
    CreateSession, ListSessions, Session, SessionAgent, SessionAgentUpdate, SessionStats, SessionStatus,
    SessionUsage, Sessions, UpdateSession,
};
pub use skill::{ListSkills, Skill, SkillSource, Skills};
pub use skill_version::{ListSkillVersions, SkillVersion, SkillVersions};
pub use tool::{AgentSkill, McpServer, PermissionPolicy, Tool, ToolConfig, ToolDefaults};
pub use upload::UploadFile;
pub use vault::{CreateVault, ListVaults, UpdateVault, Vault, Vaults};

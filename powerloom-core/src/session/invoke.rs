//! Starting and stopping sessions through the door (rows P69–P75).

use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::mutation::Action;
use crate::door::outcome::Outcome;
use crate::door::submit::SubmitOptions;
use crate::error::{Error, Result};
use crate::id::{ResourceId, SessionId};
use crate::session::record::{InvokeMode, SessionRecord};
use crate::session::status::SessionStatus;
use crate::session::ticket::Ticket;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How much longer than the session itself a call in mode `sync` waits at most.
const MARGIN: Duration = Duration::from_secs(60);

/// What is asked of an agent (row P69).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain input")]
pub struct Invoke {
    /// The agent.
    pub agent: ResourceId,
    /// What is asked: 1 to 100 000 characters.
    #[cfg_attr(feature = "schema", schema(min_length = 1))]
    pub prompt: String,
    /// How the caller waits.
    pub mode: InvokeMode,
    /// What the caller calls the session: 1 to 255 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub title: Option<String>,
    /// How long it may run, in seconds; absent: as the agent says, or ten minutes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 1))]
    pub timeout_seconds: Option<u32>,
    /// The same key with the same input starts one session (sem. 2.14).
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Invoke {
    /// Asks `prompt` of `agent`, and does not wait.
    #[must_use]
    pub fn new(agent: ResourceId, prompt: impl Into<String>) -> Self {
        Self {
            agent,
            prompt: prompt.into(),
            mode: InvokeMode::FireAndForget,
            title: None,
            timeout_seconds: None,
            idempotency_key: None,
        }
    }

    /// Waits until the session has settled.
    #[must_use]
    pub fn sync(mut self) -> Self {
        self.mode = InvokeMode::Sync;
        self
    }
}

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new outcome must break every caller that decides on one")]
pub enum Invocation {
    /// A session was started.
    Started(Box<Invoked>),
    /// It waits for somebody's approval.
    Pending {
        /// The request, `req_…`.
        #[cfg_attr(feature = "schema", schema(value_type = crate::approval::ApprovalId))]
        request_id: String,
    },
}

impl Invocation {
    /// The session that was started, if one was.
    #[must_use]
    pub fn started(self) -> Option<Invoked> {
        match self {
            Self::Started(invoked) => Some(*invoked),
            Self::Pending { .. } => None,
        }
    }
}

/// The answer to an invocation (row P75).
#[derive(Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Invoked {
    /// The session.
    pub session_id: SessionId,
    /// `pending` in mode `fire_and_forget`; in mode `sync` how it settled (row P73).
    pub status: SessionStatus,
    /// How the caller waits.
    pub mode: InvokeMode,
    /// Opens the stream once, within a minute; only in mode `fire_and_forget` (row P74).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub ws_ticket: Option<Ticket>,
    /// Where the stream is, with the ticket: `/sessions/{id}/stream?ticket=…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub ws_url: Option<String>,
    /// When the ticket ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub ws_ticket_expires_at: Option<Timestamp>,
    /// The session as it settled; only in mode `sync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub session: Option<Box<SessionRecord>>,
    /// What speaks against it though nothing held it back: policies of mode `warn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub warnings: Vec<String>,
}

impl fmt::Debug for Invoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL has the ticket in it.
        f.debug_struct("Invoked")
            .field("session_id", &self.session_id)
            .field("status", &self.status)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Asks something of an agent (rows P69–P75).
    ///
    /// In mode `sync` it answers once the session has settled, and at the latest a little after its timeout, with
    /// whatever the session is then.
    ///
    /// # Errors
    /// As [`submit_with`](Self::submit_with): among them `agent_not_synced` and `environment_not_synced`.
    ///
    /// # Cancel safety
    /// Dropped, the session was started or not, and goes on. With an idempotency key, asking again finds it.
    pub async fn invoke(&self, caller: &Caller, invoke: Invoke) -> Result<Invocation> {
        self.invoke_with(caller, invoke, &SubmitOptions::default(), std::future::pending()).await
    }

    /// The same under the terms any change can be made under. A key in `options` counts before that of `invoke`.
    ///
    /// `enough` ends the wait of mode `sync`: then the answer says where the session is at that moment. It goes on.
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke).
    ///
    /// # Cancel safety
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_with(
        &self,
        caller: &Caller,
        invoke: Invoke,
        options: &SubmitOptions,
        enough: impl Future<Output = ()> + Send,
    ) -> Result<Invocation> {
        let mut options = options.clone();
        options.idempotency_key = options.idempotency_key.or(invoke.idempotency_key);
        let mode = invoke.mode;
        let action = Action::Invoke {
            agent: invoke.agent,
            prompt: invoke.prompt,
            mode,
            title: invoke.title,
            timeout_seconds: invoke.timeout_seconds,
        };
        let (id, warnings) = match self.submit_with(caller, action, &options).await? {
            Outcome::Pending { request_id } => return Ok(Invocation::Pending { request_id }),
            Outcome::Applied(applied) => (applied.session, applied.warnings),
            Outcome::Unchanged { .. } => (None, Vec::new()),
        };
        let id =
            id.ok_or_else(|| Error::Internal { message: "an invocation started no session".to_owned() })?;
        let invoked = match mode {
            InvokeMode::FireAndForget => self.announced(caller, id).await?,
            InvokeMode::Sync => self.finished(caller, id, enough).await?,
        };
        Ok(Invocation::Started(Box::new(Invoked { warnings, ..invoked })))
    }

    /// Asks to stop a session: whoever started it may, others need `session:cancel`.
    ///
    /// It is stopped soon, and not yet when this returns; a turn that ends before the stop arrives ends as it would
    /// have.
    ///
    /// # Errors
    /// `session_settled`; as [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// As [`submit`](Self::submit).
    pub async fn cancel(&self, caller: &Caller, session: SessionId) -> Result<Outcome> {
        self.submit(caller, Action::CancelSession { session }).await
    }

    async fn announced(&self, caller: &Caller, id: SessionId) -> Result<Invoked> {
        let (ticket, expires_at) = self.mint_ticket(caller, id).await?;
        Ok(Invoked {
            session_id: id,
            status: SessionStatus::Pending,
            mode: InvokeMode::FireAndForget,
            ws_url: Some(ticket.url(id)),
            ws_ticket: Some(ticket),
            ws_ticket_expires_at: Some(expires_at),
            session: None,
            warnings: Vec::new(),
        })
    }

    async fn finished(
        &self,
        caller: &Caller,
        id: SessionId,
        enough: impl Future<Output = ()> + Send,
    ) -> Result<Invoked> {
        let store = &self.plane.store;
        let missing = || Error::not_found("session", id);
        let started = store.session(caller.org, id).await?.ok_or_else(missing)?;
        let most = self.plane.limits.pending_timeout + Duration::from_millis(started.timeout_ms) + MARGIN;
        let mut stream = self.cursor(caller.org, id, started.last_seq).await?;
        let end = async {
            while let Some(event) = stream.next().await {
                event?;
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            biased;
            ended = end => ended?,
            () = enough => {}
            () = tokio::time::sleep(most) => {}
        }
        let session = store.session(caller.org, id).await?.ok_or_else(missing)?;
        Ok(Invoked {
            session_id: id,
            status: session.status,
            mode: InvokeMode::Sync,
            ws_ticket: None,
            ws_url: None,
            ws_ticket_expires_at: None,
            session: Some(Box::new(session.shown())),
            warnings: Vec::new(),
        })
    }
}

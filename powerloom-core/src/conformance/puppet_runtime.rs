//! A runtime whose sessions say what a test tells them to, when it tells them to.

use crate::clock::{Clock as _, SystemClock};
use crate::conformance::fake_runtime::FakeRuntime;
use crate::id::{OrgId, SessionId};
use crate::reconcile::state::RemoteRef;
use crate::record::ResourceKey;
use crate::runtime::{
    Capabilities, Payload, Placed, Push, RemoteSession, RemoteStatus, Runtime, RuntimeError,
    RuntimeErrorClass, RuntimeEvent, RuntimeResult, StartSession, ToolAnswer,
};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};

/// A runtime in memory, for tests that must decide what happens in a session and when.
///
/// Objects are those of a [`FakeRuntime`]. A session that is prompted says that it runs, and then nothing until it is
/// [told to](Self::say). An interrupt ends its turn.
///
/// ```
/// use powerloom_core::conformance::puppet_runtime::PuppetRuntime;
/// # use powerloom_core::{clock::Timestamp, entropy::SystemEntropy, id::SessionId};
/// let runtime = PuppetRuntime::default();
/// let session = SessionId::generate(Timestamp::default(), &SystemEntropy);
/// assert!(!runtime.is_prompted(session));
/// ```
#[derive(Debug, Default)]
pub struct PuppetRuntime {
    objects: FakeRuntime,
    remotes: Mutex<BTreeMap<String, Remote>>,
    moved: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Remote {
    history: Vec<RuntimeEvent>,
    streams: Vec<mpsc::UnboundedSender<RuntimeEvent>>,
    prompts: usize,
    runs: bool,
}

impl Remote {
    fn say(&mut self, kind: &str, mut body: Value) {
        match kind {
            "session.status_running" => self.runs = true,
            "session.status_idle" | "session.status_terminated" => self.runs = false,
            _ => {}
        }
        let now = json!(SystemClock.now());
        if let Some(body) = body.as_object_mut() {
            body.insert("processed_at".to_owned(), now);
        }
        let id = format!("sevt_{}", self.history.len() + 1);
        let event = RuntimeEvent { id, kind: kind.to_owned(), body, processed: true };
        self.history.push(event.clone());
        self.streams.retain(|stream| stream.send(event.clone()).is_ok());
    }
}

impl PuppetRuntime {
    /// The objects, to let calls about them go wrong.
    #[must_use]
    pub const fn objects(&self) -> &FakeRuntime {
        &self.objects
    }

    /// Lets a session say something, now. It panics if the session was not started here.
    pub fn say(&self, session: SessionId, kind: &str, body: Value) {
        let told = self.with(&remote_id(session), |remote| remote.say(kind, body));
        assert!(told.is_ok(), "session {session} was not started here");
    }

    /// Lets a session say a text.
    pub fn message(&self, session: SessionId, text: &str) {
        self.say(session, "agent.message", json!({ "content": [{ "type": "text", "text": text }] }));
    }

    /// Lets a session finish its turn.
    pub fn end_turn(&self, session: SessionId) {
        self.say(session, "session.status_idle", json!({ "stop_reason": { "type": "end_turn" } }));
    }

    /// Whether a session has its prompt.
    #[must_use]
    pub fn is_prompted(&self, session: SessionId) -> bool {
        self.with(&remote_id(session), |remote| remote.prompts > 0).unwrap_or(false)
    }

    /// Waits until a session has its prompt: from then on it can be told what to say.
    pub async fn prompted(&self, session: SessionId) {
        let mut moved = self.moved.subscribe();
        while !self.is_prompted(session) {
            // The sender lives in `self`.
            let _ = moved.changed().await;
        }
    }

    fn remotes(&self) -> MutexGuard<'_, BTreeMap<String, Remote>> {
        self.remotes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Remote) -> T) -> RuntimeResult<T> {
        let mut remotes = self.remotes();
        let gone = || RuntimeError::new("find a session", "it is not there", RuntimeErrorClass::Gone);
        remotes.get_mut(id).map(look).ok_or_else(gone)
    }
}

fn remote_id(session: SessionId) -> String {
    format!("sesn_{session}")
}

#[async_trait]
impl Runtime for PuppetRuntime {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn push(&self, push: &Push) -> RuntimeResult<RemoteRef> {
        self.objects.push(push).await
    }

    async fn observe(
        &self,
        key: &ResourceKey,
        remote: &RemoteRef,
        expected: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        self.objects.observe(key, remote, expected, placed).await
    }

    async fn remove(&self, key: &ResourceKey, remote: &RemoteRef) -> RuntimeResult<()> {
        self.objects.remove(key, remote).await
    }

    async fn find(
        &self,
        org: OrgId,
        key: &ResourceKey,
        payload: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<RemoteRef>> {
        self.objects.find(org, key, payload, placed).await
    }

    async fn start_session(&self, start: &StartSession) -> RuntimeResult<String> {
        let id = remote_id(start.session);
        self.remotes().entry(id.clone()).or_default();
        Ok(id)
    }

    async fn prompt(&self, remote_id: &str, text: &str) -> RuntimeResult<()> {
        self.with(remote_id, |remote| {
            remote.prompts += 1;
            remote.say("user.message", json!({ "content": [{ "type": "text", "text": text }] }));
            remote.say("session.status_running", json!({}));
        })?;
        self.moved.send_replace(());
        Ok(())
    }

    async fn stream(&self, id: &str) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        let (send, receive) = mpsc::unbounded_channel();
        self.with(id, |remote| remote.streams.push(send))?;
        let next = |mut receive: mpsc::UnboundedReceiver<RuntimeEvent>| async move {
            Some((Ok(receive.recv().await?), receive))
        };
        Ok(stream::unfold(receive, next).boxed())
    }

    async fn history(&self, id: &str) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        let history = self.with(id, |remote| remote.history.clone())?;
        Ok(stream::iter(history).map(Ok).boxed())
    }

    async fn session(&self, remote_id: &str) -> RuntimeResult<Option<RemoteSession>> {
        let runs = self.with(remote_id, |remote| remote.runs).ok();
        let status = |runs| if runs { RemoteStatus::Running } else { RemoteStatus::Idle };
        Ok(runs.map(|runs| RemoteSession::new(status(runs), None, None)))
    }

    async fn answer_tool(&self, remote_id: &str, event_id: &str, _: &ToolAnswer) -> RuntimeResult<()> {
        let body = json!({ "tool_use_id": event_id });
        self.with(remote_id, |remote| remote.say("user.tool_confirmation", body))
    }

    async fn interrupt(&self, remote_id: &str) -> RuntimeResult<()> {
        let body = json!({ "stop_reason": { "type": "end_turn" } });
        self.with(remote_id, |remote| remote.say("session.status_idle", body))
    }

    async fn archive_session(&self, remote_id: &str) -> RuntimeResult<()> {
        self.with(remote_id, |remote| remote.streams.clear())
    }
}

//! A runtime that plays a script to whoever prompts it.

use crate::fault::Faults;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use powerloom_core::conformance::fake_runtime::FakeRuntime;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::runtime::{
    Capabilities, Payload, Placed, Push, RemoteSession, RemoteStatus, Runtime, RuntimeError,
    RuntimeErrorClass, RuntimeEvent, RuntimeResult, StartSession, ToolAnswer,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// One step of a script.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Says something.
    Say(&'static str, Value),
    /// Waits.
    Rest(Duration),
    /// Ends all streams.
    Cut,
    /// Says the last event again on the streams.
    Again,
    /// Records an event that no stream shows.
    Mutter(&'static str, Value),
    /// Waits for confirmations of the last `n` events.
    Ask(usize),
}

/// A session of the runtime.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    pub(crate) history: Vec<RuntimeEvent>,
    pub(crate) prompts: Vec<String>,
    pub(crate) answers: Vec<(String, ToolAnswer)>,
    pub(crate) interrupts: usize,
    pub(crate) archived: bool,
    pub(crate) deleted: bool,
    running: bool,
    streams: Vec<mpsc::UnboundedSender<RuntimeEvent>>,
    player: Option<AbortHandle>,
}

impl Remote {
    fn show(&mut self, event: &RuntimeEvent) {
        self.streams.retain(|stream| stream.send(event.clone()).is_ok());
    }

    fn say(&mut self, kind: &str, body: Value) {
        match kind {
            "session.status_running" => self.running = true,
            "session.status_idle" | "session.status_terminated" | "session.deleted" => self.running = false,
            _ => {}
        }
        let id = format!("sevt_{}", self.history.len() + 1);
        let event = RuntimeEvent { id, kind: kind.to_owned(), body, processed: true };
        self.history.push(event.clone());
        self.show(&event);
    }
}

#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) script: Mutex<Vec<Act>>,
    pub(crate) remotes: Mutex<BTreeMap<SessionId, Remote>>,
    pub(crate) faults: Arc<Faults>,
    /// What `start_session` answers instead of starting.
    pub(crate) refusal: Mutex<Option<RuntimeErrorClass>>,
    /// Whether an interrupt stops the turn.
    pub(crate) heeds: Mutex<bool>,
    pub(crate) resume: bool,
    pub(crate) status: Mutex<Option<RemoteStatus>>,
    pub(crate) starts: Mutex<Vec<StartSession>>,
    /// Where vaults and what is in them are.
    pub(crate) vaults: FakeRuntime,
    /// Every event it ever showed, and every prompt it ever got.
    pub(crate) said: Mutex<Vec<String>>,
}

pub(crate) fn idle(reason: &str) -> Act {
    Act::Say("session.status_idle", json!({ "stop_reason": { "type": reason } }))
}

pub(crate) fn say(text: &str) -> Act {
    Act::Say("agent.message", json!({ "content": [{ "type": "text", "text": text }] }))
}

pub(crate) fn rest(seconds: f64) -> Act {
    Act::Rest(Duration::from_secs_f64(seconds))
}

impl Scripted {
    pub(crate) fn new(script: Vec<Act>, faults: Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script),
            remotes: Mutex::default(),
            faults,
            refusal: Mutex::default(),
            heeds: Mutex::new(true),
            resume: false,
            status: Mutex::default(),
            starts: Mutex::default(),
            vaults: FakeRuntime::default(),
            said: Mutex::default(),
        })
    }

    /// Looks at the one session there is.
    pub(crate) fn one<T>(&self, look: impl FnOnce(&mut Remote) -> T) -> T {
        let mut remotes = self.remotes.lock().unwrap();
        assert_eq!(remotes.len(), 1, "exactly one remote session");
        look(remotes.values_mut().next().unwrap())
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Remote) -> T) -> RuntimeResult<T> {
        let mut remotes = self.remotes.lock().unwrap();
        let found = remotes.iter_mut().find(|(ours, remote)| format!("sesn_{ours}") == id && !remote.deleted);
        let (_, remote) =
            found.ok_or_else(|| RuntimeError::new("find", "no such session", RuntimeErrorClass::Gone))?;
        Ok(look(remote))
    }
}

fn lost(maybe: bool) -> RuntimeError {
    RuntimeError::new("answer", "struck", RuntimeErrorClass::Transient).maybe_applied(maybe)
}

/// Plays the script to the session `id`.
async fn play(stage: Arc<Scripted>, id: String, script: Vec<Act>) {
    for act in script {
        let now = |step: &dyn Fn(&mut Remote)| {
            let _ = stage.with(&id, step);
        };
        match act {
            Act::Say(kind, body) => now(&|remote| remote.say(kind, body.clone())),
            Act::Rest(span) => tokio::time::sleep(span).await,
            Act::Cut => now(&|remote| remote.streams.clear()),
            Act::Again => now(&|remote| {
                let last = remote.history.last().unwrap().clone();
                remote.show(&last);
            }),
            Act::Mutter(kind, body) => now(&|remote| {
                let streams = std::mem::take(&mut remote.streams);
                remote.say(kind, body.clone());
                remote.streams = streams;
            }),
            Act::Ask(calls) => {
                let mut ids = Vec::new();
                let _ = stage.with(&id, |remote| {
                    ids =
                        remote.history.iter().rev().take(calls).rev().map(|event| event.id.clone()).collect();
                    let reason = json!({ "type": "requires_action", "event_ids": ids });
                    remote.say("session.status_idle", json!({ "stop_reason": reason }));
                });
                loop {
                    let done = stage.with(&id, |remote| {
                        ids.iter().all(|id| remote.answers.iter().any(|(answered, _)| answered == id))
                    });
                    if done.unwrap_or(true) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                now(&|remote| remote.say("session.status_running", json!({})));
            }
        }
    }
}

/// The script needs the runtime itself, which a trait method does not have by `Arc`.
#[derive(Debug, Clone)]
pub(crate) struct Stage(pub(crate) Arc<Scripted>);

#[async_trait]
impl Runtime for Stage {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.resume = self.0.resume;
        capabilities
    }
    async fn push(&self, push: &Push) -> RuntimeResult<RemoteRef> {
        self.0.faults.around(self.0.vaults.push(push), lost).await
    }
    async fn observe(
        &self,
        _: &ResourceKey,
        _: &RemoteRef,
        _: &Payload,
        _: &Placed,
    ) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        unreachable!("sessions observe nothing")
    }
    async fn remove(&self, key: &ResourceKey, remote: &RemoteRef) -> RuntimeResult<()> {
        self.0.faults.around(self.0.vaults.remove(key, remote), lost).await
    }
    async fn find(
        &self,
        org: OrgId,
        key: &ResourceKey,
        payload: &Payload,
        placed: &Placed,
    ) -> RuntimeResult<Option<RemoteRef>> {
        self.0.faults.around(self.0.vaults.find(org, key, payload, placed), lost).await
    }

    async fn start_session(&self, start: &StartSession) -> RuntimeResult<String> {
        let work = async {
            if let Some(class) = self.0.refusal.lock().unwrap().clone() {
                return Err(RuntimeError::new("start a session", "no", class));
            }
            self.0.starts.lock().unwrap().push(start.clone());
            self.0.said.lock().unwrap().push(format!("{start:?}"));
            let mut remotes = self.0.remotes.lock().unwrap();
            assert!(start.unsure || !remotes.contains_key(&start.session), "a second session was created");
            remotes.entry(start.session).or_default();
            Ok(format!("sesn_{}", start.session))
        };
        self.0.faults.around(work, lost).await
    }
    async fn prompt(&self, remote_id: &str, text: &str) -> RuntimeResult<()> {
        let work = async {
            let script = self.0.script.lock().unwrap().clone();
            self.0.said.lock().unwrap().push(text.to_owned());
            let remote_id = remote_id.to_owned();
            self.0.with(&remote_id, |remote| {
                remote.prompts.push(text.to_owned());
                // Queued first, processed later: the same id twice.
                let id = format!("sevt_{}", remote.history.len() + 1);
                let body = json!({ "content": [{ "type": "text", "text": text }] });
                let queued = RuntimeEvent { id, kind: "user.message".to_owned(), body, processed: false };
                remote.show(&queued);
                let processed = RuntimeEvent { processed: true, ..queued };
                remote.history.push(processed.clone());
                remote.show(&processed);
                remote.say("session.status_running", json!({}));
                remote.player =
                    Some(tokio::spawn(play(self.0.clone(), remote_id.clone(), script)).abort_handle());
            })
        };
        self.0.faults.around(work, lost).await
    }
    async fn stream(
        &self,
        remote_id: &str,
    ) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        let work = async {
            self.0.with(remote_id, |remote| {
                let (send, receive) = mpsc::unbounded_channel();
                remote.streams.push(send);
                stream::unfold(
                    receive,
                    |mut receive| async move { Some((Ok(receive.recv().await?), receive)) },
                )
                .boxed()
            })
        };
        self.0.faults.around(work, lost).await
    }
    async fn history(
        &self,
        remote_id: &str,
    ) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        let work =
            async { self.0.with(remote_id, |remote| stream::iter(remote.history.clone()).map(Ok).boxed()) };
        self.0.faults.around(work, lost).await
    }
    async fn session(&self, remote_id: &str) -> RuntimeResult<Option<RemoteSession>> {
        let work = async {
            let stated = *self.0.status.lock().unwrap();
            let seen = self.0.with(remote_id, |remote| {
                if remote.running { RemoteStatus::Running } else { RemoteStatus::Idle }
            });
            Ok(seen.ok().map(|seen| RemoteSession::new(stated.unwrap_or(seen), None, None)))
        };
        self.0.faults.around(work, lost).await
    }
    async fn answer_tool(&self, remote_id: &str, event_id: &str, answer: &ToolAnswer) -> RuntimeResult<()> {
        let work = async {
            self.0.with(remote_id, |remote| {
                if remote.answers.iter().any(|(id, _)| id == event_id) {
                    return Err(RuntimeError::new(
                        "answer",
                        "answered already",
                        RuntimeErrorClass::Permanent,
                    ));
                }
                remote.answers.push((event_id.to_owned(), answer.clone()));
                remote.say("user.tool_confirmation", json!({ "tool_use_id": event_id }));
                Ok(())
            })?
        };
        self.0.faults.around(work, lost).await
    }
    async fn interrupt(&self, remote_id: &str) -> RuntimeResult<()> {
        let heeds = *self.0.heeds.lock().unwrap();
        let work = async {
            self.0.with(remote_id, |remote| {
                remote.interrupts += 1;
                if heeds && remote.running {
                    remote.player.take().inspect(AbortHandle::abort);
                    remote.say("session.status_idle", json!({ "stop_reason": { "type": "end_turn" } }));
                }
            })
        };
        self.0.faults.around(work, lost).await
    }
    async fn archive_session(&self, remote_id: &str) -> RuntimeResult<()> {
        let work = async {
            self.0.with(remote_id, |remote| {
                remote.archived = true;
                remote.player.take().inspect(AbortHandle::abort);
            })
        };
        self.0.faults.around(work, lost).await
    }
}

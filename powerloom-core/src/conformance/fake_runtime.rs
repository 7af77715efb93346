//! A runtime in memory that fails on demand: for tests of the loops and of what is built on them.

use crate::id::OrgId;
use crate::reconcile::state::RemoteRef;
use crate::record::{ResourceKey, Schema};
use crate::resource::vault::Vault;
use crate::runtime::{
    Capabilities, Payload, Placed, Push, RemoteSession, Runtime, RuntimeError, RuntimeErrorClass,
    RuntimeEvent, RuntimeResult, StartSession, ToolAnswer,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the list of what a test can order")]
pub enum Fault {
    /// It fails with this class and has no effect.
    Fails(RuntimeErrorClass),
    /// It takes effect, but the answer is lost.
    AnswerLost,
    /// It has no effect, but nobody can know.
    RequestLost,
    /// It panics.
    Panics,
}

/// What was called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data for assertions")]
pub struct Call {
    /// `push`, `observe`, `remove` or `find`.
    pub operation: &'static str,
    /// About which resource.
    pub key: ResourceKey,
}

/// An object of the runtime.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data for assertions")]
pub struct RemoteObject {
    /// The organization it was created for.
    pub org: OrgId,
    /// The resource it was created for.
    pub key: ResourceKey,
    /// What it is.
    pub payload: Payload,
    /// Where it is.
    pub remote: RemoteRef,
    /// The bearer, of a credential.
    pub bearer: Option<String>,
}

/// A runtime in memory. It has no sessions: starting one fails for good.
///
/// It is strict about what real ones are strict about: an update needs the present version, an agent skills that are
/// there, a credential its vault and a bearer, a skill version its files.
///
/// ```
/// use powerloom_core::conformance::fake_runtime::{FakeRuntime, Fault};
/// use powerloom_core::runtime::RuntimeErrorClass;
/// let runtime = FakeRuntime::default();
/// runtime.fault_at(2, Fault::Fails(RuntimeErrorClass::Transient));
/// assert_eq!(runtime.calls().len(), 0);
/// ```
#[derive(Debug, Default)]
pub struct FakeRuntime(Mutex<World>);

#[derive(Debug, Default)]
struct World {
    objects: BTreeMap<String, RemoteObject>,
    calls: Vec<Call>,
    created: BTreeMap<ResourceKey, usize>,
    born: usize,
    at: BTreeMap<usize, Fault>,
    always: BTreeMap<ResourceKey, Fault>,
    refused: Vec<OrgId>,
    latency: Duration,
    under_way: usize,
    most_under_way: usize,
}

impl FakeRuntime {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `call`-th call from the beginning, counted from 1, goes wrong.
    pub fn fault_at(&self, call: usize, fault: Fault) {
        self.world().at.insert(call, fault);
    }

    /// The next call goes wrong.
    pub fn fault_next(&self, fault: Fault) {
        let next = self.world().calls.len() + 1;
        self.fault_at(next, fault);
    }

    /// Every call about `key` goes wrong; `None` ends it.
    pub fn fault_of(&self, key: &ResourceKey, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.world().always.insert(key.clone(), fault),
            None => self.world().always.remove(key),
        };
    }

    /// The organization's key is refused, or not any more.
    pub fn refuse_key_of(&self, org: OrgId, refused: bool) {
        let mut world = self.world();
        world.refused.retain(|other| *other != org);
        if refused {
            world.refused.push(org);
        }
    }

    /// Every call takes so long.
    pub fn latency(&self, latency: Duration) {
        self.world().latency = latency;
    }

    /// Somebody edits the object of `key` behind the control plane's back.
    pub fn edit(&self, key: &ResourceKey, change: impl FnOnce(&mut Payload)) {
        let mut world = self.world();
        if let Some(object) = world.objects.values_mut().find(|object| object.key == *key) {
            change(&mut object.payload);
            object.remote.version = object.remote.version.map(|version| version + 1);
        }
    }

    /// Somebody deletes the object of `key` behind the control plane's back.
    pub fn vanish(&self, key: &ResourceKey) {
        self.world().objects.retain(|_, object| object.key != *key);
    }

    /// All calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// The resources that were pushed, in this order.
    #[must_use]
    pub fn pushes(&self) -> Vec<ResourceKey> {
        self.called("push")
    }

    /// The resources one operation was called for, in this order.
    #[must_use]
    pub fn called(&self, operation: &str) -> Vec<ResourceKey> {
        let world = self.world();
        world.calls.iter().filter(|call| call.operation == operation).map(|call| call.key.clone()).collect()
    }

    /// How many objects were ever created for `key`.
    #[must_use]
    pub fn creates(&self, key: &ResourceKey) -> usize {
        self.world().created.get(key).copied().unwrap_or_default()
    }

    /// Everything that is there.
    #[must_use]
    pub fn objects(&self) -> Vec<RemoteObject> {
        self.world().objects.values().cloned().collect()
    }

    /// The object of `key`.
    #[must_use]
    pub fn object(&self, key: &ResourceKey) -> Option<RemoteObject> {
        self.world().objects.values().find(|object| object.key == *key).cloned()
    }

    /// The most calls that were ever under way at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.world().most_under_way
    }

    /// Makes a call: counts it, lets it take its time, and lets it go wrong as ordered.
    async fn call<T>(
        &self,
        operation: &'static str,
        org: Option<OrgId>,
        key: &ResourceKey,
        effect: impl FnOnce(&mut World) -> RuntimeResult<T>,
    ) -> RuntimeResult<T> {
        let (fault, latency) = {
            let mut world = self.world();
            world.calls.push(Call { operation, key: key.clone() });
            let number = world.calls.len();
            let refused = org.is_some_and(|org| world.refused.contains(&org));
            let fault = match world.at.remove(&number) {
                None if refused => Some(Fault::Fails(RuntimeErrorClass::AuthFailed)),
                None => world.always.get(key).cloned(),
                fault => fault,
            };
            (fault, world.latency)
        };
        let _under_way = UnderWay::begin(self);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let lost =
            || RuntimeError::new(operation, "no answer", RuntimeErrorClass::Transient).maybe_applied(true);
        match fault {
            None => effect(&mut self.world()),
            Some(Fault::Fails(class)) => Err(RuntimeError::new(operation, "as ordered", class)),
            Some(Fault::AnswerLost) => effect(&mut self.world()).and_then(|_| Err(lost())),
            Some(Fault::RequestLost) => Err(lost()),
            Some(Fault::Panics) => std::panic::resume_unwind(Box::new("as ordered")),
        }
    }
}

/// Counts a call until it ends or is dropped.
struct UnderWay<'a>(&'a FakeRuntime);

impl<'a> UnderWay<'a> {
    fn begin(runtime: &'a FakeRuntime) -> Self {
        let mut world = runtime.world();
        world.under_way += 1;
        world.most_under_way = world.most_under_way.max(world.under_way);
        drop(world);
        Self(runtime)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.world().under_way -= 1;
    }
}

fn refused(operation: &str, message: &str, class: RuntimeErrorClass) -> RuntimeError {
    RuntimeError::new(operation, message, class)
}

impl World {
    fn push(&mut self, push: &Push) -> RuntimeResult<RemoteRef> {
        self.check(push)?;
        let bearer = push.bearer.as_ref().and_then(|bearer| bearer.expose_str()).map(str::to_owned);
        let known = match &push.remote {
            Some(remote) => {
                let gone = || refused("update it", "it is not there", RuntimeErrorClass::Gone);
                let object = self.objects.get(&remote.id).ok_or_else(gone)?;
                if object.remote.version != remote.version {
                    return Err(refused("update it", "it has another version", RuntimeErrorClass::Conflict));
                }
                Some(remote.id.clone())
            }
            None if push.unsure => self.find(&push.key),
            None => None,
        };
        if let Some(object) = known.and_then(|id| self.objects.get_mut(&id)) {
            object.payload = push.payload.clone();
            object.remote.version = object.remote.version.map(|version| version + 1);
            object.bearer = bearer;
            return Ok(object.remote.clone());
        }
        self.born += 1;
        *self.created.entry(push.key.clone()).or_default() += 1;
        let parent = match &push.payload {
            Payload::SkillVersion(version) => {
                let sibling = push.placed.values().find_map(|remote| remote.parent.clone());
                Some(sibling.unwrap_or_else(|| format!("skill-{}", version.skill_name)))
            }
            Payload::Credential(_) => push.placed.values().next().map(|vault| vault.id.clone()),
            _ => None,
        };
        let id = format!("{}-{}", push.key.kind.as_str().to_lowercase(), self.born);
        let remote = RemoteRef { id: id.clone(), version: Some(1), parent };
        let (org, key, payload) = (push.org, push.key.clone(), push.payload.clone());
        self.objects.insert(id, RemoteObject { org, key, payload, remote: remote.clone(), bearer });
        Ok(remote)
    }

    /// Refuses what a real runtime would refuse.
    fn check(&self, push: &Push) -> RuntimeResult<()> {
        let there = |key: &ResourceKey| {
            push.placed.get(key).is_some_and(|remote| self.objects.contains_key(&remote.id))
        };
        let problem = match &push.payload {
            Payload::Agent(agent) => {
                let skill = |id| ResourceKey { kind: crate::record::KindName::known("SkillVersion"), id };
                let missing = agent.skills.iter().any(|one| !there(&skill(one.version)));
                missing.then_some(("a skill is not there", RuntimeErrorClass::Permanent))
            }
            Payload::SkillVersion(_) if push.files.is_empty() => {
                Some(("there are no files", RuntimeErrorClass::Permanent))
            }
            Payload::Credential(_) if push.bearer.is_none() => {
                Some(("there is no bearer", RuntimeErrorClass::Permanent))
            }
            Payload::Credential(_) if !push.placed.keys().any(there) => {
                Some(("the vault is not there", RuntimeErrorClass::Gone))
            }
            _ => None,
        };
        problem.map_or(Ok(()), |(message, class)| Err(refused("push it", message, class)))
    }

    fn find(&self, key: &ResourceKey) -> Option<String> {
        self.objects.iter().find(|(_, object)| object.key == *key).map(|(id, _)| id.clone())
    }
}

fn no_sessions<T>() -> RuntimeResult<T> {
    Err(refused("work on a session", "this runtime has none", RuntimeErrorClass::Permanent))
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn push(&self, push: &Push) -> RuntimeResult<RemoteRef> {
        self.call("push", Some(push.org), &push.key, |world| world.push(push)).await
    }

    async fn observe(
        &self,
        key: &ResourceKey,
        remote: &RemoteRef,
        _expected: &Payload,
        _placed: &Placed,
    ) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        let read = |world: &mut World| {
            Ok(world.objects.get(&remote.id).map(|object| (object.payload.clone(), object.remote.clone())))
        };
        self.call("observe", None, key, read).await
    }

    async fn remove(&self, key: &ResourceKey, remote: &RemoteRef) -> RuntimeResult<()> {
        let remove = |world: &mut World| {
            world.objects.remove(&remote.id);
            if key.kind == Vault::KIND {
                // As on real ones: what is in a vault goes with it.
                world.objects.retain(|_, object| object.remote.parent.as_ref() != Some(&remote.id));
            }
            Ok(())
        };
        self.call("remove", None, key, remove).await
    }

    async fn find(
        &self,
        org: OrgId,
        key: &ResourceKey,
        _payload: &Payload,
        _placed: &Placed,
    ) -> RuntimeResult<Option<RemoteRef>> {
        let find = |world: &mut World| {
            Ok(world.find(key).and_then(|id| world.objects.get(&id)).map(|object| object.remote.clone()))
        };
        self.call("find", Some(org), key, find).await
    }

    async fn start_session(&self, _start: &StartSession) -> RuntimeResult<String> {
        no_sessions()
    }
    async fn prompt(&self, _remote_id: &str, _text: &str) -> RuntimeResult<()> {
        no_sessions()
    }
    async fn stream(&self, _id: &str) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        no_sessions()
    }
    async fn history(&self, _id: &str) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
        no_sessions()
    }
    async fn session(&self, _remote_id: &str) -> RuntimeResult<Option<RemoteSession>> {
        no_sessions()
    }
    async fn answer_tool(&self, _id: &str, _event_id: &str, _answer: &ToolAnswer) -> RuntimeResult<()> {
        no_sessions()
    }
    async fn interrupt(&self, _remote_id: &str) -> RuntimeResult<()> {
        no_sessions()
    }
    async fn archive_session(&self, _remote_id: &str) -> RuntimeResult<()> {
        no_sessions()
    }
}

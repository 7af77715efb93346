//! What makes one resource real: the port an embedder implements for a kind of their own.

use crate::reconcile::state::RemoteRef;
use crate::record::RecordRow;
use crate::runtime::{Payload, Push, RuntimeResult};
use async_trait::async_trait;
use std::fmt;

/// One resource to work on.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data between the loop and a reconciler")]
pub struct Work {
    /// The record, as it was read for this attempt.
    pub record: RecordRow,
    /// What it should be ([`Push::payload`]), where it is and where its dependencies are; a skill version's files
    /// and a credential's bearer, for a push only; and whether an earlier answer was lost.
    pub push: Push,
}

/// Makes resources of one kind real. The loop brings the claim, the order, the back-off and the record; this brings
/// the three calls.
///
/// # What the loop guarantees
/// 1. **One at a time**: no two calls of live claims for one resource run at once. A worker that stalls beyond its lease may
///    overlap with the next: its result counts for nothing, its calls must therefore be harmless when repeated.
/// 2. **Dependencies first**: everything in `depends_on` is in sync and in [`Push::placed`] before `reconcile`.
/// 3. **Level**: it is called with what should be now, not with what changed; changes between two calls are merged.
/// 4. **Told when unsure**: if an earlier create may have taken effect unseen, [`Push::unsure`] is set.
///
/// # What an implementation guarantees
/// 1. **Idempotent**: `reconcile` with the same work twice leaves one object; with `unsure` it looks for the object first.
/// 2. **Whole**: after `reconcile`, `observe` returns an equal payload; what the other side adds is left out.
/// 3. **Idempotent removal**: `remove` of what is not there succeeds; with no `remote` and `unsure` it looks first.
/// 4. **Honest failure**: the class says what to do about it, `maybe_applied` whether it may have happened. An
///    `AuthFailed` makes the whole organization rest.
/// 5. **Secret**: no error holds a secret: its text is kept and shown.
/// 6. **Cancel-safe**: a future that is dropped leaves nothing that the next call cannot repair.
///
/// # Example
/// ```
/// use async_trait::async_trait;
/// use powerloom_core::reconcile::reconciler::{Reconciler, Work};
/// use powerloom_core::reconcile::state::RemoteRef;
/// use powerloom_core::record::ResourceKey;
/// use powerloom_core::runtime::{Payload, RuntimeResult};
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// /// Keeps dashboards in a map; a real one would call a service.
/// #[derive(Debug, Default)]
/// struct Dashboards(Mutex<BTreeMap<String, Payload>>);
///
/// #[async_trait]
/// impl Reconciler for Dashboards {
///     async fn reconcile(&self, work: &Work) -> RuntimeResult<RemoteRef> {
///         // The id follows from ours: whether an earlier answer was lost does not matter.
///         let id = work.push.key.id.to_string();
///         self.0.lock().unwrap().insert(id.clone(), work.push.payload.clone());
///         Ok(RemoteRef { id, version: None, parent: None })
///     }
///     async fn observe(&self, work: &Work) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
///         let Some(remote) = &work.push.remote else { return Ok(None) };
///         Ok(self.0.lock().unwrap().get(&remote.id).map(|payload| (payload.clone(), remote.clone())))
///     }
///     async fn remove(&self, work: &Work) -> RuntimeResult<()> {
///         self.0.lock().unwrap().remove(&work.push.key.id.to_string());
///         Ok(())
///     }
/// }
/// # let _ = Dashboards::default();
/// ```
#[async_trait]
pub trait Reconciler: fmt::Debug + Send + Sync + 'static {
    /// Creates the object, or changes it into what it should be, and says where it is.
    async fn reconcile(&self, work: &Work) -> RuntimeResult<RemoteRef>;
    /// Reads what is there, in our words; `None` if it is gone.
    async fn observe(&self, work: &Work) -> RuntimeResult<Option<(Payload, RemoteRef)>>;
    /// Takes it away.
    async fn remove(&self, work: &Work) -> RuntimeResult<()>;
}

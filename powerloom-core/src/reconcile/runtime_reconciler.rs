//! The reconciler of the built-in kinds: it asks the runtime.

use crate::reconcile::reconciler::{Reconciler, Work};
use crate::reconcile::state::RemoteRef;
use crate::runtime::{Payload, Runtime, RuntimeResult};
use async_trait::async_trait;
use std::sync::Arc;

/// Makes resources real by the [`Runtime`] port.
#[derive(Debug, Clone)]
pub struct RuntimeReconciler(Arc<dyn Runtime>);

impl RuntimeReconciler {
    /// The reconciler that works on `runtime`.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self(runtime)
    }
}

#[async_trait]
impl Reconciler for RuntimeReconciler {
    async fn reconcile(&self, work: &Work) -> RuntimeResult<RemoteRef> {
        self.0.push(&work.push).await
    }

    async fn observe(&self, work: &Work) -> RuntimeResult<Option<(Payload, RemoteRef)>> {
        let push = &work.push;
        let Some(remote) = &push.remote else { return Ok(None) };
        self.0.observe(&push.key, remote, &push.payload, &push.placed).await
    }

    async fn remove(&self, work: &Work) -> RuntimeResult<()> {
        let push = &work.push;
        if let Some(remote) = &push.remote {
            return self.0.remove(&push.key, remote).await;
        }
        if push.unsure
            && let Some(found) = self.0.find(push.org, &push.key, &push.payload, &push.placed).await?
        {
            return self.0.remove(&push.key, &found).await;
        }
        Ok(())
    }
}

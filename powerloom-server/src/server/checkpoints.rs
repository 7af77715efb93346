//! Checkpoints of every organization's audit chain.

use powerloom_core::anchor::Anchor;
use powerloom_core::audit::signer::CheckpointSigner;
use powerloom_core::audit::trust::TrustedKey;
use powerloom_core::checkpointer::Checkpointer;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::id::OrgId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is asked whether there are new organizations.
const LOOK: Duration = Duration::from_secs(30);

/// Who signs the checkpoints of every organization, and where they are brought.
///
/// A chain that turns out to be broken, or to contradict what is anchored, is signed no more, and an error says so in the
/// log; the others go on, and so does the server.
#[derive(Debug, Clone)]
#[must_use]
pub struct Checkpoints {
    signer: Arc<dyn CheckpointSigner>,
    anchors: Vec<Arc<dyn Anchor>>,
    earlier: Vec<TrustedKey>,
}

impl Checkpoints {
    /// Signed by `signer` and brought to `anchor`, which must be one that can be read back.
    pub fn new(signer: Arc<dyn CheckpointSigner>, anchor: Arc<dyn Anchor>) -> Self {
        Self { signer, anchors: vec![anchor], earlier: Vec::new() }
    }

    /// Brings them there as well.
    pub fn anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchors.push(anchor);
        self
    }

    /// Believes what an earlier key has signed, in its time.
    pub fn earlier_key(mut self, key: TrustedKey) -> Self {
        self.earlier.push(key);
        self
    }

    pub(crate) async fn run(self, loom: ControlPlane, stop: CancellationToken) {
        let mut known = HashSet::new();
        let mut at_work = JoinSet::new();
        while !stop.is_cancelled() {
            match loom.store().orgs().await {
                Ok(orgs) => {
                    for org in orgs {
                        if known.insert(org.id) {
                            at_work.spawn(follow(self.of(&loom, org.id), stop.clone()));
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the organizations cannot be listed"),
            }
            while at_work.try_join_next().is_some() {}
            stop.run_until_cancelled(tokio::time::sleep(LOOK)).await;
        }
        while at_work.join_next().await.is_some() {}
    }

    fn of(&self, loom: &ControlPlane, org: OrgId) -> Result<Checkpointer, powerloom_core::invalid::Invalid> {
        let mut builder = Checkpointer::builder(loom, org, Arc::clone(&self.signer));
        for anchor in &self.anchors {
            builder = builder.anchor(Arc::clone(anchor));
        }
        self.earlier.iter().cloned().fold(builder, |builder, key| builder.earlier_key(key)).build()
    }
}

async fn follow(
    checkpointer: Result<Checkpointer, powerloom_core::invalid::Invalid>,
    stop: CancellationToken,
) {
    match checkpointer {
        Ok(mut checkpointer) => {
            // Whatever ends it early it has written to the log.
            let _ = checkpointer.run(stop).await;
        }
        Err(error) => tracing::error!(%error, "no checkpoints can be made"),
    }
}

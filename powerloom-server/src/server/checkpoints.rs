//! Checkpoints of every organization's audit chain, made when they are due.

use crate::checkpoints::Checkpoints;
use powerloom_core::checkpointer::Checkpointer;
use powerloom_core::control_plane::ControlPlane;
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is asked whether there are new organizations.
const LOOK: Duration = Duration::from_secs(30);

/// Makes checkpoints of every organization's chain when they are due, until `stop`.
///
/// A chain that turns out to be broken, or to contradict what is anchored, is signed no more, and an error says so in the log; the
/// others go on, and so does the server.
pub(crate) async fn run(checkpoints: Checkpoints, loom: ControlPlane, stop: CancellationToken) {
    let mut known = HashSet::new();
    let mut at_work = JoinSet::new();
    while !stop.is_cancelled() {
        match loom.store().orgs().await {
            Ok(orgs) => {
                for org in orgs {
                    if known.insert(org.id) {
                        at_work.spawn(follow(checkpoints.checkpointer(&loom, org.id), stop.clone()));
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

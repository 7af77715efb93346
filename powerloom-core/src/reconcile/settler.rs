//! Writes what came of claims, many in one call: whatever ends while one call runs goes with the next.

use crate::reconcile::claims::Claim;
use crate::reconcile::crew::Crew;
use crate::reconcile::report::TickReport;
use crate::reconcile::state::SyncOutcome;
use crate::store::Settlement;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Most results of one call.
const MOST: usize = 256;
/// The waits before a call that failed is made again. After that the leases run out and the rows are claimed anew.
const RETRIES: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];

enum Entry {
    Result(Arc<Claim>, SyncOutcome),
    Flush(oneshot::Sender<TickReport>),
}

/// Takes results; cheap to clone. Once the last one is dropped, what is left is written and the task behind it ends.
#[derive(Debug, Clone)]
pub(crate) struct Settler(mpsc::UnboundedSender<Entry>);

impl Settler {
    pub(crate) fn start(crew: Arc<Crew>) -> Self {
        let (entries, taken) = mpsc::unbounded_channel();
        tokio::spawn(settle_all(crew, taken));
        Self(entries)
    }

    /// Hands in what came of a claim. There are never more waiting than claims.
    pub(crate) fn settle(&self, claim: Arc<Claim>, outcome: SyncOutcome) {
        // It fails only if the task was killed with its runtime: then the lease runs out.
        let _ = self.0.send(Entry::Result(claim, outcome));
    }

    /// Waits until everything handed in before is written, and says what it came to since the last time.
    pub(crate) async fn flush(&self) -> TickReport {
        let (done, report) = oneshot::channel();
        let _ = self.0.send(Entry::Flush(done));
        report.await.unwrap_or_default()
    }
}

async fn settle_all(crew: Arc<Crew>, mut taken: mpsc::UnboundedReceiver<Entry>) {
    let mut report = TickReport::default();
    let mut entries = Vec::with_capacity(MOST);
    while taken.recv_many(&mut entries, MOST).await > 0 {
        let (mut tried, mut untried, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries.drain(..) {
            match entry {
                Entry::Result(claim, outcome @ (SyncOutcome::NotReady { .. } | SyncOutcome::Released)) => {
                    untried.push((claim, outcome));
                }
                Entry::Result(claim, outcome) => tried.push((claim, outcome)),
                Entry::Flush(done) => flushes.push(done),
            }
        }
        report.add(write(&crew, tried, false).await);
        report.add(write(&crew, untried, true).await);
        for done in flushes {
            let _ = done.send(std::mem::take(&mut report));
        }
    }
}

async fn write(crew: &Crew, results: Vec<(Arc<Claim>, SyncOutcome)>, untried: bool) -> TickReport {
    let mut report = TickReport::default();
    if results.is_empty() {
        return report;
    }
    let settlements: Vec<Settlement> = results
        .iter()
        .map(|(claim, outcome)| Settlement {
            org: claim.org,
            key: claim.key.clone(),
            fence: claim.fence,
            outcome: outcome.clone(),
        })
        .collect();
    let taken = call(crew, settlements, untried).await;
    for (index, (claim, outcome)) in results.iter().enumerate() {
        crew.claims.remove(claim);
        let count = match (taken.get(index), outcome) {
            (Some(true), SyncOutcome::Pushed { .. }) => &mut report.pushed,
            (Some(true), SyncOutcome::Removed) => &mut report.removed,
            (Some(true), SyncOutcome::Observed(_)) => &mut report.observed,
            (Some(true), SyncOutcome::NotReady { .. }) => &mut report.not_ready,
            (Some(true), SyncOutcome::Transient { .. })
                if crew.options.backoff.wait(claim.attempts + 1).is_some() =>
            {
                &mut report.failed
            }
            (Some(true), SyncOutcome::Transient { .. } | SyncOutcome::Permanent { .. }) => &mut report.parked,
            (Some(true), SyncOutcome::Released) => &mut report.released,
            (Some(false) | None, _) => &mut report.overtaken,
        };
        *count += 1;
    }
    report
}

async fn call(crew: &Crew, settlements: Vec<Settlement>, untried: bool) -> Vec<bool> {
    for wait in RETRIES {
        let now = if untried { crew.after_pass() } else { crew.plane.now() };
        match crew.plane.store.settle(settlements.clone(), now, &crew.options.backoff).await {
            Ok(taken) => return taken,
            Err(error) => tracing::warn!(%error, rows = settlements.len(), "results could not be written"),
        }
        tokio::time::sleep(wait).await;
    }
    Vec::new()
}

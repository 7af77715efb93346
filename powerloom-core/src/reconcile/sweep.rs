//! Looking for drift: what the runtime has against what was pushed (rows P47, P48).

use crate::digest::desired_hash;
use crate::error::Result;
use crate::reconcile::batch::{Batch, Candidate, Subject};
use crate::reconcile::claims::Claim;
use crate::reconcile::crew::Crew;
use crate::reconcile::decide::{by_org, repaired};
use crate::reconcile::reconciler::Work;
use crate::reconcile::report::SweepReport;
use crate::reconcile::state::{Observation, SyncState};
use crate::runtime::{Push, RuntimeErrorClass};
use crate::store::Write;
use futures::stream::{self, StreamExt};

/// Rows per page.
const PAGE: usize = 200;

/// Looks at every row in sync, page by page.
pub(crate) async fn sweep(crew: &Crew) -> Result<SweepReport> {
    let mut report = SweepReport::default();
    let mut after = None;
    loop {
        let page = crew.plane.store.sweep(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(report) };
        after = Some((last.org, last.key.clone()));
        for (org, states) in by_org(page) {
            let paused = crew.plane.store.org(org).await?.and_then(|org| org.paused);
            if paused.is_some_and(|pause| crew.plane.now() < pause.until) {
                report.unknown += states.len();
                continue;
            }
            let states = states.into_iter().filter(|state| !crew.except.contains(&state.key.kind)).collect();
            let mut batch = Batch::read(&crew.plane, org, states).await?;
            let candidates = std::mem::take(&mut batch.candidates);
            let looks = candidates.into_iter().map(|candidate| look(crew, &batch, candidate));
            let mut looks = stream::iter(looks).buffer_unordered(crew.options.concurrency.max(1));
            while let Some(one) = looks.next().await {
                report.add(one?);
            }
        }
    }
}

const UNKNOWN: SweepReport = SweepReport { clean: 0, drifted: 0, outdated: 0, unknown: 1 };

/// Looks at one object.
async fn look(crew: &Crew, batch: &Batch, candidate: Candidate) -> Result<SweepReport> {
    let Candidate { state, record } = candidate;
    let Some(Subject { row, projection: Ok(Some(projection)), .. }) = record else { return Ok(UNKNOWN) };
    if !row.is_live() {
        return Ok(UNKNOWN);
    }
    let Ok(desired) = projection.desired(&row.kind) else { return Ok(UNKNOWN) };
    if desired != state.desired {
        let written = repaired(&crew.plane, &row, Write::Desire { key: state.key.clone(), desired }).await?;
        return Ok(if written { SweepReport { outdated: 1, ..SweepReport::default() } } else { UNKNOWN });
    }
    let placed = batch.placed(&projection.depends_on);
    let push = Push {
        org: state.org,
        key: state.key.clone(),
        payload: projection.payload,
        remote: state.remote.clone(),
        placed,
        files: Vec::new(),
        bearer: None,
        unsure: false,
    };
    observe(crew, &state, &Work { record: row, push }).await
}

async fn observe(crew: &Crew, state: &SyncState, work: &Work) -> Result<SweepReport> {
    let Some(_slot) = crew.slot(&Claim::of(state)).await else { return Ok(UNKNOWN) };
    if !crew.pace().await {
        return Ok(UNKNOWN);
    }
    let reconciler = crew.reconciler(&state.key.kind);
    let seen = match crew.guarded("observe", reconciler.observe(work)).await {
        Ok(seen) => seen,
        // A read that failed says nothing about what is there.
        Err(error) => {
            match error.class {
                RuntimeErrorClass::AuthFailed => crew.rest(state.org, &error).await,
                RuntimeErrorClass::RateLimited { retry_after } => crew.throttle.slow(retry_after),
                _ => tracing::warn!(org = %state.org, resource = %state.key, %error, "could not be read"),
            }
            return Ok(UNKNOWN);
        }
    };
    let observation = match seen {
        None => Observation::Gone,
        Some((payload, remote)) => match desired_hash(state.key.kind.as_str(), &payload) {
            Ok(actual) => Observation::Present { actual, remote },
            Err(_) => return Ok(UNKNOWN),
        },
    };
    let clean = matches!(&observation, Observation::Present { actual, .. } if Some(*actual) == state.actual);
    let store = &crew.plane.store;
    if !store.observe(state.org, &state.key, state.version, observation, crew.plane.now()).await? {
        return Ok(UNKNOWN);
    }
    if clean {
        return Ok(SweepReport { clean: 1, ..SweepReport::default() });
    }
    tracing::warn!(org = %state.org, resource = %state.key, "drifted");
    Ok(SweepReport { drifted: 1, ..SweepReport::default() })
}

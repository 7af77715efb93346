//! A pass over everything that is due.

use crate::error::{Error, Result};
use crate::reconcile::attempt::attempt;
use crate::reconcile::batch::Batch;
use crate::reconcile::claims::Claim;
use crate::reconcile::crew::Crew;
use crate::reconcile::decide::{Verdict, by_org, decide};
use crate::reconcile::report::TickReport;
use crate::reconcile::settler::Settler;
use crate::reconcile::state::{SyncOutcome, SyncState};
use crate::store::{ClaimRequest, MAX_PAGE};
use futures::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The attempts under way, and where their results go. Dropped, the attempts are abandoned: their leases run out, and
/// the rows are then claimed as unsure.
#[derive(Debug)]
pub(crate) struct Pass {
    crew: Arc<Crew>,
    tasks: JoinSet<()>,
    settler: Settler,
}

impl Pass {
    pub(crate) fn new(crew: &Arc<Crew>) -> Self {
        Self { crew: crew.clone(), tasks: JoinSet::new(), settler: Settler::start(crew.clone()) }
    }

    /// Claims everything that is due now and begins with it; returns when the last has begun or waits for its turn.
    pub(crate) async fn claim_all(&mut self) -> Result<()> {
        let crew = self.crew.clone();
        let (start, batch) = (crew.begin_pass(), crew.options.batch.clamp(1, MAX_PAGE));
        while !crew.stop.is_cancelled() {
            let states = crew
                .plane
                .store
                .claim(&ClaimRequest {
                    owner: crew.options.owner.clone(),
                    now: start,
                    until: crew.plane.now() + crew.options.lease,
                    limit: batch,
                    except: crew.except.clone(),
                })
                .await?;
            let last = states.len() < batch;
            self.begin(states).await?;
            if last {
                break;
            }
            // The next claim is taken while the last calls of this one run.
            while self.tasks.len() > crew.options.concurrency {
                self.tasks.join_next().await;
            }
        }
        Ok(())
    }

    /// Begins with claimed rows. If the store fails, those not begun are given back.
    async fn begin(&mut self, states: Vec<SyncState>) -> Result<()> {
        let mut claims: HashMap<_, Arc<Claim>> = HashMap::with_capacity(states.len());
        for state in &states {
            let claim = Claim::of(state);
            self.crew.claims.insert(&claim);
            self.crew.wakes(state.org);
            claims.insert((state.org, state.key.clone()), claim);
        }
        let plane = &self.crew.plane;
        let batches = by_org(states).into_iter().map(|(org, states)| Batch::read(plane, org, states));
        let mut failure: Option<Error> = None;
        for batch in join_all(batches).await {
            match batch {
                Ok(batch) => self.begin_batch(batch, &mut claims, &mut failure).await,
                Err(error) => failure = Some(error),
            }
        }
        for claim in claims.into_values() {
            self.settler.settle(claim, SyncOutcome::Released);
        }
        failure.map_or(Ok(()), Err)
    }

    async fn begin_batch(
        &mut self,
        mut batch: Batch,
        claims: &mut HashMap<(crate::id::OrgId, crate::record::ResourceKey), Arc<Claim>>,
        failure: &mut Option<Error>,
    ) {
        for candidate in std::mem::take(&mut batch.candidates) {
            let Some(claim) = claims.remove(&(batch.org, candidate.state.key.clone())) else { continue };
            match decide(&self.crew.plane, &batch, candidate).await {
                Ok(Verdict::Settle(outcome)) => self.settler.settle(claim, outcome),
                Ok(verdict) => {
                    let (crew, settler) = (self.crew.clone(), self.settler.clone());
                    self.tasks.spawn(async move {
                        let outcome = attempt(&crew, &claim, verdict).await;
                        settler.settle(claim, outcome);
                    });
                }
                Err(error) => {
                    *failure = Some(error);
                    self.settler.settle(claim, SyncOutcome::Released);
                }
            }
        }
    }

    /// Whether attempts are under way.
    pub(crate) fn is_idle(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.is_empty()
    }

    /// Waits for one attempt to end.
    pub(crate) async fn next(&mut self) {
        self.tasks.join_next().await;
    }

    /// Waits until the results so far are written.
    pub(crate) async fn flush(&self) -> TickReport {
        self.settler.flush().await
    }

    /// Waits for all attempts and until their results are written.
    pub(crate) async fn drain(&mut self) -> TickReport {
        while self.tasks.join_next().await.is_some() {}
        self.flush().await
    }
}

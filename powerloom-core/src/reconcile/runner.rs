//! The loop that makes what was declared real.

use crate::control_plane::ControlPlane;
use crate::error::Result;
use crate::id::uuid_v7;
use crate::reconcile::crew::Crew;
use crate::reconcile::options::ReconcileOptions;
use crate::reconcile::pass::Pass;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::report::{SweepReport, TickReport, Unsettled};
use crate::reconcile::runtime_reconciler::RuntimeReconciler;
use crate::reconcile::state::SyncState;
use crate::reconcile::sweep::sweep;
use crate::record::{KindName, RecordRow, ResourceKey};
use crate::resource::catalogue::Catalogue;
use crate::runtime::Runtime;
use crate::store::{MAX_PAGE, OrgRow, RecordCursor, RecordQuery};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Puts a loop together.
#[derive(Debug)]
#[must_use]
pub struct ReconcilerLoopBuilder {
    control_plane: ControlPlane,
    runtime: Arc<dyn Runtime>,
    custom: BTreeMap<KindName, Arc<dyn Reconciler>>,
    options: ReconcileOptions,
}

impl ReconcilerLoopBuilder {
    /// Lets `reconciler` make the resources of `kind` real, instead of the runtime.
    pub fn custom(mut self, kind: KindName, reconciler: Arc<dyn Reconciler>) -> Self {
        self.custom.insert(kind, reconciler);
        self
    }

    /// The bounds and the pace.
    pub fn options(mut self, options: ReconcileOptions) -> Self {
        self.options = options;
        self
    }

    /// Puts it together. Nothing happens before [`run`](ReconcilerLoop::run) or [`tick`](ReconcilerLoop::tick).
    ///
    /// Rows of an embedder's kind that has no reconciler here are left to other loops.
    #[must_use]
    pub fn build(self) -> ReconcilerLoop {
        let plane = self.control_plane.plane;
        let mut options = self.options;
        options.concurrency = options.concurrency.max(1);
        if options.owner.is_empty() {
            options.owner = format!("reconciler-{}", uuid_v7(plane.now(), plane.entropy.as_ref()));
        }
        let builtin = Catalogue::default();
        let except = plane
            .catalogue
            .kinds()
            .map(|kind| kind.name())
            .filter(|kind| builtin.kind(kind).is_err() && !self.custom.contains_key(kind))
            .collect();
        let runtime = Arc::new(RuntimeReconciler::new(self.runtime));
        ReconcilerLoop { crew: Arc::new(Crew::new(plane, runtime, self.custom, except, options)) }
    }
}

/// Makes what was declared real, and keeps it so (rows P30–P48).
///
/// # Guarantees
/// 1. **Converging**: as long as the runtime answers and nobody changes anything, every resource ends in sync or parked.
/// 2. **Ordered**: a resource is pushed after what it depends on, and removed after what depends on it.
/// 3. **Never doubled**: a create whose answer was lost is looked for before another is sent.
/// 4. **Fenced**: several loops may share a store; of each row, one of them writes the result.
/// 5. **Bounded**: never more than `concurrency` calls at once, never faster than the rate or the runtime allows.
/// 6. **Fair**: organizations are served in turn; one whose key is refused rests alone.
/// 7. **Quiet**: while nothing changes there is one claim per tick, and no call but those of the sweep.
#[derive(Debug)]
pub struct ReconcilerLoop {
    crew: Arc<Crew>,
}

impl ReconcilerLoop {
    /// A loop for what is declared in `control_plane`, on `runtime`.
    pub fn builder(control_plane: &ControlPlane, runtime: Arc<dyn Runtime>) -> ReconcilerLoopBuilder {
        ReconcilerLoopBuilder {
            control_plane: control_plane.clone(),
            runtime,
            custom: BTreeMap::new(),
            options: ReconcileOptions::default(),
        }
    }

    /// Works until `stop` is cancelled; then finishes the calls under way and gives the rest back.
    ///
    /// A failing store is reported to the log and tried again at the next tick.
    ///
    /// # Cancel safety
    /// Dropped instead of stopped, it abandons the calls under way: their leases run out, and the next claim looks for what
    /// they may have created.
    pub async fn run(self, stop: CancellationToken) {
        let crew = &self.crew;
        let stopping = async {
            stop.cancelled().await;
            crew.stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = futures::future::join(self.converge(), self.watch()) => {}
            () = crew.keep_leases() => {}
            () = stopping => {}
        }
    }

    /// Passes, one after another: at each wake-up, at each tick, when a back-off ends, and after progress.
    async fn converge(&self) {
        let crew = &self.crew;
        let mut pass = Pass::new(crew);
        while !crew.stop.is_cancelled() {
            if let Err(error) = pass.claim_all().await {
                tracing::warn!(%error, "the pass was cut short");
            }
            let next = Instant::now() + self.until_next().await;
            let mut done = false;
            while !done {
                let idle = pass.is_idle();
                if idle && pass.flush().await.progressed() {
                    break;
                }
                tokio::select! {
                    biased;
                    () = crew.stop.cancelled() => done = true,
                    () = crew.plane.reconcile_wake.notified() => done = true,
                    () = tokio::time::sleep_until(next) => done = true,
                    () = pass.next(), if !idle => {}
                }
            }
        }
        pass.drain().await;
    }

    /// Until the next tick, or until a row falls due before it.
    async fn until_next(&self) -> Duration {
        let now = self.crew.plane.now();
        match self.crew.plane.store.next_due(now).await {
            // What is due already has just been tried: it waits for something else, or for the tick.
            Ok(Some(due)) if due > now => due.since(now).min(self.crew.options.tick),
            _ => self.crew.options.tick,
        }
    }

    async fn watch(&self) {
        let crew = &self.crew;
        let sweeps = async {
            loop {
                tokio::time::sleep(crew.options.sweep_every).await;
                match crew.plane.expire_approvals().await {
                    Ok(0) => {}
                    Ok(ended) => tracing::info!(ended, "approval requests expired"),
                    Err(error) => tracing::warn!(%error, "expired approval requests were not ended"),
                }
                match self.sweep().await {
                    Ok(report) => tracing::debug!(?report, "swept"),
                    Err(error) => tracing::warn!(%error, "the sweep was cut short"),
                }
            }
        };
        // A sweep only reads, and each request expires in a commit of its own: it can be dropped anywhere.
        crew.stop.run_until_cancelled(sweeps).await;
    }

    /// One pass over everything that is due now, to the end of the last call. For tests, and for programs that keep time
    /// themselves.
    ///
    /// # Errors
    /// Those of the store, once what had begun is written.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn tick(&self) -> Result<TickReport> {
        let work = async {
            let mut pass = Pass::new(&self.crew);
            let claimed = pass.claim_all().await;
            let report = pass.drain().await;
            claimed.map(|()| report)
        };
        tokio::select! {
            biased;
            report = work => report,
            () = self.crew.keep_leases() => Ok(TickReport::default()),
        }
    }

    /// Looks at every object in sync once (rows P47, P48). What has drifted is dirty afterwards.
    ///
    /// # Errors
    /// Those of the store. A runtime that cannot be read is not an error: nothing is concluded from it.
    ///
    /// # Cancel safety
    /// Dropped, what was not looked at stays as it is.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let report = sweep(&self.crew).await?;
        if report.drifted + report.outdated > 0 {
            self.crew.plane.reconcile_wake.notify_one();
        }
        Ok(report)
    }

    /// Makes passes until nothing is left that passes or waiting could change, or `timeout` has gone by; returns what is
    /// not in sync then: the blocked, the parked, and after a timeout the rest.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn until_settled(&self, timeout: Duration) -> Result<Vec<Unsettled>> {
        let deadline = Instant::now() + timeout;
        loop {
            let progressed = self.tick().await?.progressed();
            let late = Instant::now() >= deadline;
            if progressed && !late {
                continue;
            }
            let (unsettled, may_change) = self.survey().await?;
            if late || !may_change {
                return Ok(unsettled);
            }
            let pause = self.until_next().await.max(Duration::from_millis(1));
            tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
        }
    }

    /// Everything that is not in sync, in all organizations.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unsettled(&self) -> Result<Vec<Unsettled>> {
        Ok(self.survey().await?.0)
    }

    /// What is not in sync, and whether waiting alone may change it.
    async fn survey(&self) -> Result<(Vec<Unsettled>, bool)> {
        let plane = &self.crew.plane;
        let (mut unsettled, mut may_change) = (Vec::new(), false);
        for org in plane.store.orgs().await? {
            for kind in plane.catalogue.kinds().filter(|kind| kind.on_runtime()) {
                let ours = !self.crew.except.contains(&kind.name());
                let moving = self.survey_kind(&org, kind.name(), &mut unsettled).await?;
                may_change |= ours && moving;
            }
        }
        Ok((unsettled, may_change))
    }

    async fn survey_kind(
        &self,
        org: &OrgRow,
        kind: KindName,
        unsettled: &mut Vec<Unsettled>,
    ) -> Result<bool> {
        let plane = &self.crew.plane;
        let mut may_change = false;
        let mut query = RecordQuery { kind: Some(kind), limit: MAX_PAGE, ..RecordQuery::default() };
        loop {
            let page = plane.store.list_records(org.id, &query).await?;
            let Some(last) = page.last() else { return Ok(may_change) };
            let (kind, name, id) = (last.kind.clone(), last.meta.name.clone(), last.meta.id);
            query.after = Some(RecordCursor { kind, name, id });
            let keys: Vec<ResourceKey> = page.iter().map(RecordRow::key).collect();
            let states = plane.store.sync_states(org.id, &keys).await?;
            let mut states: HashMap<ResourceKey, _> =
                states.into_iter().map(|state| (state.key.clone(), state)).collect();
            for row in page {
                let Some(state) = states.remove(&row.key()).filter(SyncState::is_dirty) else { continue };
                may_change |= state.parked.is_none() && state.blocked_on.is_none();
                let (key, name, status) = (row.key(), row.meta.name, state.status(plane.now()));
                unsettled.push(Unsettled { org: org.id, key, name, status, last_error: state.last_error });
            }
        }
    }
}

//! The loop that pumps sessions: claims them, keeps their leases, and lets go of them.

use crate::control_plane::ControlPlane;
use crate::error::Result;
use crate::plane::Plane;
use crate::runtime::Runtime;
use crate::session::pump::options::PumpOptions;
use crate::session::pump::span::{invoke_agent, name_model};
use crate::session::pump::work::{Pump, Stop};
use crate::session::record::SessionRecord;
use crate::session::tool_answers::ToolAnswers;
use crate::store::ClaimRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Runs the sessions of all organizations on one runtime.
///
/// Any number of loops, in any number of processes, may work on one store: a session has one pump at a time, by a
/// lease with a fence. When a process dies its sessions are taken over once the lease has run out.
#[derive(Debug)]
pub struct SessionLoop {
    plane: Arc<Plane>,
    runtime: Arc<dyn Runtime>,
    options: Arc<PumpOptions>,
}

/// Puts a [`SessionLoop`] together.
#[derive(Debug)]
#[must_use]
pub struct SessionLoopBuilder {
    plane: Arc<Plane>,
    runtime: Arc<dyn Runtime>,
    options: PumpOptions,
}

impl SessionLoopBuilder {
    /// What this loop is called in leases.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.options.owner = owner.into();
        self
    }

    /// How long a claim lasts unless it is renewed, which happens every third of it: 30 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How often the store is asked for sessions and requests to stop that this process was not told of: 2 s.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.options.poll = poll;
        self
    }

    /// How many sessions are pumped at once: 256.
    pub fn concurrency(mut self, sessions: usize) -> Self {
        self.options.concurrency = sessions.max(1);
        self
    }

    /// After how much silence of the stream the runtime is asked where the session is: 15 s.
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.options.quiet = quiet;
        self
    }

    /// How long a stop may take before the session counts as cancelled all the same: 30 s.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.options.cancel_grace = grace;
        self
    }

    /// Who answers tool calls that wait; unless said otherwise
    /// [`DenyTools`](crate::session::tool_answers::DenyTools).
    pub fn tool_answers(mut self, answers: Arc<dyn ToolAnswers>) -> Self {
        self.options.answers = answers;
        self
    }

    /// Puts it together.
    #[must_use]
    pub fn build(self) -> SessionLoop {
        SessionLoop { plane: self.plane, runtime: self.runtime, options: Arc::new(self.options) }
    }
}

impl SessionLoop {
    /// A loop over the sessions of `control_plane`.
    pub fn builder(control_plane: &ControlPlane, runtime: Arc<dyn Runtime>) -> SessionLoopBuilder {
        SessionLoopBuilder { plane: control_plane.plane.clone(), runtime, options: PumpOptions::default() }
    }

    /// Pumps sessions until `stop`, then gives its claims back and returns.
    ///
    /// # Cancel safety
    /// Dropped, it ends as in a crash: its sessions are taken over once their leases have run out.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pumps = JoinSet::new();
        loop {
            while pumps.try_join_next().is_some() {}
            let free = self.options.concurrency - pumps.len().min(self.options.concurrency);
            match self.claim(free).await {
                Ok(claimed) => {
                    for session in claimed {
                        pumps.spawn(self.pump(session, stop.clone()));
                    }
                }
                Err(error) => tracing::warn!(%error, "sessions cannot be claimed"),
            }
            let full = pumps.len() >= self.options.concurrency;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.plane.session_wake.notified() => {}
                () = tokio::time::sleep(self.options.poll) => {}
                Some(_) = pumps.join_next(), if full => {}
            }
        }
        while pumps.join_next().await.is_some() {}
    }

    /// Claims what is there to claim, pumps it until it has settled or is lost, and says how many sessions that were.
    /// For tests, and for programs that want no loop.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn tick(&self) -> Result<usize> {
        let claimed = self.claim(self.options.concurrency).await?;
        let count = claimed.len();
        let never = CancellationToken::new();
        futures::future::join_all(claimed.into_iter().map(|session| self.pump(session, never.clone()))).await;
        Ok(count)
    }

    async fn claim(&self, limit: usize) -> Result<Vec<SessionRecord>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = self.plane.now();
        let request = ClaimRequest {
            owner: self.options.owner.clone(),
            now,
            until: now + self.options.lease,
            limit,
            except: Vec::new(),
        };
        Ok(self.plane.store.claim_sessions(&request).await?)
    }

    /// Pumps one session under its lease.
    fn pump(
        &self,
        claimed: SessionRecord,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (plane, options) = (self.plane.clone(), self.options.clone());
        let (org, id, fence) = (claimed.org, claimed.id, claimed.fence);
        let agent = claimed.agent_id;
        let span = invoke_agent(&claimed, self.runtime.capabilities().provider);
        let within = span.clone();
        let pump = Pump::new(plane.clone(), self.runtime.clone(), options.clone(), claimed);
        let work = async move {
            let pumping = async {
                name_model(&span, &plane, org, agent).await;
                pump.run().await
            };
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Ok(()),
                () = keep_lease(&plane, &options, (org, id, fence)) => Err(Stop::Lost),
                ended = pumping => ended,
            };
            match ended {
                Err(Stop::Lost) => tracing::warn!(session = %id, fence, "another pump has the session"),
                // The claim is kept until it runs out: not before then is it tried again.
                Err(Stop::Left) => {}
                Ok(()) | Err(Stop::Again { .. }) => {
                    if let Err(error) = plane.store.release_session(org, id, fence).await {
                        tracing::warn!(session = %id, %error, "a claim was not given back: it will run out");
                    }
                }
            }
        };
        work.instrument(within)
    }
}

/// Renews a lease until it is lost, or was not renewed for as long as it lasts.
async fn keep_lease(
    plane: &Plane,
    options: &PumpOptions,
    (org, id, fence): (crate::id::OrgId, crate::id::SessionId, u64),
) {
    let mut until = plane.now() + options.lease;
    loop {
        tokio::time::sleep(options.lease / 3).await;
        let next = plane.now() + options.lease;
        let renewal = plane.store.renew_session(org, id, fence, next);
        match tokio::time::timeout(options.lease / 3, renewal).await {
            Ok(Ok(true)) => until = next,
            Ok(Ok(false)) => return,
            // Not known: the lease may still hold.
            Ok(Err(_)) | Err(_) if plane.now() < until => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

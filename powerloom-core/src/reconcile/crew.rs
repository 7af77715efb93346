//! What all parts of one loop share.

use crate::clock::Timestamp;
use crate::id::OrgId;
use crate::plane::Plane;
use crate::reconcile::claims::{Claim, Claims};
use crate::reconcile::options::ReconcileOptions;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::throttle::Throttle;
use crate::record::KindName;
use crate::runtime::{RuntimeError, RuntimeErrorClass, RuntimeResult};
use crate::store::Pause;
use futures::FutureExt;
use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// The smallest step of time there is.
const MOMENT: Duration = Duration::from_micros(1);

/// One loop's ports, bounds and present claims.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) plane: Arc<Plane>,
    pub(crate) runtime: Arc<dyn Reconciler>,
    pub(crate) custom: BTreeMap<KindName, Arc<dyn Reconciler>>,
    /// Kinds nobody here can make real.
    pub(crate) except: Vec<KindName>,
    pub(crate) options: ReconcileOptions,
    pub(crate) throttle: Throttle,
    pub(crate) claims: Claims,
    pub(crate) stop: CancellationToken,
    slots: Semaphore,
    /// Organizations whose key was just refused: what is claimed of them already is given back.
    resting: Mutex<HashMap<OrgId, Timestamp>>,
    /// When the last pass began, in microseconds.
    pass: AtomicI64,
}

impl Crew {
    pub(crate) fn new(
        plane: Arc<Plane>,
        runtime: Arc<dyn Reconciler>,
        custom: BTreeMap<KindName, Arc<dyn Reconciler>>,
        except: Vec<KindName>,
        options: ReconcileOptions,
    ) -> Self {
        Self {
            throttle: Throttle::new(options.rate),
            slots: Semaphore::new(options.concurrency),
            plane,
            runtime,
            custom,
            except,
            options,
            claims: Claims::default(),
            stop: CancellationToken::new(),
            resting: Mutex::default(),
            pass: AtomicI64::new(i64::MIN),
        }
    }

    pub(crate) fn reconciler(&self, kind: &KindName) -> &dyn Reconciler {
        self.custom.get(kind).unwrap_or(&self.runtime).as_ref()
    }

    /// Begins a pass: it serves what is due at this moment, and each pass has a moment of its own.
    pub(crate) fn begin_pass(&self) -> Timestamp {
        let now = self.plane.now().as_micros();
        let before = self
            .pass
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last.saturating_add(1))))
            .unwrap_or_default();
        Timestamp::from_micros(now.max(before.saturating_add(1)))
    }

    /// When a row that was given back falls due again: now, but not within the same pass.
    pub(crate) fn after_pass(&self) -> Timestamp {
        let pass = Timestamp::from_micros(self.pass.load(Ordering::Relaxed));
        self.plane.now().max(pass + MOMENT)
    }

    /// Waits for a turn to call the runtime; `None` if there is no use in it any more.
    pub(crate) async fn slot(&self, claim: &Claim) -> Option<SemaphorePermit<'_>> {
        let slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                slot = self.slots.acquire() => slot.ok()?,
            },
        };
        (!self.stop.is_cancelled() && !claim.is_lost() && !self.rests(claim.org)).then_some(slot)
    }

    /// Waits for leave to make one call; `false` if the loop stops meanwhile.
    pub(crate) async fn pace(&self) -> bool {
        tokio::select! {
            biased;
            () = self.throttle.pass() => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Makes a call that ends: in time, and without taking the loop down.
    pub(crate) async fn guarded<T>(
        &self,
        what: &str,
        call: impl Future<Output = RuntimeResult<T>>,
    ) -> RuntimeResult<T> {
        let call = AssertUnwindSafe(call).catch_unwind();
        let failure = match tokio::time::timeout(self.options.call_timeout, call).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(_)) => "the call panicked".to_owned(),
            Err(_) => format!("no answer within {} s", self.options.call_timeout.as_secs()),
        };
        Err(RuntimeError::new(what, failure, RuntimeErrorClass::Transient).maybe_applied(true))
    }

    /// The runtime refuses the organization's key: nothing of it is tried for a while (sem. 2.4).
    pub(crate) async fn rest(&self, org: OrgId, error: &RuntimeError) {
        let until = self.plane.now() + self.options.auth_pause;
        tracing::warn!(%org, %error, %until, "the organization rests");
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(org, until);
        let pause = Pause { reason: error.to_string(), until };
        if let Err(error) = self.plane.store.pause(org, Some(pause)).await {
            tracing::warn!(%org, %error, "the pause could not be written");
        }
    }

    /// Whether the organization rests.
    pub(crate) fn rests(&self, org: OrgId) -> bool {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.get(&org).is_some_and(|until| self.plane.now() < *until)
    }

    /// The store gave out rows of the organization: its pause has passed or was ended.
    pub(crate) fn wakes(&self, org: OrgId) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).remove(&org);
    }

    /// Renews the leases of all claims, for ever.
    pub(crate) async fn keep_leases(&self) {
        loop {
            tokio::time::sleep(self.options.lease / 3).await;
            let claims = self.claims.all();
            if claims.is_empty() {
                continue;
            }
            let keys: Vec<_> =
                claims.iter().map(|claim| (claim.org, claim.key.clone(), claim.fence)).collect();
            let until = self.plane.now() + self.options.lease;
            match self.plane.store.renew(&keys, until).await {
                Ok(held) => {
                    for (claim, _) in claims.iter().zip(held).filter(|(_, held)| !held) {
                        tracing::warn!(org = %claim.org, resource = %claim.key, "another worker took it over");
                        claim.lose();
                    }
                }
                Err(error) => tracing::warn!(%error, "leases could not be renewed"),
            }
        }
    }
}

//! A store that fails when told to.

use async_trait::async_trait;
use bytes::Bytes;
use powerloom_core::audit::{AuditEntry, AuditHead, AuditQuery};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, SyncState};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::SealedSecret;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// When a call fails: before or after its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Before,
    After,
}

#[derive(Debug)]
pub(crate) struct FaultStore {
    inner: Arc<dyn Store>,
    /// What happens, in how many calls, and in how many in a row.
    plan: Mutex<Option<(Trouble, usize, usize)>>,
    stalled: AtomicBool,
    claims: AtomicUsize,
}

impl FaultStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Mutex::default(), stalled: AtomicBool::default(), claims: AtomicUsize::default() }
    }

    /// The `call`-th call from now on fails, and `times - 1` more after it.
    pub(crate) fn fail(&self, trouble: Trouble, call: usize, times: usize) {
        *self.plan.lock().unwrap() = Some((trouble, call, times));
    }

    /// No renewal works any more.
    pub(crate) fn fail_renewals(&self) {
        self.stalled.store(true, SeqCst);
    }

    /// Works from now on; whether the planned failures happened.
    pub(crate) fn rest(&self) -> bool {
        self.plan.lock().unwrap().take().is_none()
    }

    pub(crate) fn claims(&self) -> usize {
        self.claims.load(SeqCst)
    }

    fn next(&self) -> Option<Trouble> {
        let mut plan = self.plan.lock().unwrap();
        match plan.as_mut() {
            Some((_, call, _)) if *call > 1 => {
                *call -= 1;
                None
            }
            Some((trouble, _, times)) => {
                let trouble = *trouble;
                *times -= 1;
                if *times == 0 {
                    *plan = None;
                }
                Some(trouble)
            }
            None => None,
        }
    }

    async fn call<T>(&self, inner: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let trouble = self.next();
        let failed = |maybe_applied| {
            Err(StoreError::Unavailable { message: "as ordered".to_owned(), maybe_applied, source: None })
        };
        match trouble {
            Some(Trouble::Before) => failed(false),
            Some(Trouble::After) => inner.await.and_then(|_| failed(true)),
            None => inner.await,
        }
    }
}

macro_rules! delegate {
    ($($trait:ident { $(fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $out:ty;)* })*) => {$(
        #[async_trait]
        impl $trait for FaultStore {
            $(async fn $name(&self $(, $arg: $type)*) -> StoreResult<$out> {
                self.call(self.inner.$name($($arg),*)).await
            })*
        }
    )*};
}

delegate! {
    Commits { fn commit(&self, commit: Commit) -> Committed; }
    Records {
        fn org(&self, org: OrgId) -> Option<OrgRow>;
        fn org_by_slug(&self, slug: &str) -> Option<OrgRow>;
        fn orgs(&self) -> Vec<OrgRow>;
        fn record(&self, org: OrgId, key: &ResourceKey) -> Option<RecordRow>;
        fn records(&self, org: OrgId, keys: &[ResourceKey]) -> Vec<RecordRow>;
        fn record_by_unique_key(&self, org: OrgId, kind: &KindName, key: &str) -> Option<RecordRow>;
        fn list_records(&self, org: OrgId, query: &RecordQuery) -> Vec<RecordRow>;
        fn referrers(&self, org: OrgId, target: &ResourceKey) -> Vec<RecordRow>;
        fn secret(&self, org: OrgId, owner: ResourceId) -> Option<SealedSecret>;
        fn secrets(&self, org: OrgId, after: Option<ResourceId>, limit: usize) -> Vec<(ResourceId, SealedSecret)>;
        fn blob(&self, org: OrgId, digest: &Digest) -> Option<Bytes>;
        fn idempotency(&self, org: OrgId, key: &str, now: Timestamp) -> Option<IdempotencyRow>;
    }
    AuditLog {
        fn audit_head(&self, org: OrgId) -> AuditHead;
        fn audit_rows(&self, org: OrgId, after: u64, limit: usize) -> Vec<AuditEntry>;
        fn audit_query(&self, org: OrgId, query: &AuditQuery) -> Vec<AuditEntry>;
    }
    EventLog {
        fn session(&self, org: OrgId, id: SessionId) -> Option<SessionRecord>;
        fn sessions(&self, org: OrgId, query: &SessionQuery) -> Vec<SessionRecord>;
        fn events(&self, org: OrgId, session: SessionId, after: EventSeq, limit: usize) -> Vec<SessionEvent>;
    }
    SessionQueue {
        fn claim_sessions(&self, request: &ClaimRequest) -> Vec<SessionRecord>;
        fn renew_session(&self, org: OrgId, id: SessionId, fence: u64, until: Timestamp) -> bool;
        fn release_session(&self, org: OrgId, id: SessionId, fence: u64) -> bool;
        fn ticket(&self, digest: &Digest) -> Option<TicketRow>;
    }
}

#[async_trait]
impl SyncQueue for FaultStore {
    async fn claim(&self, request: &ClaimRequest) -> StoreResult<Vec<SyncState>> {
        self.claims.fetch_add(1, SeqCst);
        self.call(self.inner.claim(request)).await
    }
    async fn renew(&self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> StoreResult<Vec<bool>> {
        if self.stalled.load(SeqCst) {
            let message = "stalled".to_owned();
            return Err(StoreError::Unavailable { message, maybe_applied: false, source: None });
        }
        self.call(self.inner.renew(claims, until)).await
    }
    async fn settle(
        &self,
        results: Vec<Settlement>,
        now: Timestamp,
        backoff: &Backoff,
    ) -> StoreResult<Vec<bool>> {
        self.call(self.inner.settle(results, now, backoff)).await
    }
    async fn observe(
        &self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: Observation,
        now: Timestamp,
    ) -> StoreResult<bool> {
        self.call(self.inner.observe(org, key, version, observation, now)).await
    }
    async fn sweep(&self, after: Option<&(OrgId, ResourceKey)>, limit: usize) -> StoreResult<Vec<SyncState>> {
        self.call(self.inner.sweep(after, limit)).await
    }
    async fn next_due(&self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        self.call(self.inner.next_due(now)).await
    }
    async fn sync_state(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<SyncState>> {
        self.call(self.inner.sync_state(org, key)).await
    }
    async fn sync_states(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<SyncState>> {
        self.call(self.inner.sync_states(org, keys)).await
    }
    async fn pause(&self, org: OrgId, pause: Option<Pause>) -> StoreResult<()> {
        self.call(self.inner.pause(org, pause)).await
    }
}
